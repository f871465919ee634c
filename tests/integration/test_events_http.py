"""Events over HTTP: acknowledged means stored, and counts in the next request."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from marquee.feedback.errors import StoreUnavailable
from marquee.recommender.recommender import Recommender
from tests.support.http_errors import assert_shape

HEAT, SUSPECTS, RUNNER = 6, 50, 480
number = iter(range(10**6))


@pytest.fixture
def person(client: Any) -> Iterator[str]:
    """A person of this test alone."""
    name = f"person-{next(number)}"
    yield name
    client.delete(f"/users/{name}")


def event(person: str, movie_id: int, kind: str = "rating", **more: Any) -> dict[str, Any]:
    made = {"event_id": f"event-{next(number)}", "user_id": person, "movie_id": movie_id}
    return made | {"kind": kind, "at": "2026-01-01T00:00:00Z"} | more


def send(client: Any, *events: dict[str, Any]) -> Any:
    return client.post("/events", json={"events": list(events)})


def entries(client: Any, person: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(f"/users/{person}/history").json()["items"]
    return items


def listed(client: Any, person: str, **more: Any) -> list[int]:
    answer = client.post("/recommend", json={"user_id": person, **more})
    return [item["movie_id"] for item in answer.json()["items"]]


def test_what_is_acknowledged_counts_in_the_next_request(
    client: Any, recommender: Recommender, person: str
) -> None:
    history: list[Any] = []
    for movie_id, stars in ((HEAT, 4.0), (SUSPECTS, 5.0), (RUNNER, 0.5)):
        asked = {"user_id": person, "k": 3}
        wanted = recommender.recommend(history=history, k=3)
        assert client.post("/recommend", json=asked).json() == wanted
        assert client.post("/recommend", json=asked).json() == wanted, "remembered"
        answer = send(client, event(person, movie_id, stars=stars))
        assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}
        history.append((movie_id, stars))


def test_time_orders_what_arrives_out_of_order(client: Any, person: str) -> None:
    late = event(person, SUSPECTS, stars=5, at="2026-01-02T00:00:00.250Z")
    early = event(person, HEAT, stars=4, at="2026-01-01T05:30:00+05:30")
    send(client, late)
    send(client, early)
    assert [(item["movie_id"], item["at"]) for item in entries(client, person)] == [
        (HEAT, "2026-01-01T00:00:00Z"),
        (SUSPECTS, "2026-01-02T00:00:00.250000Z"),
    ]


def test_the_same_event_again_is_a_duplicate_and_another_content_a_conflict(
    client: Any, person: str
) -> None:
    first = event(person, HEAT, stars=4)
    assert send(client, first).json()["accepted"] == 1
    assert send(client, first, first).json() == {"accepted": 0, "duplicates": 2, "rejected": []}
    other, more = first | {"stars": 5}, event(person, SUSPECTS, stars=3)
    error = assert_shape(send(client, more, other), 409, "conflict")
    assert error["fields"][0]["field"] == "events.1.event_id"
    assert [item["movie_id"] for item in entries(client, person)] == [HEAT], "nothing was stored"


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        pytest.param({"movie_id": 7}, "unknown_movie", "movie 7: not in", id="unknown-movie"),
        pytest.param({"stars": 4.2}, "invalid", "4.2 stars is off the scale", id="off-the-scale"),
        pytest.param({"stars": None}, "invalid", "a rating without stars", id="no-stars"),
        pytest.param({"kind": "watch"}, "invalid", "a watch with stars", id="stars-of-a-watch"),
        pytest.param({"watched": 0.5}, "invalid", "a rating with watched", id="watched"),
        pytest.param({"at": "1969-12-31T23:59:59Z"}, "invalid", "from 1970", id="before-1970"),
        pytest.param({"at": "2999-01-01T00:00:00Z"}, "invalid", "from 1970 to now", id="future"),
    ],
)
def test_what_cannot_have_happened_is_sent_back_and_the_rest_stored(
    client: Any, person: str, change: dict[str, Any], code: str, sentence: str
) -> None:
    bad, good = event(person, HEAT, stars=4) | change, event(person, SUSPECTS, stars=4)
    answer = send(client, bad, good).json()
    (rejected,) = answer["rejected"]
    assert (answer["accepted"], rejected["event_id"], rejected["code"]) == (
        1,
        bad["event_id"],
        code,
    )
    assert sentence in rejected["message"]
    assert [item["movie_id"] for item in entries(client, person)] == [SUSPECTS]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "like"}, "events.0.kind"),
        ({"at": "yesterday"}, "events.0.at"),
        ({"at": "2026-01-01T00:00:00"}, "events.0.at"),
        ({"watched": 1.1}, "events.0.watched"),
        ({"event_id": ""}, "events.0.event_id"),
        ({"event_id": "x" * 65}, "events.0.event_id"),
        ({"mood": 1}, "events.0.mood"),
    ],
)
def test_a_malformed_event_refuses_the_request(
    client: Any, person: str, change: dict[str, Any], field: str
) -> None:
    answer = send(client, event(person, SUSPECTS, stars=4), event(person, HEAT, stars=4) | change)
    error = assert_shape(answer, 422, "invalid")
    assert error["fields"][0]["field"] == field.replace("0", "1")
    assert entries(client, person) == []


def test_watched_portions_and_views_without_one(client: Any, person: str) -> None:
    send(client, event(person, HEAT, "watch", watched=0.95), event(person, SUSPECTS, "watch"))
    assert [(item["movie_id"], item.get("watched")) for item in entries(client, person)] == [
        (HEAT, 0.95),
        (SUSPECTS, None),
    ]
    assert HEAT not in listed(client, person) and SUSPECTS not in listed(client, person)


def test_not_interested_never_returns_until_it_is_taken_back(
    client: Any, recommender: Recommender, person: str
) -> None:
    assert HEAT in listed(client, person)
    send(client, event(person, HEAT, "not_interested"))
    for more in ({}, {"exclude_seen": False}, {"include_ids": [HEAT, SUSPECTS]}):
        assert HEAT not in listed(client, person, **more)
    (item,) = entries(client, person)
    assert item["movie_id"] == HEAT and item["not_interested"] is True
    answer = client.post("/recommend", json={"user_id": person}).json()
    assert answer == recommender.recommend(not_interested=[HEAT])
    send(client, event(person, HEAT, "unrate", at="2026-01-02T00:00:00Z"))
    assert HEAT in listed(client, person) and entries(client, person) == []


def test_neighbours_of_what_is_not_interested_fall(client: Any, person: str) -> None:
    """GoldenEye is all action, as Heat is half of it."""
    before = listed(client, person).index(10)
    send(client, event(person, HEAT, "not_interested"))
    assert listed(client, person).index(10) >= before, "though Heat, before it, has left"


def test_clicks_and_impressions_are_kept_and_change_no_list(client: Any, person: str) -> None:
    before = listed(client, person)
    answer = send(client, event(person, HEAT, "click"), event(person, HEAT, "impression"))
    assert answer.json()["accepted"] == 2
    assert listed(client, person) == before and entries(client, person) == []
    assert client.delete(f"/users/{person}").json() == {"deleted": 2}


def test_a_deleted_person_is_a_stranger(client: Any, person: str) -> None:
    stranger = listed(client, "nobody-yet")
    send(client, event(person, HEAT, stars=5), event(person, SUSPECTS, "not_interested"))
    assert listed(client, person) != stranger
    assert client.delete(f"/users/{person}").json() == {"deleted": 2}
    assert listed(client, person) == stranger and entries(client, person) == []
    assert client.delete(f"/users/{person}").json() == {"deleted": 0}


def test_numbers_and_text_are_one_person(client: Any) -> None:
    made = event("77", HEAT, stars=5) | {"user_id": 77}
    assert send(client, made).json()["accepted"] == 1
    assert send(client, made | {"user_id": "77"}).json()["duplicates"] == 1
    assert listed(client, "77") == listed(client, 77)  # type: ignore[arg-type]
    client.delete("/users/77")


def test_while_the_store_is_away_lists_go_on_and_events_wait(
    client: Any, recommender: Recommender, person: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise StoreUnavailable("event store postgresql://db/events: no answer")

    for name in ("add", "user_state", "state_version", "delete_user"):
        monkeypatch.setattr(f"marquee.feedback.store.EventStore.{name}", away)
    monkeypatch.setattr("marquee.feedback.store.EventStore.is_alive", lambda _: False)
    asked = {"user_id": person, "history": [{"movie_id": HEAT, "stars": 4.0}]}
    answer = client.post("/recommend", json=asked)
    assert answer.json() == recommender.recommend(history=[(HEAT, 4.0)])
    for refused in (
        send(client, event(person, HEAT, stars=4)),
        client.get(f"/users/{person}/history"),
        client.delete(f"/users/{person}"),
    ):
        error = assert_shape(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "1" and "postgresql" not in error["message"]
    ready = client.get("/readyz")
    assert ready.status_code == 200 and ready.json()["events"] == "away"
    monkeypatch.undo()
    assert client.get("/readyz").json()["events"] == "up"


def test_many_writers_at_once_lose_nothing(client: Any, person: str) -> None:
    async def write() -> list[int]:
        def one(n: int) -> int:
            return int(send(client, event(person, HEAT, "click")).json()["accepted"])

        return await asyncio.gather(*(asyncio.to_thread(one, n) for n in range(40)))

    assert sum(asyncio.run(write())) == 40
    assert client.delete(f"/users/{person}").json() == {"deleted": 40}
