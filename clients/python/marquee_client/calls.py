"""The requests of both clients: each function returns a Call, typed by its response.

    similar(50, {"k": 3})    # Call[SimilarResponse]: POST /similar {"movie_ids": [50], "k": 3}

Every call may be sent twice. The POSTs but one only read, events carry ids by which the service
recognizes them, and a deletion stays a deletion.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from marquee_client.requests import (
    ChartKind,
    Event,
    EventKind,
    ListRequest,
    RateNextRequest,
    RecommendRequest,
    UserId,
    UserRequest,
)
from marquee_client.types import (
    BatchResponse,
    ChartsResponse,
    DeleteResponse,
    EventsReceipt,
    HistoryResponse,
    Movie,
    PredictResponse,
    RateNextResponse,
    RecommendResponse,
    SearchResponse,
    SimilarResponse,
)

Response = TypeVar("Response")


@dataclass(frozen=True)
class Call(Generic[Response]):
    """One request, and by its type the response to it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return the request for all its tries; its X-Request-ID names it in the logs."""
        headers = {"X-Request-ID": str(uuid4())}
        content = None
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(self.body, default=_to_json, allow_nan=False).encode()
        return http.build_request(
            self.method, self.path, content=content, params=self.query, headers=headers
        )


def recommend(request: RecommendRequest) -> Call[RecommendResponse]:
    """Build the call POST /recommend."""
    return Call("POST", "/recommend", request)


def recommend_batch(requests: Sequence[RecommendRequest]) -> Call[BatchResponse]:
    """Build the call POST /recommend_batch."""
    return Call("POST", "/recommend_batch", {"requests": requests})


def predict(movie_ids: Iterable[int], user: UserRequest) -> Call[PredictResponse]:
    """Build the call POST /predict."""
    return Call("POST", "/predict", {"movie_ids": list(movie_ids), **user})


def rerank(movie_ids: Iterable[int], user: UserRequest) -> Call[PredictResponse]:
    """Build the call POST /rerank."""
    return Call("POST", "/rerank", {"movie_ids": list(movie_ids), **user})


def similar(movie_ids: int | Iterable[int], request: ListRequest) -> Call[SimilarResponse]:
    """Build the call POST /similar, for one movie or several."""
    ids = list(movie_ids) if isinstance(movie_ids, Iterable) else [movie_ids]
    return Call("POST", "/similar", {"movie_ids": ids, **request})


def charts(kind: ChartKind, request: ListRequest) -> Call[ChartsResponse]:
    """Build the call POST /charts."""
    return Call("POST", "/charts", {"kind": kind, **request})


def rate_next(request: RateNextRequest) -> Call[RateNextResponse]:
    """Build the call POST /rate_next."""
    return Call("POST", "/rate_next", request)


def send_events(events: Iterable[Event]) -> Call[EventsReceipt]:
    """Build the call POST /events.

    It fills in an absent event_id, and an absent time with now.
    """
    now = datetime.now(UTC)
    complete = [{"event_id": str(uuid4()), "at": now} | dict(event) for event in events]
    return Call("POST", "/events", {"events": complete})


def event(
    kind: EventKind,
    user_id: UserId,
    movie_id: int,
    *,
    stars: float | None = None,
    watched: float | None = None,
) -> Call[EventsReceipt]:
    """Build the call POST /events with one event of now.

    stars: of a "rating". watched: share 0..1 of a "watch".
    """
    content: Event = {"user_id": user_id, "movie_id": movie_id, "kind": kind}
    if stars is not None:
        content["stars"] = stars
    if watched is not None:
        content["watched"] = watched
    return send_events([content])


def search(title: str, k: int) -> Call[SearchResponse]:
    """Build the call GET /movies/search."""
    return Call("GET", "/movies/search", query={"q": title, "k": k})


def movie(movie_id: int) -> Call[Movie]:
    """Build the call GET /movies/{movie_id}."""
    return Call("GET", f"/movies/{movie_id}")


def history(user_id: UserId) -> Call[HistoryResponse]:
    """Build the call GET /users/{user_id}/history."""
    return Call("GET", f"/users/{_in_path(user_id)}/history")


def forget(user_id: UserId) -> Call[DeleteResponse]:
    """Build the call DELETE /users/{user_id}."""
    return Call("DELETE", f"/users/{_in_path(user_id)}")


def model() -> Call[dict[str, Any]]:
    """Build the call GET /model."""
    return Call("GET", "/model")


def ready() -> Call[None]:
    """Build the call GET /readyz."""
    return Call("GET", "/readyz")


def _in_path(user_id: UserId) -> str:
    return quote(str(user_id), safe="").replace(".", "%2E")  # ".." would be the folder above


def _to_json(value: Any) -> Any:
    """Return a time, or a number of numpy (a movie id out of a table), as json takes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r}: cannot be sent as JSON, expected text, a number or a time")
