"""The items that are left to list, in their order, of which only a beginning is ever sorted.

The beginning is the `front`: it stands in the order of `rank`, which knows of diversity and
calibration. The items behind it stand by score. Buried items stand behind all others: they are
ranked on their own, so that they neither fill a page nor weigh on its mix.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Int64

Rank: TypeAlias = Callable[[Bools, int], Int64]
"""From a mask and n to the first n of the order of its items, or to all where there are fewer. A
longer order begins with a shorter one."""
Key: TypeAlias = tuple[float, ...]


class ItemQueue:
    """The items of a list that no place has taken yet."""

    def __init__(
        self, rank: Rank, score_I: AnyFloat, mask_I: Bools, buried_I: Bools | None
    ) -> None:
        self._rank, self._score_I, self._buried_I = rank, score_I, buried_I
        self._segments = [mask_I] if buried_I is None else [mask_I & ~buried_I, mask_I & buried_I]
        self._num_read = 0
        self.is_left_I, self.front = mask_I.copy(), np.empty(0, np.int64)

    def read(self, num: int) -> bool:
        """Extend the front to `num` items or more; return whether it grew."""
        if num <= self._num_read:
            return False
        self._num_read = max(num, 2 * self._num_read)
        ordered = self.front[:0]
        for segment_I in self._segments:
            if len(ordered) < self._num_read:
                part = self._rank(segment_I, self._num_read - len(ordered))
                ordered = np.concatenate([ordered, part])
        self.front = ordered[self.is_left_I[ordered]]
        return True

    def take(self, items: list[int]) -> None:
        """Let items leave; those of the front stay in it until `compact`."""
        self.is_left_I[items] = False

    def compact(self) -> Bools:
        """Drop from the front what has left; return (C,): what stayed of it."""
        is_left_C = self.is_left_I[self.front]
        self.front = self.front[is_left_C]
        return is_left_C

    def best(self, items: Int64, num: int) -> Int64:
        """Return the best of some items behind the front, given by ascending index."""
        if self._buried_I is None:
            return self._highest(items, num)
        is_buried = self._buried_I[items]
        best = self._highest(items[~is_buried], num)
        return np.concatenate([best, self._highest(items[is_buried], num - len(best))])

    def behind_key(self, item: int) -> Key:
        """Return the sort key of an item behind the front; in it, it is (0, position)."""
        is_buried = self._buried_I is not None and bool(self._buried_I[item])
        return 1, is_buried, -float(self._score_I[item]), item

    def _highest(self, items: Int64, num: int) -> Int64:
        score_N = self._score_I[items]
        if 0 < num < len(items):
            place = len(items) - num
            items = items[score_N >= np.partition(score_N, place)[place]]
            score_N = self._score_I[items]
        return items[np.lexsort((items, -score_N))][: max(0, num)]
