"""One page of a list, with the rules that hold or without any."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.errors import RequestError
from marquee.recommender.rules.page import arrange_page
from marquee.recommender.rules.rule import Cap, Rule, Share
from marquee.recommender.rules.scores import boosted_scores
from marquee.recommender.topk import check_page, top_page

RankPage: TypeAlias = Callable[[Bools, int, int], tuple[Int64, int | None]]
"""From a mask, k and offset to a page of the order of its items, and the next offset."""
MAX_OFFSET = 5_000  # of a list with caps or shares, whose pages are filled from the first one on
SCORED_AHEAD = 256  # items that an order by score alone gives at no cost


class RuledPage(NamedTuple):
    """The items of a page, and the rules that touched each, None where none could."""

    item_K: Int64
    next_offset: int | None
    rules_K: list[list[str]] | None = None


def keep_order(rules: Sequence[Rule]) -> bool:
    """Return whether rules decide about candidates alone."""
    return all(rule.action in ("exclude", "require") for rule in rules)


def ruled_page(
    rules: Sequence[Rule],
    table: AttributeTable,
    rank_page: RankPage,
    *,
    score_I: AnyFloat,
    mask_I: Bools,
    k: int,
    offset: int,
    is_by_score: bool = True,
) -> RuledPage:
    """Return a page of items that are eligible, as the rules arrange it.

    rules: those that hold, in their order. score_I: after `boosted_scores`. is_by_score: the order
    is that of the scores alone. Raises RequestError for a k below 1 or an offset that is too far.
    """
    check_page(k, offset)
    if keep_order(rules):
        return RuledPage(*rank_page(mask_I, k, offset))
    if offset > MAX_OFFSET and any(isinstance(rule.action, Cap | Share) for rule in rules):
        message = f"offset: {offset}, expected at most {MAX_OFFSET:,} while a cap or a share holds"
        raise RequestError(message, field="offset")
    page = arrange_page(
        rules,
        table,
        table.value,
        rank=lambda mask, n: rank_page(mask, n, 0)[0],
        score_I=score_I,
        mask_I=mask_I,
        k=k,
        offset=offset,
        read_ahead=SCORED_AHEAD if is_by_score else 0,
    )
    return RuledPage(page.item_K, page.next_offset, page.rules_K)


def arranged(
    rules: Sequence[Rule],
    table: AttributeTable,
    item_K: Int64,
    score_K: AnyFloat,
    mask_I: Bools,
) -> RuledPage:
    """Return all of K eligible items, best first, as the rules arrange them.

    Where rules change the order, an item that comes twice is listed once.
    """
    if not len(item_K) or keep_order(rules):
        return RuledPage(item_K, None)
    is_listed_I = np.zeros_like(mask_I)
    is_listed_I[item_K] = True
    score_I = np.full(len(mask_I), -np.inf, score_K.dtype)
    score_I[item_K] = score_K
    score_I = boosted_scores(rules, table, score_I)
    return ruled_page(
        rules,
        table,
        partial(top_page, score_I),
        score_I=score_I,
        mask_I=is_listed_I,
        k=len(item_K),
        offset=0,
    )


def with_rule_names(records: list[Any], page: RuledPage) -> list[Any]:
    """Return the records of a page; an item that rules touched names them."""
    if page.rules_K is None:
        return records
    return [
        {**record, "rules": names} if names else record
        for record, names in zip(records, page.rules_K, strict=True)
    ]
