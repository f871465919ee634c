"""The connection to the event store's database: SQLite, or PostgreSQL, which may be unreachable.

    database = Database("postgresql://marquee:PASSWORD@db.example/marquee")
    with database.begin() as connection: …      # a transaction that writes; else StoreUnavailable
    with database.read() as connection: …       # one that reads

Reads and writes have connections of their own, so that writes which wait for a lock hold up no
read. After a failure that kind of work is not tried for a second: requests do not wait one by one.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.feedback.address import parse_url, redact
from marquee.feedback.driver_errors import expectation, is_away, is_slow, message_of
from marquee.feedback.engines import (
    EMPTY_LOG,
    LONG_READS,
    LONG_WRITES,
    READS,
    WRITES,
    make_engine,
    transaction,
)
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.migrate import ensure_schema

RETRY_S = 1.0
"""From a failure to the next try; until then every call raises StoreUnavailable at once."""
OPEN_S = 10.0
"""A start waits this long for the first contact, which then goes on in its thread: PgBouncer lets
its clients wait two minutes for a PostgreSQL that is away."""


class Channel:
    """The connections for one kind of work, and whether the database answers it."""

    def __init__(self, engine: sa.Engine, clock: Callable[[], float]) -> None:
        self.engine, self._clock = engine, clock
        self._failure, self._retry_at = "", 0.0

    def fail_fast(self) -> None:
        """Raise StoreUnavailable within RETRY_S of a failure."""
        now = self._clock()
        if now < self._retry_at:
            raise StoreUnavailable(self._failure)
        if self._failure:  # one caller tries; other callers do not wait with it
            self._retry_at = now + RETRY_S

    def fail(self, message: str) -> None:
        self._failure, self._retry_at = message, self._clock() + RETRY_S

    def succeed(self) -> None:
        self._failure, self._retry_at = "", 0.0


class Database:
    """A database that is opened at start, and migrated at the first contact."""

    def __init__(
        self,
        url: str,
        read_only: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE. clock: seconds.

        Raises InputError for an address, a file or a table that cannot be used. An unreachable
        PostgreSQL is no error: the next call tries again.
        """
        self._url = parse_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if read_only and self.is_sqlite and not Path(self._url.database or "").is_file():
            raise InputError(
                f"event store {self.address}: no such file, expected a store to read; fill one "
                "with: marquee import-ratings --data … --events …"
            )
        self._read_only = read_only
        self.reads = Channel(make_engine(self._url, LONG_READS if read_only else READS), clock)
        self.writes = self.reads if read_only else Channel(make_engine(self._url, WRITES), clock)
        self._migrated, self._migrating = False, threading.Lock()
        self._open()

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """Open a transaction that writes, committed at the end of the block.

        Raises StoreUnavailable where the database does not answer now, and InputError where it
        refuses.
        """
        return self._transaction(self.writes)

    def read(self) -> AbstractContextManager[sa.Connection]:
        """Open a transaction that reads, beside writes that wait; raise as `begin`."""
        return self._transaction(self.reads)

    @contextmanager
    def autocommit(self) -> Iterator[sa.Connection]:
        """Open a connection whose statements commit one by one, and have no time limit."""
        engine = make_engine(self._url, LONG_WRITES)
        try:
            with engine.connect() as connection:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise self._store_error(self.writes, error) from error
        finally:
            engine.dispose()

    def empty_log(self) -> None:
        """Empty SQLite's write-ahead log, which holds rows of before a deletion."""
        if self.is_sqlite:
            with self.writes.engine.connect() as connection:
                for statement in EMPTY_LOG:
                    connection.exec_driver_sql(statement)

    @property
    def address(self) -> str:
        """The URL without its password."""
        return redact(self._url)

    def close(self) -> None:
        """Close every connection."""
        self.reads.engine.dispose()
        self.writes.engine.dispose()

    @contextmanager
    def _transaction(self, channel: Channel) -> Iterator[sa.Connection]:
        channel.fail_fast()
        try:
            self._ensure_schema()
            with transaction(channel.engine) as connection:
                yield connection
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise self._store_error(channel, error) from error
        channel.succeed()

    def _open(self) -> None:
        errors: list[InputError] = []

        def contact() -> None:
            try:
                with suppress(StoreUnavailable), self.begin():
                    pass
            except InputError as error:
                errors.append(error)

        thread = threading.Thread(target=contact, name="event-store", daemon=True)
        thread.start()
        thread.join(None if self.is_sqlite else OPEN_S)
        if errors:
            raise errors[0]

    def _ensure_schema(self) -> None:
        """Migrate once. Alembic works in globals, so one thread waits for the other."""
        if self._migrated:
            return
        with self._migrating, self._opening() as connection:
            ensure_schema(connection, self._read_only)
        self._migrated = True

    @contextmanager
    def _opening(self) -> Iterator[sa.Connection]:
        """Open the first transaction; whatever cannot be opened is an error of EVENTS_URL."""
        try:
            with transaction(self.writes.engine) as connection:
                yield connection
        except InputError as error:
            raise InputError(f"event store {self.address}: {error}") from error
        except (sa.exc.DBAPIError, sa.exc.TimeoutError):
            raise
        except (sa.exc.SQLAlchemyError, ValueError, TypeError, OSError) as error:
            raise self._refusal(message_of(error)) from error

    def _store_error(self, channel: Channel, error: Exception) -> InputError:
        """Name the store and quote the first line of the driver's message, never a row."""
        line = message_of(error)
        if not is_away(error, line, is_open=self._migrated):
            return self._refusal(line)
        message = f"event store {self.address}: {self._hide_password(line)}"
        if not is_slow(error):
            channel.fail(message)
        return StoreUnavailable(message)

    def _refusal(self, line: str) -> InputError:
        expected = expectation(line, self.is_sqlite)
        return InputError(f"event store {self.address}: {self._hide_password(line)}, {expected}")

    def _hide_password(self, line: str) -> str:
        password = str(self._url.password or self._url.query.get("password") or "\0")
        return line.replace(password, "***").replace(quote(password), "***")
