"""Baselines: values by hand, the checkerboard, batch equals single, tuning on validation."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

import evaluation.baselines
from evaluation.baselines import (
    BASELINES,
    EASE,
    GRIDS,
    Baseline,
    Interactions,
    ItemKNN,
    Popularity,
    tune,
)
from evaluation.protocols import Asked, Ints, Scores, Stars, evaluate

EVERY = [
    pytest.param(Popularity, id="popularity"),
    pytest.param(lambda: ItemKNN(neighbours=10), id="item-knn"),
    pytest.param(lambda: EASE(l2=1.0), id="ease"),
]


def rows(*items: int) -> NDArray[np.int64]:
    return np.array(items, dtype=np.int64)


def interactions(*histories: Sequence[int] | Ints, num_items: int) -> Interactions:
    user = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    return Interactions(user, np.concatenate(histories).astype(int), len(histories), num_items)


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
    ],
)
def test_checkerboard(make: Callable[[], Baseline], rank: float) -> None:
    histories = checkerboard(20)
    model = make().fit(*interactions(*histories, num_items=20))
    ranked = evaluate(model.score, histories, np.arange(20))
    assert ranked["next"].rank.tolist() == [rank] * 20


@pytest.mark.parametrize("make", EVERY)
def test_batch_equals_single(make: Callable[[], Baseline]) -> None:
    rng = np.random.default_rng(0)
    histories = [rng.permutation(30)[: 3 + person] for person in range(12)]
    model = make().fit(*interactions(*histories, num_items=30))
    batch = model.score(histories)
    single = np.concatenate([model.score([history]) for history in histories])
    assert batch.dtype == np.float32
    assert batch.shape == (12, 30)
    assert np.allclose(batch, single, atol=1e-6)


@pytest.mark.parametrize("make", EVERY)
def test_nobody_known_gives_numbers(make: Callable[[], Baseline]) -> None:
    model = make().fit(*interactions([0, 1], [1, 2], num_items=4))  # movie 3 has no ratings
    assert np.isfinite(model.score([rows(), rows(3)])).all()


@pytest.mark.parametrize("make", EVERY)
def test_a_movie_twice_in_a_history_counts_once(make: Callable[[], Baseline]) -> None:
    model = make().fit(*interactions([0, 1], [0, 2], [1, 2], num_items=3))
    assert np.array_equal(model.score([rows(0, 0)]), model.score([rows(0)]))


def test_popularity_counts_ratings() -> None:
    model = Popularity().fit(*interactions([0, 1], [1], [1, 2], num_items=4))
    assert model.score([rows(), rows(1)]).tolist() == [[1, 3, 1, 0], [1, 3, 1, 0]]


@pytest.mark.parametrize(
    ("shrink", "expected"),
    [pytest.param(0, 1 / 2, id="cosine"), pytest.param(2, 1 / 4, id="shrunk")],
)
def test_item_knn_by_hand(shrink: float, expected: float) -> None:
    # movie 0 has four viewers, movie 1 one of them: 1 / (sqrt(4 * 1) + shrink)
    model = ItemKNN(shrink=shrink).fit(*interactions([0, 1], [0], [0], [0], num_items=2))
    assert model.score([rows(0)]) == pytest.approx(np.array([[0, expected]]), abs=1e-5)


def test_item_knn_asks_only_the_nearest() -> None:
    train = interactions([0, 1], [0, 1], [1, 2], num_items=3)  # 1 is nearer to 0 than to 2
    score = ItemKNN(neighbours=1).fit(*train).score([rows(0), rows(2)])
    assert score[0, 1] == pytest.approx(2 / 6**0.5, abs=1e-5)
    assert score[1, 1] == 0


def test_item_knn_blocks_do_not_change_the_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    train = interactions(*checkerboard(20), num_items=20)
    whole = ItemKNN().fit(*train).score([rows(0, 3, 4)])
    monkeypatch.setattr(evaluation.baselines, "BLOCK", 7)
    assert np.array_equal(ItemKNN().fit(*train).score([rows(0, 3, 4)]), whole)


def test_ease_by_hand() -> None:
    # X'X + 1 = [[3, 2], [2, 3]], its inverse [[3, -2], [-2, 3]] / 5, so W_01 = 2 / 3
    model = EASE(l2=1.0).fit(*interactions([0, 1], [0, 1], num_items=2))
    assert model.score([rows(0)]) == pytest.approx(np.array([[0, 2 / 3]]), abs=1e-6)


@pytest.mark.parametrize(
    ("num_users", "num_items"),
    [pytest.param(40, 15, id="by-items"), pytest.param(15, 40, id="by-persons")],
)
def test_ease_solves_the_closed_form(num_users: int, num_items: int) -> None:
    seen = np.random.default_rng(0).random((num_users, num_items)) < 0.3
    inverse = np.linalg.inv(seen.T.astype(float) @ seen + 5 * np.eye(num_items))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    user, item = np.nonzero(seen)
    model = EASE(l2=5.0).fit(user, item, num_users, num_items)
    assert np.allclose(model.score([rows(item) for item in range(num_items)]), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: EASE(l2=0), "l2 0, needed more than 0", id="ease"),
        pytest.param(lambda: ItemKNN(neighbours=0), "neighbours 0", id="no-neighbours"),
        pytest.param(lambda: ItemKNN(shrink=-1), "shrink -1", id="negative-shrink"),
    ],
)
def test_refused_settings(make: Callable[[], Baseline], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


class Favours:
    """Puts one movie first and the rest in order of their rows."""

    def __init__(self, movie: int) -> None:
        self.movie = movie

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> "Favours":
        self.score_I = -np.arange(num_items, dtype=np.float32)
        self.score_I[self.movie] = 1
        return self

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        return np.tile(self.score_I, (len(histories), 1))


def test_tune_takes_the_best_of_validation() -> None:
    train = interactions([0], num_items=5)
    grid = [{"movie": 1}, {"movie": 4}, {"movie": 3}]
    best, table = tune(Favours, grid, train, Asked([rows(0)], rows(4)))
    assert best == {"next": {"movie": 4}}
    assert [row["settings"] for row in table] == grid
    assert table[1]["next"] == 1.0


def test_tune_chooses_for_each_protocol() -> None:
    train = interactions([0], num_items=5)
    asked = Asked([rows(0)], rows(2), candidates=np.array([[1, 3]]))
    best, table = tune(Favours, [{"movie": 1}, {"movie": 4}], train, asked)
    # 1 first: the target is second in both. 4 first: third of all (after 4, 1), second of its three
    assert best == {"next": {"movie": 1}, "ncf-paper": {"movie": 1}}
    assert table[0]["ncf-paper"] == table[1]["ncf-paper"] == table[0]["next"] > table[1]["next"]


def test_every_baseline_has_a_grid_it_accepts() -> None:
    assert BASELINES.keys() == GRIDS.keys() == {"popularity", "item-knn", "ease"}
    for name, grid in GRIDS.items():
        assert [BASELINES[name](**settings) for settings in grid]
