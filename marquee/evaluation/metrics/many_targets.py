"""Ranking metrics of users with several targets, in which ties share credit.

Each of a user's n targets has its position among all candidates, the other targets included, as in
ranking.py. Sums of gains are expected exactly, because an expectation of a sum is a sum:

    recall@k     for k 20 and 50: targets in the first k / min(k, n)       (Liang et al. 2018)
    ndcg@k       sum of 1 / log2(p + 1) for p <= k / gains of the first min(k, n)      (the same)
    precision@10 targets in the first 10 / 10
    recall@10    targets in the first 10 / n                   (Ferrari Dacrema et al. 2019)

Two are no sums of single targets. Targets at one score stand in any order with equal probability,
so that both have a closed form:

    hit_rate@10  1 - P(no target is in the first 10)
    map@10       sum over targets at p <= 10 of (targets in the first p) / p / 10      (the same)

Local letters: N targets, user by user.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from marquee.core.arrays import AnyFloat, Bools, Float64, Int64
from marquee.evaluation.metrics.ranking import all_numbers, hit_rate, ndcg


def rank_counts_multi(
    score_BC: AnyFloat, row_N: Int64, column_N: Int64, seen_BC: Bools
) -> tuple[Int64, Int64]:
    """Count as rank_counts does for several targets a user: int64 (N,) twice.

    >>> score, nothing = np.array([[0.9, 0.5, 0.5, 0.1]]), np.zeros((1, 4), bool)
    >>> rank_counts_multi(score, np.array([0, 0]), np.array([1, 3]), nothing)
    (array([1, 3]), array([1, 0]))

    row_N: the user of each target, ascending. column_N: its column. Numpy only: one sort a user,
    .1 ms for 3,706 candidates however many targets there are.
    """
    all_numbers(score_BC)
    stays_BC = ~seen_BC
    stays_BC[row_N, column_N] = True
    upto_N, below_N = np.empty_like(row_N), np.empty_like(row_N)
    bound_B = np.searchsorted(row_N, np.arange(len(score_BC) + 1))
    for b, (score_C, stays_C) in enumerate(zip(score_BC, stays_BC, strict=True)):
        targets = slice(bound_B[b], bound_B[b + 1])
        sorted_C, target_score = np.sort(score_C[stays_C]), score_C[column_N[targets]]
        below_N[targets] = np.searchsorted(sorted_C, target_score, "left")
        upto_N[targets] = np.searchsorted(sorted_C, target_score, "right")
    return np.count_nonzero(stays_BC, axis=1)[row_N] - upto_N, upto_N - below_N - 1


def recall(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected share of targets in the first k, of min(k, targets): (B,).

    Takes the counts of rank_counts_multi and the user of each target, at least one each.
    """
    return _num_hits(num_better, num_tied, row_N, k) / np.minimum(np.bincount(row_N), k)


def full_recall(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected share of all targets in the first k: (B,)."""
    return _num_hits(num_better, num_tied, row_N, k) / np.bincount(row_N)


def precision(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected share of the first k that are targets: (B,)."""
    return _num_hits(num_better, num_tied, row_N, k) / k


def ndcg_multi(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected gain of all targets over the best gain: float64 (B,)."""
    gain_B = np.bincount(row_N, ndcg(num_better, num_tied, k))
    best_K = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    return gain_B / best_K[np.minimum(np.bincount(row_N), k) - 1]


def any_hit(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the probability that a target is in the first k: float64 (B,).

    Of m candidates at one score, g of them targets, f fill the places that are left. No target is
    among them with probability (m - g)! (m - f)! / (m - g - f)! / m!, a product of f factors.
    """
    num_users = int(row_N.max(initial=-1)) + 1
    better, tied, row_N = _in_first(k, num_better, num_tied, row_N)
    _, level_N = _level_targets(better, row_N)
    places_N = np.minimum(k - better, tied + 1)
    miss_N = np.ones(len(better))
    for place in range(k):
        factor_N = np.maximum(tied + 1 - level_N - place, 0) / np.maximum(tied + 1 - place, 1)
        miss_N = np.where(place < places_N, miss_N * factor_N, miss_N)
    # Places are left to one score at most, and higher scores are certain hits: the least counts.
    miss_B = np.ones(num_users)
    np.minimum.at(miss_B, row_N, miss_N)
    return 1 - miss_B


def average_precision(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    """Return the expected sum of precisions at targets in the first k, / k: (B,).

    A target stands at p with probability 1 / m, where m candidates share its score. Before it are
    all h targets of higher scores, and each of the g - 1 others of its score with probability
    (p - better - 1) / (m - 1). The sum over p of (1 + h + (g - 1) (p - better - 1) / (m - 1)) / p
    is a difference of harmonic numbers.
    """
    num_users = int(row_N.max(initial=-1)) + 1
    better, tied, row_N = _in_first(k, num_better, num_tied, row_N)
    higher_N, level_N = _level_targets(better, row_N)
    harmonic_K = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, k + 1))])
    last_N = np.minimum(better + tied + 1, k)
    inverse_N = harmonic_K[last_N] - harmonic_K[better]  # sum of 1 / p
    offset_N = (last_N - better) - (better + 1) * inverse_N  # sum of (p - better - 1) / p
    others_N = (level_N - 1) / np.maximum(tied, 1)
    gain_N = ((1 + higher_N) * inverse_N + others_N * offset_N) / (tied + 1)
    return np.asarray(np.bincount(row_N, gain_N, minlength=num_users) / k, np.float64)


METRICS_MULTI: dict[str, Callable[[ArrayLike, ArrayLike, Int64], Float64]] = {
    "recall@20": partial(recall, k=20),
    "recall@50": partial(recall, k=50),
    "ndcg@100": partial(ndcg_multi, k=100),
    "precision@10": partial(precision, k=10),
    "recall@10": partial(full_recall, k=10),
    "hit_rate@10": partial(any_hit, k=10),
    "map@10": partial(average_precision, k=10),
    "ndcg@10": partial(ndcg_multi, k=10),
}


def _num_hits(num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64, k: int) -> Float64:
    return np.asarray(np.bincount(row_N, hit_rate(num_better, num_tied, k)), np.float64)


def _in_first(
    k: int, num_better: ArrayLike, num_tied: ArrayLike, row_N: Int64
) -> tuple[Int64, Int64, Int64]:
    """Return the targets that can be in the first k; the others earn nothing there."""
    better = np.asarray(num_better)
    can_N = better < k
    return better[can_N], np.asarray(num_tied)[can_N], row_N[can_N]


def _level_targets(better_N: Int64, row_N: Int64) -> tuple[Int64, Int64]:
    """Return how many targets of the user score higher, and at this score with itself, (N,)."""
    order = np.lexsort((better_N, row_N))
    row, better = row_N[order], better_N[order]
    is_first = np.ones(len(row), bool)  # of its user and score: one score has one num_better
    is_first[1:] = (row[1:] != row[:-1]) | (better[1:] != better[:-1])
    group = np.cumsum(is_first) - 1
    first = np.flatnonzero(is_first)
    size = np.diff(np.append(first, len(row)))
    higher_N, level_N = np.empty_like(row_N), np.empty_like(row_N)
    higher_N[order] = (first - np.searchsorted(row, row[first]))[group]
    level_N[order] = size[group]
    return higher_N, level_N
