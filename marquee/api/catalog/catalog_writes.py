"""Writes to the catalog and its rules: stored, known to all workers, then acknowledged."""

from collections.abc import Callable
from typing import Any

from marquee.api.access.auth import current_actor
from marquee.api.process.catalog_follower import CatalogFollower
from marquee.api.store_access import StoreExecutor


class CatalogWrites:
    """The way of every change of the catalog, with its sender for the audit."""

    def __init__(self, executor: StoreExecutor, follower: CatalogFollower) -> None:
        self._executor, self._follower = executor, follower

    async def run(self, change: Callable[..., int], *arguments: Any) -> None:
        """Change the store; when this returns, all workers of the service know it."""
        actor = current_actor.get()
        await self._executor.run(lambda: change(*arguments, actor))
        self._follower.announce()
        await self._follower.catch_up()
