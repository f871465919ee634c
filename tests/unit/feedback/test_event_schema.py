"""Test the limits of an event's values: what every database stores and returns unchanged."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.core.id_limits import MAX_ID_LENGTH
from marquee.feedback.event_schema import KINDS, Event, import_columns

RATING = Event(event_id="e1", user_id="ann", movie_id=6, kind="rating", stars=4.0, at_us=1)


@pytest.mark.parametrize("kind", KINDS)
def test_event_check_of_each_kind_passes(kind: str) -> None:
    replace(RATING, kind=kind).check()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"event_id": "e" * MAX_ID_LENGTH}, id="longest-id"),
        pytest.param({"user_id": "\N{GRINNING FACE}" * MAX_ID_LENGTH}, id="longest-user"),
        pytest.param({"movie_id": 2**63 - 1}, id="largest-movie"),
        pytest.param({"movie_id": "\N{GRINNING FACE}" * MAX_ID_LENGTH}, id="longest-movie"),
        pytest.param({"movie_id": "0114508/ \u0007"}, id="any-text"),
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
        pytest.param({"movie_id": ""}, "movie_id '': 0 characters", id="no-movie"),
        pytest.param({"movie_id": "m" * 129}, "movie_id .*129 characters", id="long-movie"),
        pytest.param({"movie_id": "a\0b"}, "movie_id 'a.*holds NUL", id="movie-nul"),
        pytest.param({"movie_id": "\ud800"}, "half of a surrogate pair", id="movie-surrogate"),
        pytest.param({"movie_id": 6.0}, "movie_id 6.0, expected an integer or", id="movie-float"),
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


def test_import_columns_take_arrays_and_lists_alike() -> None:
    shares = np.array([np.nan, 0.5])
    columns = import_columns(
        np.array([7, 8]), np.array([1, 2]), np.array([3.5, 4]), shares, np.array([5, 6])
    )
    assert columns == import_columns(["7", "8"], [1, 2], [3.5, 4.0], [math.nan, 0.5], [5, 6])
    assert columns == [["7", "8"], ["1", "2"], [3.5, 4.0], [None, 0.5], [5, 6]]


def test_import_columns_keep_text_and_integers_apart() -> None:
    ids = np.array([5, "5", "05", np.int64(6)], dtype=object)
    columns = import_columns([1, "1", 1, 1], ids, [math.nan] * 4, None, [0] * 4)
    assert columns[0] == ["1"] * 4 and columns[1] == ["5", '"5"', '"05"', "6"]
    assert columns[2] == columns[3] == [None] * 4


def test_import_columns_of_nothing_are_none() -> None:
    assert import_columns([], [], [], [], []) == [[], [], [], [], []]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        pytest.param(
            (["a"], [1, 2], [3.0], [5]), r"differ in length \(\[1, 2, 1, 1, 1\]\)", id="length"
        ),
        pytest.param((["a"], [1], [math.inf], [5]), "holds inf", id="inf"),
        pytest.param((["a"], [10.9], [3.0], [5]), "movie_id 10.9, expected an integer", id="cut"),
        pytest.param((["a"], [2**63], [3.0], [5]), "more than 64 bits", id="bits"),
        pytest.param((["a"], ["m" * 129], [3.0], [5]), "129 characters", id="long-movie-id"),
        pytest.param((["a"], [1], [3.0], [-1]), "times from -1 to -1", id="before-1970"),
        pytest.param((["a"], [1], [3.0], [10**15]), "expected seconds since 1970", id="micros"),
        pytest.param((["a" * 129], [1], [3.0], [5]), "129 characters", id="long-user-id"),
    ],
)
def test_import_columns_beyond_the_limits_are_refused(
    columns: tuple[list[Any], list[Any], list[float], list[int]], message: str
) -> None:
    user_id, movie_id, stars, at_s = columns
    with pytest.raises(InputError, match=message):
        import_columns(user_id, movie_id, stars, None, at_s)
