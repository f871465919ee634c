"""Splits: what training may read, what validation and test ask.

    split = split_next(histories, len(dataset.movies))      # test: the last movie of each person
    split.histories                                         # what training may read
    split.refit("validation").histories                     # the same and the validation ratings
    split.test                                              # the questions of the test part
    draw_candidates(split, num=99, seed=0)                  # ncf-paper: 99 unseen movies a person
    split_time(histories, len(dataset.movies), ML_1M_CUT)   # one cut through everybody's time

`new-users` and `new-movies` stand in held_out.py. Every rating is in one part, training, validation
or test. A question is a person, and three cuts through their entries; with these two splits its
history is everything before the movie to be found, so at test the validation movie is part of it.
What this does not guarantee: with `split_next` a model trains on ratings that other people gave
after a test rating; `split_time` rules that out.

ml-1m is split in 0.1 s. Shapes: N ratings, U people, Q questions, C movies that are ranked.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from marquee.core.errors import InputError
from marquee.data.interactions import MIN_NEXT, Ints, UserHistories

Refit = Literal["none", "validation", "all"]
TRAIN, VALID, TEST, LEFT_OUT = 0, 1, 2, 3
"""The part of a rating; nothing is trained on one left out."""
READS: dict[str, int] = {"none": TRAIN, "validation": VALID, "all": TEST}
"""The last part that each refit trains on."""

ML_1M_CUT = 975_715_200
"""2 December 2000, 00:00 UTC: the cut of `time` on ml-1m."""
MIN_BEFORE_CUT = 5
"""Ratings before the cut that `time` asks of a person it tests on."""


@dataclass(frozen=True, eq=False)
class Questions:
    """What validation or test asks: one question a person, as cuts through their entries.

    0 to first         watched, but neither shown nor ranked: empty, but in `new-movies`
    first to given     the history
    given to end       the movies to be found
    """

    histories: UserHistories
    """A table of the question's own: its entries need not stand in time order."""
    user: Ints
    """(Q,) rows of the people asked, each once."""
    first: Ints
    """(Q,)"""
    given: Ints
    """(Q,)"""
    end: Ints
    """(Q,)"""
    among: Ints | None = None
    """(C,) rows of the movies that are ranked; None: all."""

    def __len__(self) -> int:
        return len(self.user)

    @property
    def start(self) -> Ints:
        """(Q,) where the entries of each person begin in the table."""
        return self.histories.indptr[self.user]


@dataclass(frozen=True, eq=False)
class Split:
    """Which ratings are trained on, and what validation and test ask."""

    everything: UserHistories
    """Every rating of the data set."""
    part_N: npt.NDArray[np.int8]
    """(N,) the part of each rating of `everything`."""
    valid: Questions
    test: Questions
    num_items: int
    protocol: str
    refitted: Refit = "none"

    @cached_property
    def histories(self) -> UserHistories:
        """What training may read: a row for every person, empty for those it may not know."""
        return self.everything.where(self.part_N <= READS[self.refitted])

    @property
    def train_end(self) -> Ints:
        """(U,) training ratings per person: all of `histories`."""
        return self.histories.length

    @property
    def test_user(self) -> Ints:
        """(T,) rows of the people asked at test."""
        return self.test.user

    def without(self, users: Ints) -> "Split":
        """The same questions, with all ratings of some persons (rows, int64) left out of training,
        whatever the refit."""
        if len(users) == 0:
            return self
        is_left_out_U = np.isin(np.arange(len(self.everything)), users)
        part_N = self.part_N.copy()
        part_N[np.repeat(is_left_out_U, self.everything.length)] = LEFT_OUT
        return replace(self, part_N=part_N)

    def refit(self, how: Refit) -> "Split":
        """The same questions, with training moved on to take in validation, or everything."""
        if how not in READS:
            raise InputError(f"refit is {how!r}; use none, validation or all.")
        return self if how == self.refitted else replace(self, refitted=how)


def split_next(histories: UserHistories, num_items: int) -> Split:
    """Protocols `next` and `ncf-paper`: the last movie is test, the one before it validation.

    People with fewer than 3 ratings are trained on and asked nothing. InputError where nobody is
    left to test, or where a history does not stand in time order.
    """
    asked = np.flatnonzero(histories.length >= MIN_NEXT)
    last = histories.length[asked] - 1
    part_N = np.full(len(histories.item), TRAIN, np.int8)
    part_N[histories.indptr[asked] + last - 1] = VALID
    part_N[histories.indptr[asked] + last] = TEST
    valid, test = (_one_each(histories, asked, position) for position in (last - 1, last))
    return checked(
        Split(histories, part_N, valid, test, num_items, "next"), f"nobody has {MIN_NEXT} ratings"
    )


def split_time(histories: UserHistories, num_items: int, cut: int) -> Split:
    """Protocol `time`: everybody's training ends before second `cut` (UTC, since 1970).

    People with at least 5 ratings before the cut and one after it are tested on the first movie at
    or after the cut and validated on the last one before it; the others' ratings before the cut are
    trained on. InputError where nobody qualifies, or where a history does not stand in time order.
    """
    is_before_N = histories.timestamp < cut
    before = histories.counted(is_before_N)
    asked = np.flatnonzero((before >= MIN_BEFORE_CUT) & (before < histories.length))
    position = before[asked]
    part_N = np.where(is_before_N, np.int8(TRAIN), np.int8(TEST))
    part_N[histories.indptr[asked] + position - 1] = VALID
    valid, test = (_one_each(histories, asked, at) for at in (position - 1, position))
    return checked(
        Split(histories, part_N, valid, test, num_items, "time"),
        f"nobody has {MIN_BEFORE_CUT} ratings before {cut} (seconds since 1970) and one after",
    )


def _one_each(histories: UserHistories, user: Ints, position: Ints) -> Questions:
    """The entry at this position, after everything before it."""
    return Questions(histories, user, np.zeros_like(position), position, position + 1)


def draw_candidates(split: Split, num: int = 99, seed: int = 0) -> Ints:
    """(T, num) item rows, one row a test target, for protocol `ncf-paper` (He et al. 2017).

    Uniform without replacement from the movies that the person has in no part. The same seed gives
    the same draw: make it once and store it. InputError where a person has too few unseen movies.
    """
    rng = np.random.default_rng(seed)
    histories = split.everything
    item_TN = np.empty((len(split.test_user), num), dtype=np.int64)
    for row, user in enumerate(split.test_user):
        own = np.unique(histories.item[histories.indptr[user] : histories.indptr[user + 1]])
        num_unseen = split.num_items - len(own)
        if num_unseen < num:
            raise InputError(
                f"User {histories.user_id[user]} has {num_unseen} unseen movies, {num} candidates "
                "are asked for; draw fewer, or use protocol next."
            )
        rank = rng.choice(num_unseen, num, replace=False, shuffle=False)
        # The r-th unseen movie: r, moved up by the own movies that stand before it.
        item_TN[row] = rank + np.searchsorted(own - np.arange(len(own)), rank, side="right")
    return item_TN


def checked(split: Split, why_empty: str) -> Split:
    """The split itself; InputError where a part is empty or a test is older than its training."""
    histories = split.everything
    sizes = {"test": len(split.test), "validation": len(split.valid)}
    for name, size in (sizes | {"training": np.count_nonzero(split.part_N == TRAIN)}).items():
        if size == 0:
            raise InputError(f"The {name} part of {split.protocol} is empty: {why_empty}.")
    older = np.flatnonzero(histories.timestamp[1:] < histories.timestamp[:-1]) + 1
    older = np.setdiff1d(older, histories.indptr)
    if len(older):
        user = np.searchsorted(histories.indptr, older[0], side="right") - 1
        raise InputError(
            f"A test older than its training: the history of user {histories.user_id[user]} does "
            "not stand in time order; build it with build_histories."
        )
    return split
