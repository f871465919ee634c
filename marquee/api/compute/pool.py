"""Slow lists: one thread, a bounded queue, turns by caller, and an end when nobody waits.

    pool = ComputePool()
    await pool.run([block, block], cost=80)     # the results of the blocks

A block is some 50 ms of work. After each one the next caller has a turn, so a short request waits
for a block, never for a complete batch. A caller is an API key, else an address. What is given up
(the time limit, a caller that hung up) ends with its current block.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.requests import Request

from marquee.api.telemetry import header
from marquee.recommender.errors import RequestError

Result = TypeVar("Result")

# In units of marquee/api/compute/cost.py. What is admitted can be computed within the limit of 4 s.
# However much one caller sends, the largest request of another fits.
MAX_QUEUED_COST = 4_000.0
MAX_CALLER_COST = 2_500.0

current_request: ContextVar[Request | None] = ContextVar("current_request", default=None)
"""The request that is being answered; the middleware sets it."""


@dataclass(eq=False)
class _Caller:
    """The admitted work of one caller."""

    cost: float = 0.0
    num_jobs: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class ComputePool:
    """One thread for the slow work of one event loop.

    Both locks are first come, first served: `_turn` alternates between the callers that wait, and a
    caller's own lock between the jobs of this caller.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._turn = asyncio.Lock()
        self._callers: dict[str, _Caller] = {}

    async def run(self, blocks: Sequence[Callable[[], Result]], cost: float) -> list[Result]:
        """Compute blocks one after another and return their results.

        Raises RequestError with code "busy" where the queue is full, and "disconnected" where the
        caller has hung up; besides what a block raises.
        """
        request = current_request.get()
        with self._admitted(_name(request), cost) as caller:
            return [await self._compute(block, caller, request) for block in blocks]

    async def _compute(
        self, block: Callable[[], Result], caller: _Caller, request: Request | None
    ) -> Result:
        async with caller.turn, self._turn:
            if request is not None and await request.is_disconnected():
                raise RequestError("the caller hung up", code="disconnected")
            return await asyncio.get_running_loop().run_in_executor(self._thread, block)

    @contextmanager
    def _admitted(self, name: str, cost: float) -> Iterator[_Caller]:
        caller = self._callers.get(name) or _Caller()
        total = sum(each.cost for each in self._callers.values())
        if total + cost > MAX_QUEUED_COST or caller.cost + cost > MAX_CALLER_COST:
            message = f"requests that cost {total:,.0f} are in progress"
            raise RequestError(f"{message}, and there is no room for {cost:,.0f}", code="busy")
        self._callers[name] = caller
        caller.cost, caller.num_jobs = caller.cost + cost, caller.num_jobs + 1
        try:
            yield caller
        finally:
            caller.cost, caller.num_jobs = caller.cost - cost, caller.num_jobs - 1
            if not caller.num_jobs:
                del self._callers[name]


def _name(request: Request | None) -> str:
    """Return the API key of a request, else its address."""
    if request is None:
        return ""
    return header(request.scope, b"authorization") or (
        request.client.host if request.client else ""
    )
