"""Repeats: a history may hold an item several times (`repeats: keep`), a target is a new one.

Every recommender here leaves out what the history holds, so nobody is asked for a repeat: targets
are first interactions with an item. A later one stays in histories, as something that happened.
Where no item repeats, nothing changes.
"""

from dataclasses import replace

import numpy as np

from marquee.core.arrays import Bools, Int64
from marquee.core.eval_queries import EvalQueries, spans
from marquee.data.user_histories import UserHistories


def first_interactions(histories: UserHistories) -> Bools:
    """Return a mask, (N,): True at a user's first interaction with an item."""
    is_first_N = np.ones(len(histories.item), bool)
    for rows, user in histories.iter_chunks():
        is_first_N[rows] = _is_first(user, histories.item[rows].astype(np.int64))
    return is_first_N


def single_interactions(histories: UserHistories) -> Bools:
    """Return a mask, (N,): True where the user's history holds the item once."""
    is_single_N = np.ones(len(histories.item), bool)
    for rows, user in histories.iter_chunks():
        item = histories.item[rows].astype(np.int64)
        is_last = _is_first(-user[::-1], item[::-1])[::-1]
        is_single_N[rows] = _is_first(user, item) & is_last
    return is_single_N


def first_positions(histories: UserHistories, mask_N: Bools) -> Int64:
    """Return each user's first selected row, (U,); -1 without one."""
    end = len(histories.item)
    first_U = np.full(len(histories), end)
    for rows, user in histories.iter_chunks():
        np.minimum.at(first_U, user, np.where(mask_N[rows], np.arange(rows.start, rows.stop), end))
    return np.where(first_U < end, first_U, -1)


def last_positions(histories: UserHistories, mask_N: Bools) -> Int64:
    """Return each user's last selected row, (U,); -1 without one."""
    last_U = np.full(len(histories), -1)
    for rows, user in histories.iter_chunks():
        np.maximum.at(last_U, user, np.where(mask_N[rows], np.arange(rows.start, rows.stop), -1))
    return last_U


def without_repeats(queries: EvalQueries) -> EvalQueries:
    """Leave out targets that stand before them, in the history or among the targets.

    A query without another target is left out.
    """
    length_B = queries.target_end - queries.start
    row_N, position_N = spans(queries.start, length_B)
    is_target_N = position_N >= queries.context_end[row_N]
    is_first_N = _is_first(row_N, queries.item_N[position_N].astype(np.int64))
    is_repeat_N = is_target_N & ~is_first_N
    if not is_repeat_N.any():
        return queries
    compact = queries.compact()
    # New targets first, so that a shorter span holds them.
    order = np.lexsort((is_repeat_N, row_N))
    columns = {
        name: column[order]
        for name in ("item_N", "rating_N", "timestamp_N", "strength_N")
        if (column := getattr(compact, name)) is not None
    }
    num_repeats_B = np.bincount(row_N[is_repeat_N], minlength=len(queries))
    target_end = compact.target_end - num_repeats_B
    short = replace(compact, target_end=target_end, **columns)
    return short.take(target_end > compact.context_end)


def _is_first(row_N: Int64, item_N: Int64) -> Bools:
    """Return True at the first of each pair; the rows ascend."""
    order = np.lexsort((item_N, row_N))
    row, item = row_N[order], item_N[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (row[1:] != row[:-1]) | (item[1:] != item[:-1])
    is_first_N = np.empty(len(order), bool)
    is_first_N[order] = is_first
    return is_first_N
