"""Warnings of rules that cannot all have their way."""

from typing import Any

import pytest

from marquee.recommender.rules.contradictions import contradictions
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.rule_set import RuleSet

DRAMA = {"genres": "Drama"}
PIN, CAP = {"pin": {"place": 2}}, {"cap": {"attribute": "genres", "most": 2}}
HALF = {"share": {"least": 0.5}}


def warnings(*documents: dict[str, Any]) -> list[str]:
    rules = [parse_rule(name, each) for name, each in zip("abc", documents, strict=False)]
    return contradictions(RuleSet(rules).rules)


def document(action: Any, where: Any = DRAMA, **keys: Any) -> dict[str, Any]:
    return {"action": action, "where": where, **keys}


@pytest.mark.parametrize(
    ("documents", "text"),
    [
        ([document("exclude", {})], "rule 'a': excludes every item"),
        ([document(PIN), document(PIN, {})], "'b' takes the next free place"),
        ([document(PIN), document(PIN, priority=1)], "'a' takes the next free place"),
        ([document("require"), document("exclude")], "'b' excludes what 'a' requires"),
        ([document("exclude"), document(PIN)], "'a' excludes what 'b' acts on"),
        ([document(HALF), document({"share": {"least": 0.6}}, {})], "more than a page"),
        ([document(CAP, {}), document(HALF)], "at most 4 items; on longer ones 'a' wins"),
        ([document(HALF), document(CAP)], "at most 4 items; on longer ones 'a' wins"),
        ([document(CAP, {}), document(HALF, {"genres": {"in": ["A", "B"]}})], "at most 8 items"),
    ],
)
def test_contradictions_name_both_rules(documents: list[Any], text: str) -> None:
    (warning,) = warnings(*documents)
    assert text in warning
    assert all(repr(name) in warning for name, _ in zip("ab", documents, strict=False))


@pytest.mark.parametrize(
    "documents",
    [
        [document(PIN), document({"pin": {"place": 3}})],
        [document("require"), document("require")],
        [document("require"), document("exclude", {"genres": "War"})],
        [document(HALF), document(HALF, {})],
        [document(CAP, {"year": 2000}), document(HALF)],
        [document(CAP, {}), document(HALF, {"genres": {"ne": "War"}})],
        [document(CAP, {}), document({"share": {"least": 0}})],
    ],
)
def test_contradictions_of_rules_in_harmony_are_none(documents: list[Any]) -> None:
    assert warnings(*documents) == []


@pytest.mark.parametrize(
    ("keys", "others", "can_coincide"),
    [
        ({"when": {"surface": "home"}}, {"when": {"surface": ["tv", "home"]}}, True),
        ({"when": {"surface": "home"}}, {"when": {"surface": "tv"}}, False),
        ({"when": {"surface": "home"}}, {}, True),
        ({"until": "2026-01-01T00:00:00Z"}, {"from": "2026-01-01T00:00:00Z"}, False),
        ({"until": "2026-01-01T00:00:01Z"}, {"from": "2026-01-01T00:00:00Z"}, True),
        (
            {"when": {"viewer": {"country": "DE"}}},
            {"when": {"viewer": {"country": {"in": ["FR", "AT"]}}}},
            False,
        ),
        (
            {"when": {"viewer": {"country": "DE"}}},
            {"when": {"viewer": {"country": {"in": ["FR", "DE"]}}}},
            True,
        ),
        (
            {"when": {"viewer": {"any": [{"plan": "a"}]}}},
            {"when": {"viewer": {"any": [{"plan": "b"}]}}},
            True,
        ),
        ({"when": {"viewer": {"age": {"lt": 6}}}}, {"when": {"viewer": {"age": 9}}}, True),
    ],
)
def test_contradictions_need_a_request_of_both(
    keys: dict[str, Any], others: dict[str, Any], can_coincide: bool
) -> None:
    assert len(warnings(document(PIN, **keys), document(PIN, **others))) == int(can_coincide)


def test_contradictions_of_one_rule_leave_out_others() -> None:
    documents = [document(PIN), document(PIN), document("exclude", {})]
    rules = RuleSet(map(parse_rule, "abc", documents)).rules
    (warning,) = contradictions(rules, "b")
    assert warning.startswith("rules 'a' and 'b'") and len(contradictions(rules)) == 2
