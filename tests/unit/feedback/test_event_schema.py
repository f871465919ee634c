"""Test the limits of an event's values: what every database stores and returns unchanged."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.feedback.errors import MAX_ID_CHARS
from marquee.feedback.event_schema import KINDS, Event, rating_rows

RATING = Event(event_id="e1", user_id="ann", movie_id=6, kind="rating", stars=4.0, at_us=1)


@pytest.mark.parametrize("kind", KINDS)
def test_event_check_of_each_kind_passes(kind: str) -> None:
    replace(RATING, kind=kind).check()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"event_id": "e" * MAX_ID_CHARS}, id="longest-id"),
        pytest.param({"user_id": "\N{GRINNING FACE}" * MAX_ID_CHARS}, id="longest-user"),
        pytest.param({"movie_id": 2**63 - 1}, id="largest-movie"),
        pytest.param({"movie_id": -(2**63)}, id="smallest-movie"),
        pytest.param({"at_us": 0}, id="1970"),
        pytest.param({"kind": "watch", "stars": None, "watched": None}, id="unknown-share"),
    ],
)
def test_event_check_at_the_limits_passes(change: dict[str, Any]) -> None:
    replace(RATING, **change).check()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"event_id": ""}, "event_id '': 0 characters, expected 1 to 128", id="no-id"),
        pytest.param({"event_id": "e" * 129}, "129 characters, expected 1 to 128", id="long-id"),
        pytest.param({"user_id": "a\0b"}, "user_id 'a.*holds NUL", id="nul"),
        pytest.param({"user_id": "\ud800"}, "half of a surrogate pair", id="surrogate"),
        pytest.param({"kind": "like"}, "kind 'like', expected one of rating, ", id="kind"),
        pytest.param({"movie_id": 2**63}, "has more than 64 bits", id="movie-id"),
        pytest.param({"movie_id": -(2**63) - 1}, "has more than 64 bits", id="negative-movie-id"),
        pytest.param({"at_us": -1}, "at_us -1, expected microseconds since 1970", id="before-1970"),
        pytest.param({"at_us": 2**62}, "expected microseconds since 1970", id="nanoseconds"),
        pytest.param({"stars": None}, "a rating without stars", id="no-stars"),
        pytest.param({"stars": math.nan}, "stars nan, expected a number", id="nan"),
        pytest.param({"watched": math.inf}, "watched inf, expected a number", id="inf"),
    ],
)
def test_event_check_beyond_the_limits_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(RATING, **change).check()


def test_rating_rows_take_arrays_and_lists_alike() -> None:
    rows = rating_rows(np.array([7, 8]), np.array([1, 2]), np.array([3.5, 4]), np.array([5, 6]))
    assert rows == rating_rows(["7", "8"], [1, 2], [3.5, 4.0], [5, 6])
    assert rows == [("7", 1, 3.5, 5), ("8", 2, 4.0, 6)]


def test_rating_rows_of_nothing_are_none() -> None:
    assert rating_rows([], [], [], []) == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param(
            (["a"], [1, 2], [3.0], [5]), r"differ in length \(\[1, 2, 1, 1\]\)", id="length"
        ),
        pytest.param((["a"], [1], [math.nan], [5]), "stars hold NaN or inf", id="nan"),
        pytest.param((["a"], [1], [3.0], [-1]), "times from -1 to -1", id="before-1970"),
        pytest.param((["a"], [1], [3.0], [10**15]), "expected seconds since 1970", id="micros"),
        pytest.param((["a" * 129], [1], [3.0], [5]), "129 characters", id="long-user-id"),
    ],
)
def test_rating_rows_beyond_the_limits_are_refused(columns: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rating_rows(*columns)
