"""All rules of a platform, and those that hold for one request.

A condition on the viewer is evaluated once for each viewer that differs in the attributes that the
rules name: a request then costs a look-up. Threads share a set, which never changes.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from marquee.recommender.eligibility.attribute_column import TYPES, Value, parts
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.rule import Rule

MAX_VIEWERS = 4096  # kinds of viewers whose rules are remembered
MAX_VIEWER_VALUES = 100  # of one attribute of a viewer; rules do not see later ones
ViewerValues = tuple[tuple[Any, ...], ...]


class RuleSet:
    """Rules by priority, higher first, then by name."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: (-rule.priority, rule.name)))
        self._viewer_names = sorted(
            {name for rule in self.rules for name in attribute_names(viewer_filter(rule))}
        )
        self._rules_for = lru_cache(MAX_VIEWERS)(self._match)

    def active(
        self, surface: str, viewer: Mapping[str, Any] | None, now_us: int
    ) -> tuple[Rule, ...]:
        """Return the rules that hold for a viewer on a surface at a time, in their order."""
        viewer = viewer or {}
        values = tuple(typed_values(viewer.get(name)) for name in self._viewer_names)
        return tuple(rule for rule in self._rules_for(surface, values) if rule.holds_at(now_us))

    def _match(self, surface: str, values: ViewerValues) -> tuple[Rule, ...]:
        columns = {
            name: [[value for _, value in pairs]]
            for name, pairs in zip(self._viewer_names, values, strict=True)
        }
        table = AttributeTable(1, columns)
        return tuple(
            rule
            for rule in self.rules
            if (rule.surfaces is None or surface in rule.surfaces)
            and (rule.viewer is None or rule.viewer(table)[0])
        )


def viewer_filter(rule: Rule) -> Mapping[str, Any]:
    """Return the filter over viewers as it was written; {} without one."""
    return rule.document.get("when", {}).get("viewer") or {}


def attribute_names(where: Mapping[str, Any]) -> Iterator[str]:
    """Yield the attributes that a valid filter reads."""
    for name, value in where.items():
        if name == "not":
            yield from attribute_names(value)
        elif name in ("all", "any"):
            for part in value:
                yield from attribute_names(part)
        else:
            yield name


def typed_values(value: Any) -> tuple[tuple[bool, Value], ...]:
    """Return the values of an attribute, hashable; true is not 1."""
    return tuple(
        (isinstance(part, bool), part)
        for part in list(parts(value))[:MAX_VIEWER_VALUES]
        if any(is_type(part) for is_type in TYPES.values())
    )
