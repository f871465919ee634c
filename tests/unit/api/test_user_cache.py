"""What is remembered of persons is never older than half a second, and never older than what this
process has stored."""

import asyncio
import threading
from typing import Any

import pytest

from marquee.api.store_executor import PAUSE_S, StoreExecutor
from marquee.api.user_cache import CHECK_S, UserCache
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore

HEAT, SUSPECTS = 6, 50


def rated(movie_id: int, user_id: str = "ann") -> Event:
    return Event(
        event_id=f"{user_id}-{movie_id}",
        user_id=user_id,
        movie_id=movie_id,
        kind="rating",
        stars=4.0,
        at_us=movie_id,
    )


class Asked:
    """A store that counts what it is asked, and can be away."""

    def __init__(self, store: EventStore) -> None:
        self._store, self.counts, self.away = store, {"state_version": 0, "user_state": 0}, False

    def __getattr__(self, name: str) -> Any:
        def ask(*given: Any) -> Any:
            self.counts[name] += 1
            if self.away:
                raise StoreUnavailable("the store is away")
            return getattr(self._store, name)(*given)

        return ask


@pytest.fixture
def store(tmp_path: Any) -> EventStore:
    return EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")


def films(cache: UserCache, user_id: str = "ann") -> list[int]:
    return [entry[0] for entry in asyncio.run(cache.get(user_id)).state.history]


def test_within_half_a_second_nothing_is_asked_and_after_it_the_mark_alone(
    store: EventStore,
) -> None:
    now, asked = [0.0], Asked(store)
    cache = UserCache(asked, StoreExecutor(), lambda: now[0])  # type: ignore[arg-type]
    store.add([rated(HEAT)])
    assert films(cache) == [HEAT] and asked.counts == {"state_version": 1, "user_state": 1}
    now[0] = CHECK_S / 2
    assert films(cache) == [HEAT] and asked.counts == {"state_version": 1, "user_state": 1}
    now[0] = CHECK_S
    assert films(cache) == [HEAT] and asked.counts == {"state_version": 2, "user_state": 1}
    store.add([rated(SUSPECTS)])  # by another replica
    now[0] = 2 * CHECK_S
    assert films(cache) == [HEAT, SUSPECTS] and asked.counts == {
        "state_version": 3,
        "user_state": 2,
    }


def test_what_this_process_stored_counts_at_once(store: EventStore) -> None:
    cache = UserCache(store, StoreExecutor(), lambda: 0.0)
    assert films(cache) == [] == films(cache, "bob")
    store.add([rated(HEAT), rated(HEAT, "bob")])
    assert films(cache) == []
    cache.invalidate({"ann"})
    assert films(cache) == [HEAT] and films(cache, "bob") == []


def test_what_was_read_while_something_was_stored_is_not_kept(store: EventStore) -> None:
    cache = UserCache(store, StoreExecutor(), lambda: 0.0)
    read = cache._load

    def slow(*given: Any) -> Any:
        found = read(*given)
        store.add([rated(HEAT)])
        cache.invalidate({"ann"})
        return found

    cache._load = slow  # type: ignore[method-assign]
    assert films(cache) == [], "asked before it was acknowledged"
    cache._load = read  # type: ignore[method-assign]
    assert films(cache) == [HEAT]


def test_while_the_store_is_away_what_was_known_last_is_good(store: EventStore) -> None:
    now, asked = [0.0], Asked(store)
    cache = UserCache(asked, StoreExecutor(), lambda: now[0])  # type: ignore[arg-type]
    store.add([rated(HEAT)])
    films(cache)
    asked.away, now[0] = True, 10.0
    assert films(cache) == [HEAT]
    with pytest.raises(StoreUnavailable):
        films(cache, "bob")
    asked.away = False
    assert films(cache, "bob") == []


def test_answers_go_with_the_person_and_no_more_than_a_few_are_kept(store: EventStore) -> None:
    cache = UserCache(store, StoreExecutor(), lambda: 0.0)
    user = asyncio.run(cache.get("ann"))
    for k in range(10):
        user.put(k, {"k": k})
    assert list(user.responses) == [6, 7, 8, 9]
    cache.invalidate({"ann"})
    assert not asyncio.run(cache.get("ann")).responses


def test_persons_asked_for_longest_ago_are_forgotten_first(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marquee.api.user_cache.MAX_USERS", 2)
    asked = Asked(store)
    cache = UserCache(asked, StoreExecutor(), lambda: 0.0)  # type: ignore[arg-type]
    for user_id in ("a", "b", "a", "c", "a"):
        films(cache, user_id)
    assert asked.counts["state_version"] == 3
    films(cache, "b")
    assert asked.counts["state_version"] == 4


def test_a_store_that_neither_answers_nor_refuses_is_away() -> None:
    """And is left alone for a moment, and asked again after it."""
    now, frozen, asked = [0.0], threading.Event(), list[str]()

    def ask(name: str) -> str:
        asked.append(name)
        if name == "slow":
            frozen.wait(10)
        return name

    async def run() -> None:
        executor = StoreExecutor(timeout_s=0.05, clock=lambda: now[0])
        assert await executor.run(ask, "first") == "first"
        with pytest.raises(StoreUnavailable, match=r"did not answer in 0.05 s"):
            await executor.run(ask, "slow")
        with pytest.raises(StoreUnavailable, match="a second ago"):
            await executor.run(ask, "second")
        now[0] = PAUSE_S
        assert await executor.run(ask, "third") == "third"

    try:
        asyncio.run(run())
    finally:
        frozen.set()
    assert asked == ["first", "slow", "third"]


def test_what_a_call_raises_comes_through() -> None:
    def fail() -> None:
        raise StoreUnavailable("postgresql://db: connection refused")

    with pytest.raises(StoreUnavailable, match="refused"):
        asyncio.run(StoreExecutor().run(fail))


def test_many_who_ask_for_a_person_at_once_ask_the_store_once(store: EventStore) -> None:
    now, asked = [0.0], Asked(store)
    cache = UserCache(asked, StoreExecutor(), lambda: now[0])  # type: ignore[arg-type]
    store.add([rated(HEAT)])
    films(cache)
    now[0] = CHECK_S

    async def all_at_once() -> list[int]:
        found = await asyncio.gather(*(cache.get("ann") for _ in range(8)))
        return [len(each.state.history) for each in found]

    assert asyncio.run(all_at_once()) == [1] * 8
    assert asked.counts == {"state_version": 2, "user_state": 1}
