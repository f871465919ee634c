"""A service of forty films in this process: it keeps events; its lists can be worked out by eye.

    with fake_service() as fake:
        Marquee(fake.url).recommend(k=3)

Films are 1..40, titled "Film 1 Alpha" and so on; their genres go round, their num_ratings falls
from 400 by 10, the last has 2. A list is the unseen films by number of genres shared with what was
rated 4 and more, then by num_ratings. Requests and answers are held to the real schemas
(marquee/api/requests.py, marquee/api/responses.py): what the service would refuse is refused here.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlparse

from pydantic import TypeAdapter, ValidationError

from marquee.api import requests, responses

GENRES = ["Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi"]
LETTERS = ["Alpha", "Beta", "Gamma", "Delta"]
VERSION = "f" * 64
FILMS: dict[int, dict[str, Any]] = {
    n: {
        "movie_id": n,
        "title": f"Film {n} {LETTERS[n % 4]}",
        "year": 1980 + n,
        "genres": [GENRES[n % 6], GENRES[(n + 1) % 6]],
        "num_ratings": 2 if n == 40 else 400 - 10 * n + 10,
    }
    for n in range(1, 41)
}


class Refused(Exception):  # noqa: N818
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class Fake:
    url: str = ""
    away: bool = False
    slow_s: float = 0.0
    refuse: str = ""
    """A route that is answered with 422 and a sentence."""
    name: str = "tiny"
    asked: list[tuple[str, Any]] = field(default_factory=list)
    """(route, body), oldest first."""
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def known(self, user_id: Any) -> list[dict[str, Any]]:
        """As GET /users/{id}/history."""
        state: dict[int, dict[str, Any]] = {}
        for event in sorted(self.events.values(), key=lambda event: event["at"]):
            if str(event["user_id"]) != str(user_id):
                continue
            state.pop(event["movie_id"], None)
            said = {
                "rating": {"stars": event.get("stars")},
                "not_interested": {"not_interested": True},
            }
            if event["kind"] in said:
                entry = FILMS[event["movie_id"]] | said[event["kind"]] | {"at": event["at"]}
                state[event["movie_id"]] = entry
        return list(state.values())

    def post_recommend(self, body: dict[str, Any]) -> dict[str, Any]:
        history = self.known(body.get("user_id")) if body.get("user_id") else []
        liked = [entry for entry in history if entry.get("stars", 0) >= 4]
        wanted = {genre for entry in liked for genre in entry["genres"]}
        wanted |= set(body.get("genre_profile") or {})
        gone = {entry["movie_id"] for entry in history} if body.get("exclude_seen", True) else set()
        gone |= set(body.get("exclude_ids") or ())
        only = body.get("include_ids")
        films = [
            film
            for film in kept(body.get("filters"))
            if film["movie_id"] not in gone and (only is None or film["movie_id"] in only)
        ]
        films.sort(key=lambda film: (-len(wanted & set(film["genres"])), -film["num_ratings"]))
        start, k = body.get("offset", 0), body.get("k", 10)
        items = [scored(film) for film in films[start : start + k]]
        for item in items if body.get("explain") else ():
            shared = [one for one in liked if set(one["genres"]) & set(item["genres"])]
            item["because"] = [
                {"movie_id": one["movie_id"], "title": one["title"], "effect": 0.5}
                for one in shared[:3]
            ]
        strategy = "history" if history else "content" if body.get("genre_profile") else "popular"
        return answer(items, strategy) | {"next_offset": None}

    def post_recommend_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"results": [self.post_recommend(one) for one in body["requests"]]}

    def post_predict(self, body: dict[str, Any]) -> dict[str, Any]:
        for movie_id in body["movie_ids"]:
            if movie_id not in FILMS:
                raise Refused(404, "unknown_movie", f"movie {movie_id}: not in the catalog")
        return answer([scored(FILMS[n]) for n in body["movie_ids"]], "history")

    def post_rerank(self, body: dict[str, Any]) -> dict[str, Any]:
        again = {"include_ids": body["movie_ids"], "exclude_seen": False, "k": 100}
        ranked = self.post_recommend({"user_id": body.get("user_id")} | again)
        return answer(ranked["items"], ranked["strategy"])

    def post_similar(self, body: dict[str, Any]) -> dict[str, Any]:
        (movie_id,) = body["movie_ids"]
        self.post_predict({"movie_ids": [movie_id]})
        own = set(FILMS[movie_id]["genres"])
        films = [f | {"score": 0.5} for f in FILMS.values() if own & set(f["genres"])]
        films = [film for film in films if film["movie_id"] != movie_id]
        return {"items": films[: body.get("k", 10)], "model_version": VERSION}

    def post_charts(self, body: dict[str, Any]) -> dict[str, Any]:
        films = kept(body.get("filters"))
        if body["kind"] == "new":
            films.reverse()
        if body["kind"] == "hidden_gems":
            films = films[20:30]
        films = films[: min(body.get("k", 10), 30)]
        items = [scored(film) for film in films]
        return {"items": items, "kind": body["kind"], "model_version": VERSION}

    def post_rate_next(self, body: dict[str, Any]) -> dict[str, Any]:
        done = {event["movie_id"] for event in self.events.values()}
        why = {"seen_probability": 0.25, "information": 0.5, "scarcity": 0.1}
        films = [f for n, f in reversed(FILMS.items()) if n not in done][: body.get("k", 10)]
        items = [film | {"stars": STARS, "why": why} for film in films]
        return answer(items, "history")

    def post_events(self, body: dict[str, Any]) -> dict[str, Any]:
        accepted, again, rejected = 0, 0, []
        for event in body["events"]:
            if event["movie_id"] not in FILMS:
                said = {"code": "unknown_movie", "message": f"movie {event['movie_id']} is unknown"}
                rejected.append({"event_id": event["event_id"]} | said)
            elif event["event_id"] in self.events:
                again += 1
            else:
                accepted += 1
                self.events[event["event_id"]] = event
        return {"accepted": accepted, "duplicates": again, "rejected": rejected}

    def get(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        if path == "/model":
            data = {"name": self.name, "num_items": 40, "num_users": 7, "num_ratings": 900}
            metrics = {"val/ndcg@10": 0.125}
            return {"model_version": VERSION, "name": self.name, "metrics": metrics, "data": data}
        if path == "/movies/search":
            words = query["q"][0].lower().split()
            found = [f for f in FILMS.values() if all(w in f["title"].lower() for w in words)]
            found.sort(key=lambda film: film["title"].lower() != " ".join(words))
            return {"items": found[: int(query["k"][0])], "model_version": VERSION}
        user_id = unquote(path.split("/")[2])
        return {"user_id": user_id, "items": self.known(user_id)}

    def delete(self, path: str) -> dict[str, Any]:
        user_id = unquote(path.split("/")[2])
        theirs = [key for key, event in self.events.items() if event["user_id"] == user_id]
        for key in theirs:
            del self.events[key]
        return {"deleted": len(theirs)}


STARS = {"expected": 4.1, "low": 2.5, "high": 5.0, "p_like": 0.75}
ASKS: dict[str, Any] = {
    "/recommend": (requests.RecommendRequest, responses.RecommendResponse),
    "/recommend_batch": (requests.BatchRequest, responses.BatchResponse),
    "/predict": (requests.PredictRequest, responses.PredictResponse),
    "/rerank": (requests.RerankRequest, responses.PredictResponse),
    "/similar": (requests.SimilarRequest, responses.SimilarResponse),
    "/charts": (requests.ChartsRequest, responses.ChartsResponse),
    "/rate_next": (requests.RateNextRequest, responses.RateNextResponse),
    "/events": (requests.EventsRequest, responses.EventsReceipt),
}
READS: dict[str, Any] = {
    "model": responses.ModelCard,
    "movies": responses.SearchResponse,
    "users": responses.HistoryResponse,
}


def scored(film: dict[str, Any]) -> dict[str, Any]:
    return film | {"score": 1.0, "stars": STARS}


def answer(items: list[dict[str, Any]], strategy: str) -> dict[str, Any]:
    return {"items": items, "strategy": strategy, "model_version": VERSION}


def kept(filters: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The films that filters leave, best known first."""
    asked = filters or {}
    genres = set(asked.get("genres") or GENRES)
    first, last = asked.get("year_min") or 0, asked.get("year_max") or 9999
    return [
        film
        for film in FILMS.values()
        if genres & set(film["genres"]) and first <= film["year"] <= last
    ]


@contextmanager
def fake_service() -> Iterator[Fake]:
    fake = Fake()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(fake: Fake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(lambda: self._posted(body))

        def do_GET(self) -> None:
            self._answer(self._read)

        def do_DELETE(self) -> None:
            self._answer(lambda: fake.delete(self.path))

        def _posted(self, body: bytes) -> Any:
            asks, answers = ASKS[self.path]
            try:
                asks.model_validate_json(body)
            except ValidationError as error:
                raise Refused(422, "invalid", str(error)) from error
            asked = json.loads(body)
            fake.asked.append((self.path, asked))
            found = getattr(fake, f"post_{self.path[1:]}")(asked)
            TypeAdapter(answers).validate_python(found)
            return found

        def _read(self) -> Any:
            url = urlparse(self.path)
            found = fake.get(url.path, parse_qs(url.query))
            TypeAdapter(READS[url.path.split("/")[1]]).validate_python(found)
            return found

        def _answer(self, make: Any) -> None:
            status = 200
            try:
                time.sleep(fake.slow_s)
                if fake.away:
                    raise Refused(503, "unavailable", "the service is not ready")
                if fake.refuse and self.path.startswith(fake.refuse):
                    raise Refused(422, "invalid", "the fake refuses this")
                said = make()
            except Refused as error:
                status = error.status
                said = {"error": {"code": error.code, "message": str(error)}}
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
