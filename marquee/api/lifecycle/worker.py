"""A serving process: start-up, hot reload, and the settings of its garbage collector and log.

worker = Worker(Settings.from_environment())
worker.handlers.recommend(request)
worker.start()                    # in the event loop
await worker.stop()
"""

import asyncio
import gc
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pydantic import ValidationError

from marquee.api.handlers import Handlers
from marquee.api.lifecycle.bundle_source import BundleSource, open_source
from marquee.api.lifecycle.model_reloader import ModelReloader, load_first_model
from marquee.api.request_log import strip_error_text
from marquee.api.settings import Settings
from marquee.core.errors import InputError
from marquee.feedback.store import EventStore

RETRY_S = 1.0

log = logging.getLogger("bentoml.marquee")


class Worker:
    """One serving process, from its first bundle to its end."""

    def __init__(self, settings: Settings) -> None:
        """Load the bundle and open the event store; wait until both succeed."""
        self._settings = settings
        self._source = open_source(settings.bundle, settings.bundle_cache)
        with sigterm_ends_process():
            self.handlers = wait_for_handlers(settings, self._source)
        configure_logging()
        if not settings.api_keys:
            log.warning("API_KEYS is not set: only requests from this machine are answered")

    def start(self) -> None:
        """Poll for newer bundles from now on.

        It also exempts what is loaded from the garbage collector.
        """
        reloader = ModelReloader(
            self._source, self.handlers.swap_model, self._settings.bundle_poll_s
        )
        self._reloading = asyncio.create_task(reloader.run())
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    async def stop(self) -> None:
        """Stop polling."""
        self._reloading.cancel()
        with suppress(asyncio.CancelledError):
            await self._reloading


def wait_for_handlers(settings: Settings, source: BundleSource) -> Handlers:
    """Return handlers as soon as the bundle and the event store are usable.

    The supervisor ends a service that cannot start. A worker that replaces a dead one may meet a
    bad bundle, though: it waits for a good one.
    """
    last_message = ""
    while True:
        try:
            return Handlers(
                load_first_model(source),
                EventStore(settings.events_url),
                releases_unavailable=lambda: source.unavailable,
            )
        except InputError as error:
            if last_message != str(error):
                last_message = str(error)
                log.error("not ready: %s", last_message)
            time.sleep(RETRY_S)


@contextmanager
def sigterm_ends_process() -> Iterator[None]:
    """Let SIGTERM end the process during start-up.

    uvicorn would only record the signal, and look when it serves.
    """
    if threading.current_thread() is not threading.main_thread():  # a test's client
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def configure_logging() -> None:
    """Keep the content of requests out of the log, and errors of the caller."""
    logging.getLogger("bentoml._internal.server.http_app").addFilter(is_our_error)
    for logger in ("", "bentoml"):
        for handler in logging.getLogger(logger).handlers:
            handler.addFilter(strip_error_text)


def is_our_error(record: logging.LogRecord) -> bool:
    """Drop BentoML's traceback of each invalid body: the caller gets the error."""
    return not (record.exc_info and isinstance(record.exc_info[1], ValidationError))
