"""Filters over attributes: `filters.where` of a request.

    {"genres": "Drama"}                                   has the value, in a list or alone
    {"year": {"gte": 1990, "lt": 2000}}                   all operators of a condition hold
    {"any": [{"country": {"in": ["DE", "FR"]}}, {"not": {"min_age": {"gt": 12}}}]}

All keys of an object hold. A missing attribute matches {"exists": false} and what stands in "not".
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from marquee.core.arrays import Bools
from marquee.recommender.eligibility.attribute_column import AttributeColumn
from marquee.recommender.eligibility.attribute_table import AttributeTable, SegmentedColumn
from marquee.recommender.errors import RequestError

ItemFilter: TypeAlias = Callable[[AttributeTable], Bools]
"""From the attributes of I items to those that match, (I,)."""
MAX_DEPTH, MAX_CONDITIONS, MAX_VALUES = 20, 200, 1000  # of one filter
LIST_OPERATORS, TEXT_LENGTH = ("in", "not_in"), 1000
OPERATORS: dict[str, Callable[[AttributeColumn | SegmentedColumn, Any], Bools]] = {
    "eq": lambda column, value: column.equals([value]),
    "ne": lambda column, value: column.exists() & ~column.equals([value]),
    "in": lambda column, values: column.equals(values),
    "not_in": lambda column, values: column.exists() & ~column.equals(values),
    "lt": lambda column, bound: column.below(bound, is_inclusive=False),
    "lte": lambda column, bound: column.below(bound, is_inclusive=True),
    "gt": lambda column, bound: column.above(bound, is_inclusive=False),
    "gte": lambda column, bound: column.above(bound, is_inclusive=True),
    "exists": lambda column, is_there: column.exists() if is_there else ~column.exists(),
}
COMPARISONS = ("lt", "lte", "gt", "gte")


def parse_filter(where: Any, field: str = "filters.where") -> ItemFilter:
    """Parse a filter. Raises RequestError that names the place, below `field`."""
    return FilterParser().parse(where, field, depth=1)


class FilterParser:
    """The parser of one filter, which counts its conditions and values."""

    def __init__(self) -> None:
        self._num_conditions = self._num_values = 0

    def parse(self, where: Any, field: str, depth: int) -> ItemFilter:
        if not isinstance(where, Mapping):
            raise fault(field, where, "an object of conditions")
        if depth > MAX_DEPTH:
            raise too_deep(field)
        parts = [self._part(name, where[name], field, depth) for name in where]
        return combined(parts, np.logical_and)

    def _part(self, name: Any, value: Any, field: str, depth: int) -> ItemFilter:
        field = f"{field}.{name}"
        if name == "not":
            inner = self.parse(value, field, depth + 1)
            return lambda table: ~inner(table)
        if name in ("all", "any"):
            if not isinstance(value, list | tuple):
                raise fault(field, value, "a list of filters")
            filters = [self.parse(part, f"{field}.{n}", depth + 1) for n, part in enumerate(value)]
            return combined(filters, np.logical_and if name == "all" else np.logical_or)
        return self._conditions(str(name), value, field)

    def _conditions(self, attribute: str, value: Any, field: str) -> ItemFilter:
        conditions = value if isinstance(value, Mapping) else {"eq": value}
        if not conditions:
            raise fault(field, value, f"a value or an operator, {', '.join(OPERATORS)}")
        self._num_conditions += len(conditions)
        self._num_values += sum(
            len(each) for each in conditions.values() if isinstance(each, list | tuple)
        )
        if self._num_conditions > MAX_CONDITIONS or self._num_values > MAX_VALUES:
            message = f"{self._num_conditions} conditions with {self._num_values} values in lists"
            expected = f"expected at most {MAX_CONDITIONS} and {MAX_VALUES}"
            raise RequestError(f"{field}: {message}, {expected}", field=field)
        parts = [condition(attribute, name, conditions[name], field) for name in conditions]
        return combined(parts, np.logical_and)


def condition(attribute: str, operator: Any, value: Any, field: str) -> ItemFilter:
    if operator not in OPERATORS:
        raise fault(field, operator, f"an operator, {', '.join(OPERATORS)}")
    check_value(operator, value, f"{field}.{operator}" if operator != "eq" else field)
    matches = OPERATORS[operator]
    return lambda table: matches(table.column(attribute), value)


def check_value(operator: str, value: Any, field: str) -> None:
    """Raise RequestError for a value that the operator cannot take."""
    if operator == "exists":
        if not isinstance(value, bool):
            raise fault(field, value, "true or false")
    elif operator in LIST_OPERATORS:
        if not isinstance(value, list | tuple):
            raise fault(field, value, "a list of values")
        for n, part in enumerate(value):
            check_scalar(part, f"{field}.{n}")
    else:
        check_scalar(value, field)
        if operator in COMPARISONS and isinstance(value, bool):
            raise fault(field, value, "a number or text")


def check_scalar(value: Any, field: str) -> None:
    if value is None:
        raise fault(field, value, 'a value; for a missing attribute use {"exists": false}')
    if isinstance(value, list | tuple):
        raise fault(field, value, 'one value; for several use {"in": [...]}')
    is_scalar = isinstance(value, str | int | float)
    if not is_scalar or (isinstance(value, float) and not math.isfinite(value)):
        raise fault(field, value, "text, a number, true or false")
    if isinstance(value, str) and len(value) > TEXT_LENGTH:
        raise fault(field, value, f"at most {TEXT_LENGTH} characters")


def combined(filters: Sequence[ItemFilter], operation: np.ufunc) -> ItemFilter:
    """Return the filter of all (logical_and) or of any (logical_or) of these."""

    def mask(table: AttributeTable) -> Bools:
        mask_I = np.full(table.num_items, operation.identity, dtype=bool)
        for each in filters:
            operation(mask_I, each(table), out=mask_I)
        return mask_I

    return mask


def too_deep(field: str) -> RequestError:
    message = f"more than {MAX_DEPTH} levels deep, expected at most as many; write it flatter"
    return RequestError(f"{field[:80]}…: {message}", field=field[:80])


def fault(field: str, value: Any, expected: str) -> RequestError:
    text = repr(value)
    text = text if len(text) <= 60 else f"{text[:60]}…"
    return RequestError(f"{field}: {text}, expected {expected}", field=field)
