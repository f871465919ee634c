"""Hot reload of the bundle: a new one answers within seconds, without a dropped request."""

import asyncio
import ctypes
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from marquee.api import metrics
from marquee.api.process.loaded_model import LoadedModel
from marquee.core.errors import InputError
from marquee.releases.follower import ReleaseFollower

log = logging.getLogger("bentoml.marquee")


class BundleFolder:
    """A source like ReleaseFollower: one folder, whose bundle may be replaced."""

    unavailable: bool | None = None

    def __init__(self, bundle: str) -> None:
        self._bundle, self._state = Path(bundle), folder_state(Path(bundle))

    def candidates(self) -> Iterator[Path]:
        yield self._bundle

    def fetch_newer(self) -> Path | None:
        """Return the folder where its files have changed."""
        state = folder_state(self._bundle)
        if not state or state == self._state:  # empty: between the two renames of a replacement
            return None
        self._state = state
        return self._bundle

    def mark_active(self, folder: Path) -> None:
        """Do nothing: there is one folder only."""


BundleSource: TypeAlias = BundleFolder | ReleaseFollower


def open_source(bundle: str, cache: str) -> BundleSource:
    """Return a store of releases (s3://, or a folder with `versions`), or a folder."""
    if bundle.startswith("s3://") or Path(bundle, "versions").is_dir():
        return ReleaseFollower(bundle, cache)
    return BundleFolder(bundle)


def folder_state(folder: Path) -> frozenset[tuple[str, int, int, int]]:
    """Return name, inode, size and time of each file; empty for a missing folder."""
    try:
        stats = [(path.name, path.stat()) for path in folder.iterdir()]
    except OSError:
        return frozenset()
    return frozenset((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in stats)


def load_first_model(source: BundleSource, copies: Path | None = None) -> LoadedModel:
    """Load the best bundle that is intact; else raise the best one's InputError."""
    first_error: InputError | None = None
    for folder in source.candidates():
        try:
            model = LoadedModel.load(str(folder), copies)
        except InputError as error:
            first_error = first_error or error
            continue
        if first_error is not None:
            log.error("the promoted bundle is refused, the one before it answers: %s", first_error)
        source.mark_active(folder)
        return model
    raise first_error or InputError("bundle: none to serve, expected one or more")


class ModelReloader:
    """The poller of one source, which swaps in every good bundle that is newer.

    A new bundle is verified in a thread while the old one answers; then one attribute changes.
    """

    def __init__(
        self,
        source: BundleSource,
        swap: Callable[[LoadedModel], Awaitable[None]],
        poll_s: float,
        copies: Path | None = None,
    ) -> None:
        self._source, self._swap, self._poll_s, self._copies = source, swap, poll_s, copies
        self._last_message = ""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._poll_s)
            await self.poll()

    async def poll(self) -> None:
        """Take the newer bundle, if there is one and it is good."""
        try:
            folder = await asyncio.to_thread(self._source.fetch_newer)
            if folder is None:
                return
            model = await asyncio.to_thread(LoadedModel.load, str(folder), self._copies)
        except InputError as error:
            self._refuse(str(error))
            return
        finally:
            if self._source.unavailable is not None:
                metrics.RELEASES_UP.set(not self._source.unavailable)
        await self._swap(model)
        await asyncio.to_thread(self._source.mark_active, folder)
        self._last_message = ""
        metrics.SWAPS.labels("swapped").inc()
        log.warning("model %s answers from now on", model.recommender.model_version[:12])
        await asyncio.to_thread(trim_malloc)

    def _refuse(self, message: str) -> None:
        if not self._source.unavailable:
            metrics.SWAPS.labels("refused").inc()
        if message != self._last_message:
            self._last_message = message
            subject = "the new bundle is refused"
            if self._source.unavailable:
                subject = "the store of releases is unavailable"
            log.error("%s, the old one answers on: %s", subject, message)


def trim_malloc() -> None:
    """Return freed memory to the system: glibc keeps an arena for each thread."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
