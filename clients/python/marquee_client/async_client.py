"""The same client for asyncio: each method as Marquee's, awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
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


class AsyncMarquee:
    """A connection to one service, for asyncio.

    Arguments, methods and errors are Marquee's.

        async with AsyncMarquee("https://movies.example.org", key="…") as marquee:
            await marquee.recommend(user_id="ana", k=3)
            async for page in marquee.recommend_pages(user_id="ana"):
                ...

    A task that is cancelled stops at once, also while it waits for its next try.
    """

    def __init__(
        self,
        url: str = URL,
        key: str | None = None,
        *,
        timeout_s: float = TIMEOUT_S,
        retries: Retries = RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Open a connection; the arguments are Marquee's."""
        self._http = httpx.AsyncClient(transport=transport, **http_options(url, key, timeout_s))
        self._retries = retries
        self._sleep, self._clock = asyncio.sleep, time.monotonic

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def recommend(self, **request: Unpack[RecommendRequest]) -> RecommendResponse:
        """Recommend the k best movies for a user."""
        return await self._call(calls.recommend(request))

    async def recommend_pages(
        self, **request: Unpack[RecommendRequest]
    ) -> AsyncIterator[RecommendResponse]:
        """Yield one page of k after another until the last."""
        while True:
            page = await self.recommend(**request)
            yield page
            if page["next_offset"] is None:
                return
            request["offset"] = page["next_offset"]

    async def recommend_batch(self, requests: Sequence[RecommendRequest]) -> BatchResponse:
        """Recommend for many users at once."""
        return await self._call(calls.recommend_batch(requests))

    async def predict(
        self, movie_ids: Iterable[int], **user: Unpack[UserRequest]
    ) -> PredictResponse:
        """Predict the score and stars of movies, in their order."""
        return await self._call(calls.predict(movie_ids, user))

    async def rerank(
        self, movie_ids: Iterable[int], **user: Unpack[UserRequest]
    ) -> PredictResponse:
        """Sort movies, best first."""
        return await self._call(calls.rerank(movie_ids, user))

    async def similar(
        self, movie_ids: int | Iterable[int], **request: Unpack[ListRequest]
    ) -> SimilarResponse:
        """Return the k movies nearest to one, or to several together."""
        return await self._call(calls.similar(movie_ids, request))

    async def charts(
        self, kind: ChartKind = "popular", **request: Unpack[ListRequest]
    ) -> ChartsResponse:
        """Return a list that is the same for all users."""
        return await self._call(calls.charts(kind, request))

    async def rate_next(self, **request: Unpack[RateNextRequest]) -> RateNextResponse:
        """Return the k movies whose rating would tell most, and the reasons."""
        return await self._call(calls.rate_next(request))

    async def send_events(self, events: Iterable[Event]) -> EventsReceipt:
        """Store events. Those that the service rejects are in the answer, not raised."""
        return await self._call(calls.send_events(events))

    async def rate(self, user_id: UserId, movie_id: int, stars: float) -> None:
        """Store a rating of now, which replaces an earlier one.

        Raises an error if the service rejects it.
        """
        await self._store(calls.event("rating", user_id, movie_id, stars=stars))

    async def unrate(self, user_id: UserId, movie_id: int) -> None:
        """Take a rating back."""
        await self._store(calls.event("unrate", user_id, movie_id))

    async def watched(self, user_id: UserId, movie_id: int, watched: float = 1.0) -> None:
        """Store that this share of the movie (0 to 1) was watched."""
        await self._store(calls.event("watch", user_id, movie_id, watched=watched))

    async def not_interested(self, user_id: UserId, movie_id: int) -> None:
        """Never recommend this movie to this user again."""
        await self._store(calls.event("not_interested", user_id, movie_id))

    async def not_seen(self, user_id: UserId, movie_id: int) -> None:
        """Store that a movie of rate_next is not seen: it is not asked about again."""
        await self._store(calls.event("not_seen", user_id, movie_id))

    async def search(self, title: str, k: int = 10) -> SearchResponse:
        """Return movies whose title is like this one, as users type it, best first."""
        return await self._call(calls.search(title, k))

    async def movie(self, movie_id: int) -> Movie:
        """Return one movie; raises UnknownMovie."""
        return await self._call(calls.movie(movie_id))

    async def history(self, user_id: UserId) -> HistoryResponse:
        """Return the stored history of a user, oldest first; empty for an unknown user."""
        return await self._call(calls.history(user_id))

    async def forget(self, user_id: UserId) -> DeleteResponse:
        """Delete every row of a user."""
        return await self._call(calls.forget(user_id))

    async def model(self) -> dict[str, Any]:
        """Return the model card, with `model_version`."""
        return await self._call(calls.model())

    async def ready(self) -> bool:
        """Return whether the service answers at this moment: one try, no error."""
        outcome = await self._send(calls.ready().request(self._http))
        return isinstance(outcome, httpx.Response) and outcome.status_code == 200

    async def _store(self, event: Call[EventsReceipt]) -> None:
        raise_if_rejected(await self._call(event))

    async def _call(self, call: Call[Response]) -> Response:
        request = call.request(self._http)
        attempts = Attempts(self._retries, self._clock)
        while True:
            outcome = await self._send(request)
            pause_s = attempts.pause_s(outcome)
            if pause_s is None:
                response: Response = read_response(request, outcome, attempts.count)
                return response
            await self._sleep(pause_s)

    async def _send(self, request: httpx.Request) -> Outcome:
        try:
            return await self._http.send(request)
        except httpx.RequestError as error:
            return error
