"""A new bundle in the old one's folder is answered from within seconds, without a dropped request.

    await Watch("bundles/ml-1m", answers.swap, every_s=2).run()

The folder's files are looked at every few seconds. A change is read, verified and asked its golden
questions in a thread, while the old bundle answers; then one attribute is exchanged. A bundle that
is not whole is refused, said once, and tried again when its files change.
"""

import asyncio
import ctypes
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from catalogue.errors import UserError
from serving import metrics
from serving.answers import Model

log = logging.getLogger("bentoml.marquee")

Files: TypeAlias = frozenset[tuple[str, int, int, int]]
"""Name, inode, size and time of change of each."""


class Watch:
    """Looks after one folder."""

    def __init__(self, bundle: str, swap: Callable[[Model], None], every_s: float) -> None:
        self._bundle, self._swap, self._every_s = bundle, swap, every_s
        self._seen = files(bundle)

    async def run(self) -> None:
        """For ever; cancel it."""
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def look(self) -> None:
        """Take what is new, if it is whole."""
        found = files(self._bundle)
        if not found or found == self._seen:  # none: between the two renames of a replacement
            return
        self._seen = found
        try:
            model = await asyncio.to_thread(Model.load, self._bundle)
        except UserError as error:
            metrics.SWAPS.labels("refused").inc()
            log.error("the new bundle is refused, the old one goes on: %s", error)
            return
        self._swap(model)
        metrics.SWAPS.labels("swapped").inc()
        log.warning("model %s answers from now on", model.recommender.model_version[:12])
        await asyncio.to_thread(give_back)


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
