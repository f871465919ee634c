"""The items of one page under caps and shares, but for the pinned ones.

1. A `share` takes the best items that match, until ceil(least * k) of the page match. It heeds the
   caps that precede it.
2. The best items that no cap closes fill the page. If caps close all items, it stays shorter.
3. All stand in their order.
An item that a page passes over is a candidate of the next page. Pinned items count, but stay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from marquee.core.arrays import Bools, Int64
from marquee.recommender.rules.cap_counter import CapCounter
from marquee.recommender.rules.item_queue import ItemQueue, Key

CHUNK = 64  # candidates that are judged one by one
LAST: Key = (2,)  # sorts behind every item
Caps = Sequence[CapCounter]


@dataclass(eq=False)
class PageShare:
    """A share, and the items that it took for the page at hand."""

    name: str
    match_I: Bools
    matches: Int64  # their indices
    least: int  # items of a page
    caps: Caps  # that precede it
    items: list[int] = field(default_factory=list)


class PageFiller:
    """The caps and shares of a list, and the page at hand."""

    def __init__(
        self, queue: ItemQueue, caps: Caps, shares: Sequence[PageShare], page_size: int
    ) -> None:
        self._queue, self._caps, self._shares = queue, caps, shares
        self._size = page_size
        self._behind: list[int] = []  # items of the page from behind the front

    def fill(self, pinned: list[int], num_read: int) -> list[int]:
        """Return the unpinned items of the next page; num_read: of the order, at least."""
        self._start(pinned, num_read)
        chosen: list[int] = []
        for share in self._shares:
            num_matching = int(np.count_nonzero(share.match_I[pinned + chosen]))
            num_free = self._size - len(pinned) - len(chosen)
            num_missing = min(share.least - num_matching, num_free)
            share.items = self._pick(num_missing, share.caps, share)
            chosen += share.items
        chosen += self._pick(self._size - len(pinned) - len(chosen), self._caps)
        front = self._queue.front
        ahead = front[~self._queue.is_left_I[front]].tolist()
        if len(ahead) == len(chosen):
            self._behind = []
        else:
            self._behind = sorted(set(chosen) - set(ahead), key=self._queue.behind_key)
        return ahead + self._behind

    def moved_ahead(self) -> dict[str, set[int]]:
        """Return the items of the page that each cap and share moved ahead, by its name.

        They stand before a better item, which the cap closed or the share left no place for.
        """
        moved = {
            cap.name: self._items_after(self._best_left(cap.closes, cap.closed_items))
            for cap in self._caps
        }
        if self._shares:
            best = self._best_left(lambda item: is_open(item, self._caps), self._open_items)
            items = self._items_after(best)
            moved |= {share.name: items.intersection(share.items) for share in self._shares}
        return moved

    def _start(self, pinned: list[int], num_read: int) -> None:
        is_left_C = self._queue.compact()
        has_grown = self._queue.read(num_read)
        for cap in self._caps:
            cap.follow_front(None if has_grown else is_left_C)
            cap.start_page(pinned)

    def _pick(self, limit: int, caps: Caps, share: PageShare | None = None) -> list[int]:
        """Take up to `limit` items that the caps do not close, of a share or any; the best first.

        The first candidates are judged one by one: most lists need no sieve.
        """
        picked: list[int] = []
        first_sieve = caps if all(cap.knows_front for cap in caps) else ()
        for candidates, sieve in ((self._of_front, first_sieve), (self._of_items_behind, caps)):
            while len(picked) < limit:
                items = candidates(max(CHUNK, limit), sieve, share)
                picked += self._take(items, limit - len(picked), caps)
                if len(items) == 0 or not caps:
                    break
                sieve = caps
        return picked

    def _take(self, items: Int64, limit: int, caps: Caps) -> list[int]:
        taken: list[int] = []
        for item in items.tolist():
            if len(taken) == limit:
                break
            if is_open(item, caps):
                taken.append(item)
                for cap in self._caps:
                    cap.add(item)
        self._queue.take(taken)
        return taken

    def _of_front(self, num: int, sieve: Caps, share: PageShare | None) -> Int64:
        """Return the first items of the front that the sieve lets pass."""
        front = self._queue.front
        is_open_C = self._queue.is_left_I[front]
        if share is not None:
            is_open_C &= share.match_I[front]
        for cap in sieve:
            is_open_C &= ~cap.closed_front(front)
        return front[is_open_C][:num]

    def _of_items_behind(self, num: int, sieve: Caps, share: PageShare | None) -> Int64:
        """Return the best items that the sieve lets pass; it lets none of the front's pass."""
        open_I = self._queue.is_left_I
        for cap in sieve:
            open_I = open_I & ~cap.closed_items()
        items = np.flatnonzero(open_I) if share is None else share.matches[open_I[share.matches]]
        return self._queue.best(items, num)

    def _best_left(
        self, is_flagged: Callable[[int], bool], flagged_items: Callable[[], Bools]
    ) -> Key:
        """Return the key of the best flagged item that is left, if it is before one of the page."""
        queue = self._queue
        is_left_C = queue.is_left_I[queue.front]
        end = len(is_left_C) if self._behind else last_false(is_left_C)
        positions = np.flatnonzero(is_left_C[:end])
        for position, item in zip(positions.tolist(), queue.front[positions].tolist(), strict=True):
            if is_flagged(item):
                return 0, position
        if not self._behind:
            return LAST
        items = queue.best(np.flatnonzero(queue.is_left_I & flagged_items()), 1)
        return queue.behind_key(int(items[0])) if len(items) else LAST

    def _items_after(self, key: Key) -> set[int]:
        """Return the unpinned items of the page that stand after a key."""
        items = {item for item in self._behind if self._queue.behind_key(item) > key}
        if key[0] == 0:
            later = self._queue.front[int(key[1]) :]
            items.update(later[~self._queue.is_left_I[later]].tolist())
        return items

    def _open_items(self) -> Bools:
        """Return (I,): the items that no cap closes."""
        open_I = np.ones(len(self._queue.is_left_I), bool)
        for cap in self._caps:
            open_I &= ~cap.closed_items()
        return open_I


def is_open(item: int, caps: Caps) -> bool:
    return all(not cap.closes(item) for cap in caps)


def last_false(flag_C: Bools) -> int:
    """Return the last position that is false, or 0."""
    positions = np.flatnonzero(~flag_C)
    return int(positions[-1]) if len(positions) else 0
