"""Ranking metrics in which ties share credit.

A target has `num_better` candidates above it and `num_tied` others at its very score. Its position
p is then uniform on num_better + 1 .. num_better + num_tied + 1, and a metric is its mean gain:

    hit_rate@k   gain(p) = 1                for p <= k, else 0
    ndcg@k       gain(p) = 1 / log2(p + 1)  for p <= k, else 0    (one relevant item: ideal 1)
    mrr          gain(p) = 1 / p
    auc          share of the other candidates ranked below, ties half

A constant scorer gets hit_rate@10 = .10 on 10 of 100, auc = .5. Several targets of a user are in
many_targets.py. Nothing here averages over users: core/bootstrap.py does.

Local letters: C candidates (columns of the scores), N targets, K positions that earn something.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from marquee.core.arrays import Float64


def rank_counts(score_BC: Any, target_B: Any, seen_BC: Any = None) -> tuple[Any, Any]:
    """Count the candidates above each target, and those level with it.

    >>> rank_counts(np.array([[0.9, 0.5, 0.5, 0.1]]), np.array([1]))
    (array([1]), array([1]))

    Takes numpy arrays or torch tensors (on any device) and answers in kind: only operators and
    methods that both have are used. score_BC: floats, higher is better, -inf a score like any
    other. target_B: the column of each target. seen_BC: True leaves a candidate out, but never the
    target. Returns (num_better, num_tied), integers (B,); the target itself is in neither.
    Raises ValueError for a NaN score, which has no rank.
    """
    candidate_BC = all_numbers(score_BC)
    if seen_BC is not None:
        candidate_BC = candidate_BC & ~seen_BC
    targets = (list(range(len(target_B))), target_B)
    candidate_BC[targets] = False
    return _count_better(score_BC[targets][:, None], score_BC, candidate_BC)


def candidate_counts(score_BI: Any, target_B: Any, candidate_BC: Any) -> tuple[Any, Any]:
    """Count as rank_counts does, among the target and its drawn candidates alone.

    One that equals its target counts once: the paper's own lists hold 156 such.
    """
    row_B1 = (target_B == target_B).cumsum(0)[:, None] - 1  # 0 to B - 1, in the kind of target_B
    target_score_B1, score_BC = score_BI[row_B1, target_B[:, None]], score_BI[row_B1, candidate_BC]
    all_numbers(target_score_B1)
    is_other_BC = all_numbers(score_BC) & (candidate_BC != target_B[:, None])
    return _count_better(target_score_B1, score_BC, is_other_BC)


def hit_rate(num_better: ArrayLike, num_tied: ArrayLike, k: int) -> Float64:
    """Return the probability that the target is among the first k: float64 (B,)."""
    return _expected_gain(num_better, num_tied, np.ones(_positive(k)))


def ndcg(num_better: ArrayLike, num_tied: ArrayLike, k: int) -> Float64:
    """Return the expected 1 / log2(position + 1), 0 after position k: float64 (B,).

    Jarvelin and Kekalainen 2002, for one relevant item.
    """
    return _expected_gain(num_better, num_tied, 1 / np.log2(np.arange(2, _positive(k) + 2)))


def mrr(num_better: ArrayLike, num_tied: ArrayLike) -> Float64:
    """Return the expected 1 / position, without a cut: float64 (B,)."""
    last_position = int(np.max(np.asarray(num_better) + np.asarray(num_tied), initial=0)) + 1
    return _expected_gain(num_better, num_tied, 1 / np.arange(1, last_position + 1))


def expected_rank(num_better: ArrayLike, num_tied: ArrayLike) -> Float64:
    """Return the expected position from 1: three level at the top have rank 2."""
    return 1 + np.asarray(num_better) + np.asarray(num_tied) / 2


def auc(num_better: ArrayLike, num_tied: ArrayLike, num_others: ArrayLike) -> Float64:
    """Return the share of others below the target, ties half; .5 without others."""
    others = np.asarray(num_others)
    above = np.asarray(num_better) + np.asarray(num_tied) / 2
    return np.where(others > 0, 1 - above / np.maximum(others, 1), 0.5)


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], Float64]] = {  # of one target a user
    "hit_rate@10": partial(hit_rate, k=10),
    "ndcg@10": partial(ndcg, k=10),
    "mrr": mrr,
    "hit_rate@50": partial(hit_rate, k=50),
}


def _count_better(target_score_B1: Any, score_BC: Any, candidate_BC: Any) -> tuple[Any, Any]:
    num_better = ((score_BC > target_score_B1) & candidate_BC).sum(1)
    return num_better, ((score_BC == target_score_B1) & candidate_BC).sum(1)


def all_numbers(score_BC: Any) -> Any:
    is_number_BC = score_BC == score_BC  # False for NaN alone
    if not is_number_BC.all():
        raise ValueError(
            f"{int((~is_number_BC).sum())} of the scores are NaN, expected numbers: a NaN has no "
            "rank; look for a diverged training or a division by zero in the scorer"
        )
    return is_number_BC


def _expected_gain(num_better: ArrayLike, num_tied: ArrayLike, gain_K: Float64) -> Float64:
    better, tied = np.asarray(num_better), np.asarray(num_tied)
    total_K = np.concatenate([[0.0], np.cumsum(gain_K)])  # total_K[p]: gain of the first p
    first = np.minimum(better, len(gain_K))
    last = np.minimum(better + tied + 1, len(gain_K))
    return np.asarray((total_K[last] - total_K[first]) / (tied + 1), dtype=np.float64)


def _positive(k: int) -> int:
    if k < 1:
        raise ValueError(f"k: {k}, expected 1 or more, the length of the list that is judged")
    return k
