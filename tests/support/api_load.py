"""People who use the service at once, and remember what they were told.

Each client has a few persons of its own, so that it knows what the service must know of them: every
event that was acknowledged, no other. An answer is compared, byte for byte, with what the library
says to the same question from the bundle that the answer names and the history of the client's own
book. What was not acknowledged is sent again, as it was, until it is.
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
from marquee.api.handlers import Handlers, LoadedModel
from marquee.api.openapi import POST_ENDPOINTS
from marquee.core.times import MICROS_PER_SECOND
from marquee.feedback.event_schema import KINDS, STATELESS_KINDS, Event
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import StoredEvent, UserState, reduce_events

CANARY = "canary-8d3f"
"""In every id and query that is sent; no log may hold it."""
UNKNOWN_MOVIE = 8877665544
STORED = ("events", "history", "delete")
"""What cannot be answered without the database."""
PERSONS = 4
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


class Times:
    """When something was wrong on purpose: the database "away", the worker "dead", "stopping"."""

    def __init__(self) -> None:
        self._begun: dict[str, list[float]] = {}
        self._ended: dict[str, list[float]] = {}

    def begin(self, what: str) -> None:
        self._begun.setdefault(what, []).append(time.monotonic())

    def end(self, what: str) -> float:
        """Seconds since it began."""
        now = time.monotonic()
        self._ended.setdefault(what, []).append(now)
        return now - self._begun[what][-1]

    def was(self, what: str, since: float) -> bool:
        """At any moment from `since` to now."""
        begun, ended = self._begun.get(what, []), self._ended.get(what, [])
        return len(begun) > len(ended) or any(end >= since for end in ended)


class OneBook:
    """A store that knows one person, for the library's answer."""

    def __init__(self, known: UserState) -> None:
        self._known = known

    def state_version(self, _: str) -> tuple[int, int]:
        return 0, 0

    def user_state(self, _: str) -> UserState:
        return self._known


@dataclass
class Told:
    """What all clients have seen."""

    models: dict[str, LoadedModel]
    """By model version."""
    times: Times = field(default_factory=Times)
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def fault(self, what: str) -> None:
        with self.lock:
            self.faults.append(what)

    def answer_of(self, version: str, asked: "Asked", known: UserState) -> bytes:
        """What the library answers, as the service writes it."""
        answers = Handlers(self.models[version], cast(EventStore, OneBook(known)))
        if asked.name == "search":
            wanted = answers.search(asked.params["q"], asked.params["k"])
        elif asked.name == "history":
            wanted = answers.history(asked.person)
        else:
            request = POST_ENDPOINTS[asked.address][0].model_validate_json(json.dumps(asked.body))
            wanted = getattr(answers, asked.address.strip("/"))(request)
        return bytes(asyncio.run(routes.respond(wanted)).body)


@dataclass
class Asked:
    """One request; person: whose book it leans on."""

    name: str
    method: str
    address: str
    body: dict[str, Any] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    person: str = ""
    events: tuple[Event, ...] = ()


class Client(threading.Thread):
    """Asks one thing after the other, until `told.done` is set.

    sample: the share of answers that is compared with the library's.
    """

    def __init__(
        self, number: int, url: str, key: str, told: Told, seed: int, sample: float
    ) -> None:
        super().__init__(daemon=True)
        self._told, self._sample = told, sample
        self._chance = random.Random(f"{seed} {number}")
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=20)
        some = next(iter(told.models.values())).recommender
        self._movie_ids = some.movie_ids.tolist()
        self._titles = [movie["title"] for movie in map(some.movie, self._movie_ids[:500])]
        self._scale = list(some.scale)
        self._sent = 0
        self.books: dict[str, list[Event]] = {f"{CANARY}-{number}-{n}": [] for n in range(PERSONS)}

    def run(self) -> None:
        try:
            while not self._told.done.is_set():
                self._until_answered(self._next())
        except Exception as error:  # a thread that dies in silence would count as no fault
            self._told.fault(f"the client itself: {error!r}")
            raise

    def _until_answered(self, asked: Asked) -> None:
        """What changes something is sent again until it is acknowledged; the rest is let go."""
        while not self._ask(asked) and asked.name in ("events", "delete"):
            time.sleep(0.1)
            if self._told.done.is_set() and self._told.times.was("stopping", 0):
                self._told.count("not acknowledged at the end")
                self.books.pop(asked.person)  # stored or not: nobody has said
                return

    def _ask(self, asked: Asked) -> bool:
        begun, told = time.monotonic(), self._told
        try:
            answer = self._http.request(
                asked.method, asked.address, json=asked.body, params=asked.params
            )
        except httpx.TransportError as error:
            # A stop must not break off an answer that it has begun; a kill may.
            half = "incomplete" in str(error) or "complete message" in str(error)
            stopping = told.times.was("stopping", begun)
            if not (told.times.was("dead", begun) or (stopping and not half)):
                told.fault(f"{asked.name}: {error!r}{' while stopping' if stopping else ''}")
            told.count("connection lost")
            time.sleep(0.05)
            return False
        told.count(asked.name)
        if asked.name == "unknown":
            self._wanted(asked, answer, 404)
        elif answer.status_code == 503 and asked.name in STORED:
            told.count("503 while the database is away")
            if not told.times.was("away", begun) or "Retry-After" not in answer.headers:
                told.fault(f"{asked.name}: 503 without a reason: {answer.text}")
            return False
        elif self._wanted(asked, answer, 200):
            self._note(asked, answer.json())
            self._compare(asked, answer, begun)
        return True

    def _wanted(self, asked: Asked, answer: httpx.Response, status: int) -> bool:
        if answer.status_code != status:
            self._told.fault(f"{asked.name}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code == status

    def _note(self, asked: Asked, answer: dict[str, Any]) -> None:
        if asked.name == "delete":
            self.books[asked.person] = []
        elif asked.name == "events":
            self.books[asked.person] += asked.events
            if answer["accepted"] + answer["duplicates"] != len(asked.events):
                self._told.fault(f"events: {answer}")

    def _compare(self, asked: Asked, answer: httpx.Response, begun: float) -> None:
        if asked.name in ("events", "delete") or self._chance.random() >= self._sample:
            return
        version = version_of(answer.json()) or next(iter(self._told.models))
        known = [known_of(self.books.get(asked.person, []))]
        if self._told.times.was("away", begun):  # then it may have been answered without a book
            known.append(UserState())
        self._told.count("answers compared")
        if version not in self._told.models:
            self._told.fault(f"{asked.name}: an unknown model_version {version}")
        elif answer.content not in [self._told.answer_of(version, asked, one) for one in known]:
            self._told.fault(f"{asked.name}: {asked.body} {asked.params}: {answer.text[:2000]}")

    def _next(self) -> Asked:
        name = self._chance.choices(list(MIX), list(MIX.values()))[0]
        person = self._chance.choice(list(self.books))
        if name == "events":
            return self._events(person)
        if name == "delete":
            return Asked(name, "DELETE", f"/users/{person}", person=person)
        if name == "history":
            return Asked(name, "GET", f"/users/{person}/history", person=person)
        if name == "search":
            query = self._chance.choice([*self._titles, f"{CANARY} query"])
            return Asked(name, "GET", "/movies/search", params={"q": query, "k": 5})
        if name == "unknown":
            history = [{"movie_id": UNKNOWN_MOVIE}]
            return Asked(name, "POST", "/recommend", {"history": history, "user_id": person})
        body = getattr(self, f"_{name}")()
        if name in ("recommend", "predict", "rerank", "rate_next") and self._chance.random() < 0.6:
            return Asked(name, "POST", f"/{name}", body | {"user_id": person}, person=person)
        return Asked(name, "POST", f"/{name}", body)

    def _recommend(self) -> dict[str, Any]:
        chance = self._chance
        body: dict[str, Any] = {"k": chance.choice([1, 3, 10])}
        if chance.random() < 0.5:
            body["history"] = self._history()
        if chance.random() < 0.3:
            body[chance.choice(["diversity", "calibration", "novelty", "freshness"])] = 0.5
        if chance.random() < 0.2:
            body["explain"] = True
        if chance.random() < 0.2:
            body["filters"] = {"year_min": chance.choice([1980, 1995, 2000])}
        return body

    def _recommend_batch(self) -> dict[str, Any]:
        return {"requests": [self._recommend() for _ in range(self._chance.choice([1, 5, 30]))]}

    def _predict(self) -> dict[str, Any]:
        return {"history": self._history(), "movie_ids": self._films(5)}

    _rerank = _predict

    def _rate_next(self) -> dict[str, Any]:
        return {"history": self._history(), "k": 4}

    def _similar(self) -> dict[str, Any]:
        return {"movie_ids": self._films(2), "k": 5}

    def _charts(self) -> dict[str, Any]:
        return {"kind": self._chance.choice(["popular", "trending", "new", "hidden_gems"])}

    def _films(self, most: int) -> list[int]:
        return self._chance.sample(self._movie_ids, self._chance.randint(1, most))

    def _history(self) -> list[dict[str, Any]]:
        return [
            {"movie_id": one, "stars": self._chance.choice(self._scale)} for one in self._films(6)
        ]

    def _events(self, person: str) -> Asked:
        events = tuple(self._event(person) for _ in range(self._chance.choice([1, 1, 2, 5])))
        body = [
            {name: value for name, value in vars(one).items() if value is not None}
            | {"at": datetime.fromtimestamp(one.at_us // MICROS_PER_SECOND, UTC).isoformat()}
            for one in events
        ]
        for one in body:
            del one["at_us"]
        return Asked("events", "POST", "/events", {"events": body}, {}, person, events)

    def _event(self, person: str) -> Event:
        self._sent += 1
        kind, chance = self._chance.choice(KINDS), self._chance
        at_s = START_S + chance.randrange(10_000_000)  # in any order
        stars = chance.choice(self._scale) if kind == "rating" else None
        watched = chance.choice([0.05, 0.5, 0.95]) if kind == "watch" else None
        movie_id = chance.choice(self._movie_ids)
        return Event(
            event_id=f"{person}-{self._sent}",
            user_id=person,
            movie_id=movie_id,
            kind=kind,
            stars=stars,
            watched=watched,
            at_us=at_s * MICROS_PER_SECOND,
        )


def version_of(answer: dict[str, Any]) -> str | None:
    """Of a batch that of its first list."""
    found = answer.get("model_version") or answer.get("results", [{}])[0].get("model_version")
    return cast(str | None, found)


def known_of(book: list[Event]) -> UserState:
    """What a store must know after these events, in the order of their acknowledgement."""
    rows = [(event.at_us, number, event) for number, event in enumerate(book)]
    return reduce_events(
        StoredEvent(e.user_id, e.movie_id, e.kind, e.stars, e.watched, at_us, number)
        for at_us, number, e in sorted(rows, key=lambda row: row[:2])
        if e.kind not in STATELESS_KINDS
    )
