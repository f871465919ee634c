"""One cap, and how often the page at hand holds each value. Local letter: V sets of values."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from marquee.core.arrays import Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.rule import Cap, Rule

ValueOf: TypeAlias = Callable[[str, int], Any]
"""From an attribute and an item to its value, a list of values, or None."""
MAX_MASKS = 64  # of values that full pages met; a far page would ask for them again and again
LISTS = (list, tuple)
ValueSet: TypeAlias = tuple[Any, ...]


class CapCounter:
    """The values that are full on a page, and the items that these close."""

    def __init__(self, rule: Rule, cap: Cap, table: AttributeTable, value_of: ValueOf) -> None:
        self.name, self._cap, self._value_of = rule.name, cap, value_of
        self._column, self._matches_I = table.column(cap.attribute), rule.matches(table)
        self._values_of: dict[int, ValueSet] = {}
        self._masks: dict[Any, Bools] = {}
        self._set_ids: dict[ValueSet, int] = {}
        self._sets_with: defaultdict[Any, list[int]] = defaultdict(list)
        self._set_C: Int64 | None = None  # of the front's items, once it matters
        self.start_page([])

    def follow_front(self, is_left_C: Bools | None) -> None:
        """Keep what is left of the front; None: the front is another."""
        if self._set_C is not None:
            self._set_C = None if is_left_C is None else self._set_C[is_left_C]

    def start_page(self, pinned: Iterable[int]) -> None:
        """Forget the page before, and count what is pinned to the next."""
        self._counts, self._full = Counter[Any](), set[Any]()
        self._is_closed_V = np.zeros(len(self._set_ids), bool)
        for item in pinned:
            self.add(item)

    def add(self, item: int) -> None:
        """Count an item of the page."""
        for value in self._values(item):
            self._counts[value] = num_items = self._counts[value] + 1
            if num_items == self._cap.most:
                self._full.add(value)
                self._is_closed_V[self._sets_with.get(value, [])] = True

    def closes(self, item: int) -> bool:
        """Return whether the page can take no more of one of the item's values."""
        return bool(self._full) and not self._full.isdisjoint(self._values(item))

    @property
    def knows_front(self) -> bool:
        """Return whether the sets of values of the front's items are numbered."""
        return self._set_C is not None

    def closed_front(self, front_C: Int64) -> Bools:
        """Return (C,): the items of the front that are closed."""
        if self._set_C is None:
            self._set_C = np.array([self._set_id(item) for item in front_C.tolist()], np.int64)
            self._is_closed_V = np.array(
                [not self._full.isdisjoint(values) for values in self._set_ids], bool
            )
        return self._is_closed_V[self._set_C]

    def closed_items(self) -> Bools:
        """Return (I,): all items that are closed."""
        masks = [self._items_with(value) for value in self._full]
        return np.logical_or.reduce(masks) if masks else np.zeros(len(self._matches_I), bool)

    def _items_with(self, value: Any) -> Bools:
        """Return (I,): the items that count for a value; the masks of some values are cached."""
        mask_I = self._masks.get(value)
        if mask_I is None:
            plain = value[0] if isinstance(value, tuple) else value
            mask_I = self._column.equals([plain]) & self._matches_I
            if len(self._masks) < MAX_MASKS:
                self._masks[value] = mask_I
        return mask_I

    def _values(self, item: int) -> ValueSet:
        values = self._values_of.get(item)
        if values is None:
            values = ()
            if self._matches_I[item]:
                values = value_set(self._value_of(self._cap.attribute, item))
            self._values_of[item] = values
        return values

    def _set_id(self, item: int) -> int:
        values = self._values(item)
        if values not in self._set_ids:
            self._set_ids[values] = len(self._set_ids)
            for value in values:
                self._sets_with[value].append(self._set_ids[values])
        return self._set_ids[values]


def value_set(value: Any) -> ValueSet:
    """Return the distinct values of an item; true stands as (True,), as it is not 1."""
    if value is None:
        return ()
    values = value if isinstance(value, LISTS) else (value,)
    parts = [part for part in values if part is not None and part == part]  # not NaN
    return tuple(dict.fromkeys([(part,) if isinstance(part, bool) else part for part in parts]))
