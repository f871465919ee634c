"""What is remembered of persons is never older than half a second, and never older than what this
process has stored."""

import asyncio
import threading
from typing import Any

import pytest

from marquee.api.store_executor import PAUSE_S, StoreExecutor
from marquee.api.user_cache import CHECK_S, Memory
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import Event, EventStore

HEAT, SUSPECTS = 6, 50


def rated(movie_id: int, user_id: str = "ann") -> Event:
    return Event(f"{user_id}-{movie_id}", user_id, movie_id, "rating", 4.0, None, movie_id)


class Asked:
    """A store that counts what it is asked, and can be away."""

    def __init__(self, store: EventStore) -> None:
        self._store, self.counts, self.away = store, {"mark": 0, "known": 0}, False

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


def films(memory: Memory, user_id: str = "ann") -> list[int]:
    return [entry[0] for entry in asyncio.run(memory.person(user_id)).known.entries]


def test_within_half_a_second_nothing_is_asked_and_after_it_the_mark_alone(
    store: EventStore,
) -> None:
    now, asked = [0.0], Asked(store)
    memory = Memory(asked, StoreExecutor(), lambda: now[0])  # type: ignore[arg-type]
    store.add([rated(HEAT)])
    assert films(memory) == [HEAT] and asked.counts == {"mark": 1, "known": 1}
    now[0] = CHECK_S / 2
    assert films(memory) == [HEAT] and asked.counts == {"mark": 1, "known": 1}
    now[0] = CHECK_S
    assert films(memory) == [HEAT] and asked.counts == {"mark": 2, "known": 1}
    store.add([rated(SUSPECTS)])  # by another replica
    now[0] = 2 * CHECK_S
    assert films(memory) == [HEAT, SUSPECTS] and asked.counts == {"mark": 3, "known": 2}


def test_what_this_process_stored_counts_at_once(store: EventStore) -> None:
    memory = Memory(store, StoreExecutor(), lambda: 0.0)
    assert films(memory) == [] == films(memory, "bob")
    store.add([rated(HEAT), rated(HEAT, "bob")])
    assert films(memory) == []
    memory.forget({"ann"})
    assert films(memory) == [HEAT] and films(memory, "bob") == []


def test_what_was_read_while_something_was_stored_is_not_kept(store: EventStore) -> None:
    memory = Memory(store, StoreExecutor(), lambda: 0.0)
    read = memory._read

    def slow(*given: Any) -> Any:
        found = read(*given)
        store.add([rated(HEAT)])
        memory.forget({"ann"})
        return found

    memory._read = slow  # type: ignore[method-assign]
    assert films(memory) == [], "asked before it was acknowledged"
    memory._read = read  # type: ignore[method-assign]
    assert films(memory) == [HEAT]


def test_while_the_store_is_away_what_was_known_last_is_good(store: EventStore) -> None:
    now, asked = [0.0], Asked(store)
    memory = Memory(asked, StoreExecutor(), lambda: now[0])  # type: ignore[arg-type]
    store.add([rated(HEAT)])
    films(memory)
    asked.away, now[0] = True, 10.0
    assert films(memory) == [HEAT]
    with pytest.raises(StoreUnavailable):
        films(memory, "bob")
    asked.away = False
    assert films(memory, "bob") == []


def test_answers_go_with_the_person_and_no_more_than_a_few_are_kept(store: EventStore) -> None:
    memory = Memory(store, StoreExecutor(), lambda: 0.0)
    person = asyncio.run(memory.person("ann"))
    for k in range(10):
        person.keep(k, {"k": k})
    assert list(person.answers) == [6, 7, 8, 9]
    memory.forget({"ann"})
    assert not asyncio.run(memory.person("ann")).answers


def test_persons_asked_for_longest_ago_are_forgotten_first(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marquee.api.user_cache.MOST_PERSONS", 2)
    asked = Asked(store)
    memory = Memory(asked, StoreExecutor(), lambda: 0.0)  # type: ignore[arg-type]
    for user_id in ("a", "b", "a", "c", "a"):
        films(memory, user_id)
    assert asked.counts["mark"] == 3
    films(memory, "b")
    assert asked.counts["mark"] == 4


def test_a_store_that_neither_answers_nor_refuses_is_away() -> None:
    """And is left alone for a moment, and asked again after it."""
    now, frozen, asked = [0.0], threading.Event(), list[str]()

    def ask(name: str) -> str:
        asked.append(name)
        if name == "slow":
            frozen.wait(10)
        return name

    async def run() -> None:
        calls = StoreExecutor(within_s=0.05, clock=lambda: now[0])
        assert await calls.make(ask, "first") == "first"
        with pytest.raises(StoreUnavailable, match=r"did not answer in 0.05 s"):
            await calls.make(ask, "slow")
        with pytest.raises(StoreUnavailable, match="a second ago"):
            await calls.make(ask, "second")
        now[0] = PAUSE_S
        assert await calls.make(ask, "third") == "third"

    try:
        asyncio.run(run())
    finally:
        frozen.set()
    assert asked == ["first", "slow", "third"]


def test_what_a_call_raises_comes_through() -> None:
    def fail() -> None:
        raise StoreUnavailable("postgresql://db: connection refused")

    with pytest.raises(StoreUnavailable, match="refused"):
        asyncio.run(StoreExecutor().make(fail))


def test_many_who_ask_for_a_person_at_once_ask_the_store_once(store: EventStore) -> None:
    now, asked = [0.0], Asked(store)
    memory = Memory(asked, StoreExecutor(), lambda: now[0])  # type: ignore[arg-type]
    store.add([rated(HEAT)])
    films(memory)
    now[0] = CHECK_S

    async def all_at_once() -> list[int]:
        found = await asyncio.gather(*(memory.person("ann") for _ in range(8)))
        return [len(each.known.entries) for each in found]

    assert asyncio.run(all_at_once()) == [1] * 8
    assert asked.counts == {"mark": 2, "known": 1}
