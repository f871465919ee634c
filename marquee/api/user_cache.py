"""A cache of user states, so that a stored user without new events costs no query.

    cache = UserCache(store, executor)
    state = (await cache.get("42")).state

An entry is valid while the store's version of the user's state is the same. The version is read
again after CHECK_S, so that the events which another replica stored count within a second. Events
of this process count at once: it calls `invalidate` before it acknowledges them.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marquee.api.store_executor import StoreExecutor
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import UserState

CHECK_S = 0.5
MAX_USERS = 10_000
"""With 100 movies each: 20 MB."""
MAX_RESPONSES = 4
"""Lists kept per user, for different requests."""


@dataclass(kw_only=True)
class CachedUser:
    """One user at one version of their state, and lists made of just this."""

    state: UserState
    version: tuple[int, int]
    checked_s: float
    responses: "OrderedDict[Any, Any]" = field(default_factory=OrderedDict)
    """Lists by the key of their request."""

    def put(self, key: Any, response: Any) -> None:
        """Keep a list, and drop the oldest above MAX_RESPONSES."""
        self.responses[key] = response
        if len(self.responses) > MAX_RESPONSES:
            self.responses.popitem(last=False)


class UserCache:
    """The users that were read last. For one event loop."""

    def __init__(
        self,
        store: EventStore,
        executor: StoreExecutor,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._executor, self._clock = executor, clock
        self._users: OrderedDict[str, CachedUser] = OrderedDict()
        self._invalidations = 0

    async def get(self, user_id: str) -> CachedUser:
        """Return a user as stored, or as last read while the store is unavailable.

        Raises StoreUnavailable where the store does not answer and the user is not in the cache.
        """
        cached = self._users.get(user_id)
        if cached is not None and self._clock() - cached.checked_s < CHECK_S:
            self._users.move_to_end(user_id)
            return cached
        invalidations, now = self._invalidations, self._clock()
        if cached is not None:
            cached.checked_s = now  # requests for the same user meanwhile do not check as well
        try:
            user = await self._executor.run(self._load, user_id, cached)
        except StoreUnavailable:
            if cached is None:
                raise
            return cached
        user.checked_s = now
        if invalidations == self._invalidations:  # else it may be older than a stored event
            self._users[user_id] = user
            self._users.move_to_end(user_id)
            if len(self._users) > MAX_USERS:
                self._users.popitem(last=False)
        return user

    def _load(self, user_id: str, cached: CachedUser | None) -> CachedUser:
        # The version first: an event stored between the two reads is then read again, not missed.
        version = self.store.state_version(user_id)
        if cached is not None and cached.version == version:
            return cached
        return CachedUser(state=self.store.user_state(user_id), version=version, checked_s=0.0)

    def invalidate(self, user_ids: set[str]) -> None:
        """Drop users whose events have changed."""
        self._invalidations += 1
        for user_id in user_ids:
            self._users.pop(user_id, None)
