"""The interactions of every user, oldest first, as columns.

Columns lie in mapped files (memmap.py) and are built chunk by chunk: nothing of the size of the
data need fit in memory.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Bools, Float32, Int8, Int64
from marquee.core.ids import Ids

MIN_HISTORY_LENGTH = 3  # in `next`: one movie each for training, validation and test
COLUMNS = ("item", "rating", "timestamp", "watched", "strength", "part")


@dataclass(frozen=True, eq=False, kw_only=True)
class UserHistories:
    """Interactions, oldest first: user u owns the rows indptr[u] to indptr[u + 1]."""

    user_id: Ids  # (U,) ascending; the position is the user's row number
    indptr: Int64  # (U + 1,)
    item: AnyInt  # (N,) rows of the data set's movies, int32
    rating: Float32  # (N,) NaN where there is none
    timestamp: Int64  # (N,) seconds since 1970, ascending within a user; 0 where there are none
    watched: Float32 | None = None  # (N,) watched share, NaN where unknown; None without any
    strength: Float32 | None = None  # (N,) weight of an interaction; None if all weigh the same
    part: Int8 | None = None  # (N,) of files given for `fixed`: 0 training, 1 validation, 2 test

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def length(self) -> Int64:  # (U,) interactions per user
        return np.diff(self.indptr)

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The columns of the entries by name, without those that are None."""
        columns = {name: getattr(self, name) for name in COLUMNS}
        return {name: column for name, column in columns.items() if column is not None}

    @property
    def user(self) -> Int64:
        """(N,) user row of each interaction: 8 bytes each."""
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
        """Return how many of each user's interactions the mask selects, (U,)."""
        count_U = np.zeros(len(self), np.int64)
        for rows, user in self.iter_chunks():
            if len(user):
                count = np.bincount(user[mask_N[rows]] - user[0])
                count_U[user[0] : user[0] + len(count)] = count
        return count_U

    def filter(self, mask_N: Bools) -> "UserHistories":
        """Return the selected interactions; a user without any has an empty row."""
        columns = {name: memmap.compress(mask_N, column) for name, column in self.columns.items()}
        indptr = np.concatenate([[0], np.cumsum(self.count_by_user(mask_N))])
        return replace(self, indptr=indptr, **columns)

    def sort_within_user(self, key_N: npt.NDArray[np.integer | np.bool_]) -> "UserHistories":
        """Return the same interactions, each user's sorted by key; the sort is stable."""
        return self.reorder(lambda rows, user: np.lexsort((key_N[rows], user)))

    def reorder(self, order_of: Callable[[slice, Int64], Int64]) -> "UserHistories":
        """Return the same interactions in another order within each user.

        order_of: of the rows of a chunk, and the user of each, the order of its entries.
        """
        old = self.columns
        new = {name: memmap.zeros(len(column), column.dtype) for name, column in old.items()}
        for rows, user in self.iter_chunks():
            order = order_of(rows, user)
            for name, target in new.items():
                target[rows] = old[name][rows][order]
        return replace(self, **new)
