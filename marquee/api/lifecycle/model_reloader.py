"""Hot reload of the bundle: a new one answers within seconds, without a dropped request.

    source = open_source("bundles/ml-1m", cache)     # or a store of releases
    model = load_first_model(source)
    await ModelReloader(source, handlers.swap_model, poll_s=2).run()

The reloader polls the source every few seconds. It reads and verifies a new bundle and checks its
golden answers in a thread, while the old bundle answers; then it exchanges one attribute. A bundle
that is damaged is refused, with one line in the log.
"""

import asyncio
import ctypes
import logging
from collections.abc import Callable
from contextlib import suppress

from marquee.api import metrics
from marquee.api.handlers import LoadedModel
from marquee.api.lifecycle.bundle_source import BundleSource
from marquee.core.errors import InputError

log = logging.getLogger("bentoml.marquee")


def load_first_model(source: BundleSource) -> LoadedModel:
    """Load the best bundle that is not damaged.

    Raises the best one's InputError if all are damaged.
    """
    first_error: InputError | None = None
    for folder in source.candidates():
        try:
            model = LoadedModel.load(str(folder))
        except InputError as error:
            first_error = first_error or error
            continue
        if first_error is not None:
            log.error("the promoted bundle is refused, the one before it answers: %s", first_error)
        source.mark_active(folder)
        return model
    raise first_error or InputError("bundle: none to serve, expected one or more")


class ModelReloader:
    """The poller of one source, which swaps in every good bundle that is newer."""

    def __init__(
        self, source: BundleSource, swap: Callable[[LoadedModel], None], poll_s: float
    ) -> None:
        """Take the source, the function that exchanges the model, and seconds between polls."""
        self._source, self._swap, self._poll_s = source, swap, poll_s
        self._last_message = ""

    async def run(self) -> None:
        """Poll until the task is cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            await self.poll()

    async def poll(self) -> None:
        """Take the newer bundle, if there is one and it is good."""
        try:
            folder = await asyncio.to_thread(self._source.fetch_newer)
            self._record_availability()
            if folder is None:
                return
            model = await asyncio.to_thread(LoadedModel.load, str(folder))
        except InputError as error:
            self._record_availability()
            self._refuse(str(error))
            return
        self._swap(model)
        await asyncio.to_thread(self._source.mark_active, folder)
        self._last_message = ""
        metrics.SWAPS.labels("swapped").inc()
        log.warning("model %s answers from now on", model.recommender.model_version[:12])
        await asyncio.to_thread(trim_malloc)

    def _record_availability(self) -> None:
        if self._source.unavailable is not None:
            metrics.RELEASES_UP.set(not self._source.unavailable)

    def _refuse(self, message: str) -> None:
        if not self._source.unavailable:
            metrics.SWAPS.labels("refused").inc()
        if message != self._last_message:
            self._last_message = message
            subject = (
                "the store of releases is unavailable"
                if self._source.unavailable
                else "the new bundle is refused"
            )
            log.error("%s, the old one answers on: %s", subject, message)


def trim_malloc() -> None:
    """Return freed memory to the system, where the C library is glibc.

    glibc keeps an arena per thread, and every reload runs in a new thread.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
