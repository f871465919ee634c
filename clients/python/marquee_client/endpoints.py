"""The endpoints of the service: each is one method, which both clients have.

A method builds a Call; the client sends it. Every call may be sent twice: the POSTs but one only
read, events carry ids by which the service recognizes them, and a deletion stays a deletion.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import update_wrapper
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, Unpack, overload
from uuid import uuid4

import httpx

from marquee_client import types
from marquee_client.ids import id_of, is_list, with_ids
from marquee_client.outcomes import raise_if_rejected
from marquee_client.requests import (
    CatalogMovie,
    ChartKind,
    CommonListRequest,
    Event,
    EventKind,
    RateNextRequest,
    RecommendRequest,
    RerankUser,
    UserId,
    UserRequest,
)
from marquee_client.types import MovieId

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
    final_code: str | None = None  # of an error that the same request would meet again

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return the request for all its tries; its X-Request-ID names it in the logs."""
        headers = {"X-Request-ID": str(uuid4())}
        content = None
        if self.body is not None:
            headers["Content-Type"] = "application/json"
            # NaN is sent as it is: the service refuses it, and says where it stands.
            content = json.dumps(with_ids(self.body), default=_to_json).encode()
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
    def predict(
        self, movie_ids: Iterable[MovieId], **user: Unpack[UserRequest]
    ) -> Call[types.PredictResponse]:
        """Predict the score and stars of movies, in their order."""
        return Call("POST", "/predict", {"movie_ids": movie_ids, **user})

    @endpoint
    def rerank(
        self, movie_ids: Iterable[MovieId], **user: Unpack[RerankUser]
    ) -> Call[types.PredictResponse]:
        """Sort movies, best first; those that the viewer may not see now are left out."""
        return Call("POST", "/rerank", {"movie_ids": movie_ids, **user})

    @endpoint
    def similar(
        self, movie_ids: MovieId | Iterable[MovieId], **request: Unpack[CommonListRequest]
    ) -> Call[types.SimilarResponse]:
        """Return a page of the movies nearest to one, or to several together.

        Raises UnknownMovie for one that the catalog does not hold; of several it is skipped.
        """
        name = "movie_ids" if is_list(movie_ids) else "movie_id"
        return Call("POST", "/similar", {name: movie_ids, **request})

    @endpoint
    def charts(
        self, kind: ChartKind = "popular", **request: Unpack[CommonListRequest]
    ) -> Call[types.ChartsResponse]:
        """Return a page of a list in one order for all users."""
        return Call("POST", "/charts", {"kind": kind, **request})

    @endpoint
    def rate_next(self, **request: Unpack[RateNextRequest]) -> Call[types.RateNextResponse]:
        """Return the k movies whose rating would tell most, and the reasons."""
        return Call("POST", "/rate_next", request)

    @endpoint
    def send_events(self, events: Iterable[Event]) -> Call[types.EventsReceipt]:
        """Store events, each by itself; return the rejected ones, and raise for none.

        `rejected` names each by its `index` in `events`, with code and message. An event without
        `event_id` gets one; without `at`, it is of the moment at which the service gets it. Raises
        MarqueeError where none of the values is an event (code "invalid"), and where every event_id
        is stored with other content ("conflict").
        """
        return Call("POST", "/events", _complete(events))

    @endpoint
    def rate(self, user_id: UserId, movie_id: MovieId, stars: float) -> Call[None]:
        """Store a rating, which replaces an earlier one; raise if it is rejected."""
        return _event("rating", user_id, movie_id, stars=stars)

    @endpoint
    def unrate(self, user_id: UserId, movie_id: MovieId) -> Call[None]:
        """Take a rating back."""
        return _event("unrate", user_id, movie_id)

    @endpoint
    def watched(self, user_id: UserId, movie_id: MovieId, watched: float = 1.0) -> Call[None]:
        """Store that this share of the movie (0 to 1) was watched."""
        return _event("watch", user_id, movie_id, watched=watched)

    @endpoint
    def not_interested(self, user_id: UserId, movie_id: MovieId) -> Call[None]:
        """Never recommend this movie to this user again."""
        return _event("not_interested", user_id, movie_id)

    @endpoint
    def not_seen(self, user_id: UserId, movie_id: MovieId) -> Call[None]:
        """Store that a movie of rate_next is not seen: it is not asked about again."""
        return _event("not_seen", user_id, movie_id)

    @endpoint
    def search(
        self,
        title: str,
        k: int = 10,
        offset: int = 0,
        country: str | None = None,
        max_age: int | None = None,
    ) -> Call[types.SearchResponse]:
        """Return movies whose title is like this one, as users type it, best first.

        country, max_age: of the viewer; titles that they may not see are left out.
        """
        query: dict[str, Any] = {"q": title, "k": k, "offset": offset}
        viewer = {"country": country, "max_age": max_age}
        query |= {name: value for name, value in viewer.items() if value is not None}
        return Call("GET", "/movies/search", query=query)

    @endpoint
    def movie(self, movie_id: MovieId) -> Call[types.CatalogMovie]:
        """Return one movie, with all that the catalog has of it; raises UnknownMovie."""
        return Call("POST", "/movies/get", {"movie_id": movie_id})

    @endpoint
    def movies(self, cursor: str | None = None, limit: int = 100) -> Call[types.MoviesPage]:
        """Return a page of the catalog, by id; `next_cursor` is None on the last one."""
        query = {"limit": limit} | ({} if cursor is None else {"cursor": cursor})
        return Call("GET", "/movies", query=query)

    @endpoint
    def put_movies(self, movies: Iterable[CatalogMovie]) -> Call[types.MoviesReceipt]:
        """Add or change at most 1,000 titles of the catalog; return the rejected ones.

        What is acknowledged counts in the next list. Needs a key with the scope "catalog".
        """
        return Call("PUT", "/movies", {"movies": movies})

    @endpoint
    def delete_movie(self, movie_id: MovieId) -> Call[types.DeleteResponse]:
        """Delete a title: no list holds it again; raises UnknownMovie."""
        return Call("POST", "/movies/delete", {"movie_id": movie_id})

    @endpoint
    def rules(self) -> Call[types.RulesResponse]:
        """Return all rules, in the order in which they win."""
        return Call("GET", "/rules")

    @endpoint
    def put_rule(self, name: str, rule: Mapping[str, Any]) -> Call[types.RuleReceipt]:
        """Store a rule, {"where": …, "action": …}; every list keeps it from then on.

        Return its conflicts as `warnings`. Needs a key with the scope "rules".
        """
        return Call("PUT", f"/rules/{name}", rule)

    @endpoint
    def delete_rule(self, name: str) -> Call[types.DeleteResponse]:
        """Delete a rule, if there is one."""
        return Call("DELETE", f"/rules/{name}")

    @endpoint
    def preview_rule(self, rule: Mapping[str, Any]) -> Call[types.RulePreview]:
        """Return how many of a sample of lists a rule would change, and three of them.

        rule: as for `put_rule`; `name` of one that it replaces, `viewer` and `surface` of the
        lists, and `num_lists`.
        """
        return Call("POST", "/rules/preview", rule)

    @endpoint
    def history(self, user_id: UserId) -> Call[types.HistoryResponse]:
        """Return the stored history of a user, oldest first; empty for an unknown user."""
        return Call("POST", "/users/history", {"user_id": id_of("user_id", user_id)})

    @endpoint
    def export(self, user_id: UserId) -> Call[types.ExportResponse]:
        """Return every row that is stored of a user, imported ratings and clicks included."""
        return Call("POST", "/users/export", {"user_id": id_of("user_id", user_id)})

    @endpoint
    def personalize(self, user_id: UserId, personalized: bool) -> Call[types.UserSettingsResponse]:
        """Store whether lists use the history of a user; it counts in the next list."""
        body = {"user_id": id_of("user_id", user_id), "personalized": personalized}
        return Call("POST", "/users/settings", body)

    @endpoint
    def forget(self, user_id: UserId) -> Call[types.EraseResponse]:
        """Delete every row of a user; `deleted` counts those of the last try."""
        return Call("POST", "/users/erase", {"user_id": id_of("user_id", user_id)})

    @endpoint
    def model(self) -> Call[dict[str, Any]]:
        """Return the model card, with `model_version`."""
        return Call("GET", "/model")


def _event(kind: EventKind, user_id: UserId, movie_id: MovieId, **values: float) -> Call[None]:
    ids = {"user_id": id_of("user_id", user_id), "movie_id": id_of("movie_id", movie_id)}
    event = {**ids, "kind": kind, **values}
    return Call("POST", "/events", _complete([event]), convert=raise_if_rejected)


def _complete(events: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Name each event once, for all tries of the call; its time is that of the service's clock."""
    if isinstance(events, Mapping):
        raise ValueError("events: a single event, expected a list of them; put it in brackets")
    named = [
        {"event_id": str(uuid4())} | dict(event) if isinstance(event, Mapping) else event
        for event in events  # the service rejects one that is none, and stores the others
    ]
    return {"events": named}


def _to_json(value: Any) -> Any:
    """Return a time, or a number or an array of numpy, as json takes it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r}: cannot be sent as JSON, expected text, a number or a time")
