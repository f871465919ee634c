"""Access to the event store from the event loop: its threads, and a cache of its users."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import UserState

Clock: TypeAlias = Callable[[], float]
Args = TypeVarTuple("Args")
Result = TypeVar("Result")

THREADS = 16
TIMEOUT_S = 2.5  # longer than a database's statement timeout, and shorter than a request's
PAUSE_S = 1.0
CHECK_S = 0.5
MAX_USERS = 10_000  # with 100 movies each: 20 MB
MAX_RESPONSES = 4  # per user, of different requests


class StoreExecutor:
    """The threads of one event store, behind a circuit breaker.

    A database whose host is frozen neither answers nor refuses. A call to it is given up after
    TIMEOUT_S, and for PAUSE_S no other is tried. Its thread returns when the database does.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S, clock: Clock = time.monotonic) -> None:
        self.timeout_s, self._clock = timeout_s, clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="events")
        self._closed_until_s = 0.0

    async def run(self, call: Callable[[*Args], Result], *args: *Args) -> Result:
        """Run a call; StoreUnavailable above the time limit, and in the pause after that."""
        if self._clock() < self._closed_until_s:
            raise StoreUnavailable("the event store did not answer a second ago")
        future = asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        try:
            return await asyncio.wait_for(future, self.timeout_s)
        except TimeoutError:
            self._closed_until_s = self._clock() + PAUSE_S
            message = f"the event store did not answer in {self.timeout_s:g} s"
            raise StoreUnavailable(message) from None


@dataclass(kw_only=True)
class CachedUser:
    """One user at one version of their state, and lists made of just this."""

    state: UserState
    version: tuple[int, int]
    checked_s: float
    responses: OrderedDict[Any, Any] = field(default_factory=OrderedDict)  # by key of the request

    def put(self, key: Any, response: Any) -> None:
        self.responses[key] = response
        if len(self.responses) > MAX_RESPONSES:
            self.responses.popitem(last=False)


class UserCache:
    """The users that were read last, for one event loop.

    An entry is valid while the store's version of the user's state is the same. The version is read
    again after CHECK_S, so that the events which another replica stored count within a second.
    Events of this process count at once: it calls `invalidate` before it acknowledges them.
    """

    def __init__(
        self, store: EventStore, executor: StoreExecutor, clock: Clock = time.monotonic
    ) -> None:
        self.store = store
        self._executor, self._clock = executor, clock
        self._users: OrderedDict[str, CachedUser] = OrderedDict()
        self._invalidations = 0

    async def get(self, user_id: str) -> CachedUser:
        """Return a user as stored; as last read, or StoreUnavailable, while it is away."""
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
        self._invalidations += 1
        for user_id in user_ids:
            self._users.pop(user_id, None)
