"""Ranking metrics in which ties share credit.

A target has `greater` candidates above it and `ties` other candidates at its very score. Its
position is then uniform on greater + 1 .. greater + ties + 1, and a metric is the mean over that:

    metric = mean of gain(p) for p in greater + 1 .. greater + ties + 1

    hit_rate@k   gain(p) = 1                for p <= k, else 0
    ndcg@k       gain(p) = 1 / log2(p + 1)  for p <= k, else 0    (one relevant movie: ideal 1)
    mrr          gain(p) = 1 / p

A scorer that gives every candidate the same score gets hit_rate@10 = .10 on 10 of 100, whatever the
order of the columns. Nothing here averages over persons: see intervals.py.

B persons, C candidates (columns of the scores), K positions that earn something.
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
    other_BC = score_BC == score_BC  # False for NaN alone
    if not other_BC.all():
        raise ValueError(
            f"{int((~other_BC).sum())} of the scores are NaN, needed numbers: a NaN has no rank. "
            "Look for a diverged training or a division by zero in the scorer."
        )
    if seen_BC is not None:
        other_BC = other_BC & ~seen_BC
    target = (list(range(len(target_B))), target_B)
    other_BC[target] = False
    goal_B1 = score_BC[target][:, None]
    return ((score_BC > goal_B1) & other_BC).sum(1), ((score_BC == goal_B1) & other_BC).sum(1)


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


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], Floats]] = {
    "hit_rate@10": partial(hit_rate, k=10),
    "ndcg@10": partial(ndcg, k=10),
    "mrr": mrr,
    "hit_rate@50": partial(hit_rate, k=50),
}


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
