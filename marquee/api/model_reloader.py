"""A new bundle is answered from within seconds, without a dropped request.

    source = Folder("bundles/ml-1m")        # or a store of releases: marquee.releases.follower.ReleaseFollower
    model = first_model(source)
    await Watch(source, answers.swap, every_s=2).run()

The source is looked at every few seconds. What is new is read, verified and asked its golden
questions in a thread, while the old bundle answers; then one attribute is exchanged. A bundle that
is not whole is refused, and said once.
"""

import asyncio
import ctypes
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeAlias

from marquee.api import metrics
from marquee.api.handlers import Model
from marquee.core.errors import InputError

log = logging.getLogger("bentoml.marquee")

Files: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Name, inode, size and time of change of each."""


class Source(Protocol):
    """Where bundles come from; asked by one thread at a time."""

    away: bool | None
    """Whether it did not answer when last asked; None where it is this machine's disk."""

    def first(self) -> Iterator[Path]:
        """Folders to start with, best first. Raises InputError where there is none."""

    def newer(self) -> Path | None:
        """The folder of a bundle that has come since. Raises InputError where it is not good."""

    def took(self, folder: Path) -> None:
        """This one answers now."""


class Folder:
    """One folder, in which another bundle may take the place of the one that is there."""

    away: bool | None = None

    def __init__(self, bundle: str) -> None:
        self._bundle, self._seen = Path(bundle), files(bundle)

    def first(self) -> Iterator[Path]:
        yield self._bundle

    def newer(self) -> Path | None:
        found = files(str(self._bundle))
        if not found or found == self._seen:  # none: between the two renames of a replacement
            return None
        self._seen = found
        return self._bundle

    def took(self, folder: Path) -> None:
        pass


def first_model(source: Source) -> Model:
    """What to start with. Raises InputError, of the best one, where none is whole."""
    fault: InputError | None = None
    for folder in source.first():
        try:
            model = Model.load(str(folder))
        except InputError as error:
            fault = fault or error
            continue
        if fault is not None:
            log.error("the promoted bundle is refused, the one before answers: %s", fault)
        source.took(folder)
        return model
    raise fault or InputError("nothing to serve")


class Watch:
    """Looks after one source."""

    def __init__(self, source: Source, swap: Callable[[Model], None], every_s: float) -> None:
        self._source, self._swap, self._every_s = source, swap, every_s
        self._said = ""

    async def run(self) -> None:
        """For ever; cancel it."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """Take what is new, if it is whole."""
        try:
            folder = await asyncio.to_thread(self._source.newer)
            self._note_whether_away()
            if folder is None:
                return
            model = await asyncio.to_thread(Model.load, str(folder))
        except InputError as error:
            self._note_whether_away()
            self._refuse(str(error))
            return
        self._swap(model)
        await asyncio.to_thread(self._source.took, folder)
        self._said = ""
        metrics.SWAPS.labels("swapped").inc()
        log.warning("model %s answers from now on", model.recommender.model_version[:12])
        await asyncio.to_thread(give_back)

    def _note_whether_away(self) -> None:
        if self._source.away is not None:
            metrics.RELEASES_UP.set(not self._source.away)

    def _refuse(self, why: str) -> None:
        if not self._source.away:
            metrics.SWAPS.labels("refused").inc()
        if why != self._said:
            self._said = why
            what = "releases are away" if self._source.away else "the new bundle is refused"
            log.error("%s, the old one goes on: %s", what, why)


def give_back() -> None:
    """Memory that reading a bundle took, to the system: glibc keeps it for the thread that used it,
    and each reading comes in another. Where the C library is another, nothing."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def files(folder: str) -> Files:
    """What tells one state of a bundle's folder from another; empty where it is not there."""
    try:
        found = [(path.name, path.stat()) for path in Path(folder).iterdir()]
    except OSError:
        return frozenset()
    return frozenset((name, s.st_ino, s.st_size, s.st_mtime_ns) for name, s in found)
