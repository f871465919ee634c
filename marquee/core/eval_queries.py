"""The queries of validation and test: users with a context, and the items or ratings to predict.

    queries = split.test                                  # splits make them
    queries.contexts(), queries.targets()                 # item rows of each user, oldest first
    for block in queries.blocks(256): scorer(block)       # the ranker scores them block by block
    EvalQueries.from_lists(contexts=[[0, 1]], targets=[[2]])       # by hand

All queries are cuts through one table of interactions, so that a query costs four integers and a
block of queries copies nothing of the table:

    start .. context_start          known to the user, but neither shown nor ranked
    context_start .. context_end    the context that a scorer sees
    context_end .. target_end       the targets

Local letters: B queries, N entries of the table or of a sparse list.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import AnyInt, Float32, Int64

ItemLists: TypeAlias = Sequence[Sequence[int] | AnyInt]
RatingLists: TypeAlias = Sequence[Sequence[float] | Float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class EvalQueries:
    """Queries of validation or test, at most one a user."""

    item_N: AnyInt
    """(N,) item rows of the table. Its entries need not stand in time order."""
    rating_N: Float32
    """(N,) ratings of the table; NaN if there is none."""
    timestamp_N: Int64
    """(N,) seconds since 1970; 0 if there is none."""
    user: Int64
    """(B,) user rows of the split."""
    start: Int64
    """(B,) first entry of each query, a position in the table, as the three that follow."""
    context_start: Int64
    """(B,) first entry of the context."""
    context_end: Int64
    """(B,) first entry behind the context; the first target."""
    target_end: Int64
    """(B,) first entry behind the targets."""
    has_many_targets: bool = False
    """A query has one target or more, ranked together; else exactly one."""
    ranked_items: Int64 | None = None
    """(C,) rows of the only items that are ranked; None ranks all."""
    candidate_BC: Int64 | None = None
    """(B, C) rows of items drawn beside the one target of each query; None: none were drawn."""

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def from_lists(
        cls,
        *,
        contexts: ItemLists,
        targets: ItemLists,
        ratings: RatingLists | None = None,
        excluded: ItemLists | None = None,
        has_many_targets: bool = False,
        ranked_items: Int64 | None = None,
        candidate_BC: Int64 | None = None,
    ) -> Self:
        """Build queries from one list of item rows per user; the table is made of copies.

        ratings: as long as the contexts; NaN if they are absent. excluded: item rows that are
        not ranked either, beside the context. The users are the rows 0 to B - 1.
        Raises ValueError if the lists are not of the same number of users.
        """
        excluded = [[]] * len(contexts) if excluded is None else excluded
        lengths = {
            "contexts": len(contexts),
            "targets": len(targets),
            "excluded": len(excluded),
            "candidates": len(contexts) if candidate_BC is None else len(candidate_BC),
        }
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{lengths}, expected one of each for every user")
        lists = zip(excluded, contexts, targets, strict=True)
        parts = [np.asarray(items, np.int64) for three in lists for items in three]
        end_B3 = np.cumsum([len(items) for items in parts], dtype=np.int64).reshape(-1, 3)
        item_N = np.concatenate([np.empty(0, np.int64), *parts])
        queries = cls(
            item_N=item_N,
            rating_N=np.full(len(item_N), np.nan, np.float32),
            timestamp_N=np.zeros(len(item_N), np.int64),
            user=np.arange(len(contexts)),
            start=end_B3[:, 0] - np.array([len(items) for items in excluded], dtype=np.int64),
            context_start=end_B3[:, 0],
            context_end=end_B3[:, 1],
            target_end=end_B3[:, 2],
            has_many_targets=has_many_targets,
            ranked_items=ranked_items,
            candidate_BC=candidate_BC,
        )
        if ratings is not None:
            for context, values in zip(queries.context_ratings(), ratings, strict=True):
                context[:] = values  # a view of the table
        return queries

    @property
    def context_length(self) -> Int64:
        """(B,) entries of each context."""
        return self.context_end - self.context_start

    def take(self, rows: slice | npt.NDArray[Any]) -> Self:
        """Return some of the queries; the table is shared.

        rows: a slice, row numbers or a mask.
        """
        candidate_BC = None if self.candidate_BC is None else self.candidate_BC[rows]
        return replace(
            self,
            user=self.user[rows],
            start=self.start[rows],
            context_start=self.context_start[rows],
            context_end=self.context_end[rows],
            target_end=self.target_end[rows],
            candidate_BC=candidate_BC,
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
            start=start_B,
            context_start=start_B + self.context_start - self.start,
            context_end=start_B + self.context_end - self.start,
            target_end=start_B + length_B,
        )

    def with_candidates(self, candidate_BC: Int64 | None) -> Self:
        """Return the same queries with (B, C) items drawn beside each target."""
        return replace(self, candidate_BC=candidate_BC)

    def contexts(self) -> list[AnyInt]:
        """Return the item rows of each context, views of the table."""
        return cut(self.item_N, self.context_start, self.context_end)

    def context_ratings(self) -> list[Float32]:
        """Return the ratings of each context, views of the table."""
        return cut(self.rating_N, self.context_start, self.context_end)

    def targets(self) -> list[AnyInt]:
        """Return the item rows of each user's targets, views of the table."""
        return cut(self.item_N, self.context_end, self.target_end)

    def target_ratings(self) -> list[Float32]:
        """Return the ratings of each user's targets, views of the table."""
        return cut(self.rating_N, self.context_end, self.target_end)

    def context_pairs(self) -> tuple[Int64, Int64]:
        """Return row and item of every entry of the contexts, (N,) each, query by query."""
        return self._pairs(self.context_start, self.context_end)

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
