"""Ranking metrics: ties share credit, numpy and torch agree, NaN is refused."""

from math import log2

import numpy as np
import pytest
import torch

from marquee.evaluation.metrics.ranking import (
    METRICS,
    METRICS_MULTI,
    auc,
    expected_rank,
    hit_rate,
    mrr,
    ndcg,
    ndcg_multi,
    rank_counts,
    rank_counts_multi,
    recall,
)


@pytest.mark.parametrize(
    ("scores", "target", "num_better", "num_tied"),
    [
        pytest.param([0.9, 0.5, 0.1], 0, 0, 0, id="first"),
        pytest.param([0.9, 0.5, 0.1], 2, 2, 0, id="last"),
        pytest.param([0.5, 0.9, 0.5, 0.5], 0, 1, 2, id="one-above-two-level"),
        pytest.param([0.0, 0.0, 0.0], 1, 0, 2, id="constant"),
        pytest.param([-np.inf, 1.0, -np.inf], 0, 1, 1, id="infinite"),
    ],
)
def test_rank_counts(scores: list[float], target: int, num_better: int, num_tied: int) -> None:
    found = rank_counts(np.array([scores]), np.array([target]))
    assert [count.tolist() for count in found] == [[num_better], [num_tied]]


def test_seen_movies_are_left_out_but_the_target_stays() -> None:
    scores = np.array([[3.0, 2.0, 2.0, 1.0], [3.0, 2.0, 2.0, 1.0]])
    seen = np.array([[True, False, True, False], [True, True, False, False]])
    num_better, num_tied = rank_counts(scores, np.array([1, 1]), seen)
    assert num_better.tolist() == [0, 0]
    assert num_tied.tolist() == [0, 1]
    assert seen.tolist() == [[True, False, True, False], [True, True, False, False]]  # untouched


def test_torch_gives_the_same_counts_as_numpy() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(5, size=(8, 30)).astype(np.float32)
    target, seen = rng.integers(30, size=8), rng.random((8, 30)) < 0.3
    expected = rank_counts(scores, target, seen)
    found = rank_counts(torch.tensor(scores), torch.tensor(target), torch.tensor(seen))
    assert all(isinstance(count, torch.Tensor) for count in found)
    assert np.array_equal(np.stack(found), np.stack(expected))
    assert np.array_equal(ndcg(*found, k=10), ndcg(*expected, k=10))


@pytest.mark.parametrize("array", [np.array, torch.tensor])
def test_nan_is_refused(array: type) -> None:
    with pytest.raises(ValueError, match="1 of the scores are NaN"):
        rank_counts(array([[0.1, float("nan"), 0.3]]), array([0]))


@pytest.mark.parametrize(
    ("name", "num_better", "num_tied", "expected"),
    [
        pytest.param("hit_rate@10", 9, 0, 1.0, id="hit-tenth"),
        pytest.param("hit_rate@10", 10, 0, 0.0, id="hit-eleventh"),
        pytest.param("hit_rate@10", 8, 3, 2 / 4, id="hit-two-of-four-places"),
        pytest.param("hit_rate@10", 0, 99, 0.10, id="hit-constant-10-of-100"),
        pytest.param("hit_rate@50", 0, 99, 0.50, id="hit-constant-50-of-100"),
        pytest.param("ndcg@10", 0, 0, 1.0, id="ndcg-first"),
        pytest.param("ndcg@10", 2, 0, 1 / 2, id="ndcg-third"),
        pytest.param("ndcg@10", 10, 0, 0.0, id="ndcg-eleventh"),
        pytest.param("ndcg@10", 0, 2, (1 + 1 / log2(3) + 1 / 2) / 3, id="ndcg-three-level"),
        pytest.param("ndcg@10", 9, 1, 1 / log2(11) / 2, id="ndcg-across-the-edge"),
        pytest.param("mrr", 3, 0, 1 / 4, id="mrr-fourth"),
        pytest.param("mrr", 1, 1, (1 / 2 + 1 / 3) / 2, id="mrr-two-level"),
    ],
)
def test_expected_value_over_ties(
    name: str, num_better: int, num_tied: int, expected: float
) -> None:
    assert METRICS[name]([num_better], [num_tied]) == pytest.approx([expected], abs=1e-12)


def test_ties_are_worth_the_mean_over_random_orders() -> None:
    rng = np.random.default_rng(0)
    position = 3 + rng.integers(0, 12, size=200_000)  # 2 above, 11 level
    assert hit_rate([2], [11], 10)[0] == pytest.approx((position <= 10).mean(), abs=0.005)
    assert mrr([2], [11])[0] == pytest.approx((1 / position).mean(), abs=0.005)


def test_expected_rank_counts_from_one() -> None:
    assert expected_rank([0, 0, 4], [0, 2, 1]).tolist() == [1.0, 2.0, 5.5]


def test_no_persons_give_no_values() -> None:
    none = np.array([], dtype=np.int64)
    assert [len(metric(none, none)) for metric in METRICS.values()] == [0, 0, 0, 0]


def test_a_list_of_no_length_is_refused() -> None:
    with pytest.raises(ValueError, match="k: 0, expected 1 or more"):
        hit_rate([0], [0], 0)


ONE = np.zeros(1, dtype=np.int64)


def test_rank_counts_each_counts_the_others_to_be_found_too() -> None:
    score = np.array([[5.0, 4.0, 3.0, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    seen = np.array([[False, True, False, False, False], [False] * 4 + [True]])
    row, column = np.array([0, 0, 1]), np.array([2, 4, 0])
    num_better, num_tied = rank_counts_multi(score, row, column, seen)
    assert num_better.tolist() == [1, 3, 0]
    assert num_tied.tolist() == [1, 0, 3]
    assert seen.sum() == 2  # untouched


def test_rank_counts_each_is_rank_counts_movie_by_movie() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(6, size=(5, 30)).astype(np.float32)
    seen = rng.random((5, 30)) < 0.3
    row = np.repeat(np.arange(5), [1, 4, 2, 7, 3])
    column = np.concatenate([np.flatnonzero(~seen[b])[:n] for b, n in enumerate([1, 4, 2, 7, 3])])
    found = rank_counts_multi(score, row, column, seen)
    expected = rank_counts(score[row], column, seen[row])
    assert np.array_equal(np.stack(found), np.stack(expected))


def test_rank_counts_each_refuses_nan() -> None:
    with pytest.raises(ValueError, match="1 of the scores are NaN"):
        rank_counts_multi(np.array([[0.1, np.nan]]), ONE, ONE, np.zeros((1, 2), bool))


@pytest.mark.parametrize(
    ("positions", "k", "expected"),
    [
        pytest.param([1, 2, 30], 20, 2 / 3, id="two-of-three"),
        pytest.param([1, 2, 3], 2, 1.0, id="as-many-as-k-holds"),
        pytest.param([3, 4], 2, 0.0, id="none"),
        pytest.param(list(range(1, 21)), 50, 1.0, id="all-twenty"),
    ],
)
def test_recall_is_the_share_of_what_k_can_hold(
    positions: list[int], k: int, expected: float
) -> None:
    num_better = np.array(positions) - 1
    row = np.zeros(len(positions), np.int64)
    assert recall(num_better, np.zeros_like(num_better), row, k) == pytest.approx([expected])


@pytest.mark.parametrize(
    ("positions", "k", "expected"),
    [
        pytest.param([1, 2], 100, 1.0, id="both-first"),
        pytest.param([1, 3], 100, (1 + 1 / 2) / (1 + 1 / log2(3)), id="first-and-third"),
        pytest.param([1, 2, 3], 2, 1.0, id="more-than-k-holds"),
        pytest.param([101], 100, 0.0, id="behind-k"),
    ],
)
def test_ndcg_each_is_the_gain_of_what_could_be(
    positions: list[int], k: int, expected: float
) -> None:
    num_better = np.array(positions) - 1
    row = np.zeros(len(positions), np.int64)
    assert ndcg_multi(num_better, np.zeros_like(num_better), row, k) == pytest.approx([expected])


def test_people_are_kept_apart() -> None:
    row, num_better, none = np.array([0, 1, 1]), np.array([0, 0, 99]), np.zeros(3, np.int64)
    assert recall(num_better, none, row, 20).tolist() == [1.0, 0.5]
    assert ndcg_multi(num_better, none, row, 100)[0] == 1.0
    one = ndcg_multi([4], [3], ONE, 10)
    assert one == pytest.approx(ndcg([4], [3], 10))  # of one movie: the same


def test_a_constant_scorer_gets_the_expectation_over_orders() -> None:
    """5 of 100 to be found: 20 places hold 1 on average, and a place any of them with 1 / 20."""
    row, column = np.zeros(5, np.int64), np.array([0, 7, 30, 31, 99])
    counts = rank_counts_multi(np.zeros((1, 100)), row, column, np.zeros((1, 100), bool))
    found = {name: metric(*counts, row)[0] for name, metric in METRICS_MULTI.items()}
    gain = 1 / np.log2(np.arange(2, 102))
    assert found["recall@20"] == pytest.approx(20 / 100)
    assert found["recall@50"] == pytest.approx(50 / 100)
    assert found["ndcg@100"] == pytest.approx(gain.sum() * 5 / 100 / gain[:5].sum())


def test_several_ties_are_worth_the_mean_over_random_orders() -> None:
    """Two candidates above, then 8 level, 3 of them to be found; k = 5 takes 3 of the 8 places."""
    rng = np.random.default_rng(0)
    places = 3 + np.argsort(rng.random((100_000, 8)), axis=1)[:, :3]
    row, num_better, num_tied = np.zeros(3, np.int64), np.full(3, 2), np.full(3, 7)
    drawn = (places <= 5).sum(1) / 3
    assert recall(num_better, num_tied, row, 5)[0] == pytest.approx(drawn.mean(), abs=0.005)
    gains = np.where(places <= 5, 1 / np.log2(places + 1), 0).sum(1)
    best = 1 + 1 / log2(3) + 1 / 2
    assert ndcg_multi(num_better, num_tied, row, 5)[0] == pytest.approx(
        (gains / best).mean(), abs=0.005
    )


@pytest.mark.parametrize(
    ("num_better", "num_tied", "others", "expected"),
    [
        pytest.param(0, 0, 9, 1.0, id="first"),
        pytest.param(9, 0, 9, 0.0, id="last"),
        pytest.param(0, 9, 9, 0.5, id="constant"),
        pytest.param(2, 2, 8, 1 - 3 / 8, id="two-above-two-level"),
        pytest.param(0, 0, 0, 0.5, id="alone"),
    ],
)
def test_auc_is_the_share_below(
    num_better: int, num_tied: int, others: int, expected: float
) -> None:
    assert auc([num_better], [num_tied], [others]) == pytest.approx([expected])
