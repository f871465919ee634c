"""The attributes of all items by name: those of the bundle, and of titles that changed since."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Float64
from marquee.recommender.catalog.segment import Segment
from marquee.recommender.eligibility.attribute_column import AttributeColumn, ColumnValues, Value


class AttributeTable:
    """The attributes of I items by name; a column is indexed at its first use."""

    def __init__(self, num_items: int, columns: Mapping[str, ColumnValues]) -> None:
        self.num_items = num_items
        self._values, self._num_indexed = dict(columns), num_items
        self._columns: dict[str, AttributeColumn] = {}
        self._segments: Sequence[Segment] = ()

    def with_segments(self, num_items: int, segments: Sequence[Segment]) -> "AttributeTable":
        """Return the table of more items; those of the segments have other values."""
        table = AttributeTable(self._num_indexed, self._values)
        table.num_items, table._segments = num_items, segments
        table._columns = self._columns  # as indexed so far
        return table

    def column(self, name: str) -> "AttributeColumn | SegmentedColumn":
        """Return the column of an attribute; one without entries where no item has it."""
        if name not in self._columns:
            values = self._values.get(name, [])
            self._columns[name] = AttributeColumn(self._num_indexed, values)
        column = self._columns[name]
        if not self._segments:
            return column
        return SegmentedColumn(self.num_items, column, self._segments, name)

    def value(self, name: str, item: int) -> Any:
        """Return an attribute of one item: a value, a list of values, or None."""
        for segment in reversed(self._segments):
            if item in segment.titles:
                return segment.titles[item].value(name)
        values = self._values.get(name)
        return None if values is None else values[item]


class SegmentedColumn:
    """An attribute with the values of each segment in their place."""

    def __init__(
        self, num_items: int, column: AttributeColumn, segments: Sequence[Segment], name: str
    ) -> None:
        self._num_items, self._column = num_items, column
        self._segments, self._name = segments, name

    def exists(self) -> Bools:
        """Return (I,): the items that have a value."""
        return self._mask(AttributeColumn.exists)

    def equals(self, values: Sequence[Value]) -> Bools:
        """Return (I,): the items with one of the values."""
        return self._mask(lambda column: column.equals(values))

    def below(self, bound: Value, is_inclusive: bool) -> Bools:
        """Return (I,): the items with a value of the bound's type below it."""
        return self._mask(lambda column: column.below(bound, is_inclusive))

    def above(self, bound: Value, is_inclusive: bool) -> Bools:
        """Return (I,): the items with a value of the bound's type above it."""
        return self._mask(lambda column: column.above(bound, is_inclusive))

    def numbers(self, convert: Callable[[Any], float], default: float) -> Float64:
        """Return a value of each item as a number, (I,).

        Of several the last, of none the default.
        """
        number_I = np.full(self._num_items, default)
        indexed_I = self._column.numbers(convert, default)
        number_I[: len(indexed_I)] = indexed_I
        for segment in self._segments:
            number_I[segment.item_N] = segment.column(self._name).numbers(convert, default)
        return number_I

    def _mask(self, condition: Callable[[AttributeColumn], Bools]) -> Bools:
        mask_I = np.zeros(self._num_items, dtype=bool)
        indexed_I = condition(self._column)
        mask_I[: len(indexed_I)] = indexed_I
        for segment in self._segments:
            mask_I[segment.item_N] = condition(segment.column(self._name))
        return mask_I
