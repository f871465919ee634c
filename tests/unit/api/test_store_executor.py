"""Test the threads of the event store and their circuit breaker."""

import asyncio
import threading

import pytest

from marquee.api.store_access import PAUSE_S, StoreExecutor
from marquee.feedback.errors import StoreUnavailable

NEVER_S = 60.0


def double(number: int, plus: int = 0) -> int:
    return 2 * number + plus


def test_store_executor_returns_result_of_call() -> None:
    assert asyncio.run(StoreExecutor(NEVER_S).run(double, 3, 1)) == 7


def test_store_executor_error_of_call_is_raised() -> None:
    def fail() -> None:
        raise StoreUnavailable("postgresql://db: connection refused")

    with pytest.raises(StoreUnavailable, match="refused"):
        asyncio.run(StoreExecutor(NEVER_S).run(fail))


def test_store_executor_frozen_call_is_given_up() -> None:
    """The only call with a short limit is the one that never returns."""
    release = threading.Event()
    try:
        with pytest.raises(StoreUnavailable, match=r"did not answer in 0.01 s"):
            asyncio.run(StoreExecutor(timeout_s=0.01).run(release.wait, NEVER_S))
    finally:
        release.set()


def test_store_executor_pauses_after_a_frozen_call() -> None:
    """Only the call that never returns has a short limit, so that no other races it."""
    now, release, calls = [0.0], threading.Event(), list[str]()

    async def run() -> None:
        executor = StoreExecutor(timeout_s=0.01, clock=lambda: now[0])
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await executor.run(release.wait, NEVER_S)
        executor.timeout_s = NEVER_S
        for now[0] in (0.0, PAUSE_S - 0.001):
            with pytest.raises(StoreUnavailable, match="a second ago"):
                await executor.run(calls.append, "in the pause")
        now[0] = PAUSE_S
        await executor.run(calls.append, "after it")

    try:
        asyncio.run(run())
    finally:
        release.set()
    assert calls == ["after it"]
