"""Test filters over attributes, beside a plain reading of what they mean."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.eligibility.item_filter import MAX_DEPTH, parse_filter
from marquee.recommender.errors import RequestError

COLUMNS: dict[str, list[Any]] = {
    "year": [1999, None, 2004, float("nan")],
    "genres": [["Drama", "War"], ["War"], [], None],
    "country": ["DE", "de", None, "FR"],
    "is_short": [True, False, None, 1],
}
TABLE = AttributeTable(4, COLUMNS)


def matches(where: Any) -> list[int]:
    return np.flatnonzero(parse_filter(where)(TABLE)).tolist()


@pytest.mark.parametrize(
    ("where", "items"),
    [
        ({}, [0, 1, 2, 3]),
        ({"genres": "War"}, [0, 1]),
        ({"genres": {"ne": "Drama"}}, [1]),
        ({"genres": {"in": ["Drama", "Crime"]}}, [0]),
        ({"genres": {"not_in": ["Drama"]}}, [1]),
        ({"genres": {"exists": False}}, [2, 3]),
        ({"country": "DE"}, [0]),
        ({"country": {"in": []}}, []),
        ({"country": {"gt": "DE"}}, [1, 3]),
        ({"year": {"gte": 1999, "lt": 2004}}, [0]),
        ({"year": 1999.0}, [0]),
        ({"year": "1999"}, []),
        ({"year": {"lt": "a"}}, []),
        ({"is_short": True}, [0]),
        ({"is_short": 1}, [3]),
        ({"nothing": "x"}, []),
        ({"nothing": {"exists": False}}, [0, 1, 2, 3]),
        ({"not": {"year": {"lt": 3000}}}, [1, 3]),
        ({"all": []}, [0, 1, 2, 3]),
        ({"any": []}, []),
        ({"any": [{"year": 2004}, {"all": [{"genres": "War"}, {"country": "de"}]}]}, [1, 2]),
        ({"genres": "War", "not": {"country": "DE"}}, [1]),
    ],
)
def test_item_filter_matches_items(where: Any, items: list[int]) -> None:
    assert matches(where) == items


@pytest.mark.parametrize(
    ("where", "field", "words"),
    [
        ([], "filters.where", "an object"),
        ({"year": None}, "filters.where.year", "exists"),
        ({"year": [1, 2]}, "filters.where.year", '{"in"'),
        ({"year": {}}, "filters.where.year", "an operator"),
        ({"year": {"like": 1}}, "filters.where.year", "gte"),
        ({"year": {"in": 5}}, "filters.where.year.in", "a list"),
        ({"year": {"in": [1, None]}}, "filters.where.year.in.1", "exists"),
        ({"year": {"lt": True}}, "filters.where.year.lt", "a number or text"),
        ({"year": {"gt": float("inf")}}, "filters.where.year.gt", "a number"),
        ({"year": {"exists": 1}}, "filters.where.year.exists", "true or false"),
        ({"country": "x" * 1001}, "filters.where.country", "1000 characters"),
        ({"any": {"year": 1}}, "filters.where.any", "a list of filters"),
        ({"not": 5}, "filters.where.not", "an object"),
        ({"any": [{}, {"all": [3]}]}, "filters.where.any.1.all.0", "an object"),
        ({"any": [{"year": n} for n in range(201)]}, "filters.where.any.200.year", "201 cond"),
        ({"year": {"in": [*range(1001)]}}, "filters.where.year", "1001 values"),
    ],
)
def test_item_filter_bad_expression_names_its_place(where: Any, field: str, words: str) -> None:
    with pytest.raises(RequestError, match="expected") as error:
        parse_filter(where)
    assert (error.value.field, words in str(error.value)) == (field, True)


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1, 900])
def test_item_filter_too_deep_is_refused(depth: int) -> None:
    where: dict[str, Any] = {"year": 1999}
    for _ in range(depth - 1):
        where = {"not": where}
    if depth <= MAX_DEPTH:
        assert matches(where) in ([0], [1, 2, 3])
    else:
        with pytest.raises(RequestError, match=f"more than {MAX_DEPTH} levels"):
            parse_filter(where)


SCALARS = st.sampled_from([0, 1, 1.0, 2.5, -1, "a", "b", "", "1", True, False])
ENTRIES = st.one_of(st.none(), SCALARS, st.lists(SCALARS, max_size=3))
ORDERED = st.sampled_from([0, 1, 2.5, "a", "b", ""])
CONDITIONS = st.one_of(
    SCALARS,
    st.builds(lambda op, v: {op: v}, st.sampled_from(["eq", "ne"]), SCALARS),
    st.builds(lambda op, v: {op: v}, st.sampled_from(["in", "not_in"]), st.lists(SCALARS)),
    st.builds(lambda op, v: {op: v}, st.sampled_from(["lt", "lte", "gt", "gte"]), ORDERED),
    st.builds(lambda v: {"exists": v}, st.booleans()),
)
FILTERS = st.recursive(
    st.dictionaries(st.sampled_from(["x", "y", "z"]), CONDITIONS, max_size=2),
    lambda inner: st.one_of(
        st.builds(lambda op, v: {op: v}, st.sampled_from(["all", "any"]), st.lists(inner)),
        st.builds(lambda v: {"not": v}, inner),
    ),
    max_leaves=6,
)


def is_same(one: Any, other: Any) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def holds(operator: str, values: list[Any], wanted: Any) -> bool:
    """Return what a condition means, by its words."""
    if operator == "exists":
        return bool(values) == wanted
    if operator in ("eq", "in"):
        wanted = wanted if operator == "in" else [wanted]
        return any(is_same(value, each) for value in values for each in wanted)
    if operator in ("ne", "not_in"):
        return bool(values) and not holds({"ne": "eq", "not_in": "in"}[operator], values, wanted)
    comparable = [
        value
        for value in values
        if not isinstance(value, bool) and isinstance(value, str) == isinstance(wanted, str)
    ]
    compare = {"lt": "__lt__", "lte": "__le__", "gt": "__gt__", "gte": "__ge__"}[operator]
    return any(
        getattr(float(value), compare)(float(wanted))
        if not isinstance(value, str)
        else getattr(value, compare)(wanted)
        for value in comparable
    )


def item_matches(item: dict[str, Any], where: dict[str, Any]) -> bool:
    for name, value in where.items():
        if name == "not":
            result = not item_matches(item, value)
        elif name in ("all", "any"):
            parts = [item_matches(item, part) for part in value]
            result = all(parts) if name == "all" else any(parts)
        else:
            own = item.get(name)
            values = own if isinstance(own, list) else [] if own is None else [own]
            conditions = value if isinstance(value, dict) else {"eq": value}
            result = all(holds(op, values, wanted) for op, wanted in conditions.items())
        if not result:
            return False
    return True


@given(
    items=st.lists(st.fixed_dictionaries({"x": ENTRIES, "y": ENTRIES}), max_size=6), where=FILTERS
)
def test_item_filter_equals_its_meaning(items: list[dict[str, Any]], where: Any) -> None:
    table = AttributeTable(len(items), {name: [item[name] for item in items] for name in "xy"})
    mask_I = parse_filter(where)(table)
    assert mask_I.tolist() == [item_matches(item, where) for item in items]
