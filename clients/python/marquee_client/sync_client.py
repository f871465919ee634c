"""The client that waits for each answer. Safe to share among threads, as httpx's is."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, Unpack

import httpx

from marquee_client import calls
from marquee_client.calls import Call, Response
from marquee_client.connection import TIMEOUT_S, URL, http_options
from marquee_client.errors import raise_if_rejected, read_response
from marquee_client.requests import (
    ChartKind,
    Event,
    ListRequest,
    RateNextRequest,
    RecommendRequest,
    UserId,
    UserRequest,
)
from marquee_client.retries import RETRIES, Attempts, Outcome, Retries
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


class Marquee:
    """A connection to one service.

        with Marquee("https://movies.example.org", key="…") as marquee:
            marquee.recommend(history=[{"movie_id": 50, "stars": 5.0}], k=3)["items"]

    Each method raises Unavailable where the service does not answer over the retries, and
    MarqueeError (or a subclass) for a request that the service refuses.
    """

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = RETRIES,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Open a connection; ValueError for an address or a key that cannot be one.

        Args:
            url: address of the service, with a path where a proxy adds one.
            key: one of the service's API_KEYS.
            timeout_s: limit for connecting, and for each silence while an answer is read; the
                service itself gives up after 4 s.
            retries: see Retries.
            transport: of httpx, for a proxy or certificates.
        """
        self._http = httpx.Client(transport=transport, **http_options(url, key, timeout_s))
        self._retries = retries
        self._sleep, self._clock = time.sleep, time.monotonic

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def recommend(self, **request: Unpack[RecommendRequest]) -> RecommendResponse:
        """Recommend the k best movies for a user.

        A user is known by user_id or by a history, or both.
        """
        return self._call(calls.recommend(request))

    def recommend_pages(self, **request: Unpack[RecommendRequest]) -> Iterator[RecommendResponse]:
        """Yield one page of k after another until the last.

        Each is requested when it is reached.

        A movie that is rated between two pages moves the later ones up by a place.
        """
        while True:
            page = self.recommend(**request)
            yield page
            if page["next_offset"] is None:
                return
            request["offset"] = page["next_offset"]

    def recommend_batch(self, requests: Sequence[RecommendRequest]) -> BatchResponse:
        """Recommend for many users at once: less work for the service than one by one.

        The results are in the order of the requests. One that cannot be answered has its error in
        its place.
        """
        return self._call(calls.recommend_batch(requests))

    def predict(self, movie_ids: Iterable[int], **user: Unpack[UserRequest]) -> PredictResponse:
        """Predict the score and stars of movies, in their order."""
        return self._call(calls.predict(movie_ids, user))

    def rerank(self, movie_ids: Iterable[int], **user: Unpack[UserRequest]) -> PredictResponse:
        """Sort movies, best first."""
        return self._call(calls.rerank(movie_ids, user))

    def similar(
        self, movie_ids: int | Iterable[int], **request: Unpack[ListRequest]
    ) -> SimilarResponse:
        """Return the k movies nearest to one, or to several together."""
        return self._call(calls.similar(movie_ids, request))

    def charts(self, kind: ChartKind = "popular", **request: Unpack[ListRequest]) -> ChartsResponse:
        """Return a list that is the same for all users."""
        return self._call(calls.charts(kind, request))

    def rate_next(self, **request: Unpack[RateNextRequest]) -> RateNextResponse:
        """Return the k movies whose rating would tell most, and the reasons."""
        return self._call(calls.rate_next(request))

    def send_events(self, events: Iterable[Event]) -> EventsReceipt:
        """Store events. Those that the service rejects are in the answer, not raised.

        An event without `event_id` gets one, so that a retry stores it once. Raises MarqueeError
        with code "conflict" for an event_id that exists with other content: nothing is stored.
        """
        return self._call(calls.send_events(events))

    def rate(self, user_id: UserId, movie_id: int, stars: float) -> None:
        """Store a rating of now, which replaces an earlier one.

        Raises an error if the service rejects it.
        """
        self._store(calls.event("rating", user_id, movie_id, stars=stars))

    def unrate(self, user_id: UserId, movie_id: int) -> None:
        """Take a rating back."""
        self._store(calls.event("unrate", user_id, movie_id))

    def watched(self, user_id: UserId, movie_id: int, watched: float = 1.0) -> None:
        """Store that this share of the movie (0 to 1) was watched."""
        self._store(calls.event("watch", user_id, movie_id, watched=watched))

    def not_interested(self, user_id: UserId, movie_id: int) -> None:
        """Never recommend this movie to this user again."""
        self._store(calls.event("not_interested", user_id, movie_id))

    def not_seen(self, user_id: UserId, movie_id: int) -> None:
        """Store that a movie of rate_next is not seen: it is not asked about again."""
        self._store(calls.event("not_seen", user_id, movie_id))

    def search(self, title: str, k: int = 10) -> SearchResponse:
        """Return movies whose title is like this one, as users type it, best first."""
        return self._call(calls.search(title, k))

    def movie(self, movie_id: int) -> Movie:
        """Return one movie; raises UnknownMovie."""
        return self._call(calls.movie(movie_id))

    def history(self, user_id: UserId) -> HistoryResponse:
        """Return the stored history of a user, oldest first; empty for an unknown user."""
        return self._call(calls.history(user_id))

    def forget(self, user_id: UserId) -> DeleteResponse:
        """Delete every row of a user.

        `deleted` counts the rows of the last try: 0 where the answer to an earlier one was lost.
        """
        return self._call(calls.forget(user_id))

    def model(self) -> dict[str, Any]:
        """Return the model card, with `model_version`."""
        return self._call(calls.model())

    def ready(self) -> bool:
        """Return whether the service answers at this moment: one try, no error."""
        outcome = self._send(calls.ready().request(self._http))
        return isinstance(outcome, httpx.Response) and outcome.status_code == 200

    def _store(self, event: Call[EventsReceipt]) -> None:
        raise_if_rejected(self._call(event))

    def _call(self, call: Call[Response]) -> Response:
        request = call.request(self._http)
        attempts = Attempts(self._retries, self._clock)
        while True:
            outcome = self._send(request)
            pause_s = attempts.pause_s(outcome)
            if pause_s is None:
                response: Response = read_response(request, outcome, attempts.count)
                return response
            self._sleep(pause_s)

    def _send(self, request: httpx.Request) -> Outcome:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error
