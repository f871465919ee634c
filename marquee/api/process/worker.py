"""A serving process: start-up, hot reload, and the settings of its garbage collector and log.

    BUNDLE=bundles/demo python -m marquee.api.process.worker     # the preflight

The preflight checks the bundle and the event store, without serving: exit status 0, or 2 with one
line `marquee: error: …` on stderr.
"""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from marquee.api.handlers import Handlers
from marquee.api.process.model_reloader import (
    BundleSource,
    ModelReloader,
    load_first_model,
    open_source,
)
from marquee.api.process.shared_state import VARIABLE, SharedState
from marquee.api.settings import COMMAND_NAME, Settings
from marquee.api.telemetry import strip_error_text
from marquee.core.command import INPUT_ERROR, UNFORESEEN, fail
from marquee.core.errors import InputError
from marquee.feedback.store import EventStore

RETRY_S = 1.0

log = logging.getLogger("bentoml.marquee")


class Worker:
    def __init__(self, settings: Settings) -> None:
        """Load the bundle and open the event store; wait until both succeed."""
        source = open_source(settings.bundle, settings.bundle_cache)
        with sigterm_ends_process(), unforeseen_ends_process():
            self.handlers = wait_for_handlers(settings, source)
        self._reloader = ModelReloader(
            source, self.handlers.swap_model, settings.bundle_poll_s, array_copies(settings)
        )
        configure_logging()
        if not settings.has_keys:
            log.warning("API_KEYS is not set: only requests from this machine are answered")

    async def start(self) -> None:
        """Follow bundles and catalog; exempt what is loaded from the garbage collector."""
        await self.handlers.follower.catch_up()
        tasks = (self._reloader.run(), self.handlers.follower.run())
        self._tasks = [asyncio.create_task(task) for task in tasks]
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def wait_for_handlers(settings: Settings, source: BundleSource) -> Handlers:
    """Return handlers as soon as the bundle and the event store are usable.

    The supervisor ends a service that cannot start; a worker that replaces a dead one waits.
    """
    last_message = ""
    while True:
        try:
            model = load_first_model(source, array_copies(settings))
            store = EventStore(settings.events_url)
            shared = SharedState.inherited()
            return Handlers(
                model, store, lambda: source.unavailable, shared, settings.viewer_required
            )
        except InputError as error:
            if last_message != str(error):
                last_message = str(error)
                log.error("not ready: %s", last_message)
            time.sleep(RETRY_S)


def array_copies(settings: Settings) -> Path | None:
    """Return the folder of arrays that workers share; None for one worker."""
    return Path(settings.bundle_cache, ".arrays") if settings.workers > 1 else None


@contextmanager
def sigterm_ends_process() -> Iterator[None]:
    """Let SIGTERM end the process during start-up; uvicorn looks only when it serves."""
    if threading.current_thread() is not threading.main_thread():  # a test's client
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def unforeseen_ends_process() -> Iterator[None]:
    """End a serving process with one line instead of uvicorn's traceback."""
    try:
        yield
    except Exception as error:
        if VARIABLE not in os.environ:  # a test's client
            raise
        log.debug("the worker cannot start", exc_info=True)
        log.error("the worker cannot start: %s", one_line(error))
        os._exit(UNFORESEEN)


def one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".replace("\n", " ")


def configure_logging() -> None:
    """Keep the content of requests out of the log, and errors of the caller."""
    logging.getLogger("bentoml._internal.server.http_app").addFilter(is_our_error)
    for logger in ("", "bentoml"):
        for handler in logging.getLogger(logger).handlers:
            handler.addFilter(strip_error_text)


def is_our_error(record: logging.LogRecord) -> bool:
    """Drop BentoML's traceback of each invalid body: the caller gets the error."""
    return not (record.exc_info and isinstance(record.exc_info[1], ValidationError))


def preflight() -> int:
    try:
        settings = Settings.from_environment()
        load_first_model(open_source(settings.bundle, settings.bundle_cache))
        EventStore(settings.events_url).close()
    except InputError as error:
        return fail(COMMAND_NAME, str(error), INPUT_ERROR)
    except Exception as error:
        message = f"{one_line(error)} (not foreseen), expected the bundle and the store to open"
        return fail(COMMAND_NAME, message, INPUT_ERROR)
    return 0


if __name__ == "__main__":
    sys.exit(preflight())
