"""Test the databases of the event store: created, migrated, refused, unavailable, killed."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.feedback import database
from marquee.feedback import store as store_module
from marquee.feedback.address import parse_url
from marquee.feedback.database import RETRY_S, Database
from marquee.feedback.engines import WRITES, TransactionMode, make_engine
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.event_schema import Event
from marquee.feedback.migrate import EXPANDED, MIGRATIONS, VERSIONS, stored_version
from marquee.feedback.store import AddResult, EventStore
from marquee.feedback.user_state import UserState
from tests.support import postgres
from tests.support.event_tables import make_tables
from tests.support.paths import ROOT
from tests.support.processes import start_together

HEAT = Event(
    event_id="e1",
    user_id="ann",
    movie_id=6,
    kind="rating",
    stars=4.0,
    at_us=1_000_000,
)
OLD = """
    CREATE TABLE ratings (
        user_id VARCHAR(64) NOT NULL, movie_id BIGINT NOT NULL, stars FLOAT NOT NULL,
        at_s BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (user_id, movie_id)
    ) WITHOUT ROWID
"""
"""As stores were made before their tables had versions."""
VERSION_ROWS = {"schema_version": 1, "alembic_version": 1}
"""The tables of an event store that hold its version."""
CATALOG_ROWS = {
    "catalog_state": 1,
    **dict.fromkeys(("catalog_movies", "catalog_rules", "catalog_audit", "user_settings"), 0),
}
EMPTY_ROWS = VERSION_ROWS | CATALOG_ROWS


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A server that a test may stop, and starts again."""
    with postgres.server() as server:
        yield server


@pytest.fixture
def restartable_url(server: postgres.Server) -> Iterator[str]:
    """The URL of an empty schema on that server."""
    with postgres.schema(server.url) as url:
        yield url


def tables(url: str) -> dict[str, int]:
    """Every table and its rows, read without the store."""
    engine = sa.create_engine(sa.make_url(url))
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names()
        counts = {n: connection.scalar(sa.text(f"SELECT count(*) FROM {n}")) for n in names}
    engine.dispose()
    return counts


def test_migrate_versions_are_the_files() -> None:
    assert sorted(path.name[:4] for path in MIGRATIONS.glob("versions/*.py")) == list(VERSIONS)


def test_event_store_creates_its_tables_once(store_url: str) -> None:
    EventStore(store_url).add([HEAT])
    assert tables(store_url) == EMPTY_ROWS | {"events": 1, "ratings": 0}
    assert EventStore(store_url).user_state("ann").history == ((6, 4.0, None, 1_000_000),)


def test_event_store_loads_alembic_only_to_change_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.sqlite'}"
    program = f"""
import sys
from marquee.feedback.store import EventStore
EventStore({url!r}).user_state("ann")
print("alembic" in sys.modules, "psycopg" in sys.modules)
"""
    runs = [
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [run.stdout for run in runs] == ["True False\n", "False False\n"], runs[0].stderr


def test_event_store_adopts_a_file_without_versions(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "old.sqlite") as connection:
        connection.execute(OLD)
        rows = [("42", 50, 5.0, 170, 1), ("42", 6, 4.0, 100, 0), ("7", 1, 3.0, 5, 2)]
        connection.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?, ?)", rows)
    url = f"sqlite:///{tmp_path / 'old.sqlite'}"
    with pytest.raises(InputError, match=r"version none, expected .*events migrate"):
        EventStore(url, read_only=True)
    store = EventStore(url)
    entries = ((6, 4.0, None, 100_000_000), (50, 5.0, None, 170_000_000))
    assert store.user_state(42) == UserState(entries)
    assert dict(store.user_states("42", "7"))["7"] == UserState(((1, 3.0, None, 5_000_000),))
    before = store.state_version("42")
    store.add(
        [
            Event(
                event_id="e1",
                user_id="42",
                movie_id=1,
                kind="rating",
                stars=3.0,
                watched=None,
                at_us=1,
            )
        ]
    )
    assert store.state_version("42")[0] > before[0] and store.state_version("42")[1] == 3
    assert tables(url) == EMPTY_ROWS | {"events": 1, "ratings": 3}


def old_store(url: str) -> None:
    """A store of version 0002, with the column and the kind that version 0003 renames."""
    make_tables(url, "0002")
    engine = make_engine(parse_url(url), WRITES)
    rating = ("42", 6, 4.0, 100, 1)
    events = [
        (2, "e1", "42", 50, "watch", None, 0.5, 170_000_000),
        (3, "e2", "42", 1, "not_for_me", None, None, 180_000_000),
        (4, "e3", "42", 999, "not_seen", None, None, 190_000_000),
        (5, "e4", "42", 296, "click", None, None, 200_000_000),
        (6, "e5", "7", 6, "rating", 2.5, None, 210_000_000),
    ]
    with engine.begin() as connection:
        insert = "INSERT INTO ratings (user_id, movie_id, stars, at_s, sequence) VALUES "
        connection.exec_driver_sql(insert + str(rating))
        connection.execute(
            sa.text(
                "INSERT INTO events "
                "(sequence, event_id, user_id, movie_id, kind, stars, portion, at_us) "
                "VALUES (:0, :1, :2, :3, :4, :5, :6, :7)"
            ),
            [{str(n): value for n, value in enumerate(event)} for event in events],
        )
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT setval(pg_get_serial_sequence('events', 'sequence'), 6)"
            )
    engine.dispose()


OLD_STATE = UserState(((6, 4.0, None, 100_000_000), (50, None, 0.5, 170_000_000)), (1,), (999,))


def schema_of(url: str) -> dict[str, Any]:
    """The columns and the indexes of the events, and the version of the tables."""
    engine = sa.create_engine(sa.make_url(url))
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        schema = {
            "columns": [column["name"] for column in inspector.get_columns("events")],
            "indexes": sorted(str(index["name"]) for index in inspector.get_indexes("events")),
            "version": stored_version(connection),
        }
    engine.dispose()
    return schema


def test_migration_0003_keeps_marks_and_watched_shares(store_url: str) -> None:
    old_store(store_url)
    before = schema_of(store_url)
    for _ in range(2):  # the second time there is nothing to do
        store = EventStore(store_url)
        assert store.user_state(42) == OLD_STATE
        assert store.user_state(7) == UserState(((6, 2.5, None, 210_000_000),))
        assert store.state_version(42) == (4, 4)
        assert tables(store_url) == EMPTY_ROWS | {"events": 5, "ratings": 1}
        store.close()
    after = schema_of(store_url)
    assert "portion" in before["columns"] and before["version"] == "0002"
    columns = [name.replace("portion", "watched") for name in before["columns"]]
    assert after["columns"] == [*columns, "movie_key"]
    assert after["indexes"] == before["indexes"]
    assert after["version"] == EXPANDED


def test_migration_0003_leaves_the_same_event_a_duplicate(store_url: str) -> None:
    old_store(store_url)
    watch = Event(
        event_id="e1", user_id="42", movie_id=50, kind="watch", watched=0.5, at_us=170_000_000
    )
    mark = Event(event_id="e2", user_id="42", movie_id=1, kind="not_interested", at_us=180_000_000)
    store = EventStore(store_url)
    assert store.add([watch, mark]) == AddResult(0, 2, ())
    assert store.add([replace(watch, watched=0.6)]) == AddResult(0, 0, (0,))
    assert store.add([replace(mark, event_id="e9", movie_id=50, at_us=9)]) == AddResult(1, 0, ())
    assert store.user_state(42).not_interested == (50, 1)
    assert store.delete_user(42) == 6
    store.close()


def test_migration_0003_of_a_read_only_store_is_refused(store_url: str) -> None:
    old_store(store_url)
    before = schema_of(store_url)
    message = r"event store .*: tables have version 0002, expected 0006 or 0007; .*events migrate"
    with pytest.raises(InputError, match=message):
        EventStore(store_url, read_only=True)
    assert schema_of(store_url) == before
    EventStore(store_url).close()
    assert EventStore(store_url, read_only=True).user_state(42) == OLD_STATE


def test_migration_0003_that_fails_changes_nothing(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_store(store_url)
    before = schema_of(store_url)

    def fails(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE events"):
            raise InputError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database, "make_engine", lambda *args: listening(*args, fails))
        with pytest.raises(InputError, match="the disk is full"):
            EventStore(store_url)
    assert schema_of(store_url) == before
    assert EventStore(store_url).user_state(42) == OLD_STATE


LONG = Event(event_id="é" * 128, user_id="ü" * 128, movie_id=6, kind="rating", stars=4.0, at_us=1)


def test_migration_0004_stores_ids_of_128_characters(store_url: str) -> None:
    old_store(store_url)
    store = EventStore(store_url)
    assert store.add([LONG]) == AddResult(1, 0, ())
    assert store.add([LONG]) == AddResult(0, 1, ())
    store.import_ratings([LONG.user_id], [50], [3.0], [5])
    assert len(store.user_state(LONG.user_id).history) == 2
    store.close()


def files_of(url: str) -> list[Any]:
    """The files of tables and whole indexes, which are new after a table was written again."""
    engine = make_engine(parse_url(url), WRITES)
    with engine.begin() as connection:
        rows = connection.exec_driver_sql(
            "SELECT relname, relfilenode FROM pg_class WHERE relnamespace = "
            "to_regnamespace(current_schema()) AND relkind IN ('r', 'i') "
            "AND relname NOT IN ('telling_events', 'silent_events') ORDER BY relname"
        ).all()
    engine.dispose()
    return list(rows)


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_migrations_write_no_row_again(store_url: str) -> None:
    make_tables(store_url, "0003")
    before = files_of(store_url)
    EventStore(store_url).close()
    after = set(files_of(store_url))
    assert set(before) <= after and len(before) == 7
    engine = make_engine(parse_url(store_url), WRITES)
    with engine.begin() as connection:
        collations = connection.exec_driver_sql(
            "SELECT DISTINCT collation_name, character_maximum_length FROM "
            "information_schema.columns WHERE table_schema = current_schema() "
            "AND column_name IN ('user_id', 'event_id')"
        ).all()
    assert [tuple(row) for row in collations] == [("C", 128)]
    engine.dispose()


def test_migration_of_a_newer_store_leaves_a_running_service(store_url: str) -> None:
    """A service reads the version of the tables at its start alone."""
    running = EventStore(store_url)
    engine = make_engine(parse_url(store_url), WRITES)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0417'")
    engine.dispose()
    assert running.add([HEAT]) == AddResult(1, 0, ())
    assert len(running.user_state("ann").history) == 1
    running.close()


def listening(url: sa.URL, mode: TransactionMode, before_execute: Any) -> sa.Engine:
    engine = make_engine(url, mode)
    sa.event.listen(engine, "before_cursor_execute", before_execute)
    return engine


def test_event_store_newer_version_is_refused_untouched(store_url: str) -> None:
    EventStore(store_url).add([HEAT])
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0417'"))
    before = tables(store_url)
    for read_only in (False, True):
        with pytest.raises(InputError, match="version 0417, expected 0007 or older") as caught:
            EventStore(store_url, read_only)
        assert type(caught.value) is InputError and "update this one" in str(caught.value)
    assert tables(store_url) == before
    engine.dispose()


def test_event_store_read_only_changes_nothing(store_url: str) -> None:
    EventStore(store_url).add([HEAT])
    reader = EventStore(store_url, read_only=True)
    for change in (lambda: reader.add([HEAT]), lambda: reader.delete_user("ann")):
        with pytest.raises(InputError, match=r"read-?only") as caught:
            change()
        assert type(caught.value) is InputError  # not away: it is asked again at once
    assert reader.user_state("ann").history == ((6, 4.0, None, 1_000_000),)
    reader.close()


def test_event_store_foreign_table_is_refused_untouched(store_url: str) -> None:
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE ratings (mine TEXT)"))
    with pytest.raises(
        InputError, match=r"event store .*(no such column|does not exist)"
    ) as caught:
        EventStore(store_url)
    assert type(caught.value) is InputError
    assert tables(store_url) == {"ratings": 0}
    engine.dispose()


def test_event_store_concurrent_starts_all_succeed(store_url: str) -> None:
    start = f"""
import sys
from marquee.feedback.store import EventStore
from marquee.feedback.event_schema import Event
HEAT = {{"user_id": "ann", "movie_id": 6, "kind": "rating", "stars": 4.0, "at_us": 1}}
print("ready", flush=True)
sys.stdin.readline()
store = EventStore({store_url!r})
print(store.add([Event(event_id="e" + sys.argv[1], **HEAT)]).accepted)
"""
    replicas = [
        subprocess.Popen(
            [sys.executable, "-c", start, str(n)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(3)
    ]
    start_together(replicas)
    outputs = [replica.communicate(timeout=60) for replica in replicas]
    assert [out for out, _ in outputs] == ["1\n"] * 3, outputs
    assert tables(store_url)["events"] == 3


def test_event_store_of_another_file_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n" * 100)
    with pytest.raises(InputError, match=r"ratings.csv.*file is not a database"):
        EventStore(f"sqlite:///{tmp_path / 'ratings.csv'}")


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"password": "wrong-secret"}, "authentication failed", id="password"),
        pytest.param({"database": "nowhere"}, "does not exist", id="database"),
        pytest.param({"username": "ann"}, "authentication failed|does not exist", id="role"),
    ],
)
def test_postgres_refusal_is_an_input_error_at_start(
    postgres_url: str, change: dict[str, str], sentence: str
) -> None:
    url = sa.make_url(postgres_url).set(**change).render_as_string(hide_password=False)
    with pytest.raises(InputError, match=sentence) as caught:
        EventStore(url)
    assert type(caught.value) is InputError
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_postgres_role_without_create_is_refused_at_start(postgres_url: str) -> None:
    engine = sa.create_engine(sa.make_url(postgres_url))
    with postgres.schema(postgres_url) as url, engine.begin() as connection:
        name = str(sa.make_url(url).query["options"]).rpartition("=")[2]
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {name} TO {name}")
        connection.commit()
        role_url = sa.make_url(url).set(username=name, password="secret")
        with pytest.raises(InputError, match=r"permission denied.*EVENTS_URL") as caught:
            EventStore(role_url.render_as_string(hide_password=False))
        with engine.begin() as other:
            other.exec_driver_sql(f"DROP OWNED BY {name}")
            other.exec_driver_sql(f"DROP ROLE {name}")
    assert type(caught.value) is InputError and "secret" not in str(caught.value)
    engine.dispose()


def test_import_ratings_that_fails_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    with sqlite3.connect(tmp_path / "events.sqlite") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON ratings WHEN NEW.movie_key = '2' "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
    monkeypatch.setattr(store_module, "ROWS_PER_BATCH", 1)
    with pytest.raises(InputError, match="disk is full"):
        store.import_ratings(["a", "b"], [1, 2], [3.0, 3.0], [5, 5])
    assert store.user_state("a") == UserState()


def every_method(store: EventStore) -> list[Any]:
    """Each method, not yet called."""
    return [
        lambda: store.add([HEAT]),
        lambda: store.user_state("ann"),
        lambda: store.state_version("ann"),
        lambda: store.delete_user("ann"),
        lambda: list(store.user_id_ranges(10)),
        lambda: list(store.user_states("a", "z")),
        lambda: store.import_ratings(["ann"], [6], [3.0], [5]),
    ]


@pytest.mark.postgres
def test_postgres_stopped_is_unavailable_until_restarted(
    server: postgres.Server, restartable_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EventStore(restartable_url)
    store.add([HEAT])
    monkeypatch.setattr(database, "RETRY_S", 0.0)  # every call tries for itself
    server.stop()
    for call in every_method(store):
        with pytest.raises(StoreUnavailable, match="event store postgresql") as caught:
            call()
        assert postgres.PASSWORD not in str(caught.value)
    assert not store.is_alive()
    server.start()
    assert store.is_alive()
    assert store.user_state("ann").history == ((6, 4.0, None, 1_000_000),)
    assert store.add([HEAT]) == AddResult(0, 1, ())
    store.close()


@pytest.mark.postgres
def test_postgres_absent_at_start_is_tried_again(
    server: postgres.Server, restartable_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RETRY_S", 0.0)
    server.stop()
    store = EventStore(restartable_url)
    with pytest.raises(StoreUnavailable):
        store.user_state("ann")
    server.start()
    assert store.add([HEAT]) == AddResult(1, 0, ())
    store.close()


class FailingDatabase(Database):
    """A database that fails until `recovers_at`; `now` is its clock, and `tries` holds times."""

    def __init__(self, folder: Path, recovers_at: float) -> None:
        self.now, self.tries = 0.0, list[float]()
        self._recovers_at = recovers_at
        super().__init__(f"sqlite:///{folder / 'events.sqlite'}", clock=lambda: self.now)
        sa.event.listen(self.writes.engine, "before_cursor_execute", self._fail)

    def select(self) -> None:
        with self.begin() as connection:
            connection.execute(sa.text("SELECT 1"))

    def _fail(self, *_: Any) -> None:
        self.tries.append(self.now)
        if self.now < self._recovers_at:
            raise sqlite3.OperationalError("disk I/O error")


def test_database_after_failure_is_not_tried_for_a_second(tmp_path: Path) -> None:
    failing = FailingDatabase(tmp_path, recovers_at=10.0)
    for failing.now in (0.0, 0.1, RETRY_S - 0.01, RETRY_S, RETRY_S + 0.5):
        with pytest.raises(StoreUnavailable, match="disk I/O error"):
            failing.select()
    assert failing.tries == [0.0, RETRY_S]
    failing.now = 10.0
    failing.select()
    failing.select()
    assert failing.tries == [0.0, RETRY_S, 10.0, 10.0]


def test_database_after_failure_is_tried_by_one_caller(tmp_path: Path) -> None:
    failing = FailingDatabase(tmp_path, recovers_at=5.0)
    with pytest.raises(StoreUnavailable):
        failing.select()
    failing.now = 5.0
    with failing.begin(), pytest.raises(StoreUnavailable), failing.begin():
        pass
    failing.select()


def test_event_store_add_survives_a_killed_writer(store_url: str) -> None:
    """A process that adds and says so, killed in the middle of it."""
    write = f"""
from marquee.feedback.store import EventStore
from marquee.feedback.event_schema import Event
store = EventStore({store_url!r})
for n in range(10**6):
    store.add([Event(event_id=f"e{{n}}", user_id="ann", movie_id=n, kind="rating", stars=4.0,
                     at_us=n)])
    print(n, flush=True)
"""
    writer = subprocess.Popen(
        [sys.executable, "-c", write],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(30)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.wait(timeout=60) == -signal.SIGKILL
    store = EventStore(store_url)
    stored = {entry[0] for entry in store.user_state("ann").history}
    assert set(acknowledged) <= stored and len(stored) <= len(acknowledged) + 1
    event = Event(event_id="e0", user_id="ann", movie_id=0, kind="rating", stars=4.0, at_us=0)
    assert store.add([event]) == AddResult(0, 1, ())
    store.close()


@pytest.mark.postgres
def test_event_store_add_survives_a_server_crash(
    server: postgres.Server, restartable_url: str
) -> None:
    store = EventStore(restartable_url)
    for n in range(20):
        store.add(
            [
                Event(
                    event_id=f"e{n}",
                    user_id="ann",
                    movie_id=n,
                    kind="rating",
                    stars=4.0,
                    watched=None,
                    at_us=n,
                )
            ]
        )
    server.stop()  # without a clean end
    server.start()
    assert {entry[0] for entry in EventStore(restartable_url).user_state("ann").history} == set(
        range(20)
    )


def test_sqlite_file_that_is_deleted_stores_nothing(tmp_path: Path) -> None:
    """Its connections would go on with a file that has no name, and ends with them."""
    path = tmp_path / "e.sqlite"
    store = EventStore(f"sqlite:///{path}")
    store.add([HEAT])
    for file in tmp_path.glob("e.sqlite*"):
        file.unlink()
    for call in (partial(store.add, [HEAT]), partial(store.user_state, "ann")):
        with pytest.raises(StoreUnavailable, match="the file is gone, expected it at its path"):
            call()
    assert not path.exists(), "an empty store would look like one without users"
    store.close()


def test_sqlite_file_that_is_replaced_counts_at_once(tmp_path: Path) -> None:
    path, other = tmp_path / "e.sqlite", tmp_path / "other.sqlite"
    store, restored = EventStore(f"sqlite:///{path}"), EventStore(f"sqlite:///{other}")
    restored.add([HEAT])
    restored.close()
    assert store.user_state("ann").history == ()
    for file in tmp_path.glob("e.sqlite*"):
        file.unlink()
    other.rename(path)
    assert [entry[0] for entry in store.user_state("ann").history] == [6]
    assert store.add([replace(HEAT, event_id="e2", movie_id=7)]).accepted == 1
    store.close()
    assert len(EventStore(f"sqlite:///{path}").user_state("ann").history) == 2


def test_sqlite_database_is_durable_at_commit(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'events.sqlite'}")
    with database.begin() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2}
