"""The two clients: Marquee waits for each answer, AsyncMarquee is for asyncio."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Self, Unpack
from urllib.parse import urlsplit

import httpx

from marquee_client.batches import Batch
from marquee_client.endpoints import AsyncSender, Call, Endpoints, Result, SyncSender
from marquee_client.outcomes import Attempts, MarqueeError, Outcome, Retries, read_response
from marquee_client.requests import RecommendRequest
from marquee_client.types import BatchResponse, RecommendResponse

URL = "http://127.0.0.1:3000"
TIMEOUT_S = 10.0
RETRIES = Retries()
READY: Call[None] = Call("GET", "/readyz")


class Marquee(Endpoints, SyncSender):
    """A connection to one service. Safe to share among threads, as httpx's is.

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

        url: with a path where a proxy adds one. key: one of the service's API_KEYS. timeout_s:
        limits connecting, and each silence while an answer is read; the service itself gives up
        after 4 s. transport: of httpx, for a proxy or certificates.
        """
        self._http = httpx.Client(transport=transport, **http_options(url, key, timeout_s))
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def recommend_batch(self, requests: Iterable[RecommendRequest]) -> BatchResponse:
        """Recommend for many users, in order; an error takes the place of its list.

        Takes any number of requests: they are sent in parts that fit the service's limits.
        """
        batch = Batch(requests)
        while (call := batch.next_call()) is not None:
            try:
                batch.add(self._call(call))
            except MarqueeError as error:
                batch.halve(error)
        return batch.response

    def recommend_pages(self, **request: Unpack[RecommendRequest]) -> Iterator[RecommendResponse]:
        """Yield one page of k after another, each requested when it is reached.

        A movie that is rated between two pages moves the later ones up by a place.
        """
        while True:
            page = self.recommend(**request)
            yield page
            if page["next_offset"] is None:
                return
            request["offset"] = page["next_offset"]

    def ready(self) -> bool:
        """Return whether the service answers at this moment: one try, no error."""
        return is_ready(self._send(READY.request(self._http)))

    def _call(self, call: Call[Result]) -> Result:
        request = call.request(self._http)
        attempts = Attempts(self._retries, final_code=call.final_code)
        outcome = self._send(request)
        while (pause_s := attempts.pause_s(outcome)) is not None:
            time.sleep(pause_s)
            outcome = self._send(request)
        return call.convert(read_response(request, outcome, attempts.count))

    def _send(self, request: httpx.Request) -> Outcome:
        try:
            return self._http.send(request)
        except httpx.RequestError as error:
            return error


class AsyncMarquee(Endpoints, AsyncSender):
    """A connection to one service, for asyncio. All else is as in Marquee.

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
        self._http = httpx.AsyncClient(transport=transport, **http_options(url, key, timeout_s))
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def recommend_batch(self, requests: Iterable[RecommendRequest]) -> BatchResponse:
        batch = Batch(requests)
        while (call := batch.next_call()) is not None:
            try:
                batch.add(await self._call(call))
            except MarqueeError as error:
                batch.halve(error)
        return batch.response

    async def recommend_pages(
        self, **request: Unpack[RecommendRequest]
    ) -> AsyncIterator[RecommendResponse]:
        while True:
            page = await self.recommend(**request)
            yield page
            if page["next_offset"] is None:
                return
            request["offset"] = page["next_offset"]

    async def ready(self) -> bool:
        return is_ready(await self._send(READY.request(self._http)))

    async def _call(self, call: Call[Result]) -> Result:
        request = call.request(self._http)
        attempts = Attempts(self._retries, final_code=call.final_code)
        outcome = await self._send(request)
        while (pause_s := attempts.pause_s(outcome)) is not None:
            await asyncio.sleep(pause_s)
            outcome = await self._send(request)
        return call.convert(read_response(request, outcome, attempts.count))

    async def _send(self, request: httpx.Request) -> Outcome:
        try:
            return await self._http.send(request)
        except httpx.RequestError as error:
            return error


def is_ready(outcome: Outcome) -> bool:
    return isinstance(outcome, httpx.Response) and outcome.status_code == 200


def is_address(url: Any) -> bool:
    """Return whether text is an address to which paths can be added."""
    if not isinstance(url, str) or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:  # "http://[", port 99999
        return False
    return is_complete and parts.scheme in ("http", "https") and not parts.query + parts.fragment


def http_options(url: str, key: str | None, timeout_s: float) -> dict[str, Any]:
    """Return arguments of httpx.Client; ValueError for a bad address or key."""
    if not is_address(url):
        raise ValueError(f"{url!r}: no address of a service, expected one like {URL}")
    headers = {"Accept": "application/json"}
    if key:
        # A key that no header can carry would come back in the text of h11's error, and in a log.
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("the key holds a space or non-ASCII text, expected printable ASCII")
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": url, "headers": headers, "timeout": timeout_s}
