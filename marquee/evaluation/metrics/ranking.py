"""Ranking metrics in which ties share credit.

A target has `greater` candidates above it and `ties` other candidates at its very score. Its
position is then uniform on greater + 1 .. greater + ties + 1, and a metric is the mean over that:

    metric = mean of gain(p) for p in greater + 1 .. greater + ties + 1

    hit_rate@k   gain(p) = 1                for p <= k, else 0
    ndcg@k       gain(p) = 1 / log2(p + 1)  for p <= k, else 0    (one relevant movie: ideal 1)
    mrr          gain(p) = 1 / p
    auc          share of the other candidates ranked below, ties half

Where a person has n movies to be found, each has its position among all candidates, the other
movies to be found included, and the expectation of their sum is the sum of their expectations:

    recall@k     sum of their gains (1 for p <= k) / min(k, n)
    ndcg@k       sum of their gains (1 / log2(p + 1) for p <= k) / gains of the first min(k, n)

(both as in Liang et al. 2018). A scorer that gives every candidate the same score gets hit_rate@10
= .10 on 10 of 100, recall@20 = .20 with 5 of 100 to be found, auc = .5, whatever the order of the
columns. Nothing here averages over persons: see intervals.py.

B persons, C candidates (columns of the scores), N movies to be found, K positions that earn
something.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def rank_counts(score_BC: Any, target_B: Any, seen_BC: Any = None) -> tuple[Any, Any]:
    """Count the candidates above each target, and those level with it.

    >>> rank_counts(np.array([[0.9, 0.5, 0.5, 0.1]]), np.array([1]))
    (array([1]), array([1]))

    Takes numpy arrays or torch tensors (on any device) and answers in kind: only operators and
    methods that both have are used, so torch is never imported here.

    score_BC: floats (B, C), higher is better; -inf is a score like any other.
    target_B: integers (B,), the column of each person's target.
    seen_BC: bool (B, C), True leaves a candidate out. The target always stays, even if marked.
    Returns (greater_B, ties_B), integers (B,); the target itself is in neither.
    Raises ValueError for a NaN score, which has no rank.
    """
    other_BC = _numbers(score_BC)
    if seen_BC is not None:
        other_BC = other_BC & ~seen_BC
    target = (list(range(len(target_B))), target_B)
    other_BC[target] = False
    goal_B1 = score_BC[target][:, None]
    return ((score_BC > goal_B1) & other_BC).sum(1), ((score_BC == goal_B1) & other_BC).sum(1)


def rank_counts_each(
    score_BC: NDArray[np.floating],
    row_N: NDArray[np.int64],
    column_N: NDArray[np.int64],
    seen_BC: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """rank_counts for several movies a person, numpy only: (greater_N, ties_N), int64 (N,).

    >>> score, nothing = np.array([[0.9, 0.5, 0.5, 0.1]]), np.zeros((1, 4), bool)
    >>> rank_counts_each(score, np.array([0, 0]), np.array([1, 3]), nothing)
    (array([1, 3]), array([1, 0]))

    row_N: the person of each movie to be found, ascending. column_N: its column.
    One sort a person, .1 ms for 3,706 candidates however many are to be found.
    """
    _numbers(score_BC)
    stays_BC = ~seen_BC
    stays_BC[row_N, column_N] = True
    upto_N, below_N = np.empty_like(row_N), np.empty_like(row_N)
    bound_B = np.searchsorted(row_N, np.arange(len(score_BC) + 1))
    num_N = stays_BC.sum(1)[row_N]
    for b, (score_C, stays_C) in enumerate(zip(score_BC, stays_BC, strict=True)):
        mine = slice(bound_B[b], bound_B[b + 1])
        ranked, goal = np.sort(score_C[stays_C]), score_C[column_N[mine]]
        below_N[mine] = np.searchsorted(ranked, goal, "left")
        upto_N[mine] = np.searchsorted(ranked, goal, "right")
    return num_N - upto_N, upto_N - below_N - 1


def hit_rate(greater_B: ArrayLike, ties_B: ArrayLike, k: int) -> Floats:
    """Probability that the target is among the first k: float64 (B,).

    Takes the counts of rank_counts, as arrays or CPU tensors. ValueError where k is below 1.
    """
    return _expected(greater_B, ties_B, np.ones(_positive(k)))


def ndcg(greater_B: ArrayLike, ties_B: ArrayLike, k: int) -> Floats:
    """Expected 1 / log2(position + 1), 0 after position k: float64 (B,). Arguments: see hit_rate.

    Jarvelin and Kekalainen 2002, for one relevant movie.
    """
    return _expected(greater_B, ties_B, 1 / np.log2(np.arange(2, _positive(k) + 2)))


def mrr(greater_B: ArrayLike, ties_B: ArrayLike) -> Floats:
    """Expected 1 / position, without a cut: float64 (B,)."""
    deepest = int(np.max(np.asarray(greater_B) + np.asarray(ties_B), initial=0)) + 1
    return _expected(greater_B, ties_B, 1 / np.arange(1, deepest + 1))


def expected_rank(greater_B: ArrayLike, ties_B: ArrayLike) -> Floats:
    """Expected position, 1 is the best: float64 (B,). Three level at the top all have rank 2."""
    return 1 + np.asarray(greater_B) + np.asarray(ties_B) / 2


def auc(greater_B: ArrayLike, ties_B: ArrayLike, others_B: ArrayLike) -> Floats:
    """Share of the `others_B` candidates that stand below the target, ties half: float64 (B,).

    .5 where there is no other candidate: such a question tells nothing.
    """
    others = np.asarray(others_B)
    above = np.asarray(greater_B) + np.asarray(ties_B) / 2
    return np.where(others > 0, 1 - above / np.maximum(others, 1), 0.5)


def recall(greater_N: ArrayLike, ties_N: ArrayLike, row_N: NDArray[np.int64], k: int) -> Floats:
    """Expected number found among the first k, of as many as k can hold: float64 (B,).

    Takes the counts of rank_counts_each and the person of each movie, 0 to B - 1, at least one
    each. Liang et al. 2018 divide by min(k, number to be found), so that 1 can be reached.
    """
    num_B = np.bincount(row_N)
    return np.bincount(row_N, hit_rate(greater_N, ties_N, k)) / np.minimum(num_B, k)


def ndcg_each(greater_N: ArrayLike, ties_N: ArrayLike, row_N: NDArray[np.int64], k: int) -> Floats:
    """Expected gain of all movies to be found over the best that can be: float64 (B,).

    Arguments: see recall. With one movie a person it is `ndcg`.
    """
    best_K = np.cumsum(1 / np.log2(np.arange(2, _positive(k) + 2)))
    best_B = best_K[np.minimum(np.bincount(row_N), k) - 1]
    return np.bincount(row_N, ndcg(greater_N, ties_N, k)) / best_B


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], Floats]] = {
    "hit_rate@10": partial(hit_rate, k=10),
    "ndcg@10": partial(ndcg, k=10),
    "mrr": mrr,
    "hit_rate@50": partial(hit_rate, k=50),
}
"""Of one movie a person."""
METRICS_EACH: dict[str, Callable[[ArrayLike, ArrayLike, NDArray[np.int64]], Floats]] = {
    "recall@20": partial(recall, k=20),
    "recall@50": partial(recall, k=50),
    "ndcg@100": partial(ndcg_each, k=100),
}
"""Of several movies a person."""


def _numbers(score_BC: Any) -> Any:
    """All True, of the shape of the scores; ValueError where one is NaN."""
    is_number_BC = score_BC == score_BC  # False for NaN alone
    if not is_number_BC.all():
        raise ValueError(
            f"{int((~is_number_BC).sum())} of the scores are NaN, needed numbers: a NaN has no "
            "rank. Look for a diverged training or a division by zero in the scorer."
        )
    return is_number_BC


def _expected(greater_B: ArrayLike, ties_B: ArrayLike, gain_K: Floats) -> Floats:
    greater, ties = np.asarray(greater_B), np.asarray(ties_B)
    total_K = np.concatenate(
        [[0.0], np.cumsum(gain_K)]
    )  # total_K[p]: gain of the first p positions
    first, last = np.minimum(greater, len(gain_K)), np.minimum(greater + ties + 1, len(gain_K))
    return np.asarray((total_K[last] - total_K[first]) / (ties + 1), dtype=np.float64)


def _positive(k: int) -> int:
    if k < 1:
        raise ValueError(f"k is {k}, needed 1 or more: the length of the list that is judged.")
    return k
