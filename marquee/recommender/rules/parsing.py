"""The document of `PUT /rules/{name}`, checked.

    {"when": {"surface": "home", "viewer": {"country": "DE"}}, "where": {"genres": "Drama"},
     "action": {"boost": {"by": 1.5}}, "from": "2026-12-01T00:00:00Z", "priority": 5}

Of the optional keys, null is as good as absent.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from marquee.core.times import unix_us
from marquee.recommender.eligibility.item_filter import fault, parse_filter
from marquee.recommender.rules.rule import Action, Boost, Cap, Pin, Rule, Share

NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}")
UNSAFE_NAMES = (".", "..", "preview")  # in a path; the last is a word of the API
RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
MAX_PLACE, MAX_BOOST, MAX_PRIORITY = 10_000, 1000, 1_000_000
MAX_SURFACES, MAX_SURFACE, MAX_ATTRIBUTE, MAX_NOTE = 100, 64, 1000, 1000
ACTIONS = {"pin": "place", "boost": "by", "cap": "attribute, most", "share": "least"}


def parse_rule(name: Any, document: Any) -> Rule:
    """Parse a rule. Raises RequestError that names the key at fault.

    >>> parse_rule("noir", {"where": {"genres": "Noir"}, "action": {"pin": {"place": 2}}}).action
    Pin(place=2)
    """
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in UNSAFE_NAMES:
        expected = f"1 to 64 letters, digits or . _ ~ -, but none of {', '.join(UNSAFE_NAMES)}"
        raise fault("name", name, expected)
    optional = ("when", "from", "until", "priority", "note")
    parts = parse_object(document, "rule", ("where", "action"), optional)
    when = parse_object(parts.get("when", {}), "when", (), ("surface", "viewer"))
    from_us, until_us = parse_time(parts, "from"), parse_time(parts, "until")
    if from_us is not None and until_us is not None and until_us <= from_us:
        raise fault("until", parts["until"], f"a time after from, {parts['from']}")
    return Rule(
        name=name,
        document=parts,
        where=parse_filter(parts["where"], "where"),
        action=parse_action(parts["action"]),
        surfaces=parse_surfaces(when["surface"]) if "surface" in when else None,
        viewer=parse_filter(when["viewer"], "when.viewer") if "viewer" in when else None,
        from_us=from_us,
        until_us=until_us,
        priority=parse_integer(parts.get("priority", 0), "priority", -MAX_PRIORITY, MAX_PRIORITY),
        note=parse_text(parts.get("note", ""), "note", 0, MAX_NOTE),
    )


def parse_action(action: Any) -> Action:
    if action in ("exclude", "require", "bury"):
        return action
    if not isinstance(action, Mapping) or len(action) != 1 or next(iter(action)) not in ACTIONS:
        expected = f'"exclude", "require", "bury", or an object with one of {", ".join(ACTIONS)}'
        raise fault("action", action, expected)
    ((kind, value),) = action.items()
    place = f"action.{kind}"
    parts = parse_object(value, place, ACTIONS[kind].split(", "), ())
    if kind == "pin":
        return Pin(parse_integer(parts["place"], f"{place}.place", 1, MAX_PLACE))
    if kind == "boost":
        return Boost(parse_number(parts["by"], f"{place}.by", -MAX_BOOST, MAX_BOOST))
    if kind == "share":
        return Share(parse_number(parts["least"], f"{place}.least", 0, 1))
    return Cap(
        parse_text(parts["attribute"], f"{place}.attribute", 1, MAX_ATTRIBUTE),
        parse_integer(parts["most"], f"{place}.most", 0, MAX_PLACE),
    )


def parse_object(
    value: Any, place: str, required: Sequence[str], optional: Sequence[str]
) -> dict[str, Any]:
    """Return the keys that are not null; each is known, and those required are there."""
    names = [*required, *optional]
    if not isinstance(value, Mapping):
        raise fault(place, value, f"an object with {', '.join(names)}")
    prefix = "" if place == "rule" else f"{place}."
    for name in value:
        if name not in names:
            raise fault(f"{prefix}{name}"[:80], value[name], f"no such key, but {', '.join(names)}")
    parts = {name: part for name, part in value.items() if part is not None}
    for name in required:
        if name not in parts:
            raise fault(f"{prefix}{name}", None, "a value")
    return parts


def parse_surfaces(surface: Any) -> frozenset[str]:
    surfaces = surface if isinstance(surface, list | tuple) else [surface]
    if not 1 <= len(surfaces) <= MAX_SURFACES:
        raise fault("when.surface", surface, f"a name, or a list of 1 to {MAX_SURFACES} names")
    if surfaces is not surface:
        return frozenset([parse_text(surface, "when.surface", 1, MAX_SURFACE)])
    return frozenset(
        parse_text(name, f"when.surface.{n}", 1, MAX_SURFACE) for n, name in enumerate(surfaces)
    )


def parse_time(parts: Mapping[str, Any], key: str) -> int | None:
    """Return Unix microseconds, or None where the key is absent."""
    if key not in parts:
        return None
    try:
        if not RFC3339.fullmatch(text := str(parts[key]).upper()):
            raise ValueError
        return unix_us(datetime.fromisoformat(text))
    except ValueError:  # no such day, or another form
        expected = "RFC 3339 with its zone, such as 2026-11-01T10:00:00Z"
        raise fault(key, parts[key], expected) from None


def parse_integer(value: Any, place: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise fault(place, value, f"an integer from {least} to {most}")
    return value


def parse_number(value: Any, place: str, least: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # NaN is in no range
        raise fault(place, value, f"a number from {least:g} to {most:g}")
    return float(value)


def parse_text(value: Any, place: str, least: int, most: int) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise fault(place, value, f"text of {least} to {most} characters")
    return value
