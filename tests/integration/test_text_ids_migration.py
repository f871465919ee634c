"""Test that services of version 0004 and of today share one store, until it is contracted.

The old services are their statements, as version 0004 had them.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from marquee.core.command import INPUT_ERROR
from marquee.core.errors import InputError
from marquee.feedback import backfill, migrate_command
from marquee.feedback.database import Database
from marquee.feedback.event_schema import Event
from marquee.feedback.migrate import EXPANDED, HEAD, stored_version
from marquee.feedback.store import EventStore
from tests.support.event_tables import connect, count_rows, make_tables

OLD_INSERT = """
    INSERT INTO events (event_id, user_id, movie_id, kind, stars, watched, at_us, sequence)
    VALUES (:event_id, 'ann', :movie_id, 'rating', 4.0, NULL, :at_us, :sequence)
    ON CONFLICT (event_id) DO NOTHING
"""
OLD_IMPORT = """
    INSERT INTO ratings (user_id, movie_id, stars, at_s, sequence)
    VALUES ('ann', :movie_id, :stars, :at_s, :sequence)
    ON CONFLICT (user_id, movie_id) DO UPDATE
    SET stars = excluded.stars, at_s = excluded.at_s, sequence = excluded.sequence
    WHERE (ratings.stars, ratings.at_s) <> (excluded.stars, excluded.at_s)
"""
OLD_SELECT = """
    SELECT movie_id, stars FROM (
        SELECT movie_id, stars, at_s * 1000000 AS at_us, sequence FROM ratings
        WHERE user_id = 'ann'
        UNION ALL
        SELECT movie_id, stars, at_us, sequence FROM events
        WHERE user_id = 'ann' AND kind NOT IN ('click', 'impression')
    ) AS entries ORDER BY at_us, sequence
"""
OLD_VERSION = "SELECT version_num FROM alembic_version"
OLD_DELETE = (
    "DELETE FROM ratings WHERE user_id = 'ann'",
    "DELETE FROM events WHERE user_id = 'ann'",
)
NEW = Event(event_id="n1", user_id="ann", movie_id=7, kind="rating", stars=2.0, at_us=3_000_000)


def run_old(url: str, statement: str, **values: Any) -> list[Any]:
    with connect(url) as connection:
        result = connection.execute(sa.text(statement), values)
        return list(result.all()) if result.returns_rows else []


def add_old(url: str, number: int, movie_id: int) -> None:
    values = {"movie_id": movie_id, "at_us": number * 1_000_000, "sequence": 1000 + number}
    run_old(url, OLD_INSERT, event_id=f"old-{number}", **values)


@pytest.fixture
def old_url(store_url: str) -> str:
    """A store of version 0004 that holds a rating of movie 5 and an event of movie 6."""
    make_tables(store_url, "0004")
    run_old(store_url, OLD_IMPORT, movie_id=5, stars=3.0, at_s=1, sequence=1)
    add_old(store_url, 2, 6)
    return store_url


@pytest.fixture
def store(old_url: str) -> Iterator[EventStore]:
    store = EventStore(old_url)
    yield store
    store.close()


def entries(store: EventStore) -> list[tuple[Any, float | None]]:
    return [(movie_id, stars) for movie_id, stars, _, _ in store.user_state("ann").history]


def test_expanded_store_old_and_new_read_each_other(old_url: str, store: EventStore) -> None:
    store.add([NEW])
    add_old(old_url, 4, 8)
    store.import_ratings(["ann"], [9], [1.5], [5])
    run_old(old_url, OLD_IMPORT, movie_id=10, stars=4.5, at_s=6, sequence=2000)
    both = [(5, 3.0), (6, 4.0), (7, 2.0), (8, 4.0), (9, 1.5), (10, 4.5)]
    assert entries(store) == [tuple(row) for row in run_old(old_url, OLD_SELECT)] == both
    run_old(old_url, OLD_IMPORT, movie_id=9, stars=5.0, at_s=5, sequence=2001)
    store.import_ratings(["ann"], [10], [1.0], [6])
    assert entries(store)[-2:] == [(9, 5.0), (10, 1.0)]
    assert count_rows(old_url) == {"ratings": 3, "events": 3}
    assert run_old(old_url, OLD_VERSION) == [("0004",)]  # an old service starts


def test_expanded_store_takes_text_ids_at_once(old_url: str, store: EventStore) -> None:
    text_ids = ["0114508", "114508", "tt/é"]
    store.add([replace(NEW, event_id=m, movie_id=m, at_us=n) for n, m in enumerate(text_ids)])
    store.import_ratings(["ann"] * 3, text_ids, [1.0] * 3, [9] * 3)
    store.import_ratings(["ann"] * 3, text_ids, [1.0] * 3, [9] * 3)
    assert entries(store) == [(5, 3.0), (6, 4.0), *((text, 1.0) for text in text_ids)]
    seen_by_old = [movie_id for movie_id, _ in run_old(old_url, OLD_SELECT)]
    assert [movie_id for movie_id in seen_by_old if movie_id and movie_id > 0] == [5, 6]
    for statement in OLD_DELETE:
        run_old(old_url, statement)
    assert count_rows(old_url) == {"ratings": 0, "events": 0}


def contract(url: str) -> None:
    assert migrate_command.main(["migrate", "--contract", f"--events={url}"]) == 0


def test_contract_keeps_every_event_and_a_running_service(old_url: str, store: EventStore) -> None:
    store.add([NEW, replace(NEW, event_id="n2", movie_id="0114508", at_us=4_000_000)])
    store.import_ratings(["ann"] * 2, [9, "9"], [1.5, 2.5], [5, 5])
    rows, version = store.user_rows("ann"), store.state_version("ann")
    contract(old_url)
    assert (store.user_rows("ann"), store.state_version("ann")) == (rows, version)
    assert store.add([NEW, replace(NEW, event_id="n3", movie_id="x")]).duplicates == 1
    store.import_ratings(["ann"] * 2, [9, "9"], [1.5, 4.0], [5, 5])
    assert entries(store)[-2:] == [(9, 1.5), ("9", 4.0)]
    with connect(old_url) as connection:
        columns = [column["name"] for column in sa.inspect(connection).get_columns("events")]
        key = sa.inspect(connection).get_pk_constraint("ratings")["constrained_columns"]
    assert "movie_id" not in columns and key == ["user_id", "movie_key"]
    assert run_old(old_url, OLD_VERSION) == [(HEAD,)]  # an old service is refused
    contract(old_url)
    again = EventStore(old_url)
    assert again.delete_user("ann") == len(rows) + 1
    again.close()


def test_backfill_fills_every_row_in_batches(
    old_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(backfill, "ROWS_PER_BATCH", 3)
    for number in range(10, 20):
        add_old(old_url, number, number)
        run_old(old_url, OLD_IMPORT, movie_id=number, stars=1.0, at_s=1, sequence=number)
    EventStore(old_url).close()
    missing = "SELECT (SELECT count(*) FROM events WHERE movie_key IS NULL) + count(*) " \
        "FROM ratings WHERE movie_key IS NULL"  # fmt: skip
    is_sqlite = old_url.startswith("sqlite")  # which writes its tables again
    assert run_old(old_url, missing) == [(0 if is_sqlite else 22,)]
    database, batches = Database(old_url), list[int]()
    num_rows = backfill.fill(database, lambda table, count: batches.append(count))
    assert num_rows == (0 if is_sqlite else 22) and len(batches) == 8
    assert run_old(old_url, missing) == [(0,)] and backfill.fill(database) == 0
    database.close()
    assert migrate_command.main(["migrate", f"--events={old_url}"]) == 0
    output = capsys.readouterr().out
    assert "0 rows filled" in output and "--contract" in output


def test_backfill_stopped_goes_on(old_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "ROWS_PER_BATCH", 2)
    for number in range(10, 17):
        add_old(old_url, number, number)
    database = Database(old_url)

    def stop(table: str, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backfill.fill(database, stop)
    num_left = 0 if database.is_sqlite else 7
    assert backfill.fill(database) == num_left
    database.close()


def test_contract_while_a_service_writes_loses_nothing(old_url: str, store: EventStore) -> None:
    is_over, accepted = threading.Event(), list[str]()

    def write() -> None:
        while not is_over.is_set():
            event_id = f"w{len(accepted)}"
            movie_id = f"m{len(accepted)}" if len(accepted) % 2 else len(accepted)
            event = replace(NEW, event_id=event_id, user_id="bob", movie_id=movie_id)
            assert store.add([event]).accepted == 1
            assert len(store.user_state("bob").history) == len(accepted) + 1
            accepted.append(event_id)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        contract(old_url)
    finally:
        is_over.set()
        thread.join()
    assert accepted and len(store.user_state("bob").history) == len(accepted)


@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004", "0005"])
def test_event_store_of_each_version_is_expanded(store_url: str, revision: str) -> None:
    make_tables(store_url, revision)
    EventStore(store_url).close()
    with connect(store_url) as connection:
        assert stored_version(connection) == EXPANDED
    assert run_old(store_url, OLD_VERSION) == [("0004",)]


def test_new_event_store_needs_no_contract(store_url: str) -> None:
    EventStore(store_url).close()
    with connect(store_url) as connection:
        assert stored_version(connection) == HEAD


def test_contract_without_backfill_changes_nothing(old_url: str, store: EventStore) -> None:
    add_old(old_url, 3, 7)
    database = Database(old_url)
    if not database.is_sqlite:
        with pytest.raises(InputError, match=r"null|violated"):
            backfill.contract(database)
        assert entries(store) == [(5, 3.0), (6, 4.0), (7, 4.0)]
        add_old(old_url, 4, 8)  # an old service goes on
    contract(old_url)
    assert entries(store)[:3] == [(5, 3.0), (6, 4.0), (7, 4.0)]
    database.close()


def test_migrate_command_without_a_verb_is_an_input_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert migrate_command.main([]) == INPUT_ERROR
    assert migrate_command.main(["migrate"]) == INPUT_ERROR
    assert "required: --events" in capsys.readouterr().err
