"""Protocols `next`, `ncf-paper` and `time`: what comes later is held out.

The context of a query is everything before its target, so at test it holds the validation movie.
Under `time`, a model trains on no rating that is younger than a test rating. `next` does not
guarantee that: it trains on ratings that other users gave after a test rating. Where histories hold
repeats, a target is an item that is new to its history (repeats.py).
"""

import numpy as np

from datamodules.splits.base import TEST, TRAIN, VALID, Split, cut_queries
from datamodules.splits.repeats import first_interactions, first_positions, last_positions
from marquee.core import memmap
from marquee.core.arrays import Int8, Int64
from marquee.core.errors import InputError
from marquee.core.times import utc_date, utc_seconds
from marquee.data.user_histories import MIN_HISTORY_LENGTH, UserHistories

PUBLISHED_CUTS = {"ml-1m": "2000-12-02"}
DEFAULT_CUT = 0.9  # share of the interactions
MIN_BEFORE_CUT = 5  # interactions before the cut that a user needs to be tested


def split_next(histories: UserHistories, num_items: int) -> Split:
    """Hold out each user's last new movie for the test, the one before for validation.

    Users with fewer than 3 movies are trained on and have no query.
    """
    is_new_N = first_interactions(histories)
    user = np.flatnonzero(histories.count_by_user(is_new_N) >= MIN_HISTORY_LENGTH)
    test_U = last_positions(histories, is_new_N)
    is_new_N[test_U[user]] = False
    valid_U = last_positions(histories, is_new_N)
    start, end = histories.indptr[:-1], histories.indptr[1:]
    is_asked_U = np.isin(np.arange(len(histories)), user)
    return Split(
        all_histories=histories,
        subset_N=_subsets(
            histories, np.where(is_asked_U, valid_U, end), np.where(is_asked_U, test_U, end)
        ),
        valid=cut_queries(histories, valid_U - start).take(user),
        test=cut_queries(histories, test_U - start).take(user),
        num_items=num_items,
        protocol="next",
    ).check(f"no user has {MIN_HISTORY_LENGTH} movies")


def split_time(histories: UserHistories, num_items: int, cut: int) -> Split:
    """End the training of all users before second `cut` (UTC, since 1970).

    Users with at least 5 interactions before the cut and a new movie after it are tested on the
    first such movie, and validated on the last new one before it; others are trained on before the
    cut.
    """
    is_new_N, is_before_N = first_interactions(histories), histories.timestamp < cut
    start, num_before_U = histories.indptr[:-1], histories.count_by_user(is_before_N)
    test_U = first_positions(histories, is_new_N & ~is_before_N)
    valid_U = last_positions(histories, is_new_N & is_before_N)
    is_asked_U = (num_before_U >= MIN_BEFORE_CUT) & (valid_U > start) & (test_U >= 0)
    user = np.flatnonzero(is_asked_U)
    end_U = start + num_before_U
    first, last = (utc_date(int(edge(histories.timestamp))) for edge in (np.min, np.max))
    return Split(
        all_histories=histories,
        subset_N=_subsets(histories, np.where(is_asked_U, valid_U, end_U), end_U),
        valid=cut_queries(histories, valid_U - start).take(user),
        test=cut_queries(histories, test_U - start).take(user),
        num_items=num_items,
        protocol="time",
        cut=cut,
    ).check(
        f"no user has {MIN_BEFORE_CUT} interactions before {utc_date(cut)} and a new movie after; "
        f"the data go from {first} to {last}; set data.cut to a date or a share"
    )


def time_cut(histories: UserHistories, cut: float | str | None, name: str) -> int:
    """Return the second since 1970 that `data.cut` means for the data set `name`.

    A share ends training at the first time that leaves at least this share before it.
    """
    cut = PUBLISHED_CUTS.get(name, DEFAULT_CUT) if cut is None else cut
    if isinstance(cut, str):
        return utc_seconds(cut)
    num_before = cut * len(histories.timestamp)
    low, high = int(histories.timestamp.min()), int(histories.timestamp.max()) + 1
    while low < high:  # a sorted copy would take 8 bytes an interaction
        middle = (low + high) // 2
        chunks = memmap.iter_chunks(len(histories.timestamp))
        count = sum(int((histories.timestamp[rows] < middle).sum()) for rows in chunks)
        low, high = (low, middle) if count >= num_before else (middle + 1, high)
    return low


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


def _subsets(histories: UserHistories, valid_U: Int64, test_U: Int64) -> Int8:
    """Return the part of each interaction, from the first row of validation, and of the test."""
    subset_N = np.full(len(histories.item), TRAIN, np.int8)
    for rows, user in histories.iter_chunks():
        entry = np.arange(rows.start, rows.stop)
        subset_N[rows][entry >= valid_U[user]] = VALID
        subset_N[rows][entry >= test_U[user]] = TEST
    return subset_N
