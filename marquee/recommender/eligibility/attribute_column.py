"""The values of one attribute, indexed so that a condition costs as much as it matches.

The entries of a column stand by value: numbers ascending, then texts, then false and true. So
items with a value, or below one, are a slice of the entries.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from marquee.core.arrays import Bools, Float64

Value: TypeAlias = str | int | float | bool
ColumnValues: TypeAlias = Sequence[Any]
"""(I,) a value, a list of values, or None for each item; NaN and an empty list are none, too."""
TYPES: dict[str, Callable[[Any], bool]] = {
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
}


class AttributeColumn:
    """The values of one attribute, of which an item may have several."""

    def __init__(self, num_items: int, values: ColumnValues) -> None:
        self._num_items = num_items
        items_of: dict[str, dict[Any, list[int]]] = {name: {} for name in TYPES}
        for item, value in enumerate(values):
            for part in parts(value):
                items_of[value_type(part)].setdefault(part, []).append(item)
        self._values, self._first = dict[str, list[Any]](), dict[str, int]()
        groups: list[list[int]] = []
        for name, groups_of_type in items_of.items():
            self._first[name], self._values[name] = len(groups), sorted(groups_of_type)
            groups += [groups_of_type[value] for value in self._values[name]]
        self._item_N = np.fromiter(chain.from_iterable(groups), np.int64)
        self._start = np.concatenate([[0], np.cumsum([len(group) for group in groups])]).astype(int)

    def exists(self) -> Bools:
        """Return (I,): the items that have a value."""
        return self._mask([(0, len(self._start) - 1)])

    def equals(self, values: Sequence[Value]) -> Bools:
        """Return (I,): the items with one of the values; 5 is 5.0, but 1 is not true."""
        return self._mask(
            [self._range(value, bisect_left, value, bisect_right) for value in values]
        )

    def below(self, bound: Value, is_inclusive: bool) -> Bools:
        """Return (I,): the items with a value of the bound's type below it."""
        side = bisect_right if is_inclusive else bisect_left
        return self._mask([self._range(None, bisect_left, bound, side)])

    def above(self, bound: Value, is_inclusive: bool) -> Bools:
        """Return (I,): the items with a value of the bound's type above it."""
        side = bisect_left if is_inclusive else bisect_right
        return self._mask([self._range(bound, side, None, bisect_left)])

    def numbers(self, convert: Callable[[Any], float], default: float) -> Float64:
        """Return a value of each item as a number, (I,).

        Of several the last, of none the default.
        """
        number_I = np.full(self._num_items, default)
        values = chain.from_iterable(self._values.values())
        for value, begin, end in zip(values, self._start[:-1], self._start[1:], strict=True):
            number_I[self._item_N[begin:end]] = convert(value)
        return number_I

    def _range(
        self, low: Value | None, low_side: Any, high: Value | None, high_side: Any
    ) -> tuple[int, int]:
        """Return first and last group between two bounds, of which one may be None."""
        name = value_type(low if low is not None else high)
        values, first = self._values[name], self._first[name]
        begin = 0 if low is None else low_side(values, low)
        end = len(values) if high is None else high_side(values, high)
        return first + begin, first + max(begin, end)

    def _mask(self, ranges: Sequence[tuple[int, int]]) -> Bools:
        mask_I = np.zeros(self._num_items, dtype=bool)
        for begin, end in ranges:
            mask_I[self._item_N[self._start[begin] : self._start[end]]] = True
        return mask_I


def value_type(value: Any) -> str:
    return next(name for name, is_type in TYPES.items() if is_type(value))


def parts(value: Any) -> Iterator[Value]:
    """Yield the values of an item: those of a list, else the value itself."""
    for part in value if isinstance(value, list | tuple) else (value,):
        if part is not None and part == part:  # not NaN
            yield part
