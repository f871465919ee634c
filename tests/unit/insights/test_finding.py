"""Findings and charts as plain values."""

import re
from dataclasses import replace
from typing import Any

import pytest

from marquee.core.bootstrap import Interval
from marquee.feedback.event_schema import KINDS
from marquee.insights.finding import (
    TEXTS,
    Chart,
    Finding,
    by_name,
    fill,
    plain,
    texts,
    unavailable,
    with_bounds,
)
from marquee.insights.report import SUMMARY_ORDER
from marquee.insights.words import words_of

RATINGS = words_of("ml-1m", (1.0, 2.0, 3.0, 4.0, 5.0), has_unrated=False)
Table = dict[str, list[Any]]
INTERVALS = [Interval(10.0, 8.0, 12.0), Interval(5.0, 4.0, 6.0)]


def test_chart_from_table_expands_intervals() -> None:
    chart = Chart.from_table("bars", "T", {"name": ["a", "b"], "%": INTERVALS, "n": [3, 4]})
    assert chart.columns == ["name", "%", "low", "high", "n"]
    assert chart.rows == [("a", 10.0, 8.0, 12.0, 3), ("b", 5.0, 4.0, 6.0, 4)]
    assert chart.drawn_columns == [1] and chart.interval_columns == (2, 3)


def test_chart_from_table_names_the_bounds_of_two_intervals() -> None:
    table: Table = {"name": ["a", "b"], "x": INTERVALS, "y": INTERVALS}
    chart = Chart.from_table("bars", "T", table, drawn=("x", "y"))
    assert chart.columns == ["name", "x", "x, low", "x, high", "y", "y, low", "y, high"]
    assert chart.drawn_columns == [1, 4] and chart.interval_columns is None


def test_chart_without_intervals_has_no_interval_columns() -> None:
    assert Chart.from_table("bars", "T", {"name": ["a"], "n": [1]}).interval_columns is None


def test_finding_to_json_writes_value_and_interval() -> None:
    finding = Finding(id="i", title="T", sentence="S.", number=Interval(6.93, 6.55, 7.21))
    content = finding.to_json()
    assert (content["value"], content["low"], content["high"]) == (6.93, 6.55, 7.21)
    assert (content["value_text"], content["interval_text"]) == ("6.9%", "6.5 to 7.2")
    assert content["available"] and content["chart"] is None and "number" not in content


def test_finding_of_a_factor_has_two_decimals() -> None:
    finding = Finding(
        id="i", title="T", sentence="S.", number=Interval(0.9, 0.6, 1.2), unit="times"
    )
    assert (finding.value_text, finding.interval_text) == ("0.90 times", "0.60 to 1.20")


def test_unavailable_finding_has_no_value() -> None:
    content = unavailable("genres", "No movie has a genre.", RATINGS).to_json()
    assert content["title"] == "Leading genres: not enough data"
    assert not content["available"] and content["value"] is None and content["value_text"] is None


VALUES = {"least": "20 ratings", "agreement": "0.8", "num_groups": 9, "tags": "No tags"}


@pytest.mark.parametrize("id", TEXTS["without-genres"])
def test_texts_without_genres_ask_for_no_genre(id: str) -> None:
    fields = texts(id, replace(RATINGS, has_genres=False), **VALUES)
    assert "genre" not in " ".join(fields.values()) and "calibration" not in fields["lever"]


@pytest.mark.parametrize("id", SUMMARY_ORDER)
def test_texts_of_every_finding_name_lever_and_metric(id: str) -> None:
    fields = texts(id, RATINGS, **VALUES)
    assert fields["id"] == id and fields["lever"] and fields["how_we_will_know"]
    assert not any("{" in text for text in fields.values())


def test_with_bounds_writes_low_and_high() -> None:
    assert with_bounds({"a": 1.0, "b": Interval(2.0, 1.0, 3.0)}) == {
        "a": 1.0,
        "b": 2.0,
        "b_low": 1.0,
        "b_high": 3.0,
    }


def test_by_name_joins_column_and_name() -> None:
    assert by_name(["x", "y"], {"n": [1, 2]}) == {"n/x": 1, "n/y": 2}


def test_plain_rounds_to_six_digits_and_drops_nan() -> None:
    content = {"a": (1 / 3, 2.0), "b": float("nan"), "c": [True, None, "t"]}
    assert plain(content) == {"a": [0.333333, 2], "b": None, "c": [True, None, "t"]}


def test_levers_name_kinds_of_events_that_the_service_takes() -> None:
    groups = [TEXTS, *(entry for entry in TEXTS.values() if isinstance(entry, dict))]
    levers = [e["lever"] for group in groups for e in group.values() if "lever" in e]
    sent = [lever for lever in levers if "sent to POST /events" in lever]
    assert sent
    for lever in sent:
        kinds = re.findall(r"`(\w+)`(?= or| sent)", fill(lever, RATINGS).split("POST /events")[0])
        kinds += re.findall(r"\ba (\w+) sent to", fill(lever, RATINGS))
        assert kinds and set(kinds) <= set(KINDS), lever
