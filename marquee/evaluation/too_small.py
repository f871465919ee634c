"""Figures that say nothing: too few candidates for a list, or too few users for a mean.

Of 6 items any list of ten holds the target, so every model has hit_rate@10 = 1. Such a figure is
null in results, with the reason beside it, and printed as `n/a`.
"""

from collections.abc import Iterable

import numpy as np

from marquee.core.arrays import Int64
from marquee.core.bootstrap import Section
from marquee.core.eval_queries import EvalQueries

MIN_USERS = 20
LIST_LENGTHS = {"mrr": 1, "auc": 1}  # of metrics without @; those of lists are of ten


def reason_too_small(metric: str, num_users: int, num_candidates_U: Int64) -> str | None:
    """Return why a metric says nothing, None if it does.

    num_candidates_U: ranked items of each user; the median counts.

    >>> reason_too_small("hit_rate@50", 30, np.full(30, 60))
    '60 candidates, fewer than twice the list of 50'
    >>> reason_too_small("mrr", 5, np.full(5, 1000))
    '5 users, fewer than 20'
    """
    if num_users < MIN_USERS:
        return reasons_few_users([metric], num_users)[metric]
    _, _, suffix = metric.partition("@")
    length = int(suffix) if suffix else LIST_LENGTHS.get(metric, 10)
    median = int(np.median(num_candidates_U))
    if median < 2 * length:
        return f"{median} candidates, fewer than twice the list of {length}"
    return None


def reasons_too_small(
    metrics: Iterable[str], num_users: int, num_candidates_U: Int64
) -> dict[str, str]:
    """Return the reason of each metric that says nothing."""
    reasons = {name: reason_too_small(name, num_users, num_candidates_U) for name in metrics}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def reasons_few_users(metrics: Iterable[str], num_users: int) -> dict[str, str]:
    """Return reasons of metrics without lists, where only users can be too few."""
    reason = f"{num_users} users, fewer than {MIN_USERS}"
    return dict.fromkeys(metrics, reason) if num_users < MIN_USERS else {}


def without_too_small(section: Section, reasons: dict[str, str]) -> Section:
    """Return a section whose figures of `reasons` are null, with the reason.

    >>> without_too_small({"mrr": {"mean": 1.0, "low": 1.0, "high": 1.0}}, {"mrr": "1 user"})
    {'mrr': {'mean': None, 'low': None, 'high': None, 'too_small': '1 user'}}
    """
    return {
        name: dict.fromkeys(figure) | {"too_small": reasons[name]} if name in reasons else figure
        for name, figure in section.items()
    }


def num_candidates(queries: EvalQueries, num_items: int) -> Int64:
    """Return the number of ranked items of each query, (B,); repeats count, too."""
    if queries.candidate_BC is not None:
        return np.full(len(queries), queries.candidate_BC.shape[1] + 1)
    if queries.ranked_items is None:
        return num_items - (queries.context_end - queries.start)
    arrays = queries.ranking_arrays()
    is_ranked_N = np.isin(arrays["seen_item_N"], queries.ranked_items)
    num_seen_B = np.bincount(arrays["seen_row_N"][is_ranked_N], minlength=len(queries))
    return len(queries.ranked_items) - num_seen_B
