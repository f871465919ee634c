"""Ranking metrics: ties share credit, numpy and torch agree, NaN is refused."""

from math import log2

import numpy as np
import pytest
import torch

from marquee.evaluation.metrics.many_targets import (
    METRICS_MULTI,
    any_hit,
    average_precision,
    ndcg_multi,
    precision,
    rank_counts_multi,
    recall,
)
from marquee.evaluation.metrics.ranking import (
    METRICS,
    auc,
    expected_rank,
    hit_rate,
    mrr,
    ndcg,
    rank_counts,
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
def test_rank_counts_of_cases(
    scores: list[float], target: int, num_better: int, num_tied: int
) -> None:
    counts = rank_counts(np.array([scores]), np.array([target]))
    assert [count.tolist() for count in counts] == [[num_better], [num_tied]]


def test_rank_counts_skip_seen_items_but_not_target() -> None:
    scores = np.array([[3.0, 2.0, 2.0, 1.0], [3.0, 2.0, 2.0, 1.0]])
    is_seen_BC = np.array([[True, False, True, False], [True, True, False, False]])
    num_better, num_tied = rank_counts(scores, np.array([1, 1]), is_seen_BC)
    assert num_better.tolist() == [0, 0]
    assert num_tied.tolist() == [0, 1]
    assert is_seen_BC.sum() == 4  # untouched


def test_rank_counts_of_torch_equal_numpy() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(5, size=(8, 30)).astype(np.float32)
    target, is_seen_BC = rng.integers(30, size=8), rng.random((8, 30)) < 0.3
    expected = rank_counts(scores, target, is_seen_BC)
    counts = rank_counts(torch.tensor(scores), torch.tensor(target), torch.tensor(is_seen_BC))
    assert all(isinstance(count, torch.Tensor) for count in counts)
    assert np.array_equal(np.stack(counts), np.stack(expected))
    assert np.array_equal(ndcg(*counts, k=10), ndcg(*expected, k=10))


@pytest.mark.parametrize("array", [np.array, torch.tensor])
def test_rank_counts_refuse_nan(array: type) -> None:
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
def test_metrics_are_expected_values_over_ties(
    name: str, num_better: int, num_tied: int, expected: float
) -> None:
    assert METRICS[name]([num_better], [num_tied]) == pytest.approx([expected], abs=1e-12)


def test_metrics_of_ties_equal_mean_over_random_orders() -> None:
    rng = np.random.default_rng(0)
    position = 3 + rng.integers(0, 12, size=200_000)  # 2 above, 11 level
    assert hit_rate([2], [11], 10)[0] == pytest.approx((position <= 10).mean(), abs=0.005)
    assert mrr([2], [11])[0] == pytest.approx((1 / position).mean(), abs=0.005)


def test_expected_rank_starts_at_one() -> None:
    assert expected_rank([0, 0, 4], [0, 2, 1]).tolist() == [1.0, 2.0, 5.5]


def test_metrics_of_no_users_are_empty() -> None:
    no_counts = np.array([], dtype=np.int64)
    assert [len(metric(no_counts, no_counts)) for metric in METRICS.values()] == [0, 0, 0, 0]


def test_hit_rate_refuses_k_of_zero() -> None:
    with pytest.raises(ValueError, match="k: 0, expected 1 or more"):
        hit_rate([0], [0], 0)


ONE = np.zeros(1, dtype=np.int64)


def test_rank_counts_multi_count_other_targets() -> None:
    score = np.array([[5.0, 4.0, 3.0, 3.0, 1.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    is_seen_BC = np.array([[False, True, False, False, False], [False] * 4 + [True]])
    row, column = np.array([0, 0, 1]), np.array([2, 4, 0])
    num_better, num_tied = rank_counts_multi(score, row, column, is_seen_BC)
    assert num_better.tolist() == [1, 3, 0]
    assert num_tied.tolist() == [1, 0, 3]
    assert is_seen_BC.sum() == 2  # untouched


def test_rank_counts_multi_equal_rank_counts() -> None:
    rng = np.random.default_rng(0)
    score = rng.integers(6, size=(5, 30)).astype(np.float32)
    is_seen_BC = rng.random((5, 30)) < 0.3
    row = np.repeat(np.arange(5), [1, 4, 2, 7, 3])
    column = np.concatenate(
        [np.flatnonzero(~is_seen_BC[b])[:n] for b, n in enumerate([1, 4, 2, 7, 3])]
    )
    counts = rank_counts_multi(score, row, column, is_seen_BC)
    expected = rank_counts(score[row], column, is_seen_BC[row])
    assert np.array_equal(np.stack(counts), np.stack(expected))


def test_rank_counts_multi_refuse_nan() -> None:
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
def test_recall_is_share_of_targets_that_fit_in_k(
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
def test_ndcg_multi_is_share_of_ideal_gain(positions: list[int], k: int, expected: float) -> None:
    num_better = np.array(positions) - 1
    row = np.zeros(len(positions), np.int64)
    assert ndcg_multi(num_better, np.zeros_like(num_better), row, k) == pytest.approx([expected])


def test_multi_metrics_of_users_are_independent() -> None:
    row, num_better, no_counts = np.array([0, 1, 1]), np.array([0, 0, 99]), np.zeros(3, np.int64)
    assert recall(num_better, no_counts, row, 20).tolist() == [1.0, 0.5]
    assert ndcg_multi(num_better, no_counts, row, 100)[0] == 1.0
    single = ndcg_multi([4], [3], ONE, 10)
    assert single == pytest.approx(ndcg([4], [3], 10))  # of one movie: the same


def test_multi_metrics_of_constant_scorer_are_chance() -> None:
    """5 of 100 to be found: 20 places hold 1 on average, and a place any of them with 1 / 20."""
    row, column = np.zeros(5, np.int64), np.array([0, 7, 30, 31, 99])
    counts = rank_counts_multi(np.zeros((1, 100)), row, column, np.zeros((1, 100), bool))
    metrics = {name: metric(*counts, row)[0] for name, metric in METRICS_MULTI.items()}
    gain = 1 / np.log2(np.arange(2, 102))
    assert metrics["recall@20"] == pytest.approx(20 / 100)
    assert metrics["recall@50"] == pytest.approx(50 / 100)
    assert metrics["ndcg@100"] == pytest.approx(gain.sum() * 5 / 100 / gain[:5].sum())
    assert metrics["precision@10"] == pytest.approx(5 / 100)
    assert metrics["recall@10"] == pytest.approx(10 / 100)
    miss = np.prod((95 - np.arange(10)) / (100 - np.arange(10)))
    assert metrics["hit_rate@10"] == pytest.approx(1 - miss)


def test_multi_metrics_of_ties_equal_mean_over_orders() -> None:
    """Two candidates above, then 8 level, 3 of them to be found; k = 5 takes 3 of the 8 places."""
    rng = np.random.default_rng(0)
    places = 3 + np.argsort(rng.random((100_000, 8)), axis=1)[:, :3]
    row, num_better, num_tied = np.zeros(3, np.int64), np.full(3, 2), np.full(3, 7)
    mean_recall = (places <= 5).sum(1) / 3
    assert recall(num_better, num_tied, row, 5)[0] == pytest.approx(mean_recall.mean(), abs=0.005)
    gains = np.where(places <= 5, 1 / np.log2(places + 1), 0).sum(1)
    best = 1 + 1 / log2(3) + 1 / 2
    assert ndcg_multi(num_better, num_tied, row, 5)[0] == pytest.approx(
        (gains / best).mean(), abs=0.005
    )
    is_hit = (places <= 5).any(1)
    assert any_hit(num_better, num_tied, row, 5)[0] == pytest.approx(is_hit.mean(), abs=0.005)
    ordered = np.sort(places, axis=1)
    precisions = np.where(ordered <= 5, np.arange(1, 4) / ordered, 0).sum(1) / 5
    expected = average_precision(num_better, num_tied, row, 5)[0]
    assert expected == pytest.approx(precisions.mean(), abs=0.002)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        pytest.param([1, 3], (1 / 1 + 2 / 3) / 10, id="first-and-third"),
        pytest.param([2, 11], 1 / 2 / 10, id="one-behind-ten"),
        pytest.param([11], 0.0, id="none"),
        pytest.param(list(range(1, 13)), 1.0, id="more-than-ten"),
    ],
)
def test_map_sums_precisions_at_hits(places: list[int], expected: float) -> None:
    num_better, row = np.array(places) - 1, np.zeros(len(places), np.int64)
    no_ties, num_hits = np.zeros_like(num_better), sum(place <= 10 for place in places)
    assert average_precision(num_better, no_ties, row, 10) == pytest.approx([expected])
    assert precision(num_better, no_ties, row, 10) == pytest.approx([num_hits / 10])
    assert any_hit(num_better, no_ties, row, 10).tolist() == [float(num_hits > 0)]
    full = METRICS_MULTI["recall@10"](num_better, no_ties, row)
    assert full == pytest.approx([num_hits / len(places)])


def test_any_hit_and_map_of_users_are_independent() -> None:
    """User 0: one target at two level places; user 1: first, and one of two level behind it."""
    row, better, tied = np.array([0, 1, 1]), np.array([9, 0, 9]), np.array([1, 0, 1])
    assert any_hit(better, tied, row, 10).tolist() == [0.5, 1.0]
    assert average_precision(better, tied, row, 10) == pytest.approx(
        [1 / 2 / 10 / 10, (1 + 1 / 2 * 2 / 10) / 10]
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
def test_auc_is_share_of_items_below(
    num_better: int, num_tied: int, others: int, expected: float
) -> None:
    assert auc([num_better], [num_tied], [others]) == pytest.approx([expected])
