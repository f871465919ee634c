"""Documents of rules: each fault is refused, and its key named."""

from typing import Any

import pytest

from marquee.recommender.errors import RequestError
from marquee.recommender.rules.parsing import parse_rule
from marquee.recommender.rules.rule import Boost, Cap, Pin, Share

RULE = {"where": {"genres": "Drama"}, "action": "require"}


@pytest.mark.parametrize(
    ("action", "parsed"),
    [
        ("exclude", "exclude"),
        ("bury", "bury"),
        ({"pin": {"place": 2}}, Pin(2)),
        ({"boost": {"by": -1.5}}, Boost(-1.5)),
        ({"cap": {"attribute": "genres", "most": 0}}, Cap("genres", 0)),
        ({"share": {"least": 1}}, Share(1.0)),
    ],
)
def test_parse_rule_reads_each_action(action: Any, parsed: Any) -> None:
    assert parse_rule("a", RULE | {"action": action}).action == parsed


def test_parse_rule_reads_all_keys() -> None:
    rule = parse_rule(
        "spring.2026_~-A",
        RULE
        | {
            "when": {"surface": ["home", "search"], "viewer": {"country": "DE"}},
            "from": "1970-01-01T01:00:00.5+01:00",
            "until": "1970-01-01t00:00:02z",
            "priority": -3,
            "note": "for the fair",
        },
    )
    assert (rule.name, rule.priority, rule.note) == ("spring.2026_~-A", -3, "for the fair")
    assert (rule.from_us, rule.until_us) == (500_000, 2_000_000)
    assert rule.surfaces == {"home", "search"} and rule.viewer is not None


def test_parse_rule_null_is_as_good_as_absent() -> None:
    nulls = dict.fromkeys(("when", "from", "until", "priority", "note"))
    rule = parse_rule("a", RULE | nulls)
    assert (rule.surfaces, rule.viewer, rule.from_us, rule.priority) == (None, None, None, 0)
    assert rule.document == RULE


def action(kind: str, **keys: Any) -> dict[str, Any]:
    return {"action": {kind: keys}}


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"wher": {}}, "wher", "no such key"),
        ({"where": None}, "where", "a value"),
        ({"where": {"year": {"like": 1}}}, "where.year", "an operator"),
        ({"when": "home"}, "when", "an object"),
        ({"when": {"country": "DE"}}, "when.country", "no such key"),
        ({"when": {"surface": []}}, "when.surface", "1 to 100 names"),
        ({"when": {"surface": ""}}, "when.surface", "1 to 64"),
        ({"when": {"surface": ["home", 5]}}, "when.surface.1", "1 to 64"),
        ({"when": {"surface": "x" * 65}}, "when.surface", "1 to 64"),
        ({"when": {"viewer": {"country": None}}}, "when.viewer.country", "exists"),
        ({"action": "include"}, "action", '"exclude"'),
        ({"action": ["exclude"]}, "action", '"exclude"'),
        ({"action": {}}, "action", "one of pin"),
        ({"action": {"exclude": {}}}, "action", "one of pin"),
        ({"action": {"pin": {"place": 1}, "boost": {"by": 1}}}, "action", "one of pin"),
        ({"action": {"pin": 2}}, "action.pin", "an object"),
        (action("pin"), "action.pin.place", "a value"),
        (action("pin", place=1, to=2), "action.pin.to", "no such key"),
        (action("pin", place=0), "action.pin.place", "from 1 to 10000"),
        (action("pin", place=10_001), "action.pin.place", "from 1 to 10000"),
        (action("pin", place=True), "action.pin.place", "an integer"),
        (action("pin", place=2.0), "action.pin.place", "an integer"),
        (action("boost", by=1001), "action.boost.by", "from -1000 to 1000"),
        (action("boost", by=float("nan")), "action.boost.by", "a number"),
        (action("boost", by=float("inf")), "action.boost.by", "a number"),
        (action("boost", by="1"), "action.boost.by", "a number"),
        (action("cap", attribute="genres"), "action.cap.most", "a value"),
        (action("cap", attribute="", most=1), "action.cap.attribute", "text of 1"),
        (action("cap", attribute="genres", most=-1), "action.cap.most", "from 0"),
        (action("share", least=1.1), "action.share.least", "from 0 to 1"),
        (action("share", least=-0.1), "action.share.least", "from 0 to 1"),
        ({"from": "2026-11-01"}, "from", "RFC 3339"),
        ({"from": "2026-11-01T10:00:00"}, "from", "its zone"),
        ({"from": "2026-02-30T10:00:00Z"}, "from", "RFC 3339"),
        ({"until": 1_800_000_000}, "until", "RFC 3339"),
        (
            {"from": "2026-11-01T10:00:00Z", "until": "2026-11-01T11:00:00+01:00"},
            "until",
            "after from",
        ),
        ({"priority": 1.5}, "priority", "an integer"),
        ({"priority": 10**7}, "priority", "an integer"),
        ({"note": "x" * 1001}, "note", "0 to 1000 characters"),
        ({"note": 5}, "note", "text"),
    ],
)
def test_parse_rule_fault_names_its_key(change: Any, field: str, words: str) -> None:
    with pytest.raises(RequestError, match="expected") as error:
        parse_rule("a", RULE | change)
    assert (error.value.field, error.value.code) == (field, "invalid")
    assert words in str(error.value)


@pytest.mark.parametrize("document", [None, [], "exclude"])
def test_parse_rule_without_an_object_is_refused(document: Any) -> None:
    with pytest.raises(RequestError, match=r"rule: .*, expected an object") as error:
        parse_rule("a", document)
    assert error.value.field == "rule"


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "a b", "ä", ".", "..", "preview", 5, "a\n"])
def test_parse_rule_unsafe_name_is_refused(name: Any) -> None:
    with pytest.raises(RequestError, match="1 to 64 letters") as error:
        parse_rule(name, RULE)
    assert error.value.field == "name"
