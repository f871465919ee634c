"""Test the catalog's store under faults and several writers: nothing lost, nothing half done."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from marquee.catalog.catalog_store import CatalogStore
from marquee.catalog.records import ChangeCursor, movie_subject
from marquee.core.errors import InputError
from marquee.feedback import database, engines
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from tests.support import postgres
from tests.support.event_tables import connect
from tests.support.paths import ROOT
from tests.support.processes import start_together

NUM_WRITERS, NUM_WRITES = 4, 15
WRITER = """
import sys
from marquee.catalog.catalog_store import CatalogStore
from marquee.feedback import database, engines
from marquee.feedback.database import Database
database.WRITES = engines.LONG_WRITES  # on a busy machine a writer waits long for the others
engines.SQLITE_WAIT_MS = 60_000
url, name, num_writes = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
store = CatalogStore(Database(url))
for n in range(num_writes):
    batch = [{"movie_id": movie_id, "attributes": {name: n}} for movie_id in (6, "6", name)]
    print(store.put_movies(batch, name), flush=True)
"""


@pytest.fixture(autouse=True)
def patient_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WRITES", engines.LONG_WRITES)
    monkeypatch.setattr(engines, "SQLITE_WAIT_MS", 60_000)


def start_writers(url: str, num_writes: int) -> list[subprocess.Popen[str]]:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, url, f"w{n}", str(num_writes)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(NUM_WRITERS)
    ]
    start_together(writers)
    return writers


def check_writes(catalog: CatalogStore, versions: list[list[int]]) -> None:
    """Each write has a version of its own, in order, and none is lost."""
    assert all(of_one == sorted(of_one) for of_one in versions)
    num_versions = NUM_WRITERS * NUM_WRITES
    assert sorted(v for of_one in versions for v in of_one) == [*range(1, num_versions + 1)]
    assert catalog.version() == num_versions
    last = {f"w{n}": NUM_WRITES - 1 for n in range(NUM_WRITERS)}
    for movie_id in (6, "6"):
        movie = catalog.movie(movie_id)
        assert movie is not None and movie.document == {"attributes": last}
    entries, _ = catalog.audit(movie_subject("6"), limit=1000)
    assert len(entries) == num_versions
    befores, afters = [e.before for e in entries], [e.after for e in entries]
    assert befores == [*afters[1:], None]  # each write saw the one before


def test_put_movies_by_threads_loses_no_update(catalog: CatalogStore) -> None:
    versions = [list[int]() for _ in range(NUM_WRITERS)]

    def write(writer: int) -> None:
        for n in range(NUM_WRITES):
            batch = [{"movie_id": id_, "attributes": {f"w{writer}": n}} for id_ in (6, "6")]
            versions[writer].append(catalog.put_movies(batch, f"w{writer}"))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(NUM_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_writes(catalog, versions)


def test_put_movies_by_processes_is_followed_without_gaps(
    catalog: CatalogStore, store_url: str
) -> None:
    """A replica sees each version whole, whenever it reads."""
    writers = start_writers(store_url, NUM_WRITES)
    cursor, follower = ChangeCursor(), dict[Any, Any]()
    while cursor.version < NUM_WRITERS * NUM_WRITES:
        for changes in catalog.changes_since(cursor, limit=2):
            cursor = changes.cursor
            follower |= {movie.movie_id: movie for movie in changes.movies}
        # The titles 6 and "6" change together, and no change of them is older than the cursor.
        if follower:
            assert max(movie.version for movie in follower.values()) <= cursor.version
            assert follower[6].document["attributes"].keys() >= {
                name for name in follower if name not in (6, "6")
            }
        assert all(writer.poll() in (None, 0) for writer in writers)
    outputs = [writer.communicate(timeout=60) for writer in writers]
    check_writes(catalog, [[int(line) for line in output.split()] for output, _ in outputs])
    assert follower == {movie.movie_id: movie for movie in catalog.movies()[0]}


def test_catalog_rules_by_threads_loses_none(catalog: CatalogStore) -> None:
    def write(writer: int) -> None:
        for n in range(NUM_WRITES):
            catalog.put_rule(f"rule {writer}", {"priority": n}, "ann")
            catalog.put_movies([{"movie_id": n, "title": str(writer)}], "ann")

    threads = [threading.Thread(target=write, args=(n,)) for n in range(NUM_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    version, rules = catalog.rules()
    assert [rule.document["priority"] for rule in rules] == [NUM_WRITES - 1] * NUM_WRITERS
    assert version == catalog.version() == len(catalog.audit(limit=1000)[0])


def break_at(catalog: EventStore, url: str, part: str) -> None:
    """Let the database go away before the next statement that holds a text."""
    engine, pending = catalog.database.writes.engine, [part]

    def fail(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not pending or part not in statement:
            return
        pending.clear()
        if engine.dialect.name == "sqlite":
            raise sqlite3.OperationalError("disk I/O error")
        pid = connection.connection.driver_connection.info.backend_pid
        with connect(url) as other:
            other.execute(sa.text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    sa.event.listen(engine, "before_cursor_execute", fail)


@pytest.mark.parametrize("part", ["INTO catalog_movies", "INTO catalog_audit", "UPDATE catalog_"])
def test_put_movies_of_a_database_that_goes_away_is_undone(
    event_store: EventStore,
    catalog: CatalogStore,
    store_url: str,
    part: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "RETRY_S", 0.0)
    catalog.put_movies([{"movie_id": n, "year": 1} for n in range(1500)], "ann")
    before = catalog.movies(limit=2000), catalog.audit(limit=5000)
    break_at(event_store, store_url, part)
    batch = [{"movie_id": n, "year": 2} for n in range(3000)]
    with pytest.raises(StoreUnavailable, match="event store"):
        catalog.put_movies(batch, "bob")
    assert (
        catalog.movies(limit=2000),
        catalog.audit(limit=5000),
    ) == before and catalog.version() == 1
    assert catalog.put_movies(batch, "bob") == 2 == catalog.put_movies(batch, "bob")
    assert catalog.count_changes(1) == 3000


def test_put_movies_by_killed_writers_is_whole_or_absent(
    catalog: CatalogStore, store_url: str
) -> None:
    writers = start_writers(store_url, 10**6)
    acknowledged = list[int]()
    for writer in writers:
        assert writer.stdout is not None
        acknowledged += [int(writer.stdout.readline()) for _ in range(5)]
        os.kill(writer.pid, signal.SIGKILL)
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        acknowledged += [int(line) for line in output.splitlines(keepends=True) if "\n" in line]
    version = catalog.put_movies([{"movie_id": 7}], "ann")  # after what the server still does
    assert max(acknowledged) < version and len(set(acknowledged)) == len(acknowledged)
    changes = list(catalog.changes_since(ChangeCursor()))[-1]
    assert changes.cursor == ChangeCursor(version=version)
    both = catalog.movie(6), catalog.movie("6")
    assert both[0] and both[1] and both[0].document == both[1].document
    assert both[0].version == both[1].version == version - 1
    assert len(catalog.audit(movie_subject("6"), limit=10**6)[0]) == version - 1


@pytest.mark.postgres
def test_catalog_store_of_a_stopped_postgres_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "RETRY_S", 0.0)
    with postgres.server() as server:
        event_store = EventStore(server.url)
        catalog = CatalogStore(event_store.database)
        catalog.put_movies([{"movie_id": 6}], "ann")
        server.stop()
        for call in (
            lambda: catalog.put_movies([{"movie_id": 7}], "ann"),
            lambda: catalog.delete_movies([6], "ann"),
            lambda: catalog.put_rule("kids", {}, "ann"),
            lambda: catalog.movie(6),
            catalog.movies,
            catalog.version,
            catalog.rules,
            catalog.audit,
            lambda: list(catalog.changes_since(ChangeCursor())),
        ):
            with pytest.raises(StoreUnavailable):
                call()
        server.start()
        assert catalog.version() == 1 and catalog.put_movies([{"movie_id": 7}], "ann") == 2
        event_store.close()


def test_catalog_store_read_only_changes_nothing(catalog: CatalogStore, store_url: str) -> None:
    catalog.put_movies([{"movie_id": 6}], "ann")
    reader = EventStore(store_url, read_only=True)
    catalog = CatalogStore(reader.database)
    with pytest.raises(InputError, match=r"read-?only"):
        catalog.put_movies([{"movie_id": 7}], "ann")
    assert catalog.version() == 1 and len(catalog.movies()[0]) == 1
    reader.close()
