"""What each method of the clients sends: a Call, which knows what it is answered with.

    similar(50, {"k": 3})    # Call[Similar]: POST /similar {"movie_ids": [50], "k": 3}

Every call may be sent twice: the POSTs but one read, events carry ids by which the service knows
them again, and what is deleted stays deleted.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote
from uuid import uuid4

import httpx

from marquee_client.types import (
    Accepted,
    Chart,
    Charts,
    Deleted,
    Event,
    History,
    Kind,
    ListRequest,
    Movie,
    Movies,
    Person,
    Ranking,
    RateNext,
    RateNextRequest,
    Recommendation,
    Recommendations,
    RecommendRequest,
    Similar,
    UserId,
)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request, and by its type the answer to it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """The request to send, as often as needed: its X-Request-ID names it in the logs."""
        headers = {"X-Request-ID": str(uuid4())}
        content = None
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(self.body, default=_plain, allow_nan=False).encode()
        return http.build_request(
            self.method, self.path, content=content, params=self.query, headers=headers
        )


def recommend(asked: RecommendRequest) -> Call[Recommendation]:
    return Call("POST", "/recommend", asked)


def recommend_batch(requests: Sequence[RecommendRequest]) -> Call[Recommendations]:
    return Call("POST", "/recommend_batch", {"requests": requests})


def predict(movie_ids: Iterable[int], person: Person) -> Call[Ranking]:
    return Call("POST", "/predict", {"movie_ids": list(movie_ids), **person})


def rerank(movie_ids: Iterable[int], person: Person) -> Call[Ranking]:
    return Call("POST", "/rerank", {"movie_ids": list(movie_ids), **person})


def similar(movie_ids: int | Iterable[int], asked: ListRequest) -> Call[Similar]:
    several = list(movie_ids) if isinstance(movie_ids, Iterable) else [movie_ids]
    return Call("POST", "/similar", {"movie_ids": several, **asked})


def charts(kind: Chart, asked: ListRequest) -> Call[Charts]:
    return Call("POST", "/charts", {"kind": kind, **asked})


def rate_next(asked: RateNextRequest) -> Call[RateNext]:
    return Call("POST", "/rate_next", asked)


def send_events(events: Iterable[Event]) -> Call[Accepted]:
    now = datetime.now(UTC)
    filled = [{"event_id": str(uuid4()), "at": now} | dict(event) for event in events]
    return Call("POST", "/events", {"events": filled})


def event(kind: Kind, user_id: UserId, movie_id: int, **told: float) -> Call[Accepted]:
    """One event of now; told: its stars or portion."""
    return send_events(
        [cast(Event, {"user_id": user_id, "movie_id": movie_id, "kind": kind} | told)]
    )


def search(title: str, k: int) -> Call[Movies]:
    return Call("GET", "/movies/search", query={"q": title, "k": k})


def movie(movie_id: int) -> Call[Movie]:
    return Call("GET", f"/movies/{movie_id}")


def history(user_id: UserId) -> Call[History]:
    return Call("GET", f"/users/{_in_path(user_id)}/history")


def forget(user_id: UserId) -> Call[Deleted]:
    return Call("DELETE", f"/users/{_in_path(user_id)}")


def model() -> Call[dict[str, Any]]:
    return Call("GET", "/model")


def ready() -> Call[None]:
    return Call("GET", "/readyz")


def _in_path(user_id: UserId) -> str:
    return quote(str(user_id), safe="").replace(".", "%2E")  # ".." would be the folder above


def _plain(value: Any) -> Any:
    """What json does not know: a time, or a number of numpy (a movie id out of a table)."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r} cannot be sent as JSON")
