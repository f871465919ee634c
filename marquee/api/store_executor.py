"""Calls to the event store from the event loop: in threads of their own, with a time limit.

    executor = StoreExecutor()
    state = await executor.run(store.user_state, "42")

A database whose host is frozen neither answers nor refuses. A call to it is given up after
TIMEOUT_S, and for PAUSE_S no other is tried: lists that do without the store do not wait for it.
The thread of an abandoned call returns when the database does.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from marquee.feedback.errors import StoreUnavailable

Args = ParamSpec("Args")
Result = TypeVar("Result")

THREADS = 16
TIMEOUT_S = 2.5
"""Longer than a database's own statement timeout, which says more, and shorter than a request's."""
PAUSE_S = 1.0


class StoreExecutor:
    """The threads of one event store, behind a circuit breaker."""

    def __init__(
        self, timeout_s: float = TIMEOUT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._timeout_s, self._clock = timeout_s, clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="events")
        self._closed_until_s = 0.0

    async def run(
        self, call: Callable[Args, Result], *args: Args.args, **kwargs: Args.kwargs
    ) -> Result:
        """Return what `call` returns, or raise what it raises.

        Raises StoreUnavailable where it takes longer than the limit, and in the pause after that.
        """
        if self._clock() < self._closed_until_s:
            raise StoreUnavailable("the event store did not answer a second ago")
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, lambda: call(*args, **kwargs))
        try:
            return await asyncio.wait_for(future, self._timeout_s)
        except TimeoutError:
            self._closed_until_s = self._clock() + PAUSE_S
            message = f"the event store did not answer in {self._timeout_s:g} s"
            raise StoreUnavailable(message) from None
