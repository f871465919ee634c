"""Access to the event store from the event loop: its threads, and a cache of its users."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

from marquee.api.process.shared_state import SharedState
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
RECENT_S = 10.0
MAX_USERS = 10_000  # with 100 movies each: 20 MB
MAX_RESPONSES = 4  # per user, of different requests


class StoreExecutor:
    """The threads for reads or for writes of a store, behind a circuit breaker.

    A database whose host is frozen neither answers nor refuses. A call to it is given up after
    TIMEOUT_S, and for PAUSE_S no other is tried. Its thread returns when the database does. Reads
    and writes have an executor each: a write that waits for a lock takes no history away.
    """

    def __init__(self, timeout_s: float = TIMEOUT_S, clock: Clock = time.monotonic) -> None:
        self.timeout_s, self._clock = timeout_s, clock
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="events")
        self._closed_until_s = 0.0
        self._failed_s: float | None = None

    async def run(self, call: Callable[[*Args], Result], *args: *Args) -> Result:
        """Run a call; StoreUnavailable above the time limit, and in the pause after that."""
        if self._clock() < self._closed_until_s:
            raise StoreUnavailable("the event store did not answer a second ago")
        future = asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        try:
            result = await asyncio.wait_for(future, self.timeout_s)
        except TimeoutError:
            self._failed_s = self._clock()
            self._closed_until_s = self._failed_s + PAUSE_S
            message = f"the event store did not answer in {self.timeout_s:g} s"
            raise StoreUnavailable(message) from None
        except StoreUnavailable:
            self._failed_s = self._clock()
            raise
        self._failed_s = None
        return result

    @property
    def failed_recently(self) -> bool:
        """True where the last call failed, at most RECENT_S ago."""
        return self._failed_s is not None and self._clock() - self._failed_s < RECENT_S


@dataclass(kw_only=True)
class CachedUser:
    """One user at one version of their state, and lists made of just this."""

    state: UserState
    version: tuple[int, int]
    shared_version: int
    checked_s: float
    responses: OrderedDict[Any, Any] = field(default_factory=OrderedDict)  # by key of the request

    def put(self, key: Any, response: Any) -> None:
        self.responses[key] = response
        if len(self.responses) > MAX_RESPONSES:
            self.responses.popitem(last=False)


def unknown_user() -> CachedUser:
    """Return a user of whom nothing may be used."""
    return CachedUser(state=UserState(), version=(0, 0), shared_version=0, checked_s=0.0)


class UserCache:
    """The users that were read last, for one event loop.

    An entry is valid while the store's version of the user's state is the same. The version is read
    again after CHECK_S, so that the events which another replica stored count within a second.
    Events of this service count at once: the worker that stored them calls `invalidate` before it
    acknowledges them, which changes the user's word in the memory of all workers.
    """

    def __init__(
        self,
        store: EventStore,
        executor: StoreExecutor,
        clock: Clock = time.monotonic,
        shared: SharedState | None = None,
    ) -> None:
        """shared: what the workers of the service share; None for a single process."""
        self.store = store
        self._executor, self._clock = executor, clock
        self._shared = shared or SharedState()
        self._users: OrderedDict[str, CachedUser] = OrderedDict()

    async def get(self, user_id: str) -> CachedUser:
        """Return a user as stored; as last read, or StoreUnavailable, while it is away."""
        cached, shared_version = self._users.get(user_id), self._shared.version(user_id)
        if cached is not None and cached.shared_version != shared_version:
            cached = None  # this or another worker has changed the user since
            self._users.pop(user_id)
        if cached is not None and self._clock() - cached.checked_s < CHECK_S:
            self._users.move_to_end(user_id)
            return cached
        now = self._clock()
        if cached is not None:
            cached.checked_s = now  # requests for the same user meanwhile do not check as well
        try:
            user = await self._executor.run(self._load, user_id, cached, shared_version)
        except StoreUnavailable:
            if cached is None:
                raise
            return cached
        user.checked_s = now
        if shared_version == self._shared.version(user_id):  # else older than a stored event
            self._users[user_id] = user
            self._users.move_to_end(user_id)
            if len(self._users) > MAX_USERS:
                self._users.popitem(last=False)
        return user

    def _load(self, user_id: str, cached: CachedUser | None, shared_version: int) -> CachedUser:
        # The version first: an event stored between the two reads is then read again, not missed.
        version = self.store.state_version(user_id)
        if cached is not None and cached.version == version:
            return cached
        return CachedUser(
            state=self.store.user_state(user_id),
            version=version,
            shared_version=shared_version,
            checked_s=0.0,
        )

    def invalidate(self, user_ids: set[str]) -> None:
        """Make every worker read these users again; call it after a write."""
        self._shared.renew_versions(user_ids)
        for user_id in user_ids:
            self._users.pop(user_id, None)
