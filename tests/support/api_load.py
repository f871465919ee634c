"""Clients that use the service at once, and check every answer.

Each client has a few users of its own, so that it knows what the service must know of them: every
event that was acknowledged, no other. An answer is compared, byte for byte, with the library's
answer to the same request: the bundle is the one that the answer names, the history that of the
client's own log. What was not acknowledged is sent again, as it was, until it is.
"""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import httpx

from marquee.api import routes
from marquee.api.handlers import Handlers
from marquee.api.openapi import POST_ENDPOINTS
from marquee.api.process.loaded_model import LoadedModel
from marquee.api.requests import SearchParams, UserParams
from marquee.core.times import MICROS_PER_SECOND
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.event_schema import KINDS, STATELESS_KINDS, Event
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import StoredEvent, UserState, reduce_events

CANARY = "canary-8d3f"
"""In every id and query that is sent; no log of the service may hold it."""
UNKNOWN_MOVIE = 8877665544
PROXY_STATUS = (502, 504)
"""Answers of nginx where the service gave none."""
NEED_STORE = ("events", "history", "delete")
"""Calls that cannot be answered without the database."""
WITH_USER = ("recommend", "predict", "rerank", "rate_next")
USERS_PER_CLIENT = 4
START_S = 1_700_000_000
MIX = {
    "recommend": 30,
    "events": 20,
    "history": 6,
    "predict": 8,
    "rerank": 4,
    "rate_next": 6,
    "similar": 6,
    "charts": 4,
    "search": 8,
    "recommend_batch": 4,
    "delete": 1,
    "unknown": 3,
}


class Disruptions:
    """The times at which the database was "away", the worker "dead" or the service "stopping"."""

    def __init__(self) -> None:
        self._starts: dict[str, list[float]] = {}
        self._ends: dict[str, list[float]] = {}

    def begin(self, kind: str) -> None:
        self._starts.setdefault(kind, []).append(time.monotonic())

    def end(self, kind: str) -> float:
        """Return the seconds since it began."""
        now = time.monotonic()
        self._ends.setdefault(kind, []).append(now)
        return now - self._starts[kind][-1]

    def was(self, kind: str, since: float) -> bool:
        """Return whether it was so at any moment from `since` to now."""
        starts, ends = self._starts.get(kind, []), self._ends.get(kind, [])
        return len(starts) > len(ends) or any(end >= since for end in ends)


class SingleUserStore:
    """A store of one user, for the library's answer; without a state it is unavailable."""

    database = None  # its catalog is never read: that of the bundle answers

    def __init__(self, state: UserState | None) -> None:
        self._state = state

    def state_version(self, _: str) -> tuple[int, int]:
        return 0, 0

    def user_state(self, _: str) -> UserState:
        if self._state is None:
            raise StoreUnavailable("away")
        return self._state


@dataclass
class ApiCall:
    """One request; user_id: the stored user that its answer depends on."""

    name: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    user_id: str = ""
    events: tuple[Event, ...] = ()


@dataclass
class LoadReport:
    """The outcome of all clients together."""

    models: dict[str, LoadedModel]
    """By model version."""
    disruptions: Disruptions = field(default_factory=Disruptions)
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, name: str) -> None:
        with self.lock:
            self.counts[name] += 1

    def add_error(self, message: str) -> None:
        with self.lock:
            self.errors.append(message)

    def expected(self, version: str, call: ApiCall, state: UserState | None) -> bytes:
        """Return the library's answer, as the service writes it."""
        handlers = Handlers(self.models[version], cast(EventStore, SingleUserStore(state)))
        result: Any
        if call.name == "search":
            texts = {name: str(value) for name, value in call.params.items()}
            result = handlers.search(SearchParams.model_validate(texts))
        elif call.name == "history":
            result = handlers.history(UserParams(user_id=call.user_id))
        else:
            request = POST_ENDPOINTS[call.path][0].model_validate_json(json.dumps(call.body))
            result = getattr(handlers, call.path.strip("/"))(request)
        return bytes(asyncio.run(routes.respond(result)).body)


class Client(threading.Thread):
    """Sends one request after the other, until `report.stop` is set.

    sample: the share of answers that is compared with the library's.
    """

    def __init__(
        self, number: int, url: str, key: str, report: LoadReport, seed: int, sample: float
    ) -> None:
        super().__init__(daemon=True)
        self._report, self._sample = report, sample
        self._random = random.Random(f"{seed} {number}")
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=20)
        recommender = next(iter(report.models.values())).recommender
        self._movie_ids = recommender.movie_ids.tolist()
        self._titles = recommender.movies.title[:500]
        self._scale = list(recommender.catalog.scale)
        self._num_events = 0
        self.logs: dict[str, list[Event]] = {
            f"{CANARY}-{number}-{n}": [] for n in range(USERS_PER_CLIENT)
        }
        """The acknowledged events of each user."""

    def run(self) -> None:
        try:
            while not self._report.stop.is_set():
                self._send_until_answered(self._next_call())
        except Exception as error:  # a thread that dies in silence would count as no error
            self._report.add_error(f"the client itself: {error!r}")
            raise

    def _send_until_answered(self, call: ApiCall) -> None:
        """Send a change again until it is acknowledged; send every other call once."""
        while not self._send(call) and call.name in ("events", "delete"):
            time.sleep(0.1)
            if self._report.stop.is_set() and self._report.disruptions.was("stopping", 0):
                self._report.count("not acknowledged at the end")
                self.logs.pop(call.user_id)  # stored or not: no answer came
                return

    def _send(self, call: ApiCall) -> bool:
        start_s, report = time.monotonic(), self._report
        try:
            answer = self._http.request(call.method, call.path, json=call.body, params=call.params)
        except httpx.TransportError as error:
            self._check_lost_connection(call, str(error), start_s)
            return False
        if answer.status_code in PROXY_STATUS:
            self._check_lost_connection(call, f"nginx: {answer.status_code}", start_s)
            return False
        report.count(call.name)
        if call.name == "unknown":
            is_answered = self._has_status(call, answer, 200)
            if is_answered and answer.json().get("unknown_ids") != [UNKNOWN_MOVIE]:
                report.add_error(f"the unknown movie is not named: {answer.text[:300]}")
        elif answer.status_code == 503 and call.name in NEED_STORE:
            report.count("503 while the database is away")
            if not report.disruptions.was("away", start_s) or "Retry-After" not in answer.headers:
                report.add_error(f"{call.name}: 503 without a reason: {answer.text}")
            return False
        elif self._has_status(call, answer, 200):
            self._log(call, answer.json())
            self._compare(call, answer, start_s)
        return True

    def _check_lost_connection(self, call: ApiCall, message: str, start_s: float) -> None:
        """A stop must not break off an answer that has begun; a kill may."""
        disruptions = self._report.disruptions
        is_half = "incomplete" in message or "complete message" in message
        is_stopping = disruptions.was("stopping", start_s)
        if not (disruptions.was("dead", start_s) or (is_stopping and not is_half)):
            suffix = " while stopping" if is_stopping else ""
            self._report.add_error(f"{call.name}: {message}{suffix}")
        self._report.count("connection lost")
        time.sleep(0.05)

    def _has_status(self, call: ApiCall, answer: httpx.Response, status: int) -> bool:
        if answer.status_code != status:
            self._report.add_error(f"{call.name}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code == status

    def _log(self, call: ApiCall, answer: dict[str, Any]) -> None:
        if call.name == "delete":
            self.logs[call.user_id] = []
        elif call.name == "events":
            self.logs[call.user_id] += call.events
            if answer["accepted"] + answer["duplicates"] != len(call.events):
                self._report.add_error(f"events: {answer}")

    def _compare(self, call: ApiCall, answer: httpx.Response, start_s: float) -> None:
        if call.name in ("events", "delete") or self._random.random() >= self._sample:
            return
        report = self._report
        version = version_of(answer.json()) or next(iter(report.models))
        states: list[UserState | None] = [state_of(self.logs.get(call.user_id, []))]
        if report.disruptions.was("away", start_s):  # then perhaps without the stored history
            states.append(None)
        report.count("answers compared")
        if version not in report.models:
            report.add_error(f"{call.name}: an unknown model_version {version}")
        elif answer.content not in [report.expected(version, call, state) for state in states]:
            report.add_error(f"{call.name}: {call.body} {call.params}: {answer.text[:2000]}")

    def _next_call(self) -> ApiCall:
        name = self._random.choices(list(MIX), list(MIX.values()))[0]
        user_id = self._random.choice(list(self.logs))
        if name == "events":
            return self._events(user_id)
        if name == "delete":
            return ApiCall(name, "DELETE", f"/users/{user_id}", user_id=user_id)
        if name == "history":
            return ApiCall(name, "GET", f"/users/{user_id}/history", user_id=user_id)
        if name == "search":
            query = self._random.choice([*self._titles, f"{CANARY} query"])
            return ApiCall(name, "GET", "/movies/search", params={"q": query, "k": 5})
        if name == "unknown":
            history = [{"movie_id": UNKNOWN_MOVIE}]
            return ApiCall(name, "POST", "/recommend", {"history": history, "user_id": user_id})
        body = getattr(self, f"_{name}")()
        if name in WITH_USER and self._random.random() < 0.6:
            return ApiCall(name, "POST", f"/{name}", body | {"user_id": user_id}, user_id=user_id)
        return ApiCall(name, "POST", f"/{name}", body)

    def _recommend(self) -> dict[str, Any]:
        rng = self._random
        body: dict[str, Any] = {"k": rng.choice([1, 3, 10])}
        if rng.random() < 0.5:
            body["history"] = self._history()
        if rng.random() < 0.3:
            body[rng.choice(["diversity", "calibration", "novelty", "freshness"])] = 0.5
        if rng.random() < 0.2:
            body["explain"] = True
        if rng.random() < 0.2:
            body["filters"] = {"year_min": rng.choice([1980, 1995, 2000])}
        return body

    def _recommend_batch(self) -> dict[str, Any]:
        return {"requests": [self._recommend() for _ in range(self._random.choice([1, 5, 30]))]}

    def _predict(self) -> dict[str, Any]:
        return {"history": self._history(), "movie_ids": self._some_movies(5)}

    _rerank = _predict

    def _rate_next(self) -> dict[str, Any]:
        return {"history": self._history(), "k": 4}

    def _similar(self) -> dict[str, Any]:
        return {"movie_ids": self._some_movies(2), "k": 5}

    def _charts(self) -> dict[str, Any]:
        return {"kind": self._random.choice(["popular", "trending", "new", "hidden_gems"])}

    def _some_movies(self, max_count: int) -> list[int]:
        return self._random.sample(self._movie_ids, self._random.randint(1, max_count))

    def _history(self) -> list[dict[str, Any]]:
        return [
            {"movie_id": movie_id, "stars": self._random.choice(self._scale)}
            for movie_id in self._some_movies(6)
        ]

    def _events(self, user_id: str) -> ApiCall:
        events = tuple(self._event(user_id) for _ in range(self._random.choice([1, 1, 2, 5])))
        body = []
        for event in events:
            fields = {name: value for name, value in vars(event).items() if value is not None}
            at = datetime.fromtimestamp(fields.pop("at_us") // MICROS_PER_SECOND, UTC)
            body.append(fields | {"at": at.isoformat()})
        return ApiCall(
            "events", "POST", "/events", {"events": body}, user_id=user_id, events=events
        )

    def _event(self, user_id: str) -> Event:
        self._num_events += 1
        kind, rng = self._random.choice(KINDS), self._random
        at_s = START_S + rng.randrange(10_000_000)  # in any order
        return Event(
            event_id=f"{user_id}-{self._num_events}",
            user_id=user_id,
            stars=rng.choice(self._scale) if kind == "rating" else None,
            watched=rng.choice([0.05, 0.5, 0.95]) if kind == "watch" else None,
            movie_id=rng.choice(self._movie_ids),
            kind=kind,
            at_us=at_s * MICROS_PER_SECOND,
        )


def version_of(answer: dict[str, Any]) -> str | None:
    """Return the model version of an answer; of a batch that of its first list."""
    version = answer.get("model_version") or answer.get("results", [{}])[0].get("model_version")
    return cast(str | None, version)


def state_of(log: list[Event]) -> UserState:
    """Return the state after these events, in the order of their acknowledgement."""
    rows = [(event.at_us, number, event) for number, event in enumerate(log)]
    return reduce_events(
        StoredEvent(e.user_id, e.movie_id, e.kind, e.stars, e.watched, at_us, number)
        for at_us, number, e in sorted(rows, key=lambda row: row[:2])
        if e.kind not in STATELESS_KINDS
    )
