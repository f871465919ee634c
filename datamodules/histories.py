"""Every person's ratings, oldest first, and the rule for ratings of one second.

    histories = histories_of(dataset, ties="hash")
    histories.where(histories.stars >= 4)           # a part of them, the people still all there

Shapes: N ratings, U people.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from catalogue.errors import UserError
from datamodules.ratings import Dataset

Ints = npt.NDArray[np.int64]
Ties = Literal["hash", "file"]


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
    """(N,) seconds since 1970; `histories_of` makes them never fall within a person."""
    ties: str = "hash"
    """How equal timestamps of one person were ordered."""

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def length(self) -> Ints:
        """(U,) ratings per person."""
        return np.diff(self.indptr)

    @property
    def user(self) -> Ints:
        """(N,) row number of the person of each rating."""
        return np.repeat(np.arange(len(self)), self.length)

    def where(self, keep_N: npt.NDArray[np.bool_]) -> "Histories":
        """These ratings alone; who has none left keeps an empty row."""
        count = np.concatenate([[0], np.cumsum(keep_N)])
        return self._taken(np.flatnonzero(keep_N), count[self.indptr])

    def arranged(self, key_N: npt.NDArray[np.integer]) -> "Histories":
        """Within each person the entries of a smaller key first, else as they stood."""
        return self._taken(np.lexsort((key_N, self.user)), self.indptr)

    def _taken(self, rows: Ints, indptr: Ints) -> "Histories":
        columns = {name: getattr(self, name)[rows] for name in ("item", "stars", "timestamp")}
        return replace(self, indptr=indptr, **columns)


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
