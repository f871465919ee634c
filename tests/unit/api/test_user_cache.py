"""Test that a cached user is at most half a second old, and never older than this process knows."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, cast

import pytest

from marquee.api import store_access
from marquee.api.store_access import CHECK_S, StoreExecutor, UserCache
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from marquee.feedback.user_state import UserState

HEAT, SUSPECTS = 6, 50
NEVER_S = 60.0


class FakeStore:
    """A store in memory that counts its calls, and can be unavailable."""

    def __init__(self) -> None:
        self.movies: dict[str, list[int]] = {}
        self.calls: Counter[str] = Counter()
        self.is_unavailable = False
        self.after_reading: Callable[[], None] = lambda: None

    def add(self, movie_id: int, user_id: str = "ann") -> None:
        self.movies.setdefault(user_id, []).append(movie_id)

    def state_version(self, user_id: str) -> tuple[int, int]:
        self._count("state_version")
        return 0, len(self.movies.get(user_id, []))

    def user_state(self, user_id: str) -> UserState:
        self._count("user_state")
        history = tuple((movie_id, 4.0, None, 1) for movie_id in self.movies.get(user_id, []))
        self.after_reading()
        return UserState(history)

    def _count(self, name: str) -> None:
        self.calls[name] += 1
        if self.is_unavailable:
            raise StoreUnavailable("the store is unavailable")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cache(store: FakeStore, clock: Clock) -> UserCache:
    return UserCache(cast(EventStore, store), StoreExecutor(NEVER_S), clock)


def movie_ids(cache: UserCache, user_id: str = "ann") -> list[int]:
    return [entry[0] for entry in asyncio.run(cache.get(user_id)).state.history]


def test_user_cache_within_check_interval_asks_nothing(
    store: FakeStore, cache: UserCache, clock: Clock
) -> None:
    store.add(HEAT)
    assert movie_ids(cache) == [HEAT]
    clock.now_s = CHECK_S / 2
    assert movie_ids(cache) == [HEAT] and store.calls == {"state_version": 1, "user_state": 1}


def test_user_cache_after_check_interval_reads_version_alone(
    store: FakeStore, cache: UserCache, clock: Clock
) -> None:
    store.add(HEAT)
    movie_ids(cache)
    clock.now_s = CHECK_S
    assert movie_ids(cache) == [HEAT] and store.calls == {"state_version": 2, "user_state": 1}


def test_user_cache_sees_events_of_another_replica(
    store: FakeStore, cache: UserCache, clock: Clock
) -> None:
    store.add(HEAT)
    movie_ids(cache)
    store.add(SUSPECTS)
    assert movie_ids(cache) == [HEAT]
    clock.now_s = CHECK_S
    assert movie_ids(cache) == [HEAT, SUSPECTS] and store.calls["user_state"] == 2


def test_user_cache_invalidate_counts_at_once(store: FakeStore, cache: UserCache) -> None:
    assert movie_ids(cache) == [] == movie_ids(cache, "bob")
    store.add(HEAT)
    store.add(HEAT, "bob")
    assert movie_ids(cache) == []
    cache.invalidate({"ann"})
    assert movie_ids(cache) == [HEAT] and movie_ids(cache, "bob") == []


def test_user_cache_read_during_a_write_is_not_kept(store: FakeStore, cache: UserCache) -> None:
    def write() -> None:
        store.add(HEAT)
        cache.invalidate({"ann"})
        store.after_reading = lambda: None

    store.after_reading = write
    assert movie_ids(cache) == [], "read before the event was acknowledged"
    assert movie_ids(cache) == [HEAT]


def test_user_cache_unavailable_store_keeps_known_users(
    store: FakeStore, cache: UserCache, clock: Clock
) -> None:
    store.add(HEAT)
    movie_ids(cache)
    store.is_unavailable, clock.now_s = True, 10.0
    assert movie_ids(cache) == [HEAT]
    with pytest.raises(StoreUnavailable):
        movie_ids(cache, "bob")
    store.is_unavailable = False
    assert movie_ids(cache, "bob") == []


def test_user_cache_keeps_few_responses_per_user(cache: UserCache) -> None:
    user = asyncio.run(cache.get("ann"))
    for k in range(10):
        user.put(k, {"k": k})
    assert list(user.responses) == [6, 7, 8, 9]


def test_user_cache_invalidate_drops_responses(cache: UserCache) -> None:
    asyncio.run(cache.get("ann")).put(1, {"k": 1})
    cache.invalidate({"ann"})
    assert not asyncio.run(cache.get("ann")).responses


def test_user_cache_new_version_drops_responses(
    store: FakeStore, cache: UserCache, clock: Clock
) -> None:
    asyncio.run(cache.get("ann")).put(1, {"k": 1})
    store.add(HEAT)
    clock.now_s = CHECK_S
    assert not asyncio.run(cache.get("ann")).responses


def test_user_cache_drops_least_recent_user_first(
    store: FakeStore, cache: UserCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_access, "MAX_USERS", 2)
    for user_id in ("a", "b", "a", "c", "a"):
        movie_ids(cache, user_id)
    assert store.calls["state_version"] == 3
    movie_ids(cache, "b")
    assert store.calls["state_version"] == 4


def test_user_cache_concurrent_requests_check_once(
    store: FakeStore, cache: UserCache, clock: Clock
) -> None:
    store.add(HEAT)
    movie_ids(cache)
    clock.now_s = CHECK_S

    async def gather() -> list[int]:
        users: list[Any] = await asyncio.gather(*(cache.get("ann") for _ in range(8)))
        return [len(user.state.history) for user in users]

    assert asyncio.run(gather()) == [1] * 8
    assert store.calls == {"state_version": 2, "user_state": 1}
