"""Baselines: values by hand, the checkerboard, batch equals single, tuning on validation."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import marquee.evaluation.baselines.interactions
import marquee.evaluation.tuning
from marquee.core.arrays import AnyInt, Float32
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.interactions import Baseline, Interactions
from marquee.evaluation.baselines.item_neighbors import ItemKNN, RP3Beta
from marquee.evaluation.baselines.ranking import EASE, IALS, GenrePopularity, Popularity
from marquee.evaluation.ranker import evaluate
from marquee.evaluation.tuning import expand_grid, fit_scorer, ranking_baselines, tune
from tests.support.eval_queries import eval_queries

BENCH = pytest.mark.skipif(
    find_spec("implicit") is None, reason="needs pip install -e '.[baselines]'"
)
EVERY = [
    pytest.param(Popularity, id="popularity"),
    pytest.param(lambda: ItemKNN(neighbours=10), id="item-knn"),
    pytest.param(lambda: EASE(l2=1.0), id="ease"),
    pytest.param(lambda: RP3Beta(neighbours=10), id="rp3beta"),
    pytest.param(lambda: IALS(factors=4, regularization=0.1), id="ials", marks=BENCH),
]


def rows(*items: int) -> NDArray[np.int64]:
    return np.array(items, dtype=np.int64)


def interactions(*histories: Sequence[int] | AnyInt, num_items: int) -> Interactions:
    user = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    item = np.concatenate(histories).astype(int)
    return Interactions(user=user, item=item, num_users=len(histories), num_items=num_items)


def of_contexts(*contexts: AnyInt) -> EvalQueries:
    return eval_queries(contexts=contexts, targets=[()] * len(contexts))


def one_query(context: AnyInt, targets: AnyInt, **options: Any) -> EvalQueries:
    return eval_queries(contexts=[context], targets=[targets], **options)


def checkerboard(size: int) -> list[NDArray[np.int64]]:
    """Person u watched the movies of the same parity, all but movie u. (implicit's test.)"""
    board = [np.arange(u % 2, size, 2) for u in range(size)]
    return [watched[watched != u] for u, watched in enumerate(board)]


@pytest.mark.parametrize(
    ("make", "rank"),
    [
        # 9 movies of the other parity and the withheld one, all rated 9 times: (1 + ... + 11) / 11
        pytest.param(Popularity, 6.0, id="popularity-knows-no-taste"),
        pytest.param(lambda: ItemKNN(neighbours=10), 1.0, id="item-knn"),
        pytest.param(lambda: ItemKNN(neighbours=3, shrink=5), 1.0, id="item-knn-shrunk"),
        pytest.param(lambda: EASE(l2=1.0), 1.0, id="ease"),
        pytest.param(lambda: RP3Beta(neighbours=10), 1.0, id="rp3beta"),
        pytest.param(lambda: IALS(factors=2, regularization=0.1), 1.0, id="ials", marks=BENCH),
    ],
)
def test_baselines_rank_withheld_item_of_checkerboard(
    make: Callable[[], Baseline], rank: float
) -> None:
    histories = checkerboard(20)
    model = make().fit(interactions(*histories, num_items=20))
    queries = eval_queries(contexts=histories, targets=list(np.arange(20)[:, None]))
    ranked = evaluate(model.score, queries, "next")
    assert ranked["next"].rank.tolist() == [rank] * 20


@pytest.mark.parametrize("make", EVERY)
def test_baseline_scores_of_batch_equal_single(make: Callable[[], Baseline]) -> None:
    rng = np.random.default_rng(0)
    histories = [rng.permutation(30)[: 3 + user] for user in range(12)]
    model = make().fit(interactions(*histories, num_items=30))
    batch = model.score(of_contexts(*histories))
    single = np.concatenate([model.score(of_contexts(history)) for history in histories])
    assert batch.dtype == np.float32
    assert batch.shape == (12, 30)
    assert np.allclose(batch, single, atol=1e-6)


@pytest.mark.parametrize("make", EVERY)
def test_baseline_scores_of_cold_context_are_finite(make: Callable[[], Baseline]) -> None:
    model = make().fit(interactions([0, 1], [1, 2], num_items=4))  # movie 3 has no ratings
    assert np.isfinite(model.score(of_contexts(rows(), rows(3)))).all()


@pytest.mark.parametrize("make", EVERY)
def test_baseline_counts_repeated_item_once(make: Callable[[], Baseline]) -> None:
    model = make().fit(interactions([0, 1], [0, 2], [1, 2], num_items=3))
    assert np.array_equal(model.score(of_contexts(rows(0, 0))), model.score(of_contexts(rows(0))))


def test_popularity_counts_interactions() -> None:
    model = Popularity().fit(interactions([0, 1], [1], [1, 2], num_items=4))
    assert model.score(of_contexts(rows(), rows(1))).tolist() == [[1, 3, 1, 0], [1, 3, 1, 0]]


@pytest.mark.parametrize(
    ("shrink", "expected"),
    [pytest.param(0, 1 / 2, id="cosine"), pytest.param(2, 1 / 4, id="shrunk")],
)
def test_item_knn_similarity_is_shrunk_cosine(shrink: float, expected: float) -> None:
    # movie 0 has four viewers, movie 1 one of them: 1 / (sqrt(4 * 1) + shrink)
    model = ItemKNN(shrink=shrink).fit(interactions([0, 1], [0], [0], [0], num_items=2))
    assert model.score(of_contexts(rows(0))) == pytest.approx(np.array([[0, expected]]), abs=1e-5)


def test_item_knn_sums_nearest_neighbors_only() -> None:
    train = interactions([0, 1], [0, 1], [1, 2], num_items=3)  # 1 is nearer to 0 than to 2
    score = ItemKNN(neighbours=1).fit(train).score(of_contexts(rows(0), rows(2)))
    assert score[0, 1] == pytest.approx(2 / 6**0.5, abs=1e-5)
    assert score[1, 1] == 0


def test_item_knn_blocks_give_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    train = interactions(*checkerboard(20), num_items=20)
    expected_score = ItemKNN().fit(train).score(of_contexts(rows(0, 3, 4)))
    monkeypatch.setattr(marquee.evaluation.baselines.interactions, "BLOCK_ROWS", 7)
    assert np.array_equal(ItemKNN().fit(train).score(of_contexts(rows(0, 3, 4))), expected_score)


def test_ease_weights_of_two_items_by_hand() -> None:
    # X'X + 1 = [[3, 2], [2, 3]], its inverse [[3, -2], [-2, 3]] / 5, so W_01 = 2 / 3
    model = EASE(l2=1.0).fit(interactions([0, 1], [0, 1], num_items=2))
    assert model.score(of_contexts(rows(0))) == pytest.approx(np.array([[0, 2 / 3]]), abs=1e-6)


@pytest.mark.parametrize(
    ("num_users", "num_items"),
    [
        pytest.param(40, 15, id="by-items"),
        pytest.param(15, 40, id="by-users"),
        pytest.param(200, 150, id="in-blocks"),
    ],
)
def test_ease_equals_closed_form(num_users: int, num_items: int) -> None:
    is_seen_UI = np.random.default_rng(0).random((num_users, num_items)) < 0.3
    inverse = np.linalg.inv(is_seen_UI.T.astype(float) @ is_seen_UI + 5 * np.eye(num_items))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    user, item = np.nonzero(is_seen_UI)
    train = Interactions(user=user, item=item, num_users=num_users, num_items=num_items)
    each_item = of_contexts(*np.arange(num_items)[:, None])
    assert np.allclose(EASE(l2=5.0).fit(train).score(each_item), expected, atol=1e-5)


def with_strength(train: Interactions, *strength: float) -> Interactions:
    return replace(train, strength=np.array(strength, np.float64))


def context_of(items: AnyInt, *strength: float) -> EvalQueries:
    return replace(of_contexts(items), strength_N=np.array(strength, np.float32))


def test_rp3beta_scores_of_three_steps_by_hand() -> None:
    """Users {0, 1}, {0, 2} with strengths 1 and 3; alpha 1, beta 1.

    walk_01 = 1/2 (1/2) / 1, walk_02 = 1/2 (3/4) / 1, walk_10 = (1/2) / 2, walk_20 = (1/4) / 2; each
    row is divided by its sum.
    """
    train = with_strength(interactions([0, 1], [0, 2], num_items=3), 1, 1, 1, 3)
    model = RP3Beta(neighbours=2, alpha=1, beta=1).fit(train)
    (score,) = model.score(context_of(rows(0), 2))
    assert score == pytest.approx([0, 2 * 0.25 / 0.625, 2 * 0.375 / 0.625])
    (score,) = model.score(context_of(rows(1, 2), 1, 3))
    assert score == pytest.approx([1 + 3, 0, 0])


def test_rp3beta_keeps_the_largest_of_each_column() -> None:
    """Items 1 and 2 both lead to 0 with share 1; of neighbours 1, ties fall to the first row."""
    train = interactions([0, 1], [0, 1], [0, 2], num_items=3)
    model = RP3Beta(neighbours=1, alpha=1, beta=0).fit(train)
    assert model.score(of_contexts(rows(1), rows(2)))[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("make", [ItemKNN, EASE])
def test_baseline_takes_strength_as_a_power(make: Any) -> None:
    train = with_strength(interactions([0, 1], [0, 2], [0, 1], num_items=3), 1, 2, 1, 1, 1, 2)
    context = context_of(rows(0, 1), 1, 2)
    ignored = make(strength=0).fit(train).score(context)
    plain = make().fit(replace(train, strength=None)).score(of_contexts(rows(0, 1)))
    assert np.array_equal(ignored, plain)
    assert not np.array_equal(make(strength=1).fit(train).score(context), plain)


def test_fit_scorer_ranks_empty_context_by_popularity() -> None:
    train = interactions([0, 1], [0, 1], [0, 2], num_items=3)
    score = fit_scorer(ItemKNN, {"neighbours": 2}, train)(of_contexts(rows(), rows(2)))
    assert score[0].tolist() == [3, 2, 1]
    assert score[1].tolist() != [3, 2, 1]


def test_genre_popularity_without_genres_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert ranking_baselines("new-movies", np.zeros((3, 0), np.float32)) == {}
    assert "genre-popularity is left out: no movie has a genre" in capsys.readouterr().out


@pytest.mark.parametrize("has_strengths", [False, True])
def test_strength_is_tuned_only_where_there_is_one(has_strengths: bool) -> None:
    baselines = ranking_baselines("fixed", np.eye(3, dtype=np.float32), has_strengths)
    assert baselines["rp3beta"][1] == [{}]  # as published
    assert all(("strength" in settings) == has_strengths for settings in baselines["item-knn"][1])


@BENCH
def test_ials_folds_in_new_user_exactly() -> None:
    """w = (H'H + (alpha - 1) H_u'H_u + l2)^-1 alpha H_u'1 for the movies of the history."""
    rng = np.random.default_rng(0)
    model = IALS(factors=3, alpha=4.0, regularization=2.0)
    model.fit(interactions(*[rng.permutation(12)[:5] for _ in range(30)], num_items=12))
    item_ID = model.model.item_factors.astype(np.float64)
    own_ND = item_ID[[1, 7, 8]]
    gram_DD = item_ID.T @ item_ID + 3.0 * own_ND.T @ own_ND + 2.0 * np.eye(3)
    expected = item_ID @ np.linalg.solve(gram_DD, 4.0 * own_ND.sum(0))
    assert model.score(of_contexts(rows(1, 7, 8)))[0] == pytest.approx(expected, abs=1e-4)


@BENCH
def test_ials_is_deterministic() -> None:
    train = interactions(*checkerboard(20), num_items=20)
    scores = [IALS(factors=4).fit(train).score(of_contexts(rows(0, 2))) for _ in range(2)]
    assert np.array_equal(scores[0], scores[1])


def test_genre_popularity_averages_over_genres() -> None:
    """Genre A: movies 0 (3 ratings), 1 (1); genre B: 1 (1), 2 (2). Held out: 3 to 6."""
    genre_IG = np.array(
        [[1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]], np.float32
    )
    train = interactions([0, 1, 2], [0, 2], [0], num_items=7)
    score = GenrePopularity(genre_IG).fit(train).score(of_contexts(rows(), rows(0)))
    a, b, everything = (3 + 1) / 2, (1 + 2) / 2, 6 / 3
    # Without a genre, and of a genre without ratings: the mean over all rated items.
    assert score[0, 3:] == pytest.approx([a, (a + b) / 2, everything, everything])
    assert np.array_equal(score[0], score[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: EASE(l2=0), "l2 0, expected more than 0", id="ease"),
        pytest.param(lambda: ItemKNN(neighbours=0), "neighbours 0", id="no-neighbours"),
        pytest.param(lambda: ItemKNN(shrink=-1), "shrink -1", id="negative-shrink"),
    ],
)
def test_baseline_settings_out_of_range_are_refused(
    make: Callable[[], Baseline], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make()


class FixedFavorite:
    """Puts one movie first and the rest in order of their rows."""

    def __init__(self, movie: int) -> None:
        self.movie = movie

    def fit(self, train: Interactions) -> "FixedFavorite":
        self.score_I = -np.arange(train.num_items, dtype=np.float32)
        self.score_I[self.movie] = 1
        return self

    def score(self, queries: EvalQueries) -> Float32:
        return np.tile(self.score_I, (len(queries), 1))


def test_tune_chooses_best_setting_on_validation() -> None:
    train = interactions([0], num_items=5)
    grid = [{"movie": 1}, {"movie": 4}, {"movie": 3}]
    best = tune(FixedFavorite, grid, train, one_query(rows(0), rows(4)), "next")
    assert best == {"next": {"movie": 4}}


def test_tune_chooses_per_protocol() -> None:
    train = interactions([0], num_items=5)
    valid_queries = one_query(rows(0), rows(2), candidate_BC=np.array([[1, 3]]))
    best = tune(FixedFavorite, [{"movie": 4}, {"movie": 1}], train, valid_queries, "next")
    # 1 first: the target is second in both. 4 first: third of all (after 4, 1), second of its
    # three: a tie for `ncf-paper`, which the first setting wins.
    assert best == {"next": {"movie": 1}, "ncf-paper": {"movie": 4}}


def test_tune_chooses_by_headline_metric() -> None:
    train = interactions([0], num_items=300)
    grid = [{"movie": 299}, {"movie": 200}]
    # 299 first: the two are third and 201st. 200 first: it is found, the other one stays third.
    valid_queries = one_query(rows(0), rows(2, 200), has_many_targets=True)
    best = tune(FixedFavorite, grid, train, valid_queries, "new-users")
    assert best == {"new-users": {"movie": 200}}


@pytest.mark.parametrize(
    ("protocol", "names"),
    [
        pytest.param("next", {"popularity", "item-knn", "ease"}, id="next"),
        pytest.param("time", {"popularity", "item-knn", "ease"}, id="time"),
        pytest.param("new-users", {"popularity", "item-knn", "ease", "ials"}, id="new-users"),
        pytest.param("new-movies", {"genre-popularity"}, id="new-movies"),
        pytest.param("fixed", {"popularity", "item-knn", "rp3beta", "rp3beta-tuned"}, id="fixed"),
    ],
)
def test_ranking_baselines_accept_their_grids(
    protocol: str, names: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marquee.evaluation.tuning, "find_spec", lambda name: name)
    baselines = ranking_baselines(protocol, np.eye(3, dtype=np.float32))
    assert baselines.keys() == names
    for name, (make, grid) in baselines.items():
        assert len(grid) > 0
        if name != "ials" or find_spec("implicit"):
            assert all(make(**settings) for settings in grid)


def test_ranking_baselines_without_implicit_omit_ials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(marquee.evaluation.tuning, "find_spec", lambda name: None)
    baselines = ranking_baselines("new-users", np.eye(3, dtype=np.float32))
    assert baselines.keys() == {"popularity", "item-knn", "ease"}
    assert capsys.readouterr().out.splitlines() == [
        "ials is left out: pip install -e '.[baselines]' brings the package implicit"
    ]


def test_expand_grid_gives_every_combination() -> None:
    assert expand_grid({"a": (1, 2), "b": (3,)}) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]
