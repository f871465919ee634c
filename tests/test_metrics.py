"""Ranking metrics: ties share credit, numpy and torch agree, NaN is refused."""

from math import log2

import numpy as np
import pytest
import torch

from evaluation.metrics import METRICS, expected_rank, hit_rate, mrr, ndcg, rank_counts


@pytest.mark.parametrize(
    ("scores", "target", "greater", "ties"),
    [
        pytest.param([0.9, 0.5, 0.1], 0, 0, 0, id="first"),
        pytest.param([0.9, 0.5, 0.1], 2, 2, 0, id="last"),
        pytest.param([0.5, 0.9, 0.5, 0.5], 0, 1, 2, id="one-above-two-level"),
        pytest.param([0.0, 0.0, 0.0], 1, 0, 2, id="constant"),
        pytest.param([-np.inf, 1.0, -np.inf], 0, 1, 1, id="infinite"),
    ],
)
def test_rank_counts(scores: list[float], target: int, greater: int, ties: int) -> None:
    found = rank_counts(np.array([scores]), np.array([target]))
    assert [count.tolist() for count in found] == [[greater], [ties]]


def test_seen_movies_are_left_out_but_the_target_stays() -> None:
    scores = np.array([[3.0, 2.0, 2.0, 1.0], [3.0, 2.0, 2.0, 1.0]])
    seen = np.array([[True, False, True, False], [True, True, False, False]])
    greater, ties = rank_counts(scores, np.array([1, 1]), seen)
    assert greater.tolist() == [0, 0]
    assert ties.tolist() == [0, 1]
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
    ("name", "greater", "ties", "expected"),
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
def test_expected_value_over_ties(name: str, greater: int, ties: int, expected: float) -> None:
    assert METRICS[name]([greater], [ties]) == pytest.approx([expected], abs=1e-12)


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
    with pytest.raises(ValueError, match="k is 0, needed 1 or more"):
        hit_rate([0], [0], 0)
