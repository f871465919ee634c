"""The work of rules before the order is made: on the candidates, and on their scores."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from marquee.core.arrays import AnyFloat, Bools
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.rule import Boost, Cap, Rule, with_action

MANY = 0.1  # share of items from which all are added to faster than some


def eligible_mask(rules: Sequence[Rule], table: AttributeTable, mask_I: Bools) -> Bools:
    """Return (I,): the items of the mask that the rules let be listed.

    All `require` hold; `exclude` wins over them. A `cap` of 0 also excludes.
    """
    eligible_I = mask_I.copy()
    for rule in rules:
        if rule.action == "require":
            eligible_I &= rule.matches(table)
        elif rule.action == "exclude":
            eligible_I &= ~rule.matches(table)
    for rule, cap in with_action(rules, Cap):
        if cap.most == 0:
            eligible_I &= ~(rule.matches(table) & table.column(cap.attribute).exists())
    return eligible_I


def boosted_scores(rules: Sequence[Rule], table: AttributeTable, score_I: AnyFloat) -> AnyFloat:
    """Return (I,): the scores after every `boost`; the scores themselves stay."""
    for rule, boost in with_action(rules, Boost):
        items, by = rule.items(table), score_I.dtype.type(boost.by)
        if len(items) > len(score_I) * MANY:
            score_I = score_I + rule.matches(table) * by
        else:
            score_I = score_I.copy()
            score_I[items] += by
    return score_I


def buried_mask(rules: Sequence[Rule], table: AttributeTable) -> Bools | None:
    """Return (I,): the items to list behind all others; None without a `bury`."""
    masks = [rule.matches(table) for rule in rules if rule.action == "bury"]
    return reduce(np.logical_or, masks) if masks else None
