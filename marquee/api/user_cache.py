"""What was lately read of persons, so that a known one with nothing new costs no query.

    memory = Memory(store, calls)
    known = (await memory.person("42")).known

An entry is good for as long as the store's mark of the person is the same; the mark is asked again
after CHECK_S, so that what another replica stored counts within a second. What this process stores
counts at once: `forget` is called before it is acknowledged.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from marquee.api.store_executor import StoreExecutor
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import Known

CHECK_S = 0.5
MOST_PERSONS = 10_000
"""Of 100 films each: 20 MB."""
MOST_ANSWERS = 4
"""Kept of a person: what was asked in different ways."""


@dataclass
class CachedUser:
    """One person, as of a mark of the store; answers: made of just this, by what was asked."""

    known: Known
    mark: tuple[int, int]
    checked_s: float
    answers: "OrderedDict[Any, Any]" = field(default_factory=OrderedDict)

    def keep(self, asked: Any, answer: Any) -> None:
        self.answers[asked] = answer
        if len(self.answers) > MOST_ANSWERS:
            self.answers.popitem(last=False)


class Memory:
    """The persons asked for last. Used from one event loop."""

    def __init__(
        self, store: EventStore, calls: StoreExecutor, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self._calls, self._clock = calls, clock
        self._persons: OrderedDict[str, CachedUser] = OrderedDict()
        self._forgotten = 0

    async def person(self, user_id: str) -> CachedUser:
        """What the store knows now, or, while it is away, what it knew last; StoreUnavailable where that
        is not remembered either."""
        found = self._persons.get(user_id)
        if found is not None and self._clock() - found.checked_s < CHECK_S:
            self._persons.move_to_end(user_id)
            return found
        begun, now = self._forgotten, self._clock()
        if found is not None:
            found.checked_s = now  # who asks for the same person meanwhile does not ask as well
        try:
            read = await self._calls.make(self._read, user_id, found)
        except StoreUnavailable:
            if found is None:
                raise
            return found
        read.checked_s = now
        if begun == self._forgotten:  # else it may have been read before what was stored since
            self._persons[user_id] = read
            self._persons.move_to_end(user_id)
            if len(self._persons) > MOST_PERSONS:
                self._persons.popitem(last=False)
        return read

    def _read(self, user_id: str, found: CachedUser | None) -> CachedUser:
        # The mark first: what is stored between the two reads is then read again, not missed.
        mark = self.store.mark(user_id)
        if found is not None and found.mark == mark:
            return found
        return CachedUser(self.store.known(user_id), mark, 0.0)

    def forget(self, user_ids: set[str]) -> None:
        """Their events have changed."""
        self._forgotten += 1
        for user_id in user_ids:
            self._persons.pop(user_id, None)
