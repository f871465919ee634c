"""StoreExecutor to the event store from the event loop: in threads of their own, and never for long.

    calls = StoreExecutor()
    known = await calls.make(store.known, "42")

A database whose host is frozen neither answers nor refuses. Then a call is given up after WITHIN_S,
and for PAUSE_S none is tried, so that lists which can do without the store are not held up by it.
The thread of a call that was given up comes back when the database does.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from marquee.feedback.errors import StoreUnavailable

Given = ParamSpec("Given")
Found = TypeVar("Found")

THREADS = 16
WITHIN_S = 2.5
"""Longer than a database's own statement timeout, which says more, and shorter than a request's."""
PAUSE_S = 1.0


class StoreExecutor:
    """The threads of one store."""

    def __init__(
        self, within_s: float = WITHIN_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._within_s, self._clock = within_s, clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="events")
        self._again_at = 0.0

    async def make(
        self, call: Callable[Given, Found], *given: Given.args, **named: Given.kwargs
    ) -> Found:
        """What `call` returns or raises; StoreUnavailable where it takes too long."""
        if self._clock() < self._again_at:
            raise StoreUnavailable("the event store did not answer a second ago")
        loop = asyncio.get_running_loop()
        made = loop.run_in_executor(self._threads, lambda: call(*given, **named))
        try:
            return await asyncio.wait_for(made, self._within_s)
        except TimeoutError:
            self._again_at = self._clock() + PAUSE_S
            raise StoreUnavailable(
                f"the event store did not answer in {self._within_s:g} s"
            ) from None
