"""The items that pins put at places of a list."""

from collections.abc import Sequence
from typing import NamedTuple

from marquee.core.arrays import AnyFloat, Bools
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.rule import Pin, Rule, with_action


class PinnedItem(NamedTuple):
    """An item at a place, and the name of the rule that put it there."""

    item: int
    rule_name: str


def pinned_items(
    rules: Sequence[Rule],
    table: AttributeTable,
    mask_I: Bools,
    score_I: AnyFloat,
    buried_I: Bools | None,
    num_places: int,
) -> dict[int, PinnedItem]:
    """Return what is pinned, by place from 0.

    In the order of the rules each pin takes the best item of the mask that matches and is not
    pinned: by score, unburied items first. It stands at the pin's place; if that is taken, at the
    next free place; if there is none up to the end of the list, at the last free one.
    """
    pins = with_action(rules, Pin)
    if not pins:
        return {}
    places: dict[int, PinnedItem] = {}
    free_I = mask_I.copy()
    for rule, pin in pins:
        items = rule.items(table)
        items = items[free_I[items]]
        if buried_I is not None and not buried_I[items].all():
            items = items[~buried_I[items]]
        if len(items):
            item = int(items[score_I[items].argmax()])
            free_I[item] = False
            places[_free_place(pin.place - 1, num_places, places)] = PinnedItem(item, rule.name)
    return places


def _free_place(place: int, num_places: int, taken: dict[int, PinnedItem]) -> int:
    behind = range(place, num_places)
    ahead = range(min(place, num_places) - 1, -1, -1)
    return next(free for each in (behind, ahead) for free in each if free not in taken)
