"""A service of forty movies in this process, whose lists can be worked out by eye.

    with fake_service() as fake:
        Marquee(fake.url).recommend(k=3)

Movies are 1..40, titled "Movie 1 Beta" and so on. Their genres repeat, their num_ratings fall from
400 by 10, and the last has 2. A list holds the unseen movies by number of genres shared with those
rated 4 or more, then by num_ratings. Requests and responses must fit the real schemas
(marquee/api/requests.py, marquee/api/responses.py).
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

from pydantic import TypeAdapter, ValidationError

from marquee.api import responses
from marquee.api.openapi import POST_ENDPOINTS

GENRES = ["Action", "Comedy", "Drama", "Horror", "Romance", "Sci-Fi"]
LETTERS = ["Alpha", "Beta", "Gamma", "Delta"]
VERSION = "f" * 64
MOVIES: dict[int, dict[str, Any]] = {
    n: {
        "movie_id": n,
        "title": f"Movie {n} {LETTERS[n % 4]}",
        "year": 1980 + n,
        "genres": [GENRES[n % 6], GENRES[(n + 1) % 6]],
        "num_ratings": 2 if n == 40 else 400 - 10 * n + 10,
    }
    for n in range(1, 41)
}


class Refusal(Exception):  # noqa: N818
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass
class FakeService:
    url: str = ""
    away: bool = False
    slow_s: float = 0.0
    refuse: str = ""
    """A route that is answered with 422 and a sentence."""
    last_result: dict[str, Any] | None = None
    """An error in place of the last list of /recommend_batch."""
    name: str = "tiny"
    scale: list[float] = field(default_factory=lambda: [n / 2 for n in range(1, 11)])
    is_bare: bool = False
    """A catalog of text ids ("m/001"), without ratings, genres, years and titles."""
    requests: list[tuple[str, Any]] = field(default_factory=list)
    """(route, body), oldest first."""
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def history(self, user_id: Any) -> list[dict[str, Any]]:
        """Return the items of /users/history."""
        state: dict[int, dict[str, Any]] = {}
        for event in sorted(self.events.values(), key=lambda event: event["at"]):
            if str(event["user_id"]) != str(user_id):
                continue
            state.pop(event["movie_id"], None)
            marks: dict[str, dict[str, Any]] = {
                "rating": {"stars": event.get("stars")},
                "not_interested": {"not_interested": True},
                "watch": {"watched": event.get("watched", 1.0)},
            }
            if event["kind"] in marks:
                entry = MOVIES[event["movie_id"]] | marks[event["kind"]] | {"at": event["at"]}
                state[event["movie_id"]] = entry
        return list(state.values())

    def post_recommend(self, body: dict[str, Any]) -> dict[str, Any]:
        history = self.history(body.get("user_id")) if body.get("user_id") else []
        liked = [entry for entry in history if entry.get("stars", 0) >= 4]
        wanted = {genre for entry in liked for genre in entry["genres"]}
        wanted |= set(body.get("genre_profile") or {})
        excluded_ids = set(body.get("exclude_ids") or ())
        if body.get("exclude_seen", True):
            excluded_ids |= {entry["movie_id"] for entry in history}
        included_ids = body.get("include_ids")
        movies = [
            movie
            for movie in matching(body.get("filters"))
            if movie["movie_id"] not in excluded_ids
            and (included_ids is None or movie["movie_id"] in included_ids)
        ]
        movies.sort(key=lambda movie: (-len(wanted & set(movie["genres"])), -movie["num_ratings"]))
        start, k = body.get("offset", 0), body.get("k", 10)
        items = [scored(movie) for movie in movies[start : start + k]]
        for item in items if body.get("explain") else ():
            shared = [entry for entry in liked if set(entry["genres"]) & set(item["genres"])]
            item["because"] = [
                {"movie_id": entry["movie_id"], "title": entry["title"], "effect": 0.5}
                for entry in shared[:3]
            ]
        strategy = "history" if history else "content" if body.get("genre_profile") else "popular"
        return answer(items, strategy) | LAST_PAGE

    def post_recommend_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        results = [self.post_recommend(query) for query in body["requests"]]
        return {"results": [*results[:-1], self.last_result or results[-1]]}

    def post_predict(self, body: dict[str, Any]) -> dict[str, Any]:
        unknown_ids = [n for n in body["movie_ids"] if n not in MOVIES]
        known = answer([scored(MOVIES[n]) for n in body["movie_ids"] if n in MOVIES], "history")
        return known | ({"unknown_ids": unknown_ids} if unknown_ids else {})

    def post_rerank(self, body: dict[str, Any]) -> dict[str, Any]:
        query = {"include_ids": body["movie_ids"], "exclude_seen": False, "k": 100}
        ranked = self.post_recommend({"user_id": body.get("user_id")} | query)
        return answer(ranked["items"], ranked["strategy"])

    def post_similar(self, body: dict[str, Any]) -> dict[str, Any]:
        movie_id = body["movie_id"]
        if movie_id not in MOVIES:
            raise Refusal(404, "unknown_movie", f"movie {movie_id}: not in the catalog")
        own = set(MOVIES[movie_id]["genres"])
        movies = [f | {"score": 0.5} for f in MOVIES.values() if own & set(f["genres"])]
        movies = [movie for movie in movies if movie["movie_id"] != movie_id]
        return {"items": movies[: body.get("k", 10)], "model_version": VERSION} | LAST_PAGE

    def post_charts(self, body: dict[str, Any]) -> dict[str, Any]:
        if self.is_bare and body["kind"] != "popular":
            raise Refusal(422, "invalid", f"kind: {body['kind']}, expected popular")
        movies = matching(body.get("filters"))
        if body["kind"] == "new":
            movies.reverse()
        if body["kind"] == "hidden_gems":
            movies = movies[20:30]
        movies = movies[: min(body.get("k", 10), 30)]
        items = [scored(movie) for movie in movies]
        return {"items": items, "kind": body["kind"], "model_version": VERSION} | LAST_PAGE

    def post_rate_next(self, body: dict[str, Any]) -> dict[str, Any]:
        rated_ids = {event["movie_id"] for event in self.events.values()}
        why = {"seen_probability": 0.25, "information": 0.5, "scarcity": 0.1}
        movies = [f for n, f in reversed(MOVIES.items()) if n not in rated_ids][: body.get("k", 10)]
        items = [movie | {"stars": STARS, "why": why} for movie in movies]
        return answer(items, "history")

    def post_events(self, body: dict[str, Any]) -> dict[str, Any]:
        accepted, duplicates, rejected = 0, 0, []
        for index, event in enumerate(body["events"]):
            if event["movie_id"] not in MOVIES:
                message = f"movie {event['movie_id']} is unknown"
                fault = {"code": "unknown_movie", "message": message}
                rejected.append({"index": index, "event_id": event["event_id"]} | fault)
            elif event["event_id"] in self.events:
                duplicates += 1
            else:
                accepted += 1
                at = datetime.now(UTC).isoformat()
                self.events[event["event_id"]] = {"at": at} | event
        return {"accepted": accepted, "duplicates": duplicates, "rejected": rejected}

    def get(self, path: str, query: dict[str, list[str]]) -> dict[str, Any]:
        if path == "/model":
            data = {"name": self.name, "num_items": 40, "num_users": 7, "num_ratings": 900}
            metrics = {"val/ndcg@10": 0.125}
            card = {"model_version": VERSION, "name": self.name, "metrics": metrics, "data": data}
            if self.is_bare:
                return card | {"id_type": "text", "scale": None, "charts": ["popular"]}
            return card | {"id_type": "int", "scale": self.scale}
        if path == "/movies/search":
            words = query["q"][0].lower().split()
            hits = [f for f in MOVIES.values() if all(w in f["title"].lower() for w in words)]
            hits.sort(key=lambda movie: movie["title"].lower() != " ".join(words))
            return {"items": hits[: int(query["k"][0])], "model_version": VERSION} | LAST_PAGE
        raise Refusal(404, "not_found", f"{path} is no path of this service")

    def post_users_history(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"user_id": body["user_id"], "items": self.history(body["user_id"])}

    def post_users_erase(self, body: dict[str, Any]) -> dict[str, Any]:
        keys = [key for key, event in self.events.items() if event["user_id"] == body["user_id"]]
        for key in keys:
            del self.events[key]
        return {"deleted": len(keys), "receipt": "Deleted at once."}


ID_KEYS = ("movie_id", "movie_ids", "include_ids", "exclude_ids", "unknown_ids")


def bare(value: Any) -> Any:
    """Return an answer as a catalog of text ids without ratings and attributes has it."""
    if isinstance(value, list):
        return [bare(part) for part in value]
    if not isinstance(value, dict):
        return value
    content = {name: bare(part) for name, part in value.items() if name != "stars"}
    content.pop("information", None)
    for name in ID_KEYS:
        if isinstance(content.get(name), int):
            content[name] = f"m/{content[name]:03}"
    if "title" in content:
        content["title"] = content["movie_id"]
        content |= {"year": None, "genres": []} if "genres" in content else {}
    return content


def numbered(value: Any) -> Any:
    """Return a request with the numbers of text ids; 0 for an unknown one."""
    if isinstance(value, list):
        return [numbered(part) for part in value]
    if not isinstance(value, dict):
        return value
    content = {name: numbered(part) for name, part in value.items()}
    for name in ID_KEYS:
        if isinstance(content.get(name), str):
            content[name] = number_of(content[name])
        elif isinstance(content.get(name), list):
            content[name] = [number_of(part) for part in content[name]]
    return content


def number_of(movie_id: str) -> int:
    return int(movie_id[2:]) if re.fullmatch(r"m/[0-9]{3}", movie_id) else 0


LAST_PAGE = {"next_offset": None}
STARS = {"expected": 4.1, "low": 2.5, "high": 5.0, "p_like": 0.75}
READS: dict[str, Any] = {
    "model": responses.ModelCard,
    "movies": responses.SearchResponse,
}


def scored(movie: dict[str, Any]) -> dict[str, Any]:
    return movie | {"score": 1.0, "stars": STARS}


def answer(items: list[dict[str, Any]], strategy: str) -> dict[str, Any]:
    return {"items": items, "strategy": strategy, "model_version": VERSION}


def matching(filters: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the movies that pass the filters, best known first."""
    limits = filters or {}
    genres = set(limits.get("genres") or GENRES)
    first, last = limits.get("year_min") or 0, limits.get("year_max") or 9999
    return [
        movie
        for movie in MOVIES.values()
        if genres & set(movie["genres"]) and first <= movie["year"] <= last
    ]


@contextmanager
def fake_service() -> Iterator[FakeService]:
    fake = FakeService()
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


def _handler(fake: FakeService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(lambda: self._posted(body))

        def do_GET(self) -> None:
            self._answer(self._read)

        def _posted(self, body: bytes) -> Any:
            request_type, response_type = POST_ENDPOINTS[self.path]
            try:
                request_type.model_validate_json(body)
            except ValidationError as error:
                raise Refusal(422, "invalid", str(error)) from error
            request = json.loads(body)
            fake.requests.append((self.path, request))
            post = getattr(fake, f"post_{self.path[1:].replace('/', '_')}")
            response = bare(post(numbered(request))) if fake.is_bare else post(request)
            TypeAdapter(response_type).validate_python(response)
            return response

        def _read(self) -> Any:
            url = urlparse(self.path)
            response = fake.get(url.path, parse_qs(url.query))
            response = bare(response) if fake.is_bare else response
            TypeAdapter(READS[url.path.split("/")[1]]).validate_python(response)
            return response

        def _answer(self, make: Any) -> None:
            status = 200
            try:
                time.sleep(fake.slow_s)
                if fake.away:
                    raise Refusal(503, "unavailable", "the service is not ready")
                if fake.refuse and self.path.startswith(fake.refuse):
                    raise Refusal(422, "invalid", "the fake refuses this")
                content = make()
            except Refusal as error:
                status = error.status
                content = {"error": {"code": error.code, "message": str(error)}}
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
