"""The interactions of a data set as flat columns, in the order of the file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Float32, Int64


@dataclass(frozen=True, eq=False)
class InteractionTable:
    """N ratings, no (user, movie) twice.

    Ids are int64; those of mapped columns are int32.
    """

    user_id: AnyInt
    """(N,)"""
    movie_id: AnyInt
    """(N,)"""
    rating: Float32
    """(N,)"""
    timestamp: Int64
    """(N,) seconds since 1970, UTC."""

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """user_id, movie_id, rating and timestamp."""
        return self.user_id, self.movie_id, self.rating, self.timestamp

    def is_by_user(self) -> bool:
        """Return whether the users ascend, as in official csv files and in npy columns."""
        chunks = (
            self.user_id[rows.start : rows.stop + 1] for rows in memmap.iter_chunks(len(self))
        )
        return all(bool((user_id[1:] >= user_id[:-1]).all()) for user_id in chunks)

    def indptr(self) -> Int64:
        """Return the first row of each user and the end, (U + 1,), of a table by user."""
        starts = [np.zeros(1, np.int64)]
        for rows in memmap.iter_chunks(len(self)):
            user_id = self.user_id[rows.start : rows.stop + 1]
            starts.append(np.flatnonzero(user_id[1:] != user_id[:-1]) + rows.start + 1)
        return np.concatenate([*starts, [len(self)]])

    def by_user(self) -> "InteractionTable":
        """Return the same rows with ascending users, else in their order."""
        if self.is_by_user():  # columns and most text files are so already
            return self
        order = np.argsort(self.user_id, kind="stable")
        return InteractionTable(*(column[order] for column in self.columns))
