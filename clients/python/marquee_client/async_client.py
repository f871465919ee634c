"""The same client for asyncio: each method as Marquee's, awaited."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Self, Unpack

import httpx

from marquee_client import calls
from marquee_client.calls import Answer, Call
from marquee_client.connection import TIMEOUT_S, URL, settings
from marquee_client.errors import must_accept, read
from marquee_client.retries import RETRIES, Attempts, Outcome, Retries
from marquee_client.types import (
    Accepted,
    Chart,
    Charts,
    Deleted,
    Event,
    History,
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


class AsyncMarquee:
    """A connection to one service, for asyncio; arguments, methods and errors are Marquee's.

        async with AsyncMarquee("https://films.example.org", key="…") as marquee:
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
        self._http = httpx.AsyncClient(transport=transport, **settings(url, key, timeout_s))
        self._retries = retries
        self._sleep, self._clock = asyncio.sleep, time.monotonic

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def recommend(self, **asked: Unpack[RecommendRequest]) -> Recommendation:
        return await self._ask(calls.recommend(asked))

    async def recommend_pages(
        self, **asked: Unpack[RecommendRequest]
    ) -> AsyncIterator[Recommendation]:
        while True:
            page = await self.recommend(**asked)
            yield page
            if page["next_offset"] is None:
                return
            asked["offset"] = page["next_offset"]

    async def recommend_batch(self, requests: Sequence[RecommendRequest]) -> Recommendations:
        return await self._ask(calls.recommend_batch(requests))

    async def predict(self, movie_ids: Iterable[int], **person: Unpack[Person]) -> Ranking:
        return await self._ask(calls.predict(movie_ids, person))

    async def rerank(self, movie_ids: Iterable[int], **person: Unpack[Person]) -> Ranking:
        return await self._ask(calls.rerank(movie_ids, person))

    async def similar(
        self, movie_ids: int | Iterable[int], **asked: Unpack[ListRequest]
    ) -> Similar:
        return await self._ask(calls.similar(movie_ids, asked))

    async def charts(self, kind: Chart = "popular", **asked: Unpack[ListRequest]) -> Charts:
        return await self._ask(calls.charts(kind, asked))

    async def rate_next(self, **asked: Unpack[RateNextRequest]) -> RateNext:
        return await self._ask(calls.rate_next(asked))

    async def send_events(self, events: Iterable[Event]) -> Accepted:
        return await self._ask(calls.send_events(events))

    async def rate(self, user_id: UserId, movie_id: int, stars: float) -> None:
        await self._store(calls.event("rating", user_id, movie_id, stars=stars))

    async def unrate(self, user_id: UserId, movie_id: int) -> None:
        await self._store(calls.event("unrate", user_id, movie_id))

    async def watched(self, user_id: UserId, movie_id: int, portion: float = 1.0) -> None:
        await self._store(calls.event("watch", user_id, movie_id, portion=portion))

    async def not_interested(self, user_id: UserId, movie_id: int) -> None:
        await self._store(calls.event("not_interested", user_id, movie_id))

    async def not_seen(self, user_id: UserId, movie_id: int) -> None:
        await self._store(calls.event("not_seen", user_id, movie_id))

    async def search(self, title: str, k: int = 10) -> Movies:
        return await self._ask(calls.search(title, k))

    async def movie(self, movie_id: int) -> Movie:
        return await self._ask(calls.movie(movie_id))

    async def history(self, user_id: UserId) -> History:
        return await self._ask(calls.history(user_id))

    async def forget(self, user_id: UserId) -> Deleted:
        return await self._ask(calls.forget(user_id))

    async def model(self) -> dict[str, Any]:
        return await self._ask(calls.model())

    async def ready(self) -> bool:
        outcome = await self._try(calls.ready().request(self._http))
        return isinstance(outcome, httpx.Response) and outcome.status_code == 200

    async def _store(self, event: Call[Accepted]) -> None:
        must_accept(await self._ask(event))

    async def _ask(self, call: Call[Answer]) -> Answer:
        request = call.request(self._http)
        attempts = Attempts(self._retries, self._clock)
        while True:
            outcome = await self._try(request)
            pause_s = attempts.pause_s(outcome)
            if pause_s is None:
                answer: Answer = read(request, outcome, attempts.made)
                return answer
            await self._sleep(pause_s)

    async def _try(self, request: httpx.Request) -> Outcome:
        try:
            return await self._http.send(request)
        except httpx.RequestError as error:
            return error
