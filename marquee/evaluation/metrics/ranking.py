"""Ranking metrics in which ties share credit.

A target has `num_better` candidates above it and `num_tied` others at its very score. Its position
is then uniform on num_better + 1 .. num_better + num_tied + 1, and a metric is the mean over that:

    metric = mean of gain(p) for p in num_better + 1 .. num_better + num_tied + 1

    hit_rate@k   gain(p) = 1                for p <= k, else 0
    ndcg@k       gain(p) = 1 / log2(p + 1)  for p <= k, else 0    (one relevant item: ideal 1)
    mrr          gain(p) = 1 / p
    auc          share of the other candidates ranked below, ties half

Where a user has n targets, each has its position among all candidates, the other targets included.
The expectation of the sum of their gains is the sum of their expectations:

    recall@k     sum of their gains (1 for p <= k) / min(k, n)
    ndcg@k       sum of their gains (1 / log2(p + 1) for p <= k) / gains of the first min(k, n)

(both as in Liang et al. 2018). A scorer that gives every candidate the same score gets hit_rate@10
= .10 on 10 of 100, recall@20 = .20 with 5 targets among 100, auc = .5, whatever the order of the
columns. Nothing here averages over users: marquee/core/bootstrap.py does.

Local letters: C candidates (columns of the scores), N targets, K positions that earn something.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from marquee.core.arrays import AnyFloat, Bools, Float64, Int64


def rank_counts(score_BC: Any, target_B: Any, seen_BC: Any = None) -> tuple[Any, Any]:
    """Count the candidates above each target, and those level with it.

    >>> rank_counts(np.array([[0.9, 0.5, 0.5, 0.1]]), np.array([1]))
    (array([1]), array([1]))

    Takes numpy arrays or torch tensors (on any device) and answers in kind: only operators and
    methods that both have are used, so torch is never imported here.

    score_BC: floats (B, C), higher is better; -inf is a score like any other.
    target_B: integers (B,), the column of each user's target.
    seen_BC: bool (B, C), True leaves a candidate out. The target always stays, even if marked.
    Returns (num_better, num_tied), integers (B,); the target itself is in neither.
    Raises ValueError for a NaN score, which has no rank.
    """
    candidate_BC = _all_numbers(score_BC)
    if seen_BC is not None:
        candidate_BC = candidate_BC & ~seen_BC
    targets = (list(range(len(target_B))), target_B)
    candidate_BC[targets] = False
    return count_better(score_BC[targets][:, None], score_BC, candidate_BC)


def count_better(target_score_B1: Any, score_BC: Any, candidate_BC: Any) -> tuple[Any, Any]:
    """Count the candidates with a score above a target's, and those with the same.

    candidate_BC: bool (B, C), False leaves a column out. Returns integers (B,) twice, as numpy
    arrays or torch tensors.
    """
    num_better = ((score_BC > target_score_B1) & candidate_BC).sum(1)
    return num_better, ((score_BC == target_score_B1) & candidate_BC).sum(1)


def candidate_counts(score_BI: Any, target_B: Any, candidate_BC: Any) -> tuple[Any, Any]:
    """Count as rank_counts does, among the target and its drawn candidates alone.

    candidate_BC: (B, C) item rows. One that equals its target counts once: the paper's own lists
    hold 156 such. Takes numpy arrays or torch tensors. Raises ValueError for a NaN score.
    """
    row_B1 = (target_B == target_B).cumsum(0)[:, None] - 1  # 0 to B - 1, in the kind of target_B
    target_score_B1, score_BC = score_BI[row_B1, target_B[:, None]], score_BI[row_B1, candidate_BC]
    _all_numbers(target_score_B1)
    is_other_BC = _all_numbers(score_BC) & (candidate_BC != target_B[:, None])
    return count_better(target_score_B1, score_BC, is_other_BC)


def rank_counts_multi(
    score_BC: AnyFloat, row_N: Int64, column_N: Int64, seen_BC: Bools
) -> tuple[Int64, Int64]:
    """Count as rank_counts does for several targets a user.

    Returns (num_better, num_tied), int64 (N,).

    >>> score, nothing = np.array([[0.9, 0.5, 0.5, 0.1]]), np.zeros((1, 4), bool)
    >>> rank_counts_multi(score, np.array([0, 0]), np.array([1, 3]), nothing)
    (array([1, 3]), array([1, 0]))

    row_N: the user of each target, ascending. column_N: its column. Numpy only.
    One sort a user, .1 ms for 3,706 candidates however many targets there are.
    """
    _all_numbers(score_BC)
    stays_BC = ~seen_BC
    stays_BC[row_N, column_N] = True
    upto_N, below_N = np.empty_like(row_N), np.empty_like(row_N)
    bound_B = np.searchsorted(row_N, np.arange(len(score_BC) + 1))
    num_N = stays_BC.sum(1)[row_N]
    for b, (score_C, stays_C) in enumerate(zip(score_BC, stays_BC, strict=True)):
        targets = slice(bound_B[b], bound_B[b + 1])
        sorted_C, target_score = np.sort(score_C[stays_C]), score_C[column_N[targets]]
        below_N[targets] = np.searchsorted(sorted_C, target_score, "left")
        upto_N[targets] = np.searchsorted(sorted_C, target_score, "right")
    return num_N - upto_N, upto_N - below_N - 1


def hit_rate(num_better: ArrayLike, num_tied: ArrayLike, k: int) -> Float64:
    """Return the probability that the target is among the first k: float64 (B,).

    Takes the counts of rank_counts, as arrays or CPU tensors. ValueError if k is below 1.
    """
    return _expected_gain(num_better, num_tied, np.ones(_positive(k)))


def ndcg(num_better: ArrayLike, num_tied: ArrayLike, k: int) -> Float64:
    """Return the expected 1 / log2(position + 1), 0 after position k: float64 (B,).

    Jarvelin and Kekalainen 2002, for one relevant item. Arguments: see hit_rate.
    """
    return _expected_gain(num_better, num_tied, 1 / np.log2(np.arange(2, _positive(k) + 2)))


def mrr(num_better: ArrayLike, num_tied: ArrayLike) -> Float64:
    """Return the expected 1 / position, without a cut: float64 (B,)."""
    last_position = int(np.max(np.asarray(num_better) + np.asarray(num_tied), initial=0)) + 1
    return _expected_gain(num_better, num_tied, 1 / np.arange(1, last_position + 1))


def expected_rank(num_better: ArrayLike, num_tied: ArrayLike) -> Float64:
    """Return the expected position, 1 is the best: float64 (B,).

    Three level at the top all have rank 2.
    """
    return 1 + np.asarray(num_better) + np.asarray(num_tied) / 2


def auc(num_better: ArrayLike, num_tied: ArrayLike, num_others: ArrayLike) -> Float64:
    """Return the share of the `num_others` candidates below the target: float64 (B,).

    Ties count half. .5 if there is no other candidate: such a query tells nothing.
    """
    others = np.asarray(num_others)
    above = np.asarray(num_better) + np.asarray(num_tied) / 2
    return np.where(others > 0, 1 - above / np.maximum(others, 1), 0.5)


def recall(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected share of targets among the first k: float64 (B,).

    It is a share of as many as k can hold. Takes the counts of rank_counts_multi and the user of
    each target, 0 to B - 1, at least one each. Liang et al. 2018 divide by min(k, number of
    targets), so that 1 can be reached.
    """
    num_B = np.bincount(row_N)
    return np.bincount(row_N, hit_rate(num_better, num_tied, k)) / np.minimum(num_B, k)


def ndcg_multi(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected gain of all targets over the best gain: float64 (B,).

    Arguments: see recall. With one target a user it is `ndcg`.
    """
    best_K = np.cumsum(1 / np.log2(np.arange(2, _positive(k) + 2)))
    best_B = best_K[np.minimum(np.bincount(row_N), k) - 1]
    return np.bincount(row_N, ndcg(num_better, num_tied, k)) / best_B


METRICS: dict[str, Callable[[ArrayLike, ArrayLike], Float64]] = {
    "hit_rate@10": partial(hit_rate, k=10),
    "ndcg@10": partial(ndcg, k=10),
    "mrr": mrr,
    "hit_rate@50": partial(hit_rate, k=50),
}
"""Of one target a user."""
METRICS_MULTI: dict[str, Callable[[ArrayLike, ArrayLike, Int64], Float64]] = {
    "recall@20": partial(recall, k=20),
    "recall@50": partial(recall, k=50),
    "ndcg@100": partial(ndcg_multi, k=100),
}
"""Of several targets a user."""


def _all_numbers(score_BC: Any) -> Any:
    """Return all True, of the shape of the scores; ValueError if one is NaN."""
    is_number_BC = score_BC == score_BC  # False for NaN alone
    if not is_number_BC.all():
        raise ValueError(
            f"{int((~is_number_BC).sum())} of the scores are NaN, expected numbers: a NaN has no "
            "rank; look for a diverged training or a division by zero in the scorer"
        )
    return is_number_BC


def _expected_gain(num_better: ArrayLike, num_tied: ArrayLike, gain_K: Float64) -> Float64:
    better, tied = np.asarray(num_better), np.asarray(num_tied)
    # total_K[p]: gain of the first p positions
    total_K = np.concatenate([[0.0], np.cumsum(gain_K)])
    first = np.minimum(better, len(gain_K))
    last = np.minimum(better + tied + 1, len(gain_K))
    return np.asarray((total_K[last] - total_K[first]) / (tied + 1), dtype=np.float64)


def _positive(k: int) -> int:
    if k < 1:
        raise ValueError(f"k: {k}, expected 1 or more, the length of the list that is judged")
    return k
