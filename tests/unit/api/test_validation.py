"""Test times on the wire, and lists whose elements are judged one by one."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from marquee.api.validation import EachByItself, Malformed, Time, parsable

TIME: TypeAdapter[datetime] = TypeAdapter(Time)
TEN = datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        pytest.param("2026-11-01T10:00:00Z", TEN, id="utc"),
        pytest.param("2026-11-01T12:00:00+02:00", TEN, id="offset"),
        pytest.param("2026-11-01t10:00:00z", TEN, id="lower-case"),
        pytest.param("2026-11-01 10:00:00Z", TEN, id="space"),
        pytest.param("2026-11-01T10:00:00-00:00", TEN, id="unknown-zone"),
        pytest.param("2026-11-01T10:00:00.5Z", TEN + timedelta(seconds=0.5), id="fraction"),
        pytest.param("2026-11-01T10:00:00.000001999Z", TEN + timedelta.resolution, id="nano"),
        pytest.param("2026-11-01T10:00:00.000001999999Z", TEN + timedelta.resolution, id="pico"),
        pytest.param(
            "0001-01-01T00:00:00+23:59",
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23, minutes=59))),
            id="first",
        ),
        pytest.param(
            "9999-12-31T23:59:59-23:59",
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(-timedelta(hours=23, minutes=59))),
            id="last",
        ),
    ],
)
def test_time_of_rfc3339_is_read(text: str, at: datetime) -> None:
    assert TIME.validate_json(json.dumps(text)) == at
    assert TIME.validate_python(text) == at


@pytest.mark.parametrize(
    "value",
    [
        "20261101",
        "1793527200",
        "1e12",
        "",
        "2026-11-01",
        "2026-11-01T10:00:00",
        "2026-11-01T10:00Z",
        "2026-11-01T10Z",
        "20261101T100000Z",
        "2026-W44-7T10:00:00Z",
        "2026-305T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "2026-11-01T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-11-01T10:00:00+24:00",
        "2026-11-01T10:00:00+02:60",
        "2026-11-01T10:00:00+0200",
        "2026-11-01T10:00:00+02",
        "2026-11-01T10:00:00,5Z",
        "2026-11-01T10:00:00.Z",
        "2026-11-01_10:00:00Z",
        "2026-11-01T10:00:00 Z",
        "2026-11-01T10:00:00Z\n",
        "２026-11-01T10:00:00Z",
        "01/11/2026 10:00:00Z",
        20261101,
        1e12,
        -1,
        0,
        float("nan"),
        True,
        None,
        {},
    ],
)
def test_time_in_another_form_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="expected RFC 3339 with its zone, such as 2026"):
        TIME.validate_json(json.dumps(value))


class Item(BaseModel, extra="forbid", strict=True):
    size: int


ITEMS: TypeAdapter[list[Any]] = TypeAdapter(
    Annotated[list[Item | Malformed], EachByItself(Item, max_length=3)]
)


def test_list_malformed_elements_keep_their_places() -> None:
    malformed, item, extra = ITEMS.validate_json('[7, {"size": 1}, {"size": "2", "mood": 1}]')
    assert item == Item(size=1)
    assert (malformed.value, [fault["loc"] for fault in malformed.faults]) == (7, [()])
    assert [fault["loc"] for fault in extra.faults] == [("size",), ("mood",)]


@pytest.mark.parametrize(
    ("body", "places"),
    [
        pytest.param('[{"size": 1.5}, {}]', [(0, "size")], id="none-is-one"),
        pytest.param("[]", [()], id="empty"),
        pytest.param('[{"size": 1}, 1, 1, 1]', [()], id="too-long"),
        pytest.param('{"size": 1}', [()], id="no-list"),
        pytest.param("null", [()], id="null"),
    ],
)
def test_list_without_an_item_is_an_error(body: str, places: list[Any]) -> None:
    with pytest.raises(ValidationError) as error:
        ITEMS.validate_json(body)
    assert [fault["loc"] for fault in error.value.errors()] == places


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(r"\ud83d", r"\u0000", id="first-half"),
        pytest.param(r"\uDE00\ud83d", r"\u0000\u0000", id="wrong-order"),
        pytest.param(r"\ud83d\ude00", r"\ud83d\ude00", id="pair"),
        pytest.param(r"\ud83d\ud83d\ude00", r"\u0000\ud83d\ude00", id="half-and-pair"),
        pytest.param(r"\\ud83d", r"\\ud83d", id="escaped-backslash"),
        pytest.param("-" + "1" * 5000, "-" + "1" * 1000, id="long-integer"),
        pytest.param("1" * 4000, "1" * 1000, id="shortest-long-integer"),
        pytest.param("1" * 3999, "1" * 3999, id="shorter-integer"),
        pytest.param("0." + "1" * 5000, "0." + "1" * 5000, id="fraction"),
        pytest.param("1" * 5000 + "e-5000", "1" * 5000 + "e-5000", id="exponent"),
        pytest.param("1e-" + "0" * 5000 + "1", "1e-" + "0" * 5000 + "1", id="long-exponent"),
    ],
)
def test_parsable_body_changes_odd_values_alone(text: str, expected: str) -> None:
    assert parsable(text.encode()).decode() == expected


def test_list_schema_describes_the_items_alone() -> None:
    schema = ITEMS.json_schema()
    assert schema["items"] == {"$ref": "#/$defs/Item"} and set(schema["$defs"]) == {"Item"}
    assert (schema["minItems"], schema["maxItems"]) == (1, 3)
