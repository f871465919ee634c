"""Test events over HTTP: acknowledged means stored, and counts in the next request."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.recommender.recommender import Recommender
from tests.support.http_errors import assert_shape

USER = "ann"
HEAT, GOLDENEYE, SUSPECTS, RUNNER = 6, 10, 50, 480
number = count()


def event_of(movie_id: int | str, kind: str = "rating", **fields: Any) -> dict[str, Any]:
    event = {"event_id": f"event-{next(number)}", "user_id": USER, "movie_id": movie_id}
    return event | {"kind": kind, "at": "2026-01-01T00:00:00Z"} | fields


def send(client: Any, *events: dict[str, Any]) -> Any:
    return client.post("/events", json={"events": list(events)})


def history(client: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/users/{USER}/history").json()["items"]
    return items


def recommended(client: Any, user_id: Any = USER, **fields: Any) -> list[int]:
    answer = client.post("/recommend", json={"user_id": user_id, **fields})
    return [item["movie_id"] for item in answer.json()["items"]]


def test_events_count_in_the_next_request(client: Any, recommender: Recommender) -> None:
    entries: list[Any] = []
    for movie_id, stars in ((HEAT, 4.0), (SUSPECTS, 5.0), (RUNNER, 0.5)):
        body = {"user_id": USER, "k": 3}
        expected = recommender.recommend(history=entries, k=3)
        assert client.post("/recommend", json=body).json() == expected
        assert client.post("/recommend", json=body).json() == expected, "from the cache"
        answer = send(client, event_of(movie_id, stars=stars))
        assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        entries.append((movie_id, stars))


def test_events_out_of_order_are_sorted_by_time(client: Any) -> None:
    late = event_of(SUSPECTS, stars=5, at="2026-01-02T00:00:00.250Z")
    early = event_of(HEAT, stars=4, at="2026-01-01T05:30:00+05:30")
    send(client, late)
    send(client, early)
    assert [(item["movie_id"], item["at"]) for item in history(client)] == [
        (HEAT, "2026-01-01T00:00:00Z"),
        (SUSPECTS, "2026-01-02T00:00:00.250000Z"),
    ]


def test_events_same_content_is_a_duplicate(client: Any) -> None:
    event = event_of(HEAT, stars=4)
    assert send(client, event).json()["accepted"] == 1
    assert send(client, event, event).json() == {"accepted": 0, "duplicates": 2, "rejected": []}


def test_events_conflict_is_rejected_and_others_stored(client: Any) -> None:
    event = event_of(HEAT, stars=4)
    send(client, event)
    new = event_of(SUSPECTS, stars=3)
    answer = send(client, event_of(HEAT, stars=4.2), new, event | {"stars": 5}, event).json()
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    assert [(e["index"], e["code"]) for e in answer["rejected"]] == [
        (0, "invalid"),
        (2, "conflict"),
    ]
    assert [item["movie_id"] for item in history(client)] == [HEAT, SUSPECTS]


def test_events_of_conflicts_alone_get_409(client: Any) -> None:
    event = event_of(HEAT, stars=4)
    send(client, event)
    answer = send(client, event | {"stars": 5}, event | {"stars": 3})
    error = assert_shape(answer, 409, "conflict")
    assert error["fields"][0]["field"] == "events.0.event_id"
    assert [item["stars"] for item in history(client)] == [4]


def test_events_without_time_sent_again_are_duplicates(client: Any) -> None:
    event = event_of(HEAT, stars=4)
    del event["at"]
    assert send(client, event, event).json()["duplicates"] == 1
    (first,) = history(client)
    assert send(client, event | {"at": None}).json()["duplicates"] == 1
    assert history(client) == [first]
    age = datetime.now(UTC) - datetime.fromisoformat(first["at"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_events_time_is_compared_where_one_is_sent(client: Any) -> None:
    timed = event_of(HEAT, stars=4)
    untimed = {name: value for name, value in timed.items() if name != "at"}
    assert send(client, timed).json()["accepted"] == 1
    assert send(client, untimed).json()["duplicates"] == 1
    other = event_of(SUSPECTS, stars=4)
    assert send(client, {n: v for n, v in other.items() if n != "at"}).json()["accepted"] == 1
    assert_shape(send(client, other), 409, "conflict")


def test_events_of_unknown_movies_are_stored_and_named(client: Any) -> None:
    events = [event_of(movie_id, stars=4) for movie_id in (7, "7", "tt7", "07", HEAT, str(HEAT))]
    answer = send(client, *events).json()
    assert answer == {
        "accepted": 6, "duplicates": 0, "rejected": [], "unknown_ids": [7, "tt7", "07"]
    }  # fmt: skip
    assert {item["movie_id"] for item in history(client)} == {7, "tt7", "07", HEAT}


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        pytest.param({"movie_id": 7.5}, "invalid", "movie_id: 7.5, expected", id="fraction"),
        pytest.param({"stars": 4.2}, "invalid", "4.2 stars is off the scale", id="off-the-scale"),
        pytest.param(
            {"at": (datetime.now(UTC) + timedelta(minutes=30)).isoformat()},
            "in_the_future",
            "expected at most 5 minutes after the service's clock",
            id="future",
        ),
        pytest.param({"kind": "like"}, "invalid", "kind: Input should be 'rating'", id="kind"),
        pytest.param(
            {"at": "2026-01-01T00:00:00"}, "invalid", "at: expected RFC 3339", id="no-zone"
        ),
        pytest.param({"at": "20261101"}, "invalid", "at: expected RFC 3339", id="digits"),
        pytest.param({"at": 20261101}, "invalid", "at: expected RFC 3339", id="number"),
        pytest.param({"mood": 1}, "invalid", "mood: Extra inputs", id="extra-key"),
        pytest.param({"stars": None}, "invalid", "a rating without stars", id="no-stars"),
        pytest.param({"stars": float("nan")}, "invalid", "stars: Input should be", id="nan"),
        pytest.param({"watched": 1.1}, "invalid", "watched: Input should be", id="share"),
        pytest.param({"user_id": "u" * 200}, "invalid", "user_id: expected", id="long-user"),
        pytest.param({"movie_id": 10**200}, "invalid", "movie_id: expected", id="big-movie"),
        pytest.param({"movie_id": "a\0"}, "invalid", "movie_id: expected", id="nul"),
    ],
)
def test_events_rejected_one_is_listed_and_others_stored(
    client: Any, change: dict[str, Any], code: str, message: str
) -> None:
    good, bad = event_of(SUSPECTS, stars=4), event_of(HEAT, stars=4) | change
    body = json.dumps({"events": [good, bad]})  # with NaN, which httpx does not send
    headers = {"Content-Type": "application/json"}
    answer = client.post("/events", content=body, headers=headers).json()
    (rejected,) = answer["rejected"]
    assert answer["accepted"] == 1
    place = (rejected["index"], rejected["event_id"], rejected["code"])
    assert place == (1, bad["event_id"], code)
    assert message in rejected["message"]
    assert [item["movie_id"] for item in history(client)] == [SUSPECTS]


@pytest.mark.parametrize(
    ("name", "value", "event_id"),
    [
        pytest.param("user_id", r'"\ud83d"', "odd", id="half-a-surrogate-pair"),
        pytest.param("event_id", r'"\ud83d"', None, id="half-a-pair-in-the-event-id"),
        pytest.param("event_id", r'"\u0000"', None, id="control-character"),
        pytest.param("movie_id", "1" * 5000, "odd", id="integer-of-5000-digits"),
        pytest.param("user_id", "1" * 5000 + ".0", "odd", id="float-of-5000-digits"),
    ],
)
def test_events_odd_value_of_json_is_rejected_alone(
    client: Any, name: str, value: str, event_id: str | None
) -> None:
    odd = json.dumps(event_of(HEAT, stars=4) | {"event_id": "odd"} | {name: "HERE"})
    body = f'{{"events": [{odd}, {json.dumps(event_of(SUSPECTS, stars=4))}]}}'
    headers = {"Content-Type": "application/json"}
    content = body.replace('"HERE"', value)
    answer = client.post("/events", content=content, headers=headers).json()
    (rejected,) = answer["rejected"]
    assert (rejected["index"], rejected["event_id"], rejected["code"]) == (0, event_id, "invalid")
    assert rejected["message"].startswith(f"{name}: ")
    assert answer["accepted"] == 1 and len(history(client)) == 1


@pytest.mark.parametrize("value", [0, None, "x", [], {}, [1]])
def test_events_value_that_is_no_event_is_rejected_alone(client: Any, value: Any) -> None:
    answer = client.post("/events", json={"events": [value, event_of(HEAT, stars=4)]}).json()
    (rejected,) = answer["rejected"]
    assert (rejected["index"], rejected["event_id"], rejected["code"]) == (0, None, "invalid")
    expected = "event_id: Field" if value == {} else "event: expected an object"
    assert rejected["message"].startswith(expected)
    assert answer["accepted"] == 1 and len(history(client)) == 1


@pytest.mark.parametrize(
    ("events", "field"),
    [
        pytest.param([{"kind": "like"}, {"event_id": ""}], "events.0.kind", id="malformed"),
        pytest.param([{"event_id": "x" * 200}], "events.0.event_id", id="long-id"),
    ],
)
def test_events_without_one_that_is_one_get_422(
    client: Any, events: list[dict[str, Any]], field: str
) -> None:
    answer = send(client, *(event_of(HEAT, stars=4) | change for change in events))
    assert assert_shape(answer, 422, "invalid")["fields"][0]["field"] == field
    assert history(client) == []


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="none"),
        pytest.param({}, id="no-list"),
        pytest.param([{"kind": "like"}] * 1001, id="too-many"),
    ],
)
def test_events_that_are_no_list_of_events_get_422(client: Any, events: Any) -> None:
    answer = client.post("/events", json={"events": events})
    assert assert_shape(answer, 422, "invalid")["fields"][0]["field"] == "events"


def test_events_watch_with_and_without_share(client: Any) -> None:
    send(client, event_of(HEAT, "watch", watched=0.95), event_of(SUSPECTS, "watch"))
    shares = [(item["movie_id"], item.get("watched")) for item in history(client)]
    assert shares == [(HEAT, 0.95), (SUSPECTS, None)]
    assert not {HEAT, SUSPECTS} & set(recommended(client))


def test_not_interested_movie_is_never_listed(client: Any, recommender: Recommender) -> None:
    assert HEAT in recommended(client)
    send(client, event_of(HEAT, "not_interested"))
    for fields in ({}, {"exclude_seen": False}, {"include_ids": [HEAT, SUSPECTS]}):
        assert HEAT not in recommended(client, **fields)
    (item,) = history(client)
    assert item["movie_id"] == HEAT and item["not_interested"] is True
    answer = client.post("/recommend", json={"user_id": USER}).json()
    assert answer == recommender.recommend(not_interested=[HEAT])


def test_not_interested_is_taken_back_by_unrate(client: Any) -> None:
    send(client, event_of(HEAT, "not_interested"))
    send(client, event_of(HEAT, "unrate", at="2026-01-02T00:00:00Z"))
    assert HEAT in recommended(client) and history(client) == []


def test_not_interested_demotes_similar_movies(client: Any) -> None:
    """GoldenEye is all action, as Heat is half of it."""
    before = recommended(client).index(GOLDENEYE)
    send(client, event_of(HEAT, "not_interested"))
    assert recommended(client).index(GOLDENEYE) >= before, "though Heat, before it, has left"


def test_clicks_and_impressions_change_no_list(client: Any) -> None:
    before = recommended(client)
    answer = send(client, event_of(HEAT, "click"), event_of(HEAT, "impression"))
    assert answer.json()["accepted"] == 2
    assert recommended(client) == before and history(client) == []
    assert client.delete(f"/users/{USER}").json() == {"deleted": 2}


def test_deleted_user_is_unknown(client: Any) -> None:
    unknown = recommended(client, "unknown")
    send(client, event_of(HEAT, stars=5), event_of(SUSPECTS, "not_interested"))
    assert recommended(client) != unknown
    assert client.delete(f"/users/{USER}").json() == {"deleted": 2}
    assert recommended(client) == unknown and history(client) == []
    assert client.delete(f"/users/{USER}").json() == {"deleted": 0}


def test_user_id_number_and_text_are_one_user(client: Any) -> None:
    event = event_of(HEAT, stars=5) | {"user_id": 77}
    assert send(client, event).json()["accepted"] == 1
    assert send(client, event | {"user_id": "77"}).json()["duplicates"] == 1
    assert recommended(client, "77") == recommended(client, 77) != recommended(client, "unknown")


@pytest.fixture
def unavailable_store(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise StoreUnavailable("event store postgresql://db/events: no answer")

    for name in ("add", "user_state", "state_version", "delete_user"):
        monkeypatch.setattr(EventStore, name, fail)
    monkeypatch.setattr(EventStore, "is_alive", lambda _: False)


@pytest.mark.usefixtures("unavailable_store")
def test_unavailable_store_lists_use_the_request_alone(
    client: Any, recommender: Recommender
) -> None:
    body = {"user_id": USER, "history": [{"movie_id": HEAT, "stars": 4.0}]}
    answer = client.post("/recommend", json=body)
    expected = recommender.recommend(history=[(HEAT, 4.0)])
    assert answer.json() == {**expected, "history": "unavailable"}


@pytest.mark.usefixtures("unavailable_store")
def test_unavailable_store_events_and_users_get_503(client: Any) -> None:
    for answer in (
        send(client, event_of(HEAT, stars=4)),
        client.get(f"/users/{USER}/history"),
        client.delete(f"/users/{USER}"),
    ):
        error = assert_shape(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1" and "postgresql" not in error["message"]


@pytest.mark.usefixtures("unavailable_store")
def test_unavailable_store_is_named_by_readyz(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200 and answer.json()["events"] == "away"
    monkeypatch.undo()
    assert client.get("/readyz").json()["events"] == "up"


def test_events_concurrent_writers_lose_nothing(client: Any) -> None:
    async def write() -> list[int]:
        def send_one(_: int) -> int:
            return int(send(client, event_of(HEAT, "click")).json()["accepted"])

        return await asyncio.gather(*(asyncio.to_thread(send_one, n) for n in range(40)))

    assert sum(asyncio.run(write())) == 40
    assert client.delete(f"/users/{USER}").json() == {"deleted": 40}
