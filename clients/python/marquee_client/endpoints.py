"""The endpoints of the service: each is one method, which both clients have.

A method builds a Call; the client sends it. Every call may be sent twice: the POSTs but one only
read, events carry ids by which the service recognizes them, and a deletion stays a deletion.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload
from urllib.parse import quote
from uuid import uuid4

import httpx

from marquee_client import types
from marquee_client.outcomes import raise_if_rejected
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

Params = ParamSpec("Params")
Result = TypeVar("Result")


def unchanged(content: Any) -> Any:
    return content


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One request, and by its type the result of it."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    convert: Callable[[Any], Any] = unchanged  # makes the result of the response's JSON

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


class SyncSender:
    """A client that waits for the result of a call."""


class AsyncSender:
    """A client whose results are awaited."""


class endpoint(Generic[Params, Result]):  # noqa: N801
    """Turn a method that builds a Call into one that sends it and has its result."""

    def __init__(self, build: Callable[Concatenate[Any, Params], Call[Result]]) -> None:
        self._build = build

    @overload
    def __get__(self, client: SyncSender, owner: type) -> Callable[Params, Result]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[Params, Awaitable[Result]]: ...
    @overload
    def __get__(self, client: None, owner: type) -> Callable[..., Call[Result]]: ...
    def __get__(self, client: Any, owner: type) -> Callable[..., Any]:
        if client is None:
            return self._build
        build = MethodType(self._build, client)

        def send(*args: Params.args, **kwargs: Params.kwargs) -> Any:
            return client._call(build(*args, **kwargs))

        return update_wrapper(send, build)


class Endpoints:
    """The methods that both clients have."""

    @endpoint
    def recommend(self, **request: Unpack[RecommendRequest]) -> Call[types.RecommendResponse]:
        """Recommend the k best movies for a user, known by user_id, by a history, or both."""
        return Call("POST", "/recommend", request)

    @endpoint
    def recommend_batch(self, requests: Sequence[RecommendRequest]) -> Call[types.BatchResponse]:
        """Recommend for many users, in order; an error takes the place of its list."""
        return Call("POST", "/recommend_batch", {"requests": requests})

    @endpoint
    def predict(
        self, movie_ids: Iterable[int], **user: Unpack[UserRequest]
    ) -> Call[types.PredictResponse]:
        """Predict the score and stars of movies, in their order."""
        return Call("POST", "/predict", {"movie_ids": list(movie_ids), **user})

    @endpoint
    def rerank(
        self, movie_ids: Iterable[int], **user: Unpack[UserRequest]
    ) -> Call[types.PredictResponse]:
        """Sort movies, best first."""
        return Call("POST", "/rerank", {"movie_ids": list(movie_ids), **user})

    @endpoint
    def similar(
        self, movie_ids: int | Iterable[int], **request: Unpack[ListRequest]
    ) -> Call[types.SimilarResponse]:
        """Return the k movies nearest to one, or to several together."""
        ids = list(movie_ids) if isinstance(movie_ids, Iterable) else [movie_ids]
        return Call("POST", "/similar", {"movie_ids": ids, **request})

    @endpoint
    def charts(
        self, kind: ChartKind = "popular", **request: Unpack[ListRequest]
    ) -> Call[types.ChartsResponse]:
        """Return a list that is the same for all users."""
        return Call("POST", "/charts", {"kind": kind, **request})

    @endpoint
    def rate_next(self, **request: Unpack[RateNextRequest]) -> Call[types.RateNextResponse]:
        """Return the k movies whose rating would tell most, and the reasons."""
        return Call("POST", "/rate_next", request)

    @endpoint
    def send_events(self, events: Iterable[Event]) -> Call[types.EventsReceipt]:
        """Store events. Those that the service rejects are in the answer, not raised.

        An event without `event_id` gets one, and one without `at` is of now. Raises MarqueeError
        with code "conflict" for an event_id that exists with other content: nothing is stored.
        """
        return Call("POST", "/events", _complete(events))

    @endpoint
    def rate(self, user_id: UserId, movie_id: int, stars: float) -> Call[None]:
        """Store a rating of now, which replaces an earlier one; raise if it is rejected."""
        return _event("rating", user_id, movie_id, stars=stars)

    @endpoint
    def unrate(self, user_id: UserId, movie_id: int) -> Call[None]:
        """Take a rating back."""
        return _event("unrate", user_id, movie_id)

    @endpoint
    def watched(self, user_id: UserId, movie_id: int, watched: float = 1.0) -> Call[None]:
        """Store that this share of the movie (0 to 1) was watched."""
        return _event("watch", user_id, movie_id, watched=watched)

    @endpoint
    def not_interested(self, user_id: UserId, movie_id: int) -> Call[None]:
        """Never recommend this movie to this user again."""
        return _event("not_interested", user_id, movie_id)

    @endpoint
    def not_seen(self, user_id: UserId, movie_id: int) -> Call[None]:
        """Store that a movie of rate_next is not seen: it is not asked about again."""
        return _event("not_seen", user_id, movie_id)

    @endpoint
    def search(self, title: str, k: int = 10) -> Call[types.SearchResponse]:
        """Return movies whose title is like this one, as users type it, best first."""
        return Call("GET", "/movies/search", query={"q": title, "k": k})

    @endpoint
    def movie(self, movie_id: int) -> Call[types.Movie]:
        """Return one movie; raises UnknownMovie."""
        return Call("GET", f"/movies/{movie_id}")

    @endpoint
    def history(self, user_id: UserId) -> Call[types.HistoryResponse]:
        """Return the stored history of a user, oldest first; empty for an unknown user."""
        return Call("GET", f"{_user_path(user_id)}/history")

    @endpoint
    def forget(self, user_id: UserId) -> Call[types.DeleteResponse]:
        """Delete every row of a user; `deleted` counts those of the last try."""
        return Call("DELETE", _user_path(user_id))

    @endpoint
    def model(self) -> Call[dict[str, Any]]:
        """Return the model card, with `model_version`."""
        return Call("GET", "/model")


def _event(kind: EventKind, user_id: UserId, movie_id: int, **values: float) -> Call[None]:
    event = {"user_id": user_id, "movie_id": movie_id, "kind": kind, **values}
    return Call("POST", "/events", _complete([event]), convert=raise_if_rejected)


def _complete(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"events": [{"event_id": str(uuid4()), "at": now} | dict(event) for event in events]}


def _user_path(user_id: UserId) -> str:
    return "/users/" + quote(str(user_id), safe="").replace(".", "%2E")  # ".." would go up


def _to_json(value: Any) -> Any:
    """Return a time, or a number of numpy, as json takes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{value!r}: cannot be sent as JSON, expected text, a number or a time")
