"""Engines of the event store: how connections open, and how their transactions begin.

PostgreSQL may be reached through a pooler such as PgBouncer, which gives each *transaction* a
connection to the server that another client used a moment before. So nothing may be left on it: no
prepared statement, and no setting but `SET LOCAL`, which ends with its transaction and travels with
BEGIN in one message. Without a pooler both stay, since planning takes half of a short read's time.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

TIMEOUT_S = 2
"""PostgreSQL connects and answers within this, or counts as unreachable."""
POOL_SIZE = 5
"""Connections to PostgreSQL that each pool keeps open; as many again under load."""
SQLITE_WAIT_MS = 5000
"""A second writer waits this long for the first."""
EMPTY_LOG = [
    "PRAGMA busy_timeout=200",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    f"PRAGMA busy_timeout={SQLITE_WAIT_MS}",
]
"""Statements that empty SQLite's write-ahead log, unless somebody reads from it for longer."""
PSYCOPG_SETTINGS = {
    "connect_timeout": TIMEOUT_S,
    "tcp_user_timeout": TIMEOUT_S * 1000,
}
"""For parameters that the URL does not set."""


@dataclass(frozen=True, kw_only=True)
class TransactionMode:
    """Purpose of every transaction of an engine."""

    read_only: bool
    timeout_s: int
    """Seconds for each statement in PostgreSQL; 0: no limit."""


WRITES = TransactionMode(read_only=False, timeout_s=TIMEOUT_S)
READS = TransactionMode(read_only=True, timeout_s=TIMEOUT_S)
LONG_WRITES = TransactionMode(read_only=False, timeout_s=0)
LONG_READS = TransactionMode(read_only=True, timeout_s=0)
"""Reads of all users, for which no request waits."""


def make_engine(url: sa.URL, mode: TransactionMode) -> sa.Engine:
    """Return an engine whose connections open on demand."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, mode)
    return _postgresql_engine(url, mode)


@contextmanager
def transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction in the engine's mode, committed at the end of the block.

    SQLAlchemy's event "begin" would do the same, and cost each transaction 30 us.
    """
    with engine.begin() as connection:
        if begin := connection.info.get("begin"):
            connection.exec_driver_sql(begin)
        yield connection


def _sqlite_engine(url: sa.URL, mode: TransactionMode) -> sa.Engine:
    """Return an engine whose readers never wait for a writer.

    A commit returns only when the disk has it. A file that is deleted or replaced lives on for the
    connections that have it open, and ends with them: what they store would be lost. So each
    transaction looks whether its connection has the file that stands at the path now.
    """
    path, is_opened = Path(url.database or ""), False
    settings = [f"PRAGMA busy_timeout={SQLITE_WAIT_MS}"]
    if mode.read_only:
        settings += ["PRAGMA query_only=ON"]
    else:
        # What is deleted is overwritten: a file that is copied later holds no erased user.
        settings += ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"]
        settings += ["PRAGMA secure_delete=ON"]

    def refuse_new_file(*_: object) -> None:
        if (is_opened or mode.read_only) and not path.is_file():
            raise sqlite3.OperationalError("the file is gone, expected it at its path; restore it")

    def configure(connection: Any, record: Any) -> None:
        nonlocal is_opened
        for setting in settings:
            connection.execute(setting)
        connection.commit()
        is_opened, record.info["file"] = True, _file_identity(path)

    def check_file(_: object, record: Any, __: object) -> None:
        if record.info["file"] != _file_identity(path):
            raise sa.exc.DisconnectionError  # the pool opens another connection

    engine = sa.create_engine(url, hide_parameters=True, pool_timeout=TIMEOUT_S)
    sa.event.listen(engine, "do_connect", refuse_new_file)
    sa.event.listen(engine, "connect", configure)
    sa.event.listen(engine, "checkout", check_file)
    return engine


def _file_identity(path: Path) -> tuple[int, int] | None:
    """Return what a file keeps for its life; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _postgresql_engine(url: sa.URL, mode: TransactionMode) -> sa.Engine:
    absent = {key: PSYCOPG_SETTINGS[key] for key in PSYCOPG_SETTINGS.keys() - url.query.keys()}
    begin = "BEGIN READ ONLY" if mode.read_only else "BEGIN"
    timeout = f"statement_timeout = {mode.timeout_s * 1000}"

    def configure(connection: Any, record: Any) -> None:
        if is_pooled(connection):
            connection.autocommit = True  # the driver sends no BEGIN of its own
            connection.prepare_threshold = None
            record.info["begin"] = f"{begin}; SET LOCAL {timeout}"
        else:
            connection.execute(f"SET {timeout}")
            connection.commit()
            connection.read_only = mode.read_only

    engine = sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args=absent,
        use_native_hstore=False,  # a query at every connect
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=TIMEOUT_S,
    )
    sa.event.listen(engine, "connect", configure)
    return engine


def is_pooled(connection: Any) -> bool:
    """Return whether a pooler answers: the process it names is not the one that works.

    A pooler makes up the number, by which a client may cancel its query.
    """
    row = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    connection.commit()
    return bool(row[0] != connection.info.backend_pid)
