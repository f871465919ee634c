"""Test how the client splits a batch: by a service of the test that has limits of its own."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from marquee.api.requests import MAX_REQUESTS
from marquee_client import AsyncMarquee, Marquee, MarqueeError
from marquee_client.outcomes import Retries

Refusal = Callable[[list[Any]], tuple[int, str] | None]


class FakeService:
    """Answers k with a list of strategy k; refuses a part as the test says."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self.sizes: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        parts = json.loads(request.content)["requests"]
        self.sizes.append(len(parts))
        if (refusal := self.refusal(parts)) is not None:
            status, code = refusal
            field = {"field": "requests.1.k", "message": "requests.1.k: too large"}
            error = {"code": code, "message": "requests.1.k: too large", "fields": [field]}
            return httpx.Response(status, json={"error": error})
        return httpx.Response(200, json={"results": [{"strategy": part["k"]} for part in parts]})


def recommend(service: FakeService, num_requests: int, is_async: bool = False) -> list[Any]:
    """Return the strategies of the answers."""
    requests: Any = ({"k": k} for k in range(num_requests))
    retries = Retries(times=2, first_pause_s=0.0)

    async def recommend_async() -> Any:
        async with AsyncMarquee(transport=transport, retries=retries) as marquee:
            return await marquee.recommend_batch(requests)

    transport = httpx.MockTransport(service)
    if is_async:
        response = asyncio.run(recommend_async())
    else:
        with Marquee(transport=transport, retries=retries) as marquee:
            response = marquee.recommend_batch(requests)
    return [result["strategy"] for result in response["results"]]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    ("refusal", "num_requests", "sizes"),
    [
        pytest.param(lambda parts: None, 600, [MAX_REQUESTS, MAX_REQUESTS, 88], id="count"),
        pytest.param(lambda parts: None, MAX_REQUESTS, [MAX_REQUESTS], id="exactly-one-part"),
        pytest.param(
            lambda parts: (422, "too_costly") if len(parts) > 3 else None,
            10,
            [10, 5, 2, 2, 2, 2, 2],
            id="cost",
        ),
        pytest.param(
            lambda parts: (413, "too_large") if len(parts) > 4 else None,
            7,
            [7, 3, 3, 1],
            id="bytes",
        ),
        pytest.param(
            lambda parts: (503, "timeout") if len(parts) > 1 else None,
            4,
            [4, 2, 1, 1, 1, 1],
            id="timeout-is-not-repeated",
        ),
    ],
)
def test_batch_is_split_and_joined_in_order(
    refusal: Refusal, num_requests: int, sizes: list[int], is_async: bool
) -> None:
    service = FakeService(refusal)
    assert recommend(service, num_requests, is_async) == list(range(num_requests))
    assert service.sizes == sizes


@pytest.mark.parametrize(
    ("status", "code", "num_tries"),
    [(422, "too_costly", 1), (503, "timeout", 3), (503, "unavailable", 3), (429, "busy", 3)],
)
def test_batch_of_one_fails_as_any_call(status: int, code: str, num_tries: int) -> None:
    service = FakeService(lambda parts: (status, code))
    with pytest.raises(MarqueeError) as raised:
        recommend(service, 1)
    assert raised.value.code == code and service.sizes == [1] * num_tries


def test_batch_error_counts_from_the_first_request() -> None:
    service = FakeService(lambda parts: (422, "invalid") if parts[0]["k"] else None)
    with pytest.raises(MarqueeError) as raised:
        recommend(service, 300)
    assert raised.value.fields[0]["field"] == f"requests.{MAX_REQUESTS + 1}.k"
    assert str(raised.value).startswith(f"requests.{MAX_REQUESTS + 1}.k")


def test_batch_id_that_is_none_is_named_before_any_part() -> None:
    service = FakeService(lambda parts: None)
    requests: Any = [*({"k": k} for k in range(300)), {"user_id": 7.5}]
    with (
        Marquee(transport=httpx.MockTransport(service)) as marquee,
        pytest.raises(ValueError, match=r"requests\.300\.user_id: 7\.5"),
    ):
        marquee.recommend_batch(requests)
    assert service.sizes == []


def test_batch_halved_keeps_a_history_that_is_read_once() -> None:
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        parts = json.loads(request.content)["requests"]
        if len(parts) > 1:
            return httpx.Response(422, json={"error": {"code": "too_costly", "message": "no"}})
        bodies.extend(parts)
        return httpx.Response(200, json={"results": [{}]})

    requests: Any = [{"history": ({"movie_id": n} for n in (6, 50))} for _ in range(2)]
    with Marquee(transport=httpx.MockTransport(answer)) as marquee:
        marquee.recommend_batch(requests)
    assert bodies == 2 * [{"history": [{"movie_id": 6}, {"movie_id": 50}]}]


def test_batch_without_requests_is_left_to_the_service() -> None:
    service = FakeService(lambda parts: (422, "invalid"))
    with pytest.raises(MarqueeError):
        recommend(service, 0)
    assert service.sizes == [0]
