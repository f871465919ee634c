"""Reranking: calibration, novelty, freshness, MMR and genre profiles, by hand on small catalogs."""

import itertools
from typing import Any

import numpy as np
import pytest

from marquee.core.item_stats import SMOOTHING, ages, genre_shares, miscalibration, rarity
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError
from marquee.recommender.query import Controls
from marquee.recommender.rerank import calibration as calibration_module
from marquee.recommender.rerank import reranker as reranker_module
from marquee.recommender.rerank.calibration import exchange_items, expected_gains
from marquee.recommender.rerank.reranker import Reranker

I = 60  # noqa: E741
GENRES = [("Comedy",), ("Drama",), ("Comedy", "Drama"), ("War",), ()]
NO_ITEMS = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    """60 movies; the genres take turns, every movie is a year younger and has one rating less."""
    movies = Movies(
        np.arange(I),
        [f"Movie {i}" for i in range(I)],
        [None if i == 7 else 1940 + i for i in range(I)],
        [GENRES[i % 5] for i in range(I)],
    )
    item_ID = np.random.default_rng(0).normal(size=(I, 6)).astype(np.float32)
    return Reranker(movies, np.arange(I, 0, -1), num_users=100, item_vector_ID=item_ID)


def small_reranker(item_ID: Any, genres: list[tuple[str, ...]] | None = None) -> Reranker:
    """Movies without years, one rating each of one user."""
    num = len(item_ID)
    movies = Movies(np.arange(num), ["Movie"] * num, [None] * num, genres or [()] * num)
    vectors = np.asarray(item_ID, np.float32)
    return Reranker(movies, np.ones(num, np.int64), num_users=1, item_vector_ID=vectors)


def rank_page(
    reranker: Reranker, controls: Controls, history: list[int], k: int = 10, offset: int = 0
) -> tuple[list[int], int | None]:
    """Rank all rows but the history: the lower the row, the better its score."""
    mask_I = np.ones(I, bool)
    mask_I[history] = False
    score_I = -np.arange(I, dtype=np.float32) / 30
    history_L = np.array(history, np.int64)
    items, next_offset = reranker.rank_page(score_I, mask_I, history_L, controls, k, offset)
    return items.tolist(), next_offset


def top(reranker: Reranker, controls: Controls, history: list[int], k: int = 10) -> list[int]:
    return rank_page(reranker, controls, history, k)[0]


def miscalibration_of(reranker: Reranker, items: list[int], history: list[int]) -> float:
    shares = [reranker.share_IG[rows].sum(0)[None] for rows in (history, items)]
    return float(miscalibration(*shares)[0])


def mean_cosine(reranker: Reranker, items: list[int]) -> float:
    cosine = reranker.unit_vector_ID[items] @ reranker.unit_vector_ID[items].T
    return float(cosine[~np.eye(len(items), dtype=bool)].mean())


def test_rank_page_without_controls_is_by_score(reranker: Reranker) -> None:
    assert top(reranker, Controls(), [3]) == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10]


def test_calibration_stronger_is_nearer_to_the_history(reranker: Reranker) -> None:
    history = [3, 8, 13, 0]  # three war movies of four
    lists = [top(reranker, Controls(calibration=x), history) for x in (0, 0.2, 0.4, 0.7, 1)]
    distances = [miscalibration_of(reranker, items, history) for items in lists]
    assert distances == sorted(distances, reverse=True) and distances[-1] < distances[0] / 20
    for items in lists:
        assert items == sorted(items) and not set(items) & set(history) and len(set(items)) == 10


def test_calibration_without_a_genre_mix_changes_nothing(reranker: Reranker) -> None:
    for history in ([], [4]):  # movie 4 has no genres
        plain = top(reranker, Controls(), history)
        assert top(reranker, Controls(calibration=1), history) == plain


def test_calibration_without_candidates_is_empty(reranker: Reranker) -> None:
    assert top(reranker, Controls(calibration=0.5), list(range(I))) == []


def test_calibration_pages_join(reranker: Reranker) -> None:
    controls, history = Controls(calibration=0.8, novelty=0.2), [3, 8]
    items, end = rank_page(reranker, controls, history, k=58)
    assert sorted(items) == sorted(set(range(I)) - set(history)) and end is None
    pages = [rank_page(reranker, controls, history, k=7, offset=n) for n in range(0, 58, 7)]
    assert [item for page, _ in pages for item in page] == items
    assert [next_offset for _, next_offset in pages] == [*range(7, 58, 7), None]


def test_calibration_far_places_are_by_score(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls, history = Controls(calibration=1.0), [3, 8, 13]
    items = top(reranker, controls, history, k=57)
    monkeypatch.setattr(calibration_module, "MAX_RERANKED", 20)
    limited = top(reranker, controls, history, k=57)
    assert limited[:20] == items[:20] and limited[20:] == sorted(limited[20:])
    assert sorted(limited) == sorted(items)
    assert rank_page(reranker, controls, history, k=4, offset=33)[0] == limited[33:37]


def test_genre_profile_replaces_the_history(reranker: Reranker) -> None:
    def war_share(war: float) -> float:
        profile = {"Comedy": 1.0, "Drama": 1.0, "War": war}
        share_G = reranker.share_IG[top(reranker, Controls(genre_profile=profile), [0, 1, 2])].sum(
            0
        )
        return float(share_G[2] / share_G.sum())

    shares = [war_share(war) for war in (0, 1, 4, 20)]
    assert shares == sorted(shares) and shares[0] < 0.1 < 0.6 < shares[-1]


def test_genre_profile_counts_proportions_alone(reranker: Reranker) -> None:
    profiles = [{"War": x, "Drama": x} for x in (1, 250, 1e308)]
    lists = [top(reranker, Controls(genre_profile=profile), []) for profile in profiles]
    assert lists[0] == lists[1] == lists[2]


def test_genre_profile_lowers_items_outside_of_it() -> None:
    """One movie of the profile alone, one half outside, one outside: by 0, 1.5 and 3 logits."""
    reranker = small_reranker(np.eye(3), [("War",), ("War", "Drama"), ("Drama",)])
    controls, mask_I = Controls(genre_profile={"War": 1.0}), np.ones(3, bool)
    for gap, order in ((1.4, [0, 1, 2]), (1.6, [1, 0, 2]), (3.1, [2, 1, 0])):
        score_I = np.array([0, gap, gap if gap < 3 else 2 * gap], np.float32)
        items, _ = reranker.rank_page(score_I, mask_I, NO_ITEMS, controls, 3, 0)
        assert items.tolist() == order, gap


def test_novelty_subtracts_the_log_share_of_raters(reranker: Reranker) -> None:
    score_I = np.linspace(2, -2, I)
    adjusted_I = reranker.adjust_scores(score_I, Controls(novelty=0.5))
    np.testing.assert_allclose(adjusted_I, score_I - 0.5 * np.log(np.arange(I, 0, -1) / 100))
    lists = [top(reranker, Controls(novelty=x), []) for x in (0, 0.3, 0.6, 1)]
    means = [reranker.rarity_I[items].mean() for items in lists]
    assert means == sorted(means) and means[0] < means[-1]


def test_rarity_by_hand() -> None:
    expected = pytest.approx([np.log(100), np.log(100), np.log(2)])
    assert rarity(np.array([0, 1, 50]), 100) == expected


def test_freshness_prefers_the_newest_years(reranker: Reranker) -> None:
    """Movie i is 59 - i years behind the newest; of an unknown year, as old as the median."""
    assert reranker.age_I[[0, 58, 59]].tolist() == [59, 1, 0] and reranker.age_I[7] == 29
    years = [np.mean(top(reranker, Controls(freshness=x), [])) for x in (0, 0.3, 0.6, 1)]
    assert years == sorted(years) and years[0] < years[-1]


def test_ages_without_any_year_are_zero() -> None:
    assert ages(np.full(2, np.nan)).tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(5))
def test_exchange_items_finds_the_best_of_a_small_pool(seed: int) -> None:
    """Beside every ten of twelve; the search may stop at another ten that gains as much."""
    rng = np.random.default_rng(seed)
    probability_C = np.sort(rng.dirichlet(np.ones(12)))[::-1]
    share_CG = genre_shares(rng.random((12, 3)) < 0.5)
    profile_G = rng.dirichlet(np.ones(3))

    def gain(group: tuple[int, ...]) -> float:
        expected = (probability_C[list(group)] / np.log2(np.arange(10) + 2)).sum()
        listed_G = share_CG[list(group)].sum(0)
        return float(expected - 0.3 * miscalibration(profile_G[None], listed_G[None])[0])

    best = max(itertools.combinations(range(12), 10), key=gain)
    group = tuple(exchange_items(probability_C, share_CG, profile_G, 0.3).tolist())
    assert group == tuple(sorted(group))
    assert gain(group) == pytest.approx(gain(best), abs=2e-3)


def test_expected_gains_are_those_of_the_exchanged_list() -> None:
    probability_C = np.array([0.4, 0.3, 0.2, 0.1])
    discount_K = 1 / np.log2([2, 3, 4])
    gain_KC = expected_gains(probability_C, np.array([0, 1, 3]), discount_K)
    assert gain_KC[1, 2] == pytest.approx((probability_C[[0, 2, 3]] * discount_K).sum())
    assert gain_KC[0, 2] == pytest.approx((probability_C[[1, 2, 3]] * discount_K).sum())
    assert gain_KC[2, 2] == pytest.approx((probability_C[[0, 1, 2]] * discount_K).sum())


def test_miscalibration_by_hand() -> None:
    """Half and half against comedies alone; an empty profile; the profile itself."""
    profile_BG = np.array([[1.0, 1], [0, 0], [2, 1]])
    listed_BG = np.array([[5.0, 0], [1, 2], [2, 1]])
    comedies = 0.5 * np.log(0.5 / (1 - SMOOTHING / 2)) + 0.5 * np.log(0.5 / (SMOOTHING / 2))
    assert miscalibration(profile_BG, listed_BG) == pytest.approx([comedies, 0, 0])


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        pytest.param({"calibration": 1.1}, "calibration: 1.1, expected 0 to 1", id="too-strong"),
        pytest.param({"novelty": -0.1}, "novelty: -0.1", id="negative"),
        pytest.param({"novelty": "1"}, "novelty: '1', expected 0 to 1", id="text"),
        pytest.param({"freshness": float("nan")}, "freshness: nan", id="nan"),
        pytest.param(
            {"genre_profile": {"Wra": 1}},
            "'Wra': not in the catalog, expected one of Comedy",
            id="unknown-genre",
        ),
        pytest.param({"genre_profile": {"War": 0}}, "no weight above 0, expected one", id="all-0"),
        pytest.param({"genre_profile": {}}, "no weight above 0, expected one", id="empty"),
        pytest.param(
            {"genre_profile": {"War": "a"}}, "weight of War: 'a', expected 0 or more", id="letters"
        ),
        pytest.param({"genre_profile": {"War": -1}}, "weight of War: -1", id="negative-weight"),
        pytest.param({"genre_profile": {"War": float("inf")}}, "weight of War: inf", id="infinite"),
    ],
)
def test_controls_out_of_range_raise(
    reranker: Reranker, controls: dict[str, Any], message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        Controls(**controls).check_strengths()
        top(reranker, Controls(**controls), [3])


def test_controls_accept_numpy_numbers(reranker: Reranker) -> None:
    plain = top(reranker, Controls(novelty=0.5, genre_profile={"War": 1.0}), [3])
    controls = Controls(novelty=np.float32(0.5), genre_profile={"War": np.int64(1)})
    assert top(reranker, controls, [3]) == plain


@pytest.mark.parametrize("genres", [[()], [("War",)], [(), (), ()]])
@pytest.mark.parametrize("history", [[], [0]], ids=["no-history", "history"])
def test_rank_page_of_a_tiny_catalog(genres: list[tuple[str, ...]], history: list[int]) -> None:
    num = len(genres)
    reranker = small_reranker(np.ones((num, 2)), genres)
    controls = Controls(calibration=1, novelty=1, freshness=1)
    items, next_offset = reranker.rank_page(
        np.zeros(num, np.float32), np.ones(num, bool), np.array(history, int), controls, 5, 0
    )
    assert items.tolist() == list(range(num)) and next_offset is None


def test_mmr_stronger_is_less_alike(reranker: Reranker) -> None:
    """On average over lists: a greedy choice may lose in one."""
    score_BI, mask_I = np.random.default_rng(1).normal(size=(40, I)), np.ones(I, bool)
    cosines = []
    for strength in (0, 0.1, 0.3, 0.6, 1):
        controls = Controls(diversity=strength)
        lists = [
            reranker.rank_page(score_I, mask_I, NO_ITEMS, controls, 10, 0)[0].tolist()
            for score_I in score_BI
        ]
        cosines.append(np.mean([mean_cosine(reranker, items) for items in lists]))
        assert [items[0] for items in lists] == score_BI.argmax(axis=1).tolist()
    assert cosines == sorted(cosines, reverse=True) and cosines[-1] < cosines[0] - 0.05


@pytest.mark.parametrize(("strength", "order"), [(0.2, [0, 1, 2]), (0.25, [0, 2, 1])])
def test_mmr_by_hand(strength: float, order: list[int]) -> None:
    """The second is as good as the first but the same; the third is worse by less than 6 d."""
    reranker, score_I = small_reranker([[1, 0], [1, 0], [0, 1]]), np.array([2.0, 1.9, 0.6])
    controls = Controls(diversity=strength)
    items, _ = reranker.rank_page(score_I, np.ones(3, bool), NO_ITEMS, controls, 3, 0)
    assert items.tolist() == order


@pytest.mark.parametrize("calibration", [0, 0.5])
def test_mmr_pages_join(reranker: Reranker, calibration: float) -> None:
    controls = Controls(diversity=0.7, calibration=calibration)
    items, end = rank_page(reranker, controls, [3, 8], k=58)
    assert sorted(items) == sorted(set(range(I)) - {3, 8}) and end is None
    pages = [rank_page(reranker, controls, [3, 8], k=7, offset=n)[0] for n in range(0, 58, 7)]
    assert [item for page in pages for item in page] == items


def test_mmr_pages_join_beyond_the_greedy_places(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Places after the last that is chosen greedily, and items outside of its pool."""
    monkeypatch.setattr(calibration_module, "MAX_RERANKED", 10)
    monkeypatch.setattr(calibration_module, "POOL_SIZE", 20)
    controls = Controls(diversity=1)
    items = top(reranker, controls, [3], k=59)
    assert sorted(items) == sorted(set(range(I)) - {3})
    pages = [rank_page(reranker, controls, [3], k=4, offset=n)[0] for n in range(0, 59, 4)]
    assert [item for page in pages for item in page] == items


def test_demote_similar_lowers_by_squared_cosine() -> None:
    reranker = small_reranker([[1, 0], [0.8, 0.6], [0, 1], [0, -1]])
    score_I = np.zeros(4, np.float32)
    demoted_I = reranker.demote_similar(score_I, np.array([2]))
    assert demoted_I.tolist() == pytest.approx([0, -2 * 0.6**2, -2, 0])
    assert (reranker.demote_similar(score_I, NO_ITEMS) == score_I).all()


def test_demote_similar_reads_the_latest_items(
    reranker: Reranker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reranker_module, "MAX_DEMOTING", 2)
    score_I = np.zeros(I, np.float32)
    latest_I = reranker.demote_similar(score_I, np.array([1, 2]))
    assert (reranker.demote_similar(score_I, np.array([3, 0, 1, 2])) == latest_I).all()
