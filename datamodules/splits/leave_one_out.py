"""Protocols `next` and `ncf-paper`: each user's last movie is the test, the one before validation.

    split = split_next(histories, len(dataset.movies))
    draw_candidates(split, num=99, seed=0)           # ncf-paper: 99 unwatched movies a user

The context of a query is everything before its target, so at test it holds the validation movie.
What this does not guarantee: the model trains on ratings that other users gave after a test rating;
`split_time` rules that out. ml-1m is split in 0.1 s.
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, check_split, cut_queries
from marquee.core.arrays import Int64
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import MIN_HISTORY_LENGTH, UserHistories


def split_next(histories: UserHistories, num_items: int) -> Split:
    """Hold out the last two movies of each user.

    The last one is the test, the one before it the validation. Users with fewer than 3 ratings are
    trained on and have no query. InputError if no user is left to test, or if a history is
    not in time order.
    """
    user = np.flatnonzero(histories.length >= MIN_HISTORY_LENGTH)
    last = histories.length[user] - 1
    subset_N = np.full(len(histories.item), TRAIN, np.int8)
    subset_N[histories.indptr[user] + last - 1] = VALID
    subset_N[histories.indptr[user] + last] = TEST
    split = Split(
        all_histories=histories,
        subset_N=subset_N,
        valid=cut_at(histories, user, last - 1),
        test=cut_at(histories, user, last),
        num_items=num_items,
        protocol="next",
    )
    return check_split(split, f"no user has {MIN_HISTORY_LENGTH} ratings")


def cut_at(histories: UserHistories, user: Int64, position: Int64) -> EvalQueries:
    """Return queries for the entry at each user's position.

    The context is everything before it.
    """
    return cut_queries(histories, user, context_end=position, target_end=position + 1)


def draw_candidates(split: Split, num: int = 99, seed: int = 0) -> Int64:
    """Draw item rows beside each test target, (B, num).

    The protocol is `ncf-paper` (He et al. 2017). Uniform without replacement from the movies that
    the user has in no part. The same seed draws the same: draw once and store it. InputError if
    a user has too few unwatched movies.
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
