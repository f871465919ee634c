"""One page of a list under all rules: what the recommender calls.

Pages are those of k from place 0. Any offset reads places of the same list, so pages join. Places
that a cap leaves empty are left out of the answer, which then is shorter than k.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.cap_counter import ValueOf
from marquee.recommender.rules.item_queue import Rank
from marquee.recommender.rules.list_pages import EMPTY, ListPages
from marquee.recommender.rules.rule import Cap, Rule, Share


class ArrangedPage(NamedTuple):
    """The items of a page, and the names of the rules that touched each."""

    item_K: Int64
    rules_K: list[list[str]]
    next_offset: int | None


def arrange_page(
    rules: Sequence[Rule],
    table: AttributeTable,
    value_of: ValueOf,
    *,
    rank: Rank,
    score_I: AnyFloat,
    mask_I: Bools,
    k: int,
    offset: int,
    read_ahead: int = 0,
) -> ArrangedPage:
    """Return places offset..offset+k of the list, and the next offset.

    rules: in the order of `RuleSet.active`. mask_I: of `eligible_mask`. score_I: after
    `boosted_scores` and what else adjusts single items; pins choose by it. rank: the order of the
    items of a mask, with what depends on the list, such as diversity. read_ahead: so many
    items `rank` orders at no cost, such as 256 by score alone. k: 1 or more.

    A rule touches the items that it boosted, buried or pinned, and those that its cap or share
    moved before a better one. A pinned item names its pin only. `require` and `exclude` touch none.
    """
    end, num_items = offset + k, int(np.count_nonzero(mask_I))
    has_pages = any(isinstance(rule.action, Cap | Share) for rule in rules)
    pages = ListPages(
        rules,
        table,
        value_of,
        rank=rank,
        score_I=score_I,
        mask_I=mask_I,
        page_size=k if has_pages else min(end, num_items),  # without them one page does
        num_items=num_items,
        read_ahead=read_ahead,
    )
    items, touched, num_behind = list[int](), list[tuple[str, set[int]]](), 0
    while pages.num_left and pages.end < end:
        start, page_P = pages.end, pages.next_page()
        if pages.end > offset:
            part = page_P[max(0, offset - start) : end - start]
            part = part[part != EMPTY]
            items += part.tolist()
            touched += pages.touched(part)
            num_behind = int(np.count_nonzero(page_P[end - start :] != EMPTY))
    rules_K = [[name for name, of_rule in touched if item in of_rule] for item in items]
    next_offset = end if pages.num_left + num_behind else None
    return ArrangedPage(np.array(items, np.int64), rules_K, next_offset)
