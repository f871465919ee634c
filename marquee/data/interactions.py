"""The interactions of a data set as flat columns, in the order of the file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Float32, Int64


@dataclass(frozen=True, eq=False)
class InteractionTable:
    """N ratings. Ids are int64; those of mapped columns are int32."""

    user_id: AnyInt  # (N,)
    movie_id: AnyInt  # (N,)
    rating: Float32  # (N,)
    timestamp: Int64  # (N,) seconds since 1970, UTC

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        return self.user_id, self.movie_id, self.rating, self.timestamp

    def first_fall(self) -> int | None:
        """Return the first row with a smaller user than the row before, or None."""
        for rows in memmap.iter_chunks(len(self)):
            user_id = self.user_id[rows.start : rows.stop + 1]  # and the first of the next chunk
            falls = np.flatnonzero(user_id[1:] < user_id[:-1])
            if len(falls):
                return rows.start + int(falls[0]) + 1
        return None

    def indptr(self) -> Int64:
        """Return the first row of each user and the end, (U + 1,), of a table by user."""
        starts = [np.zeros(1, np.int64)]
        for rows in memmap.iter_chunks(len(self)):
            user_id = self.user_id[rows.start : rows.stop + 1]
            starts.append(np.flatnonzero(user_id[1:] != user_id[:-1]) + rows.start + 1)
        return np.concatenate([*starts, [len(self)]])

    def by_user(self) -> "InteractionTable":
        """Return the same rows with ascending users, else in their order."""
        if self.first_fall() is None:
            return self
        order = np.argsort(self.user_id, kind="stable")
        return InteractionTable(*(column[order] for column in self.columns))

    def last_of_each_pair(self) -> "InteractionTable":
        """Return the last row of each pair of user and movie, in their order."""
        if self._is_ascending():  # as official csv files are: nothing to sort
            return self
        indptr = self.indptr() if self.first_fall() is None else np.array([0, len(self)])
        is_last_N = np.ones(len(self), bool)
        for _, rows in memmap.iter_user_chunks(indptr):
            pair = self._pair(rows)
            in_order = np.sort(pair)
            if (in_order[1:] == in_order[:-1]).any():
                order = np.argsort(pair, kind="stable")
                is_last_N[rows][order[:-1]] = pair[order[1:]] != pair[order[:-1]]
        if is_last_N.all():
            return self
        return InteractionTable(*(memmap.compress(is_last_N, column) for column in self.columns))

    def _is_ascending(self) -> bool:
        """Return whether users ascend, and each user's movies: then no pair occurs twice."""
        for rows in memmap.iter_chunks(len(self)):
            pair = self._pair(slice(rows.start, rows.stop + 1))  # and the first of the next
            if not (pair[1:] > pair[:-1]).all():
                return False
        return True

    def _pair(self, rows: slice) -> Int64:
        return self.user_id[rows].astype(np.int64) << 31 | self.movie_id[rows]
