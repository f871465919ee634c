"""A rule of the platform: which items it matches, when it holds, and what it does to lists.

    exclude, require    what may be listed at all
    boost               adds to the logit
    bury                moves behind all other items
    pin                 puts the best item that matches at a place of the list, from 1
    cap                 at most so many items of each value of an attribute on a page
    share               at least such a share of a page matches, as far as there are items

Where two rules collide, the higher `priority` wins, then the name that sorts first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from marquee.core.arrays import Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.eligibility.item_filter import ItemFilter


@dataclass(frozen=True)
class Pin:
    place: int
    """Counts from 1, over the pages of a list."""


@dataclass(frozen=True)
class Boost:
    by: float
    """In logits; below 0 items sink."""


@dataclass(frozen=True)
class Cap:
    attribute: str
    most: int
    """With 0 an item that matches and has the attribute is not eligible."""


@dataclass(frozen=True)
class Share:
    least: float


Action: TypeAlias = Literal["exclude", "require", "bury"] | Pin | Boost | Cap | Share
T = TypeVar("T", Pin, Boost, Cap, Share)
A = TypeVar("A", Bools, Int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rule:
    """A rule, parsed; made by `parse_rule`."""

    name: str
    document: Mapping[str, Any]
    """The rule as it was written, but for its name."""
    where: ItemFilter
    action: Action
    surfaces: frozenset[str] | None = None
    """The surfaces on which it holds; None: all."""
    viewer: ItemFilter | None = None
    """For whom it holds: a filter over a table of one viewer; None: for all."""
    from_us: int | None = None
    until_us: int | None = None
    priority: int = 0
    note: str = ""
    _masks: "WeakKeyDictionary[AttributeTable, Bools]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )
    _items: "WeakKeyDictionary[AttributeTable, Int64]" = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def matches(self, table: AttributeTable) -> Bools:
        """Return (I,), read-only: the items that match; evaluated once for each table."""
        mask_I = self._masks.get(table)
        if mask_I is None:
            mask_I = self._masks[table] = read_only(self.where(table))
        return mask_I

    def items(self, table: AttributeTable) -> Int64:
        """Return the items that match, ascending, read-only; found once for each table."""
        items = self._items.get(table)
        if items is None:
            items = self._items[table] = read_only(np.flatnonzero(self.matches(table)))
        return items

    def holds_at(self, now_us: int) -> bool:
        """Return whether a time is in the window: from `from_us`, before `until_us`."""
        has_begun = self.from_us is None or self.from_us <= now_us
        return has_begun and (self.until_us is None or now_us < self.until_us)


def read_only(array: A) -> A:
    array.setflags(write=False)
    return array


def with_action(rules: Iterable[Rule], kind: type[T]) -> list[tuple[Rule, T]]:
    """Return the rules of one kind of action, with their actions."""
    return [(rule, rule.action) for rule in rules if isinstance(rule.action, kind)]
