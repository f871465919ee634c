"""Re-ranking: each control does what it says, on lists whose arithmetic is done by hand."""

import itertools

import numpy as np
import pytest

from marquee.core.item_stats import SMOOTHING, ages, genre_shares, miscalibration, rarity
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError
from marquee.recommender.rerank.calibration import exchange_items, expected_gains
from marquee.recommender.rerank.controls import Controls
from marquee.recommender.rerank.reranker import Reranker

I = 60  # noqa: E741
GENRES = [("Comedy",), ("Drama",), ("Comedy", "Drama"), ("War",), ()]


@pytest.fixture(scope="module")
def shelf() -> Reranker:
    """60 movies; the genres take turns, every movie is a year younger and has one rating less."""
    movies = Movies(
        np.arange(I),
        [f"Film {i}" for i in range(I)],
        [None if i == 7 else 1940 + i for i in range(I)],
        [GENRES[i % 5] for i in range(I)],
    )
    vectors_ID = np.random.default_rng(0).normal(size=(I, 6)).astype(np.float32)
    return Reranker(movies, np.arange(I, 0, -1), num_users=100, item_vector_ID=vectors_ID)


def ranked(shelf: Reranker, controls: Controls, history: list[int], k: int = 10, start: int = 0):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Movies by row, but for the history: the lower the row, the better it is scored."""
    keep_I = np.ones(I, bool)
    keep_I[history] = False
    score_I = -np.arange(I, dtype=np.float32) / 30
    return shelf.rank_page(score_I, keep_I, np.array(history, np.int64), controls, k, start)


def listed(shelf: Reranker, controls: Controls, history: list[int], k: int = 10) -> list[int]:
    return ranked(shelf, controls, history, k)[0].tolist()


def off(shelf: Reranker, rows: list[int], history: list[int]) -> float:
    shares = [shelf.share_IG[each].sum(0)[None] for each in (history, rows)]
    return float(miscalibration(*shares)[0])


def test_without_controls_the_order_is_that_of_the_scores(shelf: Reranker) -> None:
    assert listed(shelf, Controls(), [3]) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]


def test_the_stronger_the_calibration_the_nearer_to_the_taste(shelf: Reranker) -> None:
    history = [3, 8, 13, 0]  # three war films of four
    lists = [listed(shelf, Controls(calibration=x), history) for x in (0, 0.2, 0.4, 0.7, 1)]
    misses = [off(shelf, rows, history) for rows in lists]
    assert misses == sorted(misses, reverse=True) and misses[-1] < misses[0] / 20
    for rows in lists:
        assert rows == sorted(rows) and not set(rows) & set(history) and len(set(rows)) == 10


def test_pages_of_a_calibrated_list_follow_one_another(shelf: Reranker) -> None:
    controls, history = Controls(calibration=0.8, novelty=0.2), [3, 8]
    whole, end = ranked(shelf, controls, history, k=58)
    assert sorted(whole) == sorted(set(range(I)) - set(history)) and end is None
    pages = [ranked(shelf, controls, history, k=7, start=start) for start in range(0, 58, 7)]
    assert np.concatenate([rows for rows, _ in pages]).tolist() == whole.tolist()
    assert [after for _, after in pages] == [*range(7, 58, 7), None]


def test_a_profile_is_followed_instead_of_the_history(shelf: Reranker) -> None:
    def share(profile: dict[str, float]) -> float:
        rows = listed(shelf, Controls(genre_profile=profile), [0, 1, 2])
        return float(shelf.share_IG[rows].sum(0)[2] / shelf.share_IG[rows].sum())

    shares = [share({"Comedy": 1, "Drama": 1, "War": war}) for war in (0, 1, 4, 20)]
    assert shares == sorted(shares) and shares[0] < 0.1 < 0.6 < shares[-1]
    mixes = [{"War": x, "Drama": x} for x in (1, 250, 1e308)]
    first, *same = [listed(shelf, Controls(genre_profile=mix), []) for mix in mixes]
    assert same == [first, first], "a profile is a mix: only its proportions count"


def test_novelty_takes_the_share_of_raters_off_the_logit(shelf: Reranker) -> None:
    score_I = np.linspace(2, -2, I)
    moved_I = shelf.adjust_scores(score_I, Controls(novelty=0.5))
    np.testing.assert_allclose(moved_I, score_I - 0.5 * np.log(np.arange(I, 0, -1) / 100))
    means = [
        shelf.rarity_I[listed(shelf, Controls(novelty=x), [])].mean() for x in (0, 0.3, 0.6, 1)
    ]
    assert means == sorted(means) and means[0] < means[-1]
    expected = pytest.approx([np.log(100), np.log(100), np.log(2)])
    assert rarity(np.array([0, 1, 50]), 100) == expected


def test_freshness_prefers_the_newest_years(shelf: Reranker) -> None:
    """Film i is 59 - i years behind the newest; of an unknown year, as old as the median."""
    assert shelf.age_I[[0, 58, 59]].tolist() == [59, 1, 0] and shelf.age_I[7] == 29
    years = [np.mean(listed(shelf, Controls(freshness=x), [])) for x in (0, 0.3, 0.6, 1)]
    assert years == sorted(years) and years[0] < years[-1]
    nameless = Movies(np.arange(2), ["A", "B"], [None, None], [(), ()])
    assert ages(nameless).tolist() == [0, 0]


def test_exchanges_find_the_best_ten_of_a_small_pool() -> None:
    """Beside every ten of twelve; the search may stop at another ten that gains as much."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        chance = np.sort(rng.dirichlet(np.ones(12)))[::-1]
        share = genre_shares(rng.random((12, 3)) < 0.5)
        profile = rng.dirichlet(np.ones(3))

        def gain(ten: tuple[int, ...], chance=chance, share=share, profile=profile) -> float:  # type: ignore[no-untyped-def]  # noqa: ANN001
            expected = (chance[list(ten)] / np.log2(np.arange(10) + 2)).sum()
            listed = share[list(ten)].sum(0)
            return float(expected - 0.3 * miscalibration(profile[None], listed[None])[0])

        best = max(itertools.combinations(range(12), 10), key=gain)
        found = tuple(exchange_items(chance, share, profile, 0.3).tolist())
        assert found == tuple(sorted(found))
        assert gain(found) == pytest.approx(gain(best), abs=2e-3)


def test_gains_are_those_of_the_exchanged_list() -> None:
    chance = np.array([0.4, 0.3, 0.2, 0.1])
    discount = 1 / np.log2([2, 3, 4])
    found = expected_gains(chance, np.array([0, 1, 3]), discount)
    assert found[1, 2] == pytest.approx((chance[[0, 2, 3]] * discount).sum())
    assert found[0, 2] == pytest.approx((chance[[1, 2, 3]] * discount).sum())
    assert found[2, 2] == pytest.approx((chance[[0, 1, 2]] * discount).sum())


def test_miscalibration_by_hand() -> None:
    """Half and half against comedies alone; no taste at all; the taste itself."""
    profile, wanted = np.array([[1.0, 1], [0, 0], [2, 1]]), np.array([[5.0, 0], [1, 2], [2, 1]])
    comedies = 0.5 * np.log(0.5 / (1 - SMOOTHING / 2)) + 0.5 * np.log(0.5 / (SMOOTHING / 2))
    assert miscalibration(profile, wanted) == pytest.approx([comedies, 0, 0])


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param({"calibration": 1.1}, "calibration: 1.1, expected 0 to 1", id="too-strong"),
        pytest.param({"novelty": -0.1}, "novelty: -0.1", id="negative"),
        pytest.param({"freshness": float("nan")}, "freshness: nan", id="nan"),
        pytest.param(
            {"genre_profile": {"Wra": 1}},
            "'Wra': not in the catalog, expected one of Comedy",
            id="unknown",
        ),
        pytest.param({"genre_profile": {"War": 0}}, "no weight above 0, expected one", id="all-0"),
        pytest.param({"genre_profile": {}}, "no weight above 0, expected one", id="empty"),
        pytest.param({"genre_profile": {"War": -1}}, "weight of War: -1, expected 0", id="below-0"),
        pytest.param({"genre_profile": {"War": float("inf")}}, "weight of War: inf", id="infinite"),
    ],
)
def test_what_no_list_can_follow_is_refused(shelf: Reranker, asked: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(RequestError, match=said):
        listed(shelf, Controls(**asked), [1])


def test_nobody_s_history_has_no_mix_to_keep(shelf: Reranker) -> None:
    plain = listed(shelf, Controls(), [])
    assert listed(shelf, Controls(calibration=1), []) == plain
    assert listed(shelf, Controls(calibration=1), [4]) == listed(shelf, Controls(), [4]), "no genre"


def test_who_has_seen_all_gets_nothing(shelf: Reranker) -> None:
    assert listed(shelf, Controls(calibration=0.5), list(range(I))) == []


def test_far_places_stand_by_score(monkeypatch: pytest.MonkeyPatch, shelf: Reranker) -> None:
    controls, history = Controls(calibration=1.0), [3, 8, 13]
    whole = listed(shelf, controls, history, k=57)
    monkeypatch.setattr("marquee.recommender.rerank.calibration.MAX_RERANKED", 20)
    cut = listed(shelf, controls, history, k=57)
    assert cut[:20] == whole[:20] and cut[20:] == sorted(cut[20:])
    assert sorted(cut) == sorted(whole)
    far, _ = ranked(shelf, controls, history, k=4, start=33)
    assert far.tolist() == cut[33:37]


@pytest.mark.parametrize("genres", [[()], [("War",)], [(), (), ()]])
def test_odd_catalogues(genres: list[tuple[str, ...]]) -> None:
    num = len(genres)
    movies = Movies(np.arange(num), ["Film"] * num, [None] * num, genres)
    shelf = Reranker(movies, np.zeros(num, np.int64), 0, np.ones((num, 2), np.float32))
    every = Controls(calibration=1, novelty=1, freshness=1)
    score_I, none = np.zeros(num, np.float32), np.zeros(0, np.int64)
    for history in (none, np.array([0])):
        keep_I = np.ones(num, bool)
        rows, after = shelf.rank_page(score_I, keep_I, history, every, 5, 0)
        assert rows.tolist() == list(range(num)) and after is None


def alike(shelf: Reranker, rows: list[int]) -> float:
    """Mean cosine of two movies of a list."""
    cosine = shelf.unit_vector_ID[rows] @ shelf.unit_vector_ID[rows].T
    return float(cosine[~np.eye(len(rows), dtype=bool)].mean())


def test_the_stronger_the_diversity_the_less_alike_the_lists(shelf: Reranker) -> None:
    """On average over lists: a greedy choice may lose in one."""
    scores = np.random.default_rng(1).normal(size=(40, I))
    likeness = []
    for x in (0, 0.1, 0.3, 0.6, 1):
        controls, nobody = Controls(diversity=x), np.zeros(0, np.int64)
        pages = [
            shelf.rank_page(each, np.ones(I, bool), nobody, controls, 10, 0)[0] for each in scores
        ]
        likeness.append(np.mean([alike(shelf, rows.tolist()) for rows in pages]))
        assert all(rows[0] == each.argmax() for rows, each in zip(pages, scores, strict=True))
    assert likeness == sorted(likeness, reverse=True) and likeness[-1] < likeness[0] - 0.05


def test_diversity_by_hand() -> None:
    """The second is as good as the first but the same; the third is worse by less than 6 d."""
    movies = Movies(np.arange(3), ["Film"] * 3, [None] * 3, [()] * 3)
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    three, everything = Reranker(movies, np.ones(3, np.int64), 1, vectors), np.ones(3, bool)
    score_I = np.array([2.0, 1.9, 0.6], np.float32)
    for strength, order in ((0.2, [0, 1, 2]), (0.25, [0, 2, 1])):
        rows, _ = three.rank_page(
            score_I, everything, np.array([0])[:0], Controls(diversity=strength), 3, 0
        )
        assert rows.tolist() == order


@pytest.mark.parametrize("calibration", [0, 0.5])
def test_pages_of_a_varied_list_follow_one_another(shelf: Reranker, calibration: float) -> None:
    controls = Controls(diversity=0.7, calibration=calibration)
    whole, end = ranked(shelf, controls, [3, 8], k=58)
    assert sorted(whole) == sorted(set(range(I)) - {3, 8}) and end is None
    pages = [ranked(shelf, controls, [3, 8], k=7, start=start)[0] for start in range(0, 58, 7)]
    assert np.concatenate(pages).tolist() == whole.tolist()


def test_pages_go_on_where_variety_ends(shelf: Reranker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places after the last that is chosen greedily, and movies outside of its pool."""
    monkeypatch.setattr("marquee.recommender.rerank.reranker.MAX_RERANKED", 10)
    monkeypatch.setattr("marquee.recommender.rerank.reranker.POOL_SIZE", 20)
    whole, _ = ranked(shelf, Controls(diversity=1), [3], k=59)
    assert sorted(whole) == sorted(set(range(I)) - {3})
    pages = [ranked(shelf, Controls(diversity=1), [3], k=4, start=s)[0] for s in range(0, 59, 4)]
    assert np.concatenate(pages).tolist() == whole.tolist()


def test_what_is_not_for_somebody_lowers_what_is_like_it() -> None:
    movies = Movies(np.arange(4), ["Film"] * 4, [None] * 4, [()] * 4)
    vectors = np.array([[1, 0], [0.8, 0.6], [0, 1], [0, -1]], np.float32)
    four, score_I = Reranker(movies, np.ones(4, np.int64), 1, vectors), np.zeros(4, np.float32)
    lowered = four.demote_similar(score_I, np.array([2]))
    assert lowered.tolist() == pytest.approx([0, -2 * 0.6**2, -2, 0])
    assert (four.demote_similar(score_I, np.zeros(0, np.int64)) == score_I).all()


def test_any_kind_of_number_is_a_strength_or_a_weight(shelf: Reranker) -> None:
    plain = listed(shelf, Controls(novelty=0.5, genre_profile={"War": 1.0}), [3])
    numpy = Controls(novelty=np.float32(0.5), genre_profile={"War": np.int64(1)})
    assert listed(shelf, numpy, [3]) == plain
    with pytest.raises(RequestError, match="novelty: '1', expected 0 to 1"):
        Controls(novelty="1")  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="weight of War: 'a', expected 0 or more"):
        listed(shelf, Controls(genre_profile={"War": "a"}), [3])  # type: ignore[dict-item]


def test_what_a_mix_leaves_out_is_lowered() -> None:
    """One movie of the mix alone, one half outside of it, one outside: by 0, 1.5 and 3 logits."""
    genres = [("War",), ("War", "Drama"), ("Drama",)]
    movies = Movies(np.arange(3), ["Film"] * 3, [None] * 3, genres)
    three = Reranker(movies, np.ones(3, np.int64), 1, np.eye(3, dtype=np.float32))
    everything, nobody = np.ones(3, bool), np.zeros(0, np.int64)
    for gap, order in ((1.4, [0, 1, 2]), (1.6, [1, 0, 2]), (3.1, [2, 1, 0])):
        score_I = np.array([0, gap, gap if gap < 3 else 2 * gap], np.float32)
        profile = Controls(genre_profile={"War": 1.0})
        rows, _ = three.rank_page(score_I, everything, nobody, profile, 3, 0)
        assert rows.tolist() == order, gap
