"""Test which incoming events may be stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marquee.api.conversion import MAX_CLOCK_SKEW, validate_events
from marquee.api.requests import EventIn
from marquee.api.validation import Malformed
from marquee.recommender.recommender import Recommender

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def event_in(**changes: Any) -> EventIn:
    fields: dict[str, Any] = {"event_id": "e1", "user_id": 42, "movie_id": 6, "kind": "rating"}
    fields |= {"stars": 4.0}
    fields |= {"at": NOW} | changes
    if fields["at"] is not None:
        fields["at"] = fields["at"].isoformat()
    return EventIn.model_validate(fields)


def test_valid_event_becomes_a_stored_one(recommender: Recommender) -> None:
    events, rejected = validate_events([event_in()], recommender, NOW)
    event = events[0]
    assert rejected == [] and list(events) == [0]
    assert (event.event_id, event.user_id, event.movie_id) == ("e1", "42", 6)
    assert (event.kind, event.stars, event.watched) == ("rating", 4.0, None)
    assert event.at_us == int(NOW.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"kind": "unrate", "stars": None}, id="unrate"),
        pytest.param({"kind": "watch", "stars": None, "watched": 0.5}, id="share"),
        pytest.param({"kind": "watch", "stars": None}, id="watch-without-share"),
        pytest.param({"kind": "click", "stars": None}, id="click"),
        pytest.param({"stars": 0.5}, id="lowest-of-the-scale"),
        pytest.param({"stars": 5.0}, id="highest-of-the-scale"),
        pytest.param({"at": NOW + MAX_CLOCK_SKEW}, id="clock-ahead"),
        pytest.param({"at": datetime(1970, 1, 1, tzinfo=UTC)}, id="epoch"),
    ],
)
def test_possible_event_is_valid(recommender: Recommender, changes: dict[str, Any]) -> None:
    events, rejected = validate_events([event_in(**changes)], recommender, NOW)
    assert len(events) == 1 and rejected == []


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        pytest.param({"movie_id": 6.5}, "invalid", "movie_id: 6.5, expected", id="fraction"),
        pytest.param({"stars": 4.2}, "invalid", "4.2 stars is off the scale", id="off-scale"),
        pytest.param({"stars": 5.5}, "invalid", "off the scale", id="above-scale"),
        pytest.param({"stars": None}, "invalid", "a rating without stars", id="no-stars"),
        pytest.param({"kind": "watch"}, "invalid", "a watch with stars", id="watch-with-stars"),
        pytest.param({"watched": 0.5}, "invalid", "a rating with watched", id="rating-with-share"),
        pytest.param(
            {"at": datetime(1969, 12, 31, tzinfo=UTC)}, "invalid", "from 1970", id="before-1970"
        ),
        pytest.param(
            {"at": NOW + MAX_CLOCK_SKEW + timedelta(microseconds=1)},
            "in_the_future",
            "expected at most 5 minutes after the service's clock (2026-06-01T00:00:00+00:00)",
            id="too-far-ahead",
        ),
    ],
)
def test_impossible_event_is_rejected(
    recommender: Recommender, changes: dict[str, Any], code: str, message: str
) -> None:
    events, (rejected,) = validate_events([event_in(**changes)], recommender, NOW)
    assert events == {}
    assert (rejected["event_id"], rejected["code"]) == ("e1", code)
    assert message in rejected["message"]


@pytest.mark.parametrize(
    ("sent", "stored"), [(7, 7), ("7", 7), ("07", "07"), ("tt7", "tt7"), ("6", 6), (7.0, 7)]
)
def test_event_of_any_movie_is_stored_in_its_type(
    recommender: Recommender, sent: Any, stored: int | str
) -> None:
    (event,) = validate_events([event_in(movie_id=sent)], recommender, NOW)[0].values()
    assert event.movie_id == stored and type(event.movie_id) is type(stored)


def test_valid_events_keep_their_positions(recommender: Recommender) -> None:
    events = [event_in(movie_id=6.5), event_in(), event_in(stars=None), event_in(movie_id=50)]
    valid, rejected = validate_events(events, recommender, NOW)
    assert list(valid) == [1, 3] and [event["index"] for event in rejected] == [0, 2]


def test_event_without_time_is_of_its_arrival(recommender: Recommender) -> None:
    (event,) = validate_events([event_in(at=None)], recommender, NOW)[0].values()
    assert event.at_us is None


@pytest.mark.parametrize(
    ("value", "event_id"),
    [
        pytest.param({"event_id": "e-2"}, "e-2", id="text"),
        pytest.param({"event_id": 7}, None, id="number"),
        pytest.param({"event_id": "x" * 1000}, None, id="long"),
        pytest.param({}, None, id="absent"),
        pytest.param(["event_id"], None, id="no-object"),
    ],
)
def test_malformed_event_is_rejected_with_its_faults(
    recommender: Recommender, value: object, event_id: str | None
) -> None:
    faults: list[Any] = [{"type": "missing", "loc": (name,), "msg": "required"} for name in "abcd"]
    events, (rejected,) = validate_events([Malformed(value, faults)], recommender, NOW)
    assert events == {}
    message = "a: required; b: required; c: required"
    assert rejected == {
        "index": 0,
        "event_id": event_id,
        "code": "invalid",
        "message": message,
    }
