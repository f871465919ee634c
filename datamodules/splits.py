"""Splits of DESIGN: what training may read, what validation and test ask for.

    histories = histories_of(dataset, ties="hash")          # every person, oldest first
    split = split_next(histories, len(dataset.movies))      # test: the last movie of each person
    draw_candidates(split, num=99, seed=0)                  # ncf-paper: 99 unseen movies a person
    split_time(histories, len(dataset.movies), ML_1M_CUT)   # one cut through everybody's time

A target is a position in a person's history, and its history is everything before that position,
so at test the validation movie is part of it. What this does not guarantee: with `split_next` a
model trains on ratings that other people gave after a test rating; `split_time` rules that out.

Shapes: N ratings, U people, V validation targets, T test targets.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from catalogue.errors import UserError
from datamodules.ratings import Dataset

Ints = npt.NDArray[np.int64]
Ties = Literal["hash", "file"]
Refit = Literal["none", "validation", "all"]

ML_1M_CUT = 975_715_200
"""2 December 2000, 00:00 UTC: the cut of `time` on ml-1m."""
MIN_NEXT = 3
"""Shortest history that `next` splits: one movie each for training, validation and test."""
MIN_BEFORE_CUT = 5
"""Ratings before the cut that `time` asks of a person it tests on."""


@dataclass(frozen=True, eq=False)
class Histories:
    """Every person's ratings, oldest first: person u owns entries indptr[u] to indptr[u + 1]."""

    user_id: Ints
    """(U,) ascending; the position is the user's row number."""
    indptr: Ints
    """(U + 1,)"""
    item: Ints
    """(N,) rows of the data set's movies."""
    stars: npt.NDArray[np.float32]
    """(N,)"""
    timestamp: Ints
    """(N,) seconds since 1970, never falling within a person."""
    ties: str = "hash"
    """How equal timestamps of one person were ordered."""

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def length(self) -> Ints:
        """(U,) ratings per person."""
        return np.diff(self.indptr)


@dataclass(frozen=True, eq=False)
class Split:
    """Who is trained on what, and what validation and test ask for."""

    histories: Histories
    train_end: Ints
    """(U,) training may read the first train_end[u] entries of person u."""
    valid_user: Ints
    """(V,) rows of the people with a validation target."""
    valid_pos: Ints
    """(V,) the target is entry indptr[valid_user] + valid_pos; its history stands before it."""
    test_user: Ints
    """(T,)"""
    test_pos: Ints
    """(T,)"""
    num_items: int
    protocol: str
    ties: str

    def refit(self, how: Refit) -> "Split":
        """The same targets, with training moved on to take in validation, or everything."""
        if how == "none":
            return self
        if how == "all":
            return replace(self, train_end=self.histories.length)
        if how != "validation":
            raise UserError(f"refit is {how!r}; use none, validation or all.")
        train_end = self.train_end.copy()
        train_end[self.valid_user] = self.valid_pos + 1
        return replace(self, train_end=train_end)


def histories_of(dataset: Dataset, ties: Ties = "hash", seed: int = 0) -> Histories:
    """Every person's ratings, oldest first.

    Ratings of one second stand in the order of a seeded hash of person and movie (`ties="hash"`),
    or as in the file (`ties="file"`), which is allowed only where the file has each person's rows
    in time order; UserError otherwise.
    """
    ratings = dataset.ratings
    user_id, user = np.unique(ratings.user_id, return_inverse=True)
    if ties == "file":
        order = np.argsort(user, kind="stable")
        _check_file_order(dataset.name, user_id, user[order], ratings.timestamp[order])
    elif ties == "hash":
        key = tie_hash(ratings.user_id, ratings.movie_id, seed)
        order = np.lexsort((key, ratings.timestamp, user))
    else:
        raise UserError(f"ties is {ties!r}; use hash or file.")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=len(user_id)))])
    return Histories(
        user_id,
        indptr.astype(np.int64),
        dataset.movies.rows(ratings.movie_id)[order],
        ratings.stars[order],
        ratings.timestamp[order],
        ties,
    )


def tie_hash(user_id: Ints, movie_id: Ints, seed: int) -> npt.NDArray[np.uint64]:
    """(N,) splitmix64 (Steele et al. 2014) of seed, person and movie: the same on every machine."""
    mixed = _splitmix64(np.array([seed % 2**64], dtype=np.uint64))
    for ids in (user_id, movie_id):
        mixed = _splitmix64(mixed ^ ids.astype(np.uint64))
    return mixed


def split_next(histories: Histories, num_items: int) -> Split:
    """Protocols `next` and `ncf-paper`: the last movie is test, the one before it validation.

    People with fewer than 3 ratings are trained on and asked nothing. UserError where nobody is
    left to test, or where a history does not stand in time order.
    """
    length = histories.length
    asked = np.flatnonzero(length >= MIN_NEXT)
    train_end = np.where(length >= MIN_NEXT, length - 2, length)
    last = length[asked] - 1
    return _checked(
        Split(
            histories, train_end, asked, last - 1, asked, last, num_items, "next", histories.ties
        ),
        f"nobody has {MIN_NEXT} ratings",
    )


def split_time(histories: Histories, num_items: int, cut: int) -> Split:
    """Protocol `time`: everybody's training ends before second `cut` (UTC, since 1970).

    People with at least 5 ratings before the cut and one after it are tested on the first movie at
    or after the cut and validated on the last one before it; the others' ratings before the cut are
    trained on. UserError where nobody qualifies, or where a history does not stand in time order.
    """
    is_before = np.concatenate([[0], np.cumsum(histories.timestamp < cut)])
    before = np.diff(is_before[histories.indptr]).astype(np.int64)
    is_asked = (before >= MIN_BEFORE_CUT) & (before < histories.length)
    asked = np.flatnonzero(is_asked)
    train_end = before - is_asked
    pos = before[asked]
    return _checked(
        Split(histories, train_end, asked, pos - 1, asked, pos, num_items, "time", histories.ties),
        f"nobody has {MIN_BEFORE_CUT} ratings before {cut} (seconds since 1970) and one after",
    )


def draw_candidates(split: Split, num: int = 99, seed: int = 0) -> Ints:
    """(T, num) item rows, one row a test target, for protocol `ncf-paper` (He et al. 2017).

    Uniform without replacement from the movies that the person has in no part. The same seed gives
    the same draw: make it once and store it. UserError where a person has too few unseen movies.
    """
    rng = np.random.default_rng(seed)
    histories = split.histories
    item_TN = np.empty((len(split.test_user), num), dtype=np.int64)
    for row, user in enumerate(split.test_user):
        own = np.unique(histories.item[histories.indptr[user] : histories.indptr[user + 1]])
        num_unseen = split.num_items - len(own)
        if num_unseen < num:
            raise UserError(
                f"User {histories.user_id[user]} has {num_unseen} unseen movies, {num} candidates "
                "are asked for; draw fewer, or use protocol next."
            )
        rank = rng.choice(num_unseen, num, replace=False, shuffle=False)
        # The r-th unseen movie: r, moved up by the own movies that stand before it.
        item_TN[row] = rank + np.searchsorted(own - np.arange(len(own)), rank, side="right")
    return item_TN


def _checked(split: Split, why_empty: str) -> Split:
    histories = split.histories
    if len(split.test_user) == 0:
        raise UserError(f"The test part of {split.protocol} is empty: {why_empty}.")
    if split.train_end.sum() == 0:
        raise UserError(f"The training part of {split.protocol} is empty: {why_empty}.")
    older = np.flatnonzero(np.diff(histories.timestamp) < 0) + 1
    older = np.setdiff1d(older, histories.indptr)
    if len(older):
        user = np.searchsorted(histories.indptr, older[0], side="right") - 1
        raise UserError(
            f"A test older than its training: the history of user {histories.user_id[user]} does "
            "not stand in time order; build it with histories_of."
        )
    return split


def _check_file_order(name: str, user_id: Ints, user: Ints, timestamp: Ints) -> None:
    is_back = (np.diff(user) == 0) & (np.diff(timestamp) < 0)
    if is_back.any():
        first = user_id[user[np.argmax(is_back)]]
        raise UserError(
            f"ties: file needs each user's rows in time order, but in {name} those of user {first} "
            "go back in time; set ties: hash."
        )


def _splitmix64(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
