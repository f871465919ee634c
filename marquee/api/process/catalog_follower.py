"""The catalog of a worker, which follows that of the store: each replica within a second.

    follower = CatalogFollower(store, executor, shared, model)
    await follower.current()        # before a list: what any worker acknowledged counts

The store numbers its changes. A worker asks for the number every POLL_S, and at once when another
worker has acknowledged a change, which renews a word in the memory of all. Changes are applied in a
thread, a thousand titles a step, while the catalog of before answers.
"""

import asyncio
import logging
from contextlib import suppress
from itertools import islice

from marquee.api.process.loaded_model import LoadedModel
from marquee.api.process.shared_state import SharedState
from marquee.api.store_access import StoreExecutor
from marquee.catalog.catalog_store import CatalogStore
from marquee.catalog.records import CatalogChanges, ChangeCursor
from marquee.core.errors import InputError
from marquee.feedback.errors import StoreUnavailable
from marquee.recommender.catalog.catalog_pages import apply_pages

POLL_S = 0.4
PAGES_PER_STEP = 20  # of a thousand titles, applied together where many have changed

log = logging.getLogger("bentoml.marquee")


class CatalogFollower:
    """The model of one worker: a bundle, and the store's catalog over it."""

    def __init__(
        self,
        store: CatalogStore,
        executor: StoreExecutor,
        shared: SharedState,
        model: LoadedModel,
    ) -> None:
        self.model = model
        self._store, self._executor, self._shared = store, executor, shared
        self._cursor, self._word = ChangeCursor(), shared.catalog_word()
        self._is_known, self._lock = False, asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_known(self) -> bool:
        """Return whether the store's catalog was ever read."""
        return self._is_known

    async def current(self) -> LoadedModel:
        """Return the model with every change that this service has acknowledged."""
        if self._word != self._shared.catalog_word():
            await self.catch_up()
        return self.model

    def announce(self) -> None:
        """Tell all workers of a change, after the write and before its acknowledgement."""
        self._shared.renew_catalog_word()

    async def run(self) -> None:
        """Follow the store for ever."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.catch_up()
            except Exception:  # a worker that stops to follow would show what has no rights
                log.exception("the catalog cannot be applied, the one of before answers")

    async def catch_up(self) -> None:
        """Apply what has changed; while the store is away the catalog stays as it is.

        A request that gives up waiting does not stop the work, which others wait for, too.
        """
        task = asyncio.create_task(self._catch_up())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _catch_up(self) -> None:
        async with self._lock:
            word = self._shared.catalog_word()
            try:
                await self._follow()
            except StoreUnavailable:
                return
            except InputError as error:
                log.error("the catalog cannot be read, the one of before answers: %s", error)
                return
            self._word, self._is_known = word, True

    async def adopt(self, model: LoadedModel) -> None:
        """Answer from another bundle from now on, with the same catalog over it.

        While the store is away the bundle of before answers, whose catalog is known.
        """
        while True:
            async with self._lock:
                if not self._is_known:
                    self.model = model
                    return
                with suppress(StoreUnavailable):
                    cursor, is_last = ChangeCursor(), False
                    while not is_last:
                        model, cursor, is_last = await self._step(model, cursor)
                    self.model, self._cursor = model, cursor
                    return
            await asyncio.sleep(POLL_S)

    async def _follow(self) -> None:
        version = await self._executor.run(self._store.version)
        if version < self._cursor.version:  # the database was replaced by an older one
            log.warning("the catalog begins again: version %d", version)
            self.model, self._cursor = self.model.without_changes(), ChangeCursor()
        elif version == self._cursor.version and self._is_known:
            return
        is_last = False
        while not is_last:
            self.model, self._cursor, is_last = await self._step(self.model, self._cursor)

    async def _step(
        self, model: LoadedModel, cursor: ChangeCursor
    ) -> tuple[LoadedModel, ChangeCursor, bool]:
        """Return the model after the next changes, its place among all, and whether it is last."""
        pages = await self._executor.run(self._pages, cursor)
        model = await asyncio.to_thread(apply_pages, model, pages, log.error)
        return model, pages[-1].cursor, pages[-1].is_last

    def _pages(self, cursor: ChangeCursor) -> list[CatalogChanges]:
        return list(islice(self._store.changes_since(cursor), PAGES_PER_STEP))
