"""Protocols `next`, `ncf-paper` and `time`: what comes later is held out.

The context of a query is everything before its target, so at test it holds the validation movie.
Under `time`, a model trains on no rating that is younger than a test rating. `next` does not
guarantee that: it trains on ratings that other users gave after a test rating.
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, cut_queries
from marquee.core.arrays import Int64
from marquee.core.errors import InputError
from marquee.data.user_histories import MIN_HISTORY_LENGTH, UserHistories

ML_1M_CUT = 975_715_200  # 2 December 2000, 00:00 UTC
MIN_BEFORE_CUT = 5  # ratings before the cut that a user needs to be tested


def split_next(histories: UserHistories, num_items: int) -> Split:
    """Hold out each user's last movie for the test, the one before for validation.

    Users with fewer than 3 ratings are trained on and have no query.
    """
    user = np.flatnonzero(histories.length >= MIN_HISTORY_LENGTH)
    end = histories.indptr[user + 1]
    subset_N = np.full(len(histories.item), TRAIN, np.int8)
    subset_N[end - 2] = VALID
    subset_N[end - 1] = TEST
    return Split(
        all_histories=histories,
        subset_N=subset_N,
        valid=cut_queries(histories, histories.length - 2).take(user),
        test=cut_queries(histories, histories.length - 1).take(user),
        num_items=num_items,
        protocol="next",
    ).check(f"no user has {MIN_HISTORY_LENGTH} ratings")


def split_time(histories: UserHistories, num_items: int, cut: int) -> Split:
    """End the training of all users before second `cut` (UTC, since 1970).

    Users with at least 5 ratings before the cut and one after it are tested on the first movie
    after the cut, and validated on the last one before it; others are trained on before the cut.
    """
    is_before_N = histories.timestamp < cut
    before = histories.count_by_user(is_before_N)
    user = np.flatnonzero((before >= MIN_BEFORE_CUT) & (before < histories.length))
    subset_N = np.where(is_before_N, np.int8(TRAIN), np.int8(TEST))
    subset_N[histories.indptr[user] + before[user] - 1] = VALID
    return Split(
        all_histories=histories,
        subset_N=subset_N,
        valid=cut_queries(histories, before - 1).take(user),
        test=cut_queries(histories, before).take(user),
        num_items=num_items,
        protocol="time",
    ).check(f"no user has {MIN_BEFORE_CUT} ratings before {cut} (seconds since 1970) and one after")


def draw_candidates(split: Split, num: int = 99, seed: int = 0) -> Int64:
    """Draw item rows beside each test target, (B, num) (He et al. 2017).

    They are uniform, without replacement, from the movies that the user has in no part.
    """
    rng = np.random.default_rng(seed)
    histories = split.all_histories
    candidate_BC = np.empty((len(split.test), num), dtype=np.int64)
    for row, user in enumerate(split.test.user):
        own = np.unique(histories.item[histories.indptr[user] : histories.indptr[user + 1]])
        num_unwatched = split.num_items - len(own)
        if num_unwatched < num:
            raise InputError(
                f"user {histories.user_id[user]}: {num_unwatched} unwatched movies, expected at "
                f"least {num} candidates; draw fewer, or use protocol next"
            )
        rank = rng.choice(num_unwatched, num, replace=False, shuffle=False)
        # The r-th unwatched movie: r, moved up by the user's own movies before it.
        candidate_BC[row] = rank + np.searchsorted(own - np.arange(len(own)), rank, side="right")
    return candidate_BC
