"""Test costly requests over HTTP: the budget, the time limit, and callers that hang up."""

import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from marquee.api import middleware
from marquee.api.compute import cost
from marquee.api.compute import pool as pool_module
from marquee.api.compute.pool import ComputePool, current_request
from marquee.api.routes import respond
from marquee.recommender.recommender import Recommender
from tests.support.http_errors import assert_shape
from tests.support.tiny_bundle import MOVIES

HISTORY = [{"movie_id": 6, "stars": 4.0}, {"movie_id": 50}]
CALIBRATED = {"history": HISTORY, "k": 2, "calibration": 0.5}  # above INLINE_COST
MAXIMAL = {
    "user_id": 42,
    "history": [{"movie_id": movie[0]} for movie in MOVIES] * 1_000,  # 10,000 entries
    "include_ids": [movie[0] for movie in MOVIES] * 1_000,
    "exclude_ids": [10] * 10_000,
    "k": 100,
    "explain": True,
    "exclude_seen": False,
    "diversity": 1.0,
    "calibration": 1.0,
    "genre_profile": {"Action": 1.0},
}


@pytest.fixture
def block_sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of lists of each block that is computed; a list a block."""
    sizes: list[int] = []
    compute = Recommender.recommend_batch

    def count(recommender: Recommender, queries: Any) -> Any:
        sizes.append(len(queries))
        return compute(recommender, queries)

    monkeypatch.setattr(cost, "BLOCK_COST", 0)
    monkeypatch.setattr(Recommender, "recommend_batch", count)
    return sizes


def batch(client: Any, lists: list[Any]) -> Any:
    return client.post("/recommend_batch", json={"requests": lists})


def test_documented_maxima_are_answered_together(client: Any) -> None:
    answer = client.post("/recommend", json=MAXIMAL)
    assert answer.status_code == 200 and len(answer.json()["items"]) == len(MOVIES) - 1
    plain = {"user_id": 42, "history": HISTORY * 10, "k": 100, "novelty": 1.0, "freshness": 1.0}
    lists = [plain, {**plain, "k": 20, "diversity": 1.0}] * 128
    answer = batch(client, lists)
    assert answer.status_code == 200 and len(answer.json()["results"]) == 256


def test_batch_above_the_budget_is_refused_at_once(client: Any, block_sizes: list[int]) -> None:
    lists = [{"history": HISTORY, "calibration": 1.0, "k": 100}] * 256
    error = assert_shape(batch(client, lists), 422, "too_costly")
    assert error["fields"][0]["field"] == "requests" and block_sizes == []
    num_fitting = int(error["message"].split("at most ")[2].split()[0])
    assert batch(client, lists[:num_fitting]).status_code == 200
    assert_shape(batch(client, lists[: num_fitting + 1]), 422, "too_costly")


def test_list_above_the_budget_fails_alone(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MAX_COST", 10)
    refused, plain = batch(client, [CALIBRATED, {"k": 1}]).json()["results"]
    assert refused["error"]["code"] == "too_costly" and len(plain["items"]) == 1
    assert_shape(client.post("/recommend", json=CALIBRATED), 422, "too_costly")


def test_batch_in_blocks_equals_single_lists(client: Any, block_sizes: list[int]) -> None:
    lists = [CALIBRATED, {"user_id": 42, "k": 3}, {"history": [{"movie_id": 7}]}, {"k": 2}]
    together = batch(client, lists).json()["results"]
    assert block_sizes == [1, 1, 1, 1]
    for request, result in zip(lists, together, strict=True):
        single = client.post("/recommend", json=request).json()
        for item, other in zip(result.get("items", ()), single.get("items", ()), strict=True):
            assert item.pop("score") == pytest.approx(other.pop("score"), abs=1e-5)
        assert result == single


def test_batch_above_the_time_limit_ends_with_its_block(
    client: Any, block_sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 20 lists one is computed when the limit is reached, and no more after that."""
    released, compute = threading.Event(), Recommender.recommend_batch

    def wait(recommender: Recommender, queries: Any) -> Any:
        released.wait(20)
        return compute(recommender, queries)

    monkeypatch.setattr(Recommender, "recommend_batch", wait)
    monkeypatch.setattr(middleware, "TIMEOUT_S", 0.2)
    assert_shape(batch(client, [CALIBRATED] * 20), 503, "timeout")
    released.set()
    monkeypatch.setattr(middleware, "TIMEOUT_S", 20.0)
    assert batch(client, [CALIBRATED]).status_code == 200
    assert block_sizes == [1, 1]


def test_full_queue_is_busy_while_plain_lists_are_not(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MAX_CALLER_COST", 0)
    answer = client.post("/recommend", json=CALIBRATED)
    assert_shape(answer, 429, "busy")
    assert answer.headers["retry-after"] == "1"
    assert client.post("/recommend", json={"history": HISTORY}).status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/recommend", CALIBRATED),
        ("/recommend_batch", {"requests": [{"k": 1}]}),
        ("/rate_next", {"history": HISTORY}),
        ("/predict", {"history": HISTORY * 5_000, "movie_ids": [1, 6]}),
    ],
)
def test_costly_work_knows_its_caller(
    client: Any, path: str, fields: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers: list[str] = []
    run = ComputePool.run

    async def record(pool: ComputePool, blocks: Any, cost_ms: float) -> Any:
        request = current_request.get()
        assert request is not None and not await request.is_disconnected()
        callers.append(request.headers["authorization"])
        return await run(pool, blocks, cost_ms)

    monkeypatch.setattr(cost, "INLINE_COST", 0)
    monkeypatch.setattr(ComputePool, "run", record)
    answer = client.post(path, json=fields, headers={"Authorization": "Bearer a"})
    assert answer.status_code == 200 and callers == ["Bearer a"]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], int]]:
    """Serve an endpoint behind the middleware, on a port that is returned."""
    servers = []

    def serve(endpoint: Any) -> int:
        app = middleware.ApiMiddleware(
            Starlette(routes=[Route("/recommend", endpoint, methods=["POST"])])
        )
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        servers.append((server, thread))
        port: int = listener.getsockname()[1]
        return port

    monkeypatch.setenv("BUNDLE", "unused")
    yield serve
    for server, thread in servers:
        server.should_exit = True
        thread.join(10)


def test_caller_that_hangs_up_ends_its_batch(served: Callable[[Any], int]) -> None:
    """The caller is gone before the first block ends; the other 19 are never computed."""
    pool, computed = ComputePool(), list[int]()
    started, gone, ended = threading.Event(), threading.Event(), threading.Event()
    statuses: list[int] = []

    def block(n: int) -> None:
        computed.append(n)
        started.set()
        gone.wait(10)

    async def endpoint(_: Request) -> Response:
        response = await respond(pool.run([partial(block, n) for n in range(20)], 1.0))
        statuses.append(response.status_code)
        ended.set()
        return response

    head = "POST /recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", served(endpoint)), 10) as connection:
        connection.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        assert started.wait(10)
    threading.Timer(0.3, gone.set).start()  # the server notices the closed connection meanwhile
    assert ended.wait(10)
    assert computed == [0] and statuses == [499]
