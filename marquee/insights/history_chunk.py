"""The ratings of some users, summed by user, for statistics in constant memory.

    chunk = Chunk.from_histories(histories, users, rows)        # of memmap.iter_user_chunks
    chunk.sum_over_items(chunk.rating, genre_IG)                # (U, G)

Local letters: U users and N ratings of the chunk, F columns of a table of items.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from marquee.core.arrays import AnyInt, Float32, Float64, Int32, Int64
from marquee.data.user_histories import UserHistories


@dataclass(frozen=True, eq=False, kw_only=True)
class Chunk:
    """All ratings of some users."""

    user: Int64
    """(N,) from 0."""
    item: AnyInt
    rating: Float32
    timestamp: Int64
    indptr: Int64

    @property
    def num_users(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def from_histories(cls, histories: UserHistories, users: slice, rows: slice) -> "Chunk":
        """Return views of the columns; users are numbered from 0."""
        indptr = histories.indptr[users.start : users.stop + 1] - rows.start
        return cls(
            user=np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)),
            item=histories.item[rows],
            rating=histories.rating[rows],
            timestamp=histories.timestamp[rows],
            indptr=indptr,
        )

    def sum_by_user(self, value_N: npt.NDArray[Any]) -> Float64:
        """Return (U,) sums of values."""
        return np.bincount(self.user, value_N, self.num_users).astype(np.float64)

    def sum_over_items(
        self, value_N: npt.NDArray[Any], column_IF: npt.NDArray[Any]
    ) -> npt.NDArray[Any]:
        """Return (U, F) sums over each user's ratings of value x the movie's row."""
        shape = (self.num_users, len(column_IF))
        return csr_matrix((value_N, self.item, self.indptr), shape=shape) @ column_IF


def count_pairs(row: Int64, column: Int64, num_rows: int, num_columns: int) -> Int32:
    """Return (num_rows, num_columns) counts of the pairs of row and column."""
    flat = np.bincount(row * num_columns + column, minlength=num_rows * num_columns)
    return flat.reshape(num_rows, num_columns).astype(np.int32)


def year_of(timestamp: Int64) -> Int64:
    """Return the calendar year (UTC) of Unix seconds."""
    return timestamp.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
