"""The rows of all items in two parts: those of the bundle, and those added since.

The bundle's are mapped, and shared by the workers of a service; so nothing is copied when an item
is added. Local letter: A added items.
"""

from dataclasses import dataclass

import numpy as np

from marquee.core.arrays import AnyInt, Float32, Int64


class SplitRows:
    """A matrix whose first rows are the bundle's; `added` has the others."""

    def __init__(self, base_ID: Float32, added_AD: Float32 | None = None) -> None:
        self.base_ID = base_ID
        self.added_AD = base_ID[:0] if added_AD is None else added_AD

    def __len__(self) -> int:
        return len(self.base_ID) + len(self.added_AD)

    @property
    def num_columns(self) -> int:
        return int(self.base_ID.shape[1])

    def __getitem__(self, items: AnyInt) -> Float32:
        """Return the rows of items of any shape, (…, D)."""
        if len(self.added_AD) == 0:
            return np.asarray(self.base_ID[items])
        is_added = items >= len(self.base_ID)
        rows = np.asarray(self.base_ID[np.where(is_added, 0, items)])
        rows[is_added] = self.added_AD[items[is_added] - len(self.base_ID)]
        return rows

    def __matmul__(self, columns: Float32) -> Float32:
        """Return the products of all rows with a vector (D,) or a matrix (D, J)."""
        products = self.base_ID @ columns
        if len(self.added_AD) == 0:
            return np.asarray(products)
        return np.concatenate([products, self.added_AD @ columns])


class RowBuffer:
    """Rows that grow at their end; earlier results stay as they are."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows
        self._memory = _Memory(rows, len(rows))

    def appended(self, rows: np.ndarray) -> "RowBuffer":
        """Return the buffer with more rows, in the same memory where that is free."""
        size, end = len(self.rows), len(self.rows) + len(rows)
        memory = self._memory
        if end > len(memory.rows) or memory.num_used != size:  # full, or another has grown it
            memory = _Memory(np.empty((max(end, 2 * size), *rows.shape[1:]), rows.dtype), size)
            memory.rows[:size] = self.rows
        memory.rows[size:end], memory.num_used = rows, end
        result = RowBuffer(memory.rows[:end])
        result._memory = memory
        return result

    def replaced(self, places: Int64, rows: np.ndarray) -> "RowBuffer":
        """Return the buffer with other rows at some places, as a copy if there are any."""
        if len(places) == 0:
            return self
        copy = self.rows.copy()
        copy[places] = rows
        return RowBuffer(copy)


@dataclass
class _Memory:
    rows: np.ndarray
    num_used: int
