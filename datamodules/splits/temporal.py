"""Protocol `time`: one cut through the ratings of all users; training ends before it.

    split = split_time(histories, len(dataset.movies), ML_1M_CUT)

A model trains on no rating that is younger than a test rating. The context of a query is everything
before its target.
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, check_split
from datamodules.splits.leave_one_out import cut_at
from marquee.data.user_histories import UserHistories

ML_1M_CUT = 975_715_200
"""2 December 2000, 00:00 UTC: the cut of `time` on ml-1m."""
MIN_BEFORE_CUT = 5
"""Ratings before the cut that a user needs to be tested."""


def split_time(histories: UserHistories, num_items: int, cut: int) -> Split:
    """End the training of all users before second `cut` (UTC, since 1970).

    Users with at least 5 ratings before the cut and one after it are tested on the first movie at
    or after the cut, and validated on the last one before it. Of other users, the ratings before
    the cut are trained on. InputError if no user qualifies, or if a history is not in time
    order.
    """
    is_before_N = histories.timestamp < cut
    before = histories.count_by_user(is_before_N)
    user = np.flatnonzero((before >= MIN_BEFORE_CUT) & (before < histories.length))
    position = before[user]
    subset_N = np.where(is_before_N, np.int8(TRAIN), np.int8(TEST))
    subset_N[histories.indptr[user] + position - 1] = VALID
    split = Split(
        all_histories=histories,
        subset_N=subset_N,
        valid=cut_at(histories, user, position - 1),
        test=cut_at(histories, user, position),
        num_items=num_items,
        protocol="time",
    )
    return check_split(
        split,
        f"no user has {MIN_BEFORE_CUT} ratings before {cut} (seconds since 1970) and one after",
    )
