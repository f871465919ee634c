"""The queries of validation and test: users with a context, and the items or ratings to predict.

All queries are cuts through one table of interactions, so that a block copies nothing of it:

    start .. context_start          known to the user, but neither shown nor ranked
    context_start .. context_end    the context that a scorer sees
    context_end .. target_end       the targets

Local letters: B queries, N entries of the table or of a sparse list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import AnyInt, Float32, Int64


@dataclass(frozen=True, eq=False, kw_only=True)
class EvalQueries:
    """Queries of validation or test, at most one a user; lists are views of the table."""

    item_N: AnyInt  # item rows of the table, whose entries need not be in time order
    rating_N: Float32  # NaN if there is none
    timestamp_N: Int64  # seconds since 1970; 0 if there is none
    user: Int64  # (B,) user rows of the split
    start: Int64  # (B,) positions in the table, as above
    context_start: Int64
    context_end: Int64
    target_end: Int64
    strength_N: Float32 | None = None  # weight of an interaction; None if all weigh the same
    has_many_targets: bool = False  # one or more per query, ranked together; else exactly one
    ranked_items: Int64 | None = None  # (C,) the only items that are ranked; None ranks all
    candidate_BC: Int64 | None = None  # items drawn beside the one target of each query

    def __len__(self) -> int:
        return len(self.user)

    @property
    def context_length(self) -> Int64:
        return self.context_end - self.context_start

    def take(self, rows: slice | npt.NDArray[Any]) -> Self:
        """Return the queries of a slice, row numbers or a mask; the table is shared."""
        return replace(
            self,
            user=self.user[rows],
            start=self.start[rows],
            context_start=self.context_start[rows],
            context_end=self.context_end[rows],
            target_end=self.target_end[rows],
            candidate_BC=None if self.candidate_BC is None else self.candidate_BC[rows],
        )

    def blocks(self, size: int) -> Iterator[Self]:
        """Yield the queries in their order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(slice(start, start + size))

    def compact(self) -> Self:
        """Return the same queries over a table of their own entries alone, as a copy."""
        length_B = self.target_end - self.start
        start_B = np.cumsum(length_B) - length_B
        _, position_N = spans(self.start, length_B)
        return replace(
            self,
            item_N=self.item_N[position_N],
            rating_N=self.rating_N[position_N],
            timestamp_N=self.timestamp_N[position_N],
            strength_N=None if self.strength_N is None else self.strength_N[position_N],
            start=start_B,
            context_start=start_B + self.context_start - self.start,
            context_end=start_B + self.context_end - self.start,
            target_end=start_B + length_B,
        )

    def with_candidates(self, candidate_BC: Int64 | None) -> Self:
        return replace(self, candidate_BC=candidate_BC)

    def contexts(self) -> list[AnyInt]:
        return cut(self.item_N, self.context_start, self.context_end)

    def context_ratings(self) -> list[Float32]:
        return cut(self.rating_N, self.context_start, self.context_end)

    def targets(self) -> list[AnyInt]:
        return cut(self.item_N, self.context_end, self.target_end)

    def target_ratings(self) -> list[Float32]:
        return cut(self.rating_N, self.context_end, self.target_end)

    def context_pairs(self) -> tuple[Int64, Int64]:
        """Return row and item of every entry of the contexts, (N,) each, query by query."""
        return self._pairs(self.context_start, self.context_end)

    def context_strengths(self) -> Float32 | None:
        """Return the strength of every entry of the contexts, (N,), query by query."""
        if self.strength_N is None:
            return None
        return self.strength_N[spans(self.context_start, self.context_length)[1]]

    def target_pairs(self) -> tuple[Int64, Int64]:
        """Return row and item of every target, (N,) each, query by query."""
        return self._pairs(self.context_end, self.target_end)

    def target_positions(self) -> Int64:
        """Return the table's position of every target, (N,), query by query."""
        return spans(self.context_end, self.target_end - self.context_end)[1]

    def _pairs(self, start_B: Int64, end_B: Int64) -> tuple[Int64, Int64]:
        row_N, position_N = spans(start_B, end_B - start_B)
        return row_N, self.item_N[position_N].astype(np.int64)

    def ranking_arrays(self) -> Mapping[str, Any]:
        """Return what ranking reads of the queries, int64 arrays by name.

        seen_row_N, seen_item_N      pairs that are not ranked: context and excluded items
        target_B                     the one target of each query, or with has_many_targets
        target_row_N, target_item_N  pairs of query and target, query by query
        ranked_item_C, candidate_BC  if only some items are ranked
        """
        seen_row_N, seen_item_N = self._pairs(self.start, self.context_end)
        target_row_N, target_item_N = self.target_pairs()
        arrays = {"seen_row_N": seen_row_N, "seen_item_N": seen_item_N}
        if self.has_many_targets:
            arrays |= {"target_row_N": target_row_N, "target_item_N": target_item_N}
        else:
            arrays["target_B"] = target_item_N
        if self.ranked_items is not None:
            arrays["ranked_item_C"] = self.ranked_items
        if self.candidate_BC is not None:
            arrays["candidate_BC"] = self.candidate_BC
        return arrays


def cut(values_N: npt.NDArray[Any], start_B: Int64, end_B: Int64) -> list[npt.NDArray[Any]]:
    """Return the slices [start, end) of one array as views."""
    bounds = zip(start_B.tolist(), end_B.tolist(), strict=True)
    return [values_N[start:end] for start, end in bounds]


def spans(start_B: Int64, length_B: Int64) -> tuple[Int64, Int64]:
    """Return row and position of every element of the slices [start, start + length).

    >>> spans(np.array([5, 0]), np.array([2, 1]))
    (array([0, 0, 1]), array([5, 6, 0]))
    """
    row_N = np.repeat(np.arange(len(start_B)), length_B)
    first_B = np.cumsum(length_B) - length_B
    return row_N, np.arange(len(row_N)) - np.repeat(first_B - start_B, length_B)
