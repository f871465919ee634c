"""Test that no list passes for a known user's where the stored history is missing.

A write that waits for a lock takes no history away, and a read that waits stops no write. Where a
history cannot be read, the answer says so, or is the 503 that the request asked for.
"""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from marquee.api import requests
from marquee.api.handlers import Handlers
from marquee.api.process.loaded_model import LoadedModel
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore

HEAT, SUSPECTS = 6, 50
NUM_USERS = 400
NUM_WRITES = 40  # more than there are threads and connections for
PREDICTED = {"user_id": "42", "movie_ids": [HEAT]}
AWAY = "event store postgresql://db/events: no answer"


@pytest.fixture
def store(store_url: str) -> Iterator[EventStore]:
    store = EventStore(store_url)
    user_ids = [f"user-{n}" for n in range(NUM_USERS)]
    store.import_ratings(user_ids, [HEAT] * NUM_USERS, [4.0] * NUM_USERS, [100] * NUM_USERS)
    yield store
    store.close()


@contextmanager
def lock(url: str, postgresql: str) -> Iterator[None]:
    """Hold a lock of PostgreSQL, or that of all writers of SQLite."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite":
        connection = sqlite3.connect(address.database or "", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.close()
        return
    conninfo = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(conninfo) as other:
        other.execute(postgresql)
        yield


def rating(number: int) -> requests.EventsRequest:
    event = {"event_id": f"e-{number}", "user_id": f"new-{number}", "movie_id": SUSPECTS}
    body = {"events": [event | {"kind": "rating", "stars": 4.0}]}
    return requests.EventsRequest.model_validate_json(json.dumps(body))


async def outcome(call: Any) -> str:
    """Return "stored", or the name of the error."""
    try:
        await call
    except StoreUnavailable as error:
        return type(error).__name__
    return "stored"


async def read_while(handlers: Handlers, writes: "asyncio.Task[Any]") -> list[Any]:
    """Ask for lists of users that no cache holds, until the writes are over, and 20 times more."""
    answers, more = [], 20
    for number in count():
        request = requests.RecommendRequest(user_id=f"user-{number % NUM_USERS}", k=1)
        answers.append(await handlers.recommend(request))
        await asyncio.sleep(0.01)
        more -= writes.done()
        if more == 0:
            break
    return answers


def test_write_lock_takes_no_history_away(
    store: EventStore, store_url: str, loaded_model: LoadedModel
) -> None:
    handlers = Handlers(loaded_model, store)

    async def run() -> None:
        writes = asyncio.ensure_future(
            asyncio.gather(*(outcome(handlers.events(rating(n))) for n in range(NUM_WRITES)))
        )
        answers = await read_while(handlers, writes)
        assert {answer["strategy"] for answer in answers} == {"history"}
        assert not any("history" in answer for answer in answers)
        assert set(writes.result()) == {"StoreUnavailable"}
        ready = await handlers.ready()
        assert (ready["events"], ready["event_writes"]) == ("up", "away")

    with lock(store_url, "LOCK TABLE events IN EXCLUSIVE MODE"):
        asyncio.run(run())


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_read_lock_stops_no_write(
    store: EventStore, store_url: str, loaded_model: LoadedModel
) -> None:
    handlers = Handlers(loaded_model, store)

    async def run() -> None:
        users = [requests.RecommendRequest(user_id=f"user-{n}") for n in range(NUM_WRITES)]
        reads = asyncio.ensure_future(asyncio.gather(*map(handlers.recommend, users)))
        for number in count():
            assert await outcome(handlers.events(rating(number))) == "stored"
            await asyncio.sleep(0.01)
            if reads.done():
                break
        assert {answer.get("history") for answer in reads.result()} == {"unavailable"}
        assert (await handlers.ready())["events"] == "away"

    with lock(store_url, "LOCK TABLE ratings IN ACCESS EXCLUSIVE MODE"):
        asyncio.run(run())


def test_event_writes_are_up_again_after_a_write(
    store: EventStore, loaded_model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    handlers = Handlers(loaded_model, store)

    async def run() -> list[str | None]:
        states = [(await handlers.ready()).get("event_writes")]
        with monkeypatch.context() as patch:
            patch.setattr(EventStore, "add", unavailable)
            await outcome(handlers.events(rating(1)))
        states.append((await handlers.ready()).get("event_writes"))
        await outcome(handlers.events(rating(2)))
        return [*states, (await handlers.ready()).get("event_writes")]

    assert asyncio.run(run()) == [None, "away", None]


def unavailable(*_: Any) -> None:
    raise StoreUnavailable(AWAY)


@pytest.fixture
def no_reads(client: Any, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("user_state", "state_version"):
        monkeypatch.setattr(EventStore, name, unavailable)
    return monkeypatch


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/recommend", {"user_id": "42"}, id="recommend"),
        pytest.param("/predict", PREDICTED, id="predict"),
        pytest.param("/rerank", PREDICTED, id="rerank"),
        pytest.param("/rate_next", {"user_id": "42"}, id="rate-next"),
    ],
)
@pytest.mark.usefixtures("no_reads")
def test_missing_history_is_said_or_503(client: Any, path: str, body: dict[str, Any]) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 200 and answer.json()["history"] == "unavailable"
    refused = client.post(path, json={**body, "require_history": True})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.json()["error"]["code"] == "unavailable"
    for user in ({}, {"history": []}):  # nobody's stored history is missing
        answer = client.post(path, json=body | user | {"user_id": None, "require_history": True})
        assert answer.status_code == 200 and "history" not in answer.json()


@pytest.mark.usefixtures("no_reads")
def test_missing_history_in_a_batch_is_said_for_each(client: Any) -> None:
    parts = [{"user_id": "42"}, {"user_id": "42", "require_history": True}, {"k": 1}]
    answer = client.post("/recommend_batch", json={"requests": parts})
    marked, refused, without_user = answer.json()["results"]
    assert answer.status_code == 200 and marked["history"] == "unavailable"
    assert refused["error"]["code"] == "unavailable" and "history" not in without_user


def test_missing_history_is_never_cached(client: Any, no_reads: pytest.MonkeyPatch) -> None:
    body = {"user_id": "42"}
    first = client.post("/recommend", json=body).json()
    assert (first["strategy"], first["history"]) == ("popular", "unavailable")
    no_reads.undo()
    again = client.post("/recommend", json=body).json()
    assert again["strategy"] == "history" and "history" not in again
    assert "history" not in client.post("/recommend", json={"k": 10}).json()
