"""Test the event store: what is stored comes back per user and in order, on both databases."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marquee.core.errors import InputError
from marquee.feedback import store as store_module
from marquee.feedback.event_schema import KINDS, Event
from marquee.feedback.migrate import EXPANDED
from marquee.feedback.store import AddResult, EventStore
from marquee.feedback.user_state import UserState
from tests.support.event_tables import connect, count_rows, make_tables

HEAT = Event(
    event_id="e1",
    user_id="ann",
    movie_id=6,
    kind="rating",
    stars=4.0,
    watched=None,
    at_us=1_000_000,
)
HALF = Event(
    event_id="e2",
    user_id="ann",
    movie_id=50,
    kind="watch",
    stars=None,
    watched=0.5,
    at_us=2_000_000,
)
LOOK = Event(
    event_id="e3",
    user_id="ann",
    movie_id=1,
    kind="click",
    stars=None,
    watched=None,
    at_us=3_000_000,
)


def rated(store: EventStore, user_id: int | str) -> list[tuple[int, float, int]]:
    """(movie_id, stars, Unix seconds), oldest first."""
    entries = store.user_state(user_id).history
    return [(movie, stars, at // 1_000_000) for movie, stars, _, at in entries if stars is not None]


BOTH_FORMS = pytest.mark.parametrize("url", ["new", "expanded"], indirect=True)


@pytest.fixture
def url(request: pytest.FixtureRequest, store_url: str) -> str:
    """A store as it is made today; "expanded": one that services of version 0004 use, too."""
    if getattr(request, "param", "new") == "expanded":
        make_tables(store_url, EXPANDED)
    return store_url


@pytest.fixture
def store(url: str) -> Iterator[EventStore]:
    store = EventStore(url)
    yield store
    store.close()


@BOTH_FORMS
def test_event_store_history_is_oldest_first(store: EventStore) -> None:
    assert store.import_ratings([1, 2, 1], [10, 10, 20], [3.0, 1.0, 4.5], [200, 5, 100]) == 3
    assert rated(store, 1) == [(20, 4.5, 100), (10, 3.0, 200)]
    assert rated(store, 2) == [(10, 1.0, 5)]
    assert rated(store, 3) == []


def test_event_store_equal_times_keep_import_order(store: EventStore) -> None:
    store.import_ratings([1] * 4, [40, 10, 30, 20], [3.0] * 4, [7] * 4)
    assert [movie_id for movie_id, _, _ in rated(store, 1)] == [40, 10, 30, 20]


@BOTH_FORMS
def test_event_store_import_twice_changes_nothing(store: EventStore) -> None:
    ratings: list[Any] = [[1, 1, 2], [40, 10, 40], [3.0, 2.0, 5.0], [7, 7, 7]]
    store.import_ratings(*ratings)
    before = rated(store, 1), rated(store, 2)
    store.import_ratings(*ratings)
    assert (rated(store, 1), rated(store, 2)) == before


@BOTH_FORMS
def test_event_store_last_rating_of_a_movie_counts(store: EventStore) -> None:
    store.import_ratings([1, 1], [10, 10], [3.0, 4.0], [5, 6])
    assert rated(store, 1) == [(10, 4.0, 6)]


def test_event_store_int_and_text_ids_are_one_user(store: EventStore) -> None:
    store.import_ratings([42], [10], [3.0], [5])
    store.import_ratings(np.array(["42", "ann"]), [20, 20], [4.0, 4.0], [6, 6])
    assert rated(store, 42) == rated(store, "42") == [(10, 3.0, 5), (20, 4.0, 6)]
    assert rated(store, "ann") == [(20, 4.0, 6)]


def test_event_store_import_of_several_batches(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ROWS_PER_BATCH", 10)
    n = 25
    store.import_ratings(np.ones(n, int), np.arange(n), np.full(n, 3.5, "f4"), np.arange(n))
    assert rated(store, 1) == [(m, 3.5, m) for m in range(n)]


def test_event_store_histories_are_durable(url: str) -> None:
    EventStore(url).import_ratings([1], [10], [3.0], [5])
    assert rated(EventStore(url), 1) == [(10, 3.0, 5)]


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        pytest.param([[1], [10], [float("nan")], [5]], "NaN", id="nan"),
        pytest.param([[1, 2], [10], [3.0], [5]], "differ in length", id="lengths"),
        pytest.param([["x" * 129], [10], [3.0], [5]], "129 characters", id="long-name"),
        pytest.param([[""], [10], [3.0], [5]], "0 characters", id="no-name"),
        pytest.param([["a\0"], [10], [3.0], [5]], "NUL", id="nul"),
        pytest.param([[1], [10.9], [3.0], [5]], "10.9, expected an integer or text", id="cut"),
        pytest.param([[1], ["m\0"], [3.0], [5]], "movie_id .*NUL", id="movie-nul"),
    ],
)
def test_event_store_invalid_ratings_are_refused(
    store: EventStore, ratings: list[Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        store.import_ratings(*ratings)
    assert rated(store, 1) == []


@BOTH_FORMS
def test_event_store_add_counts_at_once(store: EventStore) -> None:
    assert store.add([HEAT, HALF, LOOK]) == AddResult(3, 0, ())
    assert store.user_state("ann") == UserState(
        ((6, 4.0, None, 1_000_000), (50, None, 0.5, 2_000_000))
    )
    assert store.user_state("bob") == UserState()
    assert store.add([]) == AddResult(0, 0, ())


@BOTH_FORMS
def test_event_store_duplicate_changes_nothing(store: EventStore) -> None:
    assert store.add([HEAT, HEAT]) == AddResult(1, 1, ())
    before = store.state_version("ann")
    assert store.add([HALF, HEAT, HALF]) == AddResult(1, 2, ())
    assert store.add([HEAT, HALF]) == AddResult(0, 2, ())
    assert (before[1], store.state_version("ann")[1]) == (1, 2)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"user_id": "bob"}, id="user"),
        pytest.param({"movie_id": 7}, id="movie"),
        pytest.param({"movie_id": "6"}, id="movie-as-text"),
        pytest.param({"kind": "watch", "stars": None}, id="kind"),
        pytest.param({"stars": 4.5}, id="stars"),
        pytest.param({"watched": 0.5}, id="watched"),
        pytest.param({"at_us": 1_000_001}, id="time"),
    ],
)
def test_event_store_conflict_is_left_out(
    store: EventStore, url: str, other: dict[str, Any]
) -> None:
    store.add([HEAT])
    assert store.add([replace(HEAT, **other)]) == AddResult(0, 0, (0,))
    assert store.add([HALF, replace(HEAT, **other), HEAT]) == AddResult(1, 1, (1,))
    assert store.add([LOOK, replace(LOOK, movie_id=51), HALF]) == AddResult(1, 1, (1,))
    entries = ((6, 4.0, None, 1_000_000), (50, None, 0.5, 2_000_000))
    assert store.user_state("ann") == UserState(entries)
    assert count_rows(url) == {"ratings": 0, "events": 3}


def test_event_store_event_without_time_is_of_now(store: EventStore) -> None:
    """Sent again it is the same event, at the time of the first; an explicit time is another."""
    untimed = replace(HEAT, at_us=None)
    before_us = time.time_ns() // 1000
    assert store.add([untimed, untimed]) == AddResult(1, 1, ())
    ((_, _, _, at_us),) = store.user_state("ann").history
    assert before_us <= at_us <= time.time_ns() // 1000
    assert store.add([untimed, replace(untimed, stars=3.0)]) == AddResult(0, 1, (1,))
    assert store.add([HEAT]) == AddResult(0, 0, (0,))
    assert store.add([replace(HEAT, at_us=at_us)]) == AddResult(0, 1, ())
    assert store.add([HALF, replace(HALF, at_us=None)]) == AddResult(1, 1, ())
    assert store.user_state("ann").history[1] == (6, 4.0, None, at_us)


def test_event_store_events_without_time_keep_order(store: EventStore) -> None:
    movie_ids = [30, 10, 20]
    store.add([replace(HEAT, event_id=f"e{n}", movie_id=n, at_us=None) for n in movie_ids])
    assert [entry[0] for entry in store.user_state("ann").history] == movie_ids


def test_event_store_add_of_several_batches(store: EventStore) -> None:
    events = [replace(HEAT, event_id=f"e{n}", movie_id=100 + n, at_us=n) for n in range(2500)]
    assert store.add(events) == AddResult(2500, 0, ())
    assert store.add([*events, replace(HALF, event_id="new")]) == AddResult(1, 2500, ())
    assert [entry[0] for entry in store.user_state("ann").history] == [*range(100, 2600), 50]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param({"event_id": ""}, "event_id '': 0 characters", id="no-id"),
        pytest.param({"event_id": "x" * 129}, "129 characters", id="long-id"),
        pytest.param({"user_id": "a\0"}, "NUL", id="nul"),
        pytest.param({"user_id": "\ud800"}, "expected text", id="half-a-pair"),
        pytest.param({"kind": "liked"}, "kind 'liked', expected one of rating, unrate", id="kind"),
        pytest.param({"movie_id": 2**63}, "more than 64 bits", id="movie"),
        pytest.param({"movie_id": "m" * 129}, "movie_id .*129 characters", id="long-movie"),
        pytest.param({"movie_id": "a\0"}, "movie_id .*NUL", id="movie-nul"),
        pytest.param({"movie_id": 6.5}, "6.5, expected an integer or text", id="movie-float"),
        pytest.param({"stars": None}, "a rating without stars", id="no-stars"),
        pytest.param({"stars": float("nan")}, "stars nan", id="nan"),
        pytest.param({"watched": float("inf")}, "watched inf", id="inf"),
        pytest.param({"at_us": -1}, "expected microseconds", id="before-1970"),
        pytest.param({"at_us": 2**63}, "expected microseconds", id="nanoseconds"),
    ],
)
def test_event_store_unstorable_event_is_refused(
    store: EventStore, url: str, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        store.add([HALF, replace(HEAT, **wrong)])
    assert count_rows(url) == {"ratings": 0, "events": 0}


def test_event_store_keeps_largest_ids_and_numbers(store: EventStore) -> None:
    event = Event(
        event_id="é" * 128,
        user_id="ü" * 128,
        movie_id=2**63 - 1,
        kind="rating",
        stars=0.1,
        watched=None,
        at_us=2**33 * 10**6 - 1,
    )
    assert store.add([event]) == AddResult(1, 0, ())
    assert store.add([event]) == AddResult(0, 1, ())
    assert store.user_state("ü" * 128).history == ((2**63 - 1, 0.1, None, 2**33 * 10**6 - 1),)


MOVIE_IDS = (
    114508,
    "114508",
    "0114508",
    "-1",
    -1,
    "\u0130/a b?,\n\"\\'",
    "\N{GRINNING FACE}" * 128,
)


@BOTH_FORMS
def test_event_store_text_and_integer_ids_are_apart(store: EventStore) -> None:
    events = [replace(HEAT, event_id=f"e{n}", movie_id=m, at_us=n) for n, m in enumerate(MOVIE_IDS)]
    assert store.add(events) == AddResult(len(events), 0, ())
    assert store.add(events) == AddResult(0, len(events), ())
    assert [entry[0] for entry in store.user_state("ann").history] == list(MOVIE_IDS)
    assert [row["movie_id"] for row in store.user_rows("ann")] == list(MOVIE_IDS)
    unrate = replace(HEAT, event_id="u", movie_id="114508", kind="unrate", stars=None, at_us=99)
    store.add([unrate, replace(unrate, event_id="n", movie_id="x", kind="not_seen")])
    assert [e[0] for e in store.user_state("ann").history] == [114508, *MOVIE_IDS[2:]]
    assert store.user_state("ann").not_seen == ("x",)


@BOTH_FORMS
def test_event_store_imports_text_and_integer_ids(store: EventStore) -> None:
    n = len(MOVIE_IDS)
    ratings: list[Any] = [["ann"] * n, list(MOVIE_IDS), [3.0] * n, list(range(n))]
    for _ in range(2):
        assert store.import_ratings(*ratings) == n
        assert rated(store, "ann") == [(movie, 3.0, at) for at, movie in enumerate(MOVIE_IDS)]
    store.import_ratings(["ann"], ["114508"], [5.0], [1])
    assert rated(store, "ann")[:3] == [(114508, 3.0, 0), ("114508", 5.0, 1), ("0114508", 3.0, 2)]
    assert store.delete_user("ann") == n


@BOTH_FORMS
def test_event_store_imports_watches_without_stars(store: EventStore) -> None:
    nan = float("nan")
    columns: list[Any] = [[1] * 3, ["a", "b", "c"], [nan, nan, 4.0], [0.5, nan, 0.9], [0, 0, 0]]
    for _ in range(2):
        assert store.import_interactions(*columns) == 3
    assert store.user_state(1).history == (
        ("a", None, 0.5, 0),
        ("b", None, None, 0),
        ("c", 4.0, None, 0),
    )
    kinds = [(row["kind"], row["watched"]) for row in store.user_rows(1)]
    assert kinds == [("watch", 0.5), ("watch", None), ("rating", None)]
    store.import_interactions([1], ["a"], [nan], [0.75], [0])
    assert store.user_state(1).history[-1] == ("a", None, 0.75, 0)  # it arrived last


@BOTH_FORMS
def test_event_store_imports_and_events_sort_by_time(store: EventStore) -> None:
    store.import_ratings(["ann"] * 3, [6, 50, 1], [3.0, 3.0, 3.0], [1, 3, 2])
    store.add([replace(HEAT, at_us=1_500_000), HALF])  # after the import's, before the import's
    store.add(
        [
            Event(
                event_id="e4",
                user_id="ann",
                movie_id=1,
                kind="not_interested",
                stars=None,
                watched=None,
                at_us=1_000_000,
            )
        ]
    )  # before its rating
    entries = ((6, 4.0, None, 1_500_000), (1, 3.0, None, 2_000_000), (50, 3.0, 0.5, 3_000_000))
    assert store.user_state("ann") == UserState(entries)


def test_event_store_equal_times_last_arrival_counts(store: EventStore) -> None:
    store.add([HEAT, replace(HEAT, event_id="e0", stars=1.0)])
    assert store.user_state("ann").history == ((6, 1.0, None, 1_000_000),)
    store.import_ratings(["ann"], [6], [2.0], [1])
    assert store.user_state("ann").history == ((6, 2.0, None, 1_000_000),)
    store.add([replace(HEAT, event_id="e5", stars=5.0)])
    assert store.user_state("ann").history == ((6, 5.0, None, 1_000_000),)


interactions = st.tuples(
    st.sampled_from(KINDS), st.integers(1, 3), st.sampled_from([0.5, 3.0, 5.0])
)


@given(st.lists(interactions, max_size=12), st.randoms(use_true_random=False), st.integers(1, 4))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_event_store_arrival_order_does_not_matter(
    store: EventStore, steps: list[tuple[str, int, float]], chance: Any, batch_size: int
) -> None:
    """Their times differ; a store that got them in order is the measure."""
    events = [
        Event(
            event_id=f"{n}",
            user_id="ann",
            movie_id=movie_id,
            kind=kind,
            stars=value if kind == "rating" else None,
            watched=None,
            at_us=n,
        )
        for n, (kind, movie_id, value) in enumerate(steps)
    ]
    store.delete_user("ann")
    store.add(events)
    in_order = store.user_state("ann")
    store.delete_user("ann")
    chance.shuffle(events)
    for start in range(0, len(events), batch_size):
        store.add(events[start : start + batch_size])
    assert store.user_state("ann") == in_order


@BOTH_FORMS
def test_state_version_changes_with_the_state(store: EventStore) -> None:
    versions = [store.state_version("ann")]
    steps: list[Any] = [
        lambda: store.import_ratings(["ann", "bob"], [6, 6], [3.0, 3.0], [1, 1]),
        lambda: store.import_ratings(["ann"], [6], [4.0], [1]),  # in the place of the first
        lambda: store.import_ratings(["ann"], [6], [4.0], [2]),
        lambda: store.add([HEAT]),
        lambda: store.add([HALF]),
        lambda: store.delete_user("ann"),
        lambda: store.import_ratings(["ann"], [6], [3.0], [1]),
        lambda: store.delete_user("ann"),
        lambda: store.add([HEAT]),
        lambda: store.delete_user("ann"),
        lambda: store.import_ratings(["ann"], [6], [1.0], [1]),
    ]
    for step in steps:
        step()
        versions.append(store.state_version("ann"))
    absent = [version for version in versions if version == (0, 0)]
    assert len(absent) == 4 and len(set(versions)) == len(versions) - 3
    assert store.state_version("bob")[1] == 1


def test_state_version_same_state_stays(store: EventStore) -> None:
    store.import_ratings(["ann"], [6], [3.0], [1])
    store.add([HALF])
    before = store.state_version("ann")
    store.import_ratings(["ann"], [6], [3.0], [1])
    store.add([HALF, LOOK])
    store.add([replace(HEAT, user_id="bob")])
    assert store.state_version("ann") == before


@BOTH_FORMS
def test_event_store_delete_user_leaves_no_row(store: EventStore, url: str) -> None:
    store.import_ratings(["ann", "ann", "bob"], [1, 2, 1], [3.0] * 3, [5] * 3)
    store.add([HEAT, HALF, LOOK, replace(HEAT, event_id="e9", user_id="bob")])
    assert store.delete_user("ann") == 5
    assert (store.user_state("ann"), store.state_version("ann")) == (UserState(), (0, 0))
    assert store.delete_user("ann") == 0
    assert count_rows(url) == {"ratings": 1, "events": 1}
    with connect(url) as connection:
        for table in sa.inspect(connection).get_table_names():
            rows = connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            assert not [row for row in rows if "ann" in row or "e1" in row]


def test_event_store_deleted_user_leaves_no_byte(tmp_path: Path) -> None:
    """Of SQLite's file and its write-ahead log, as a copy of them would hold them."""
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    store.import_ratings(["erased-user"] * 50, list(range(50)), [3.0] * 50, [5] * 50)
    store.add([replace(HEAT, user_id="erased-user")])
    store.delete_user("erased-user")
    files = list(tmp_path.glob("events.sqlite*"))
    assert files and not [file for file in files if b"erased-user" in file.read_bytes()]


@BOTH_FORMS
def test_user_id_ranges_cover_both_tables(store: EventStore) -> None:
    store.import_ratings(["bob", "42", "Zoe"], [1, 2, 3], [3.0] * 3, [5] * 3)
    store.add([HEAT, replace(HEAT, event_id="e8", user_id="bob"), replace(LOOK, user_id="eve")])
    store.add(
        [
            Event(
                event_id="e7",
                user_id="Zoe",
                movie_id=3,
                kind="not_interested",
                stars=None,
                watched=None,
                at_us=9_000_000,
            )
        ]
    )
    assert list(store.user_id_ranges(3)) == [("42", "ann"), ("bob", "bob")]  # eve has only looked
    states = dict(store.user_states("42", "bob"))
    assert list(states) == ["42", "Zoe", "ann", "bob"]
    assert states == {user: store.user_state(user) for user in states}
    assert states["Zoe"] == UserState((), (3,))
    assert [user for user, _ in store.user_states("Zoe", "ann")] == ["Zoe", "ann"]


def test_event_store_concurrent_writers_store_once(url: str) -> None:
    """Each in another order, at the same time, from threads with connections of their own."""
    events = [replace(HEAT, event_id=f"e{n}", movie_id=n) for n in range(60)]
    stores, results = [EventStore(url) for _ in range(4)], []

    def write(store: EventStore, seed: int) -> None:
        order = np.random.default_rng(seed).permutation(60)
        for start in range(0, 60, 20):
            results.append(store.add([events[n] for n in order[start : start + 20]]))

    threads = [
        threading.Thread(target=write, args=(store, seed)) for seed, store in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.accepted for result in results) == 60
    assert sum(result.duplicates for result in results) == 180
    assert count_rows(url)["events"] == 60
    assert {entry[0] for entry in stores[0].user_state("ann").history} == set(range(60))
    for store in stores:
        store.close()
