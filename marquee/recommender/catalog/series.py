"""Series and their parts: what an episode belongs to, and which one is next."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from marquee.core.ids import Id
from marquee.recommender.catalog.title import Title

MAX_LEVELS = 10  # an episode, its season, its series
LAST = float("inf")  # number of a part that has none


class Series:
    """The titles that are parts of others, of one version of a catalog."""

    def __init__(self, parent_of: Mapping[int, Id], item_of: Callable[[Id], int | None]) -> None:
        """parent_of: the parent's id by item. item_of: returns the item of an id, or None."""
        self._parent_of, self._item_of = parent_of, item_of

    def whole(self, item: int) -> int:
        """Return the item of the series that an item is a part of, else the item itself."""
        for _ in range(MAX_LEVELS):
            parent = self._parent_of.get(item)
            above = None if parent is None else self._item_of(parent)
            if above is None:
                break
            item = above
        return item

    def next_episode(self, item: int, title_of: Callable[[int], Title]) -> int | None:
        """Return the item of the episode after one, or the first of a series or season."""
        if item in self._children:
            return self._first_episode(item, title_of)
        for _ in range(MAX_LEVELS):
            parent = self._item_of(self._parent_of[item]) if item in self._parent_of else None
            if parent is None:
                return None
            place = place_of(title_of(item), item)
            for sibling in self._parts(parent, title_of):
                if place_of(title_of(sibling), sibling) > place:
                    return self._first_episode(sibling, title_of)
            item = parent
        return None

    def _first_episode(self, item: int, title_of: Callable[[int], Title]) -> int | None:
        for _ in range(MAX_LEVELS):
            if item not in self._children:
                return item
            parts = self._parts(item, title_of)
            if not parts:
                return None
            item = parts[0]
        return None

    def _parts(self, item: int, title_of: Callable[[int], Title]) -> list[int]:
        """Return the parts of a title by number, without deleted ones."""
        parts = [part for part in self._children[item] if not title_of(part).is_deleted]
        return sorted(parts, key=lambda part: place_of(title_of(part), part))

    @cached_property
    def _children(self) -> dict[int, list[int]]:
        children: dict[int, list[int]] = {}
        for item, parent in self._parent_of.items():
            above = self._item_of(parent)
            if above is not None:
                children.setdefault(above, []).append(item)
        return children


def place_of(title: Title, item: int) -> tuple[Any, int]:
    """Return the sort key of a part: its number, then the order of arrival."""
    number = title.attributes.get("number")
    return (LAST if number is None else number, item)
