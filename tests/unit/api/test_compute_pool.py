"""Test the compute pool: turns by caller, the bound of its queue, and work that is given up.

Blocks write their names into a list, so that the tests compare what was computed, in which order.
The first block of a test waits until the others stand in the queue.
"""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from starlette.requests import Request

from marquee.api.compute import pool as pool_module
from marquee.api.compute.pool import ComputePool, current_request
from marquee.recommender.errors import RequestError


class Recorder:
    """A pool whose first block waits for `release`, and the names of its computed blocks."""

    def __init__(self) -> None:
        self.pool, self.computed = ComputePool(), list[str]()
        self._released = threading.Event()

    def start(
        self, caller: str, name: str, num_blocks: int, cost: float = 1.0
    ) -> asyncio.Task[Any]:
        """Start a job as a request of this caller; its blocks are NAME0, NAME1, …"""
        return asyncio.create_task(self._run(request_of(caller), name, num_blocks, cost))

    async def run_first(self) -> asyncio.Task[Any]:
        """Start the block that holds the thread until `release`."""
        task = asyncio.create_task(self.pool.run([self._released.wait], 1.0))
        await pause()
        return task

    def release(self) -> None:
        self._released.set()

    async def _run(self, request: Request, name: str, num_blocks: int, cost: float) -> list[str]:
        current_request.set(request)
        blocks = [partial(self._compute, f"{name}{n}") for n in range(num_blocks)]
        return await self.pool.run(blocks, cost)

    def _compute(self, name: str) -> str:
        self.computed.append(name)
        return name


def request_of(caller: str, hung_up: Callable[[], bool] = lambda: False) -> Request:
    async def receive() -> Any:
        if hung_up():
            return {"type": "http.disconnect"}
        return await asyncio.Event().wait()

    headers = [(b"authorization", caller.encode())]
    return Request({"type": "http", "headers": headers, "client": ("10.0.0.1", 1)}, receive)


async def pause() -> None:
    """Let every task go on until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def results_of(tasks: list[asyncio.Task[Any]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)


def codes_of(results: list[Any]) -> list[str | None]:
    return [result.code if isinstance(result, RequestError) else None for result in results]


def test_pool_alternates_between_callers() -> None:
    async def scenario() -> list[str]:
        recorder = Recorder()
        first = await recorder.run_first()
        jobs = [recorder.start("a", name, 3) for name in "pqr"] + [recorder.start("b", "x", 2)]
        await pause()
        recorder.release()
        assert await results_of([first, *jobs]) == [
            [True],
            *([f"{name}{n}" for n in range(3)] for name in "pqr"),
            ["x0", "x1"],
        ]
        return recorder.computed

    computed = asyncio.run(scenario())
    assert computed[:4] == ["p0", "x0", "q0", "x1"]  # of three jobs and one
    assert computed[4:] == ["r0", "p1", "q1", "r1", "p2", "q2", "r2"]


def test_pool_queue_is_bounded_by_cost_and_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MAX_QUEUED_COST", 100.0)
    monkeypatch.setattr(pool_module, "MAX_CALLER_COST", 60.0)

    async def scenario() -> list[str]:
        recorder = Recorder()
        first = await recorder.run_first()  # costs 1
        jobs = [
            recorder.start("a", "p", 1, 60),
            recorder.start("a", "q", 1, 1),  # a holds all that one caller may
            recorder.start("b", "r", 1, 39),
            recorder.start("c", "s", 1, 1),  # the queue is full
        ]
        await pause()
        recorder.release()
        assert codes_of(await results_of(jobs)) == [None, "busy", None, "busy"]
        later = recorder.start("a", "t", 1, 60)
        assert await results_of([first, later]) == [[True], ["t0"]]
        return recorder.computed

    assert asyncio.run(scenario()) == ["p0", "r0", "t0"]


@pytest.mark.parametrize("is_running", [False, True], ids=["queued", "between-blocks"])
def test_pool_cancelled_job_computes_no_more_blocks(is_running: bool) -> None:
    async def scenario() -> list[str]:
        recorder = Recorder()
        first = None if is_running else await recorder.run_first()
        job = recorder.start("a", "p", 50)
        while is_running and not recorder.computed:
            await asyncio.sleep(0)
        await pause() if first else None
        job.cancel()
        await results_of([job])
        recorder.release()
        assert (await results_of([recorder.start("b", "x", 1)])) == [["x0"]]
        await pause()
        return recorder.computed

    computed = asyncio.run(scenario())
    assert computed[-1] == "x0" and len(computed) < 10
    assert len(computed) == 1 or is_running


def test_pool_caller_that_hung_up_ends_the_job() -> None:
    async def scenario() -> list[str]:
        recorder = Recorder()
        current_request.set(request_of("a", hung_up=lambda: len(recorder.computed) == 2))
        blocks = [partial(recorder._compute, f"p{n}") for n in range(5)]
        with pytest.raises(RequestError, match="hung up"):
            await recorder.pool.run(blocks, 1.0)
        return recorder.computed

    assert asyncio.run(scenario()) == ["p0", "p1"]


def test_pool_error_of_a_block_frees_its_place() -> None:
    async def scenario() -> list[int]:
        pool = ComputePool()
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await pool.run([lambda: 1 // 0], pool_module.MAX_CALLER_COST)
        return await pool.run([lambda: 1, lambda: 2], pool_module.MAX_CALLER_COST)

    assert asyncio.run(scenario()) == [1, 2]
