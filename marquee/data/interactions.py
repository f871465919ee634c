"""Every person's ratings, oldest first, and the rule for ratings of one second.

    histories = build_histories(dataset, ties="hash")
    histories.where(histories.stars >= 4)           # a part of them, the people still all there

Entries are mapped (mapped.py) and made block by block: 16 bytes a rating, none of them a Python
object, and none that memory must hold. Shapes: N ratings, U people.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from marquee.core.errors import InputError
from marquee.core.memmap import kept, mapped, people_blocks
from marquee.data.dataset import Dataset, Ratings

Ints = npt.NDArray[np.int64]
Ties = Literal["hash", "file"]

MIN_NEXT = 3
"""Shortest history that `next` splits: one movie each for training, validation and test."""


@dataclass(frozen=True, eq=False)
class UserHistories:
    """Every person's ratings, oldest first: person u owns entries indptr[u] to indptr[u + 1]."""

    user_id: Ints
    """(U,) ascending; the position is the user's row number."""
    indptr: Ints
    """(U + 1,)"""
    item: npt.NDArray[np.integer]
    """(N,) rows of the data set's movies, int32."""
    stars: npt.NDArray[np.float32]
    """(N,)"""
    timestamp: Ints
    """(N,) seconds since 1970; `build_histories` makes them never fall within a person."""
    ties: str = "hash"
    """How equal timestamps of one person were ordered."""

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def length(self) -> Ints:
        """(U,) ratings per person."""
        return np.diff(self.indptr)

    @property
    def entries(self) -> tuple[npt.NDArray[Any], ...]:
        """item, stars and timestamp."""
        return self.item, self.stars, self.timestamp

    @property
    def user(self) -> Ints:
        """(N,) row number of the person of each rating: 8 bytes each, so only for what needs all
        at once; `blocks` gives them in portions."""
        return np.repeat(np.arange(len(self)), self.length)

    def blocks(self) -> Iterator[tuple[slice, Ints]]:
        """Portions of the ratings, whole people each: their rows, and the person of each row."""
        for people, rows in people_blocks(self.indptr):
            length = np.diff(self.indptr[people.start : people.stop + 1])
            yield rows, np.repeat(np.arange(people.start, people.stop), length)

    def support(self, num_items: int) -> Ints:
        """(num_items,) ratings of each movie."""
        return sum(
            (np.bincount(self.item[rows], minlength=num_items) for rows, _ in self.blocks()),
            start=np.zeros(num_items, np.int64),
        )

    def counted(self, keep_N: npt.NDArray[np.bool_]) -> Ints:
        """(U,) how many of each person's ratings are kept."""
        count = np.zeros(len(self), np.int64)
        for rows, user in self.blocks():
            if len(user):
                own = np.bincount(user[keep_N[rows]] - user[0])
                count[user[0] : user[0] + len(own)] = own
        return count

    def where(self, keep_N: npt.NDArray[np.bool_]) -> "UserHistories":
        """These ratings alone; who has none left keeps an empty row."""
        item, stars, timestamp = (kept(column, keep_N) for column in self.entries)
        indptr = _offsets(self.counted(keep_N))
        return UserHistories(self.user_id, indptr, item, stars, timestamp, self.ties)

    def arranged(self, key_N: npt.NDArray[np.integer]) -> "UserHistories":
        """Within each person the entries of a smaller key first, else as they stood."""
        item, stars, timestamp = (mapped(len(column), column.dtype) for column in self.entries)
        made = UserHistories(self.user_id, self.indptr, item, stars, timestamp, self.ties)
        for rows, user in self.blocks():
            order = np.lexsort((key_N[rows], user))
            for new, old in zip(made.entries, self.entries, strict=True):
                new[rows] = old[rows][order]
        return made


def _offsets(length: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(length)])


def build_histories(dataset: Dataset, ties: Ties = "hash", seed: int = 0) -> UserHistories:
    """Every person's ratings, oldest first.

    Ratings of one second stand in the order of a seeded hash of person and movie (`ties="hash"`),
    or as in the file (`ties="file"`), which is allowed only where the file has each person's rows
    in time order; InputError otherwise.
    """
    if ties not in ("hash", "file"):
        raise InputError(f"ties is {ties!r}; use hash or file.")
    ratings = _by_user(dataset.ratings)
    indptr = ratings.indptr()
    user_id = ratings.user_id[indptr[:-1]].astype(np.int64)
    item, stars = mapped(len(ratings), np.int32), mapped(len(ratings), np.float32)
    histories = UserHistories(user_id, indptr, item, stars, mapped(len(ratings), np.int64), ties)
    for rows, user in histories.blocks():
        movie_id, timestamp = ratings.movie_id[rows], ratings.timestamp[rows]
        if ties == "file":
            _check_file_order(dataset.name, user_id, user, timestamp)
            order: Any = slice(None)
        else:
            order = np.lexsort((tie_hash(user_id[user], movie_id, seed), timestamp, user))
        histories.item[rows] = dataset.movies.rows(movie_id)[order]
        histories.stars[rows] = ratings.stars[rows][order]
        histories.timestamp[rows] = timestamp[order]
    return histories


def _by_user(ratings: Ratings) -> Ratings:
    """The same ratings with users ascending; columns and most text files are so already."""
    if ratings.is_by_user():
        return ratings
    order = np.argsort(ratings.user_id, kind="stable")
    return Ratings(*(column[order] for column in ratings.columns))


def tie_hash(
    user_id: npt.NDArray[np.integer], movie_id: npt.NDArray[np.integer], seed: int
) -> npt.NDArray[np.uint64]:
    """(N,) splitmix64 (Steele et al. 2014) of seed, person and movie: the same on every machine."""
    mixed = _splitmix64(np.array([seed % 2**64], dtype=np.uint64))
    for ids in (user_id, movie_id):
        mixed = _splitmix64(mixed ^ ids.astype(np.uint64))
    return mixed


def _check_file_order(name: str, user_id: Ints, user: Ints, timestamp: Ints) -> None:
    is_back = (np.diff(user) == 0) & (np.diff(timestamp) < 0)
    if is_back.any():
        first = user_id[user[np.argmax(is_back)]]
        raise InputError(
            f"ties: file needs each user's rows in time order, but in {name} those of user {first} "
            "go back in time; set ties: hash."
        )


def _splitmix64(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        z = state + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
