"""Rules that cannot all have their way, in words: `warnings` of PUT /rules and of its preview.

Only what is written counts, so it cannot be seen that two different filters match the same items.
Rules are compared where their surfaces, times and viewers can coincide.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from marquee.recommender.rules.rule import Cap, Pin, Rule, Share
from marquee.recommender.rules.rule_set import viewer_filter

ROUNDING = 1e-9  # 2 / .2 is 10, not 9.99


def contradictions(rules: Sequence[Rule], name: str | None = None) -> list[str]:
    """Return a sentence for each rule or pair of rules in conflict.

    rules: in the order of `RuleSet.rules`: of two the first wins. name: of a rule that was written,
    of which alone the sentences then are; None: of all rules.
    """
    texts = [
        f"rule {rule.name!r}: excludes every item, as its filter is empty"
        for rule in rules
        if rule.action == "exclude" and rule.document["where"] == {} and name in (None, rule.name)
    ]
    for first, second in combinations(rules, 2):
        if name in (None, first.name, second.name):
            text = conflict(first, second)
            if text and can_coincide(first, second):
                texts.append(f"rules {first.name!r} and {second.name!r}: {text}")
    return texts


def conflict(first: Rule, second: Rule) -> str | None:
    """Return how a rule is in conflict with a later one; None if it is not."""
    one, other = first.action, second.action
    if isinstance(one, Pin) and isinstance(other, Pin) and one.place == other.place:
        return f"pin to place {one.place}, so {second.name!r} takes the next free place"
    if isinstance(one, Share) and isinstance(other, Share) and one.least + other.least > 1:
        return "shares of more than a page, which only items that match both can meet"
    k = None
    if isinstance(one, Share) and isinstance(other, Cap):
        k = largest_page(first, one, second, other)
    elif isinstance(one, Cap) and isinstance(other, Share):
        k = largest_page(second, other, first, one)
    if k is not None:
        return f"both hold on pages of at most {k} items; on longer ones {first.name!r} wins"
    return exclusion(first, second)


def exclusion(first: Rule, second: Rule) -> str | None:
    """Return what an `exclude` does to a rule of the same filter."""
    excluding, other = (second, first) if second.action == "exclude" else (first, second)
    if excluding.action != "exclude" or first.document["where"] != second.document["where"]:
        return None
    if other.action == "require":
        return f"{excluding.name!r} excludes what {other.name!r} requires, so lists are empty"
    if other.action != "exclude":
        return f"{excluding.name!r} excludes what {other.name!r} acts on, so it does nothing"
    return None


def largest_page(share_rule: Rule, share: Share, cap_rule: Rule, cap: Cap) -> int | None:
    """Return the largest k for which both can hold; None where every k is as good."""
    where, capped = share_rule.document["where"], cap_rule.document["where"]
    values = equal_values(where.get(cap.attribute))
    if len(where) != 1 or values is None or capped not in ({}, where) or not share.least:
        return None
    return int(cap.most * len(values) / share.least + ROUNDING)


def can_coincide(first: Rule, second: Rule) -> bool:
    """Return whether both rules can hold for one request, as far as is written."""
    surfaces, others = first.surfaces, second.surfaces
    has_surface = surfaces is None or others is None or not surfaces.isdisjoint(others)
    return has_surface and share_a_time(first, second) and share_a_viewer(first, second)


def share_a_time(first: Rule, second: Rule) -> bool:
    windows = [(rule.from_us, rule.until_us) for rule in (first, second)]
    begins = [begin for begin, _ in windows if begin is not None]
    ends = [end for _, end in windows if end is not None]
    return not begins or not ends or max(begins) < min(ends)


def share_a_viewer(first: Rule, second: Rule) -> bool:
    """Return whether no attribute of a viewer has to have different values."""
    filters = viewer_filter(first), viewer_filter(second)
    for name in filters[0].keys() & filters[1].keys() - {"all", "any", "not"}:
        values, others = (equal_values(where[name]) for where in filters)
        if values is not None and others is not None and not values & others:
            return False
    return True


def equal_values(condition: Any) -> set[Any] | None:
    """Return the values that a condition names by equality, else None."""
    if not isinstance(condition, Mapping):
        return None if condition is None else {condition}
    if set(condition) == {"eq"}:
        return {condition["eq"]}
    return set(condition["in"]) if set(condition) == {"in"} else None
