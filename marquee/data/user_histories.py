"""The ratings of every user, oldest first, and the rule for equal timestamps.

Entries lie in temporary files (memmap.py), 16 bytes a rating, and are built chunk by chunk: nothing
of the size of the data need fit in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Bools, Float32, Int64
from marquee.core.errors import InputError
from marquee.data.dataset import Dataset

Ties = Literal["hash", "file"]
MIN_HISTORY_LENGTH = 3  # in `next`: one movie each for training, validation and test


@dataclass(frozen=True, eq=False, kw_only=True)
class UserHistories:
    """Ratings, oldest first: user u owns the rows indptr[u] to indptr[u + 1]."""

    user_id: Int64  # (U,) ascending; the position is the user's row number
    indptr: Int64  # (U + 1,)
    item: AnyInt  # (N,) rows of the data set's movies, int32
    rating: Float32  # (N,)
    timestamp: Int64  # (N,) seconds since 1970, which `build_histories` sorts within each user

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def length(self) -> Int64:  # (U,) ratings per user
        return np.diff(self.indptr)

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        return self.item, self.rating, self.timestamp

    @property
    def user(self) -> Int64:
        """(N,) user row of each rating: 8 bytes each."""
        return np.repeat(np.arange(len(self)), self.length)

    def iter_chunks(self) -> Iterator[tuple[slice, Int64]]:
        """Yield rows, and the user of each row, in chunks that split no user."""
        for users, rows in memmap.iter_user_chunks(self.indptr):
            length = np.diff(self.indptr[users.start : users.stop + 1])
            yield rows, np.repeat(np.arange(users.start, users.stop), length)

    def item_counts(self, num_items: int) -> Int64:
        return sum(
            (np.bincount(self.item[rows], minlength=num_items) for rows, _ in self.iter_chunks()),
            start=np.zeros(num_items, np.int64),
        )

    def count_by_user(self, mask_N: Bools) -> Int64:
        """Return how many of each user's ratings the mask selects, (U,)."""
        count_U = np.zeros(len(self), np.int64)
        for rows, user in self.iter_chunks():
            if len(user):
                count = np.bincount(user[mask_N[rows]] - user[0])
                count_U[user[0] : user[0] + len(count)] = count
        return count_U

    def filter(self, mask_N: Bools) -> "UserHistories":
        """Return the selected ratings; a user without any has an empty row."""
        item, rating, timestamp = (memmap.compress(mask_N, column) for column in self.columns)
        indptr = np.concatenate([[0], np.cumsum(self.count_by_user(mask_N))])
        return replace(self, indptr=indptr, item=item, rating=rating, timestamp=timestamp)

    def sort_within_user(self, key_N: npt.NDArray[np.integer | np.bool_]) -> "UserHistories":
        """Return the same ratings, each user's sorted by key; the sort is stable."""
        columns = [memmap.zeros(len(column), column.dtype) for column in self.columns]
        for rows, user in self.iter_chunks():
            order = np.lexsort((key_N[rows], user))
            for target, column in zip(columns, self.columns, strict=True):
                target[rows] = column[rows][order]
        item, rating, timestamp = columns
        return replace(self, item=item, rating=rating, timestamp=timestamp)


def build_histories(dataset: Dataset, ties: Ties = "hash", seed: int = 0) -> UserHistories:
    """Sort the ratings of every user by time.

    Equal timestamps stand in the order of a seeded hash of user and movie (`ties="hash"`), or in
    the file's (`ties="file"`). The latter is allowed only where the file has each user's rows in
    time order; InputError otherwise.
    """
    if ties not in ("hash", "file"):
        raise InputError(f"ties: {ties!r}, expected hash or file")
    table = dataset.interactions.by_user()
    indptr = table.indptr()
    histories = UserHistories(
        user_id=table.user_id[indptr[:-1]].astype(np.int64),
        indptr=indptr,
        item=memmap.zeros(len(table), np.int32),
        rating=memmap.zeros(len(table), np.float32),
        timestamp=memmap.zeros(len(table), np.int64),
    )
    for rows, user in histories.iter_chunks():
        movie_id, timestamp = table.movie_id[rows], table.timestamp[rows]
        user_id = histories.user_id[user]
        if ties == "hash":
            order = np.lexsort((tie_hash(user_id, movie_id, seed), timestamp, user))
        else:
            _check_file_order(dataset.name, user_id, timestamp)
            order = np.arange(len(user))
        histories.item[rows] = dataset.movies.rows(movie_id)[order]
        histories.rating[rows] = table.rating[rows][order]
        histories.timestamp[rows] = timestamp[order]
    return histories


def tie_hash(user_id: AnyInt, movie_id: AnyInt, seed: int) -> npt.NDArray[np.uint64]:
    """Hash seed, user and movie by splitmix64 (Steele et al. 2014)."""
    hash_N = _splitmix64(np.array([seed % 2**64], dtype=np.uint64))
    for ids in (user_id, movie_id):
        hash_N = _splitmix64(hash_N ^ ids.astype(np.uint64))
    return hash_N


def _check_file_order(name: str, user_id: Int64, timestamp: Int64) -> None:
    is_backwards = (np.diff(user_id) == 0) & (np.diff(timestamp) < 0)
    if is_backwards.any():
        raise InputError(
            f"ties: file, but in {name} the rows of user {user_id[np.argmax(is_backwards)]} go "
            "back in time, expected time order; set ties: hash"
        )


def _splitmix64(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
