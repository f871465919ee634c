"""The rules that hold for a request: surface, viewer and time; and what they do to scores."""

import gc
from typing import Any
from weakref import ref

import numpy as np
import pytest

from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.preview import preview
from marquee.recommender.rules.rule import Rule
from marquee.recommender.rules.rule_set import RuleSet
from marquee.recommender.rules.scores import boosted_scores, buried_mask, eligible_mask

COLUMNS = {"genres": [["Drama"], ["Drama", "War"], ["War"], None], "year": [1990, 2000, None, 2010]}


def rule(name: str, action: Any = "exclude", where: Any = None, **keys: Any) -> Rule:
    return parse_rule(name, {"where": where or {}, "action": action, **keys})


def active_names(
    rules: list[Rule], surface: str = "home", viewer: Any = None, now_us: int = 0
) -> list[str]:
    return [each.name for each in RuleSet(rules).active(surface, viewer, now_us)]


def test_rule_set_orders_by_priority_then_name() -> None:
    rules = [rule("b"), rule("c", priority=2), rule("a"), rule("d", priority=-1)]
    assert active_names(rules) == ["c", "a", "b", "d"]


def test_rule_set_matches_surfaces() -> None:
    rules = [rule("a", when={"surface": "home"}), rule("b", when={"surface": ["tv", "search"]})]
    assert active_names(rules) == ["a"]
    assert active_names(rules, surface="tv") == ["b"]
    assert active_names(rules, surface="similar") == []


@pytest.mark.parametrize(
    ("filter_", "viewer", "is_active"),
    [
        ({"country": "DE"}, {"country": "DE", "plan": "free"}, True),
        ({"country": "DE"}, {"country": "FR"}, False),
        ({"country": "DE"}, {}, False),
        ({"country": "DE"}, None, False),
        ({"country": {"exists": False}}, None, True),
        ({"not": {"country": "DE"}}, None, True),
        ({"country": "DE"}, {"country": ["FR", "DE"]}, True),
        ({"max_age": {"lt": 12}}, {"max_age": 6}, True),
        ({"is_child": True}, {"is_child": True}, True),
        ({"is_child": True}, {"is_child": 1}, False),
        ({"any": [{"plan": "free"}, {"all": [{"device": "tv"}]}]}, {"device": "tv"}, True),
        ({"device": {"exists": True}}, {"device": {"os": "x"}}, False),
        ({"device": {"exists": True}}, {"device": float("nan")}, False),
    ],
)
def test_rule_set_matches_viewers(filter_: Any, viewer: Any, is_active: bool) -> None:
    assert active_names([rule("a", when={"viewer": filter_})], viewer=viewer) == ["a"] * is_active


def test_rule_set_remembers_viewers_by_value_and_type() -> None:
    rules = RuleSet([rule("a", when={"viewer": {"flag": True}})])
    viewers = [{"flag": 1}, {"flag": True}, {"flag": 1}, {"flag": [1, True]}]
    assert [len(rules.active("home", viewer, 0)) for viewer in viewers] == [0, 1, 0, 1]


@pytest.mark.parametrize(("now_us", "names"), [(999_999, []), (10**6, ["a"]), (2 * 10**6, [])])
def test_rule_set_window_begins_in_and_ends_out(now_us: int, names: list[str]) -> None:
    window = {"from": "1970-01-01T00:00:01Z", "until": "1970-01-01T00:00:02Z"}
    assert active_names([rule("a", **window)], now_us=now_us) == names


def test_rule_matches_are_read_only_and_freed_with_the_table() -> None:
    table, drama = AttributeTable(4, COLUMNS), rule("a", where={"genres": "Drama"})
    mask_I = drama.matches(table)
    assert mask_I.tolist() == [True, True, False, False] and drama.matches(table) is mask_I
    assert drama.items(table).tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        mask_I[0] = False
    gone = ref(table)
    del table
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("rules", "items"),
    [
        ([], [0, 1, 3]),
        ([rule("a", where={"genres": "War"})], [0, 3]),
        ([rule("a", "require", {"genres": "Drama"})], [0, 1]),
        ([rule("a", "require", {"genres": "Drama"}), rule("b", "require", {"year": 2000})], [1]),
        ([rule("a", "require", {"year": 2000}), rule("b", "exclude", {"year": 2000})], []),
        ([rule("a", {"cap": {"attribute": "genres", "most": 0}})], [3]),
        ([rule("a", {"cap": {"attribute": "genres", "most": 0}}, {"year": 2000})], [0, 3]),
        ([rule("a", {"cap": {"attribute": "genres", "most": 1}})], [0, 1, 3]),
    ],
)
def test_eligible_mask_keeps_items(rules: list[Rule], items: list[int]) -> None:
    mask_I = np.array([True, True, False, True])
    eligible_I = eligible_mask(rules, AttributeTable(4, COLUMNS), mask_I)
    assert np.flatnonzero(eligible_I).tolist() == items
    assert mask_I.tolist() == [True, True, False, True]


@pytest.mark.parametrize("where", [{}, {"year": 2000}])
def test_boosted_scores_adds_to_a_copy(where: Any) -> None:
    table, score_I = AttributeTable(4, COLUMNS), np.array([0, 1, -np.inf, 3], np.float32)
    rules = [rule("a", {"boost": {"by": 1.5}}, where), rule("b", {"boost": {"by": -1}}, where)]
    boosted_I = boosted_scores(rules, table, score_I)
    assert boosted_I.tolist() == ([0.5, 1.5, -np.inf, 3.5] if not where else [0, 1.5, -np.inf, 3])
    assert score_I.tolist() == [0, 1, -np.inf, 3] and boosted_I.dtype == np.float32


def test_buried_mask_unites_rules() -> None:
    table = AttributeTable(4, COLUMNS)
    rules = [rule("a", "bury", {"year": 1990}), rule("b", "bury", {"genres": "War"})]
    assert buried_mask([rule("c")], table) is None
    mask_I = buried_mask(rules, table)
    assert mask_I is not None and mask_I.tolist() == [True, True, True, False]


def test_preview_counts_and_shows_three() -> None:
    before, after = [[n, n + 1] for n in range(6)], [[n + 1, n] for n in range(6)]
    result = preview([*before, [9]], [*after, [9]])
    assert (result["lists"], result["changed"]) == (7, 6)
    assert [each["before"] for each in result["examples"]] == [[0, 1], [1, 2], [2, 3]]
