"""The pages of a list under all rules, in turn: pinned items at their places, others around them.

`cap` and `share` hold on each page; page_filler.py says how. A cap may leave the last places of a
page empty.
"""

import math
from collections.abc import Sequence

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.cap_counter import CapCounter, ValueOf
from marquee.recommender.rules.item_queue import ItemQueue, Rank
from marquee.recommender.rules.page_filler import PageFiller, PageShare
from marquee.recommender.rules.pins import pinned_items
from marquee.recommender.rules.rule import Boost, Cap, Pin, Rule, Share
from marquee.recommender.rules.scores import buried_mask

EMPTY = -1  # a place without an item
ROUNDING = 1e-9  # .1 * 30 is 3, not 3.0000000000000004


class ListPages:
    """The pages of one list, each read once; `num_left` items are on later ones."""

    def __init__(
        self,
        rules: Sequence[Rule],
        table: AttributeTable,
        value_of: ValueOf,
        *,
        rank: Rank,
        score_I: AnyFloat,
        mask_I: Bools,
        page_size: int,
        num_items: int,
        read_ahead: int,
    ) -> None:
        self._rules, self._table, self._size = rules, table, page_size
        self.num_left, self.end, self._read_ahead = num_items, 0, read_ahead
        buried_I = buried_mask(rules, table)
        self._pins = pinned_items(rules, table, mask_I, score_I, buried_I, num_items)
        unpinned_I = mask_I.copy()
        unpinned_I[[pin.item for pin in self._pins.values()]] = False
        queue = ItemQueue(rank, score_I, unpinned_I, buried_I)
        caps, shares = page_rules(rules, table, value_of, page_size)
        self._filler = PageFiller(queue, caps, shares, page_size)
        # Caps and shares pass over items: twice the places are seldom too few.
        self._factor = 2 if caps or shares else 1

    def next_page(self) -> Int64:
        """Return the items of the next page by place, (page size,); EMPTY is none."""
        start, self.end = self.end, self.end + self._size
        page_P = np.full(self._size, EMPTY)
        for place, pin in self._pins.items():
            if start <= place < self.end:
                page_P[place - start] = pin.item
        pinned = page_P[page_P != EMPTY].tolist()
        ordered = self._filler.fill(pinned, max(self._factor * self.end, self._read_ahead))
        page_P[np.flatnonzero(page_P == EMPTY)[: len(ordered)]] = ordered
        self.num_left -= len(pinned) + len(ordered)
        return page_P

    def touched(self, items: Int64) -> list[tuple[str, set[int]]]:
        """Return each rule's name, and the items of the last page that it touched."""
        rule_name_of = {pin.item: pin.rule_name for pin in self._pins.values()}
        unpinned = np.array([item for item in items.tolist() if item not in rule_name_of], int)
        moved, touched = self._filler.moved_ahead(), list[tuple[str, set[int]]]()
        for rule in self._rules:
            of_rule = moved.get(rule.name, set())
            if isinstance(rule.action, Pin):
                of_rule = {item for item, name in rule_name_of.items() if name == rule.name}
            elif rule.action == "bury" or (isinstance(rule.action, Boost) and rule.action.by):
                of_rule = set(unpinned[rule.matches(self._table)[unpinned]].tolist())
            touched.append((rule.name, of_rule))
        return touched


def page_rules(
    rules: Sequence[Rule], table: AttributeTable, value_of: ValueOf, page_size: int
) -> tuple[list[CapCounter], list[PageShare]]:
    """Return the caps and shares; a share heeds the caps that precede it."""
    caps, shares = list[CapCounter](), list[PageShare]()
    for rule in rules:
        if isinstance(rule.action, Cap):
            caps.append(CapCounter(rule, rule.action, table, value_of))
        elif isinstance(rule.action, Share):
            least = math.ceil(rule.action.least * page_size - ROUNDING)
            shares.append(
                PageShare(rule.name, rule.matches(table), rule.items(table), least, tuple(caps))
            )
    return caps, shares
