"""The connection to the event store's database: SQLite, or PostgreSQL, which may be unreachable.

    database = Database("postgresql://marquee:PASSWORD@db.example/marquee")
    with database.begin() as connection: …      # a transaction; else StoreUnavailable

After a failure the database is not tried for a second, so that requests do not wait for it one by
one.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_EVENTS_URL, StoreUnavailable
from marquee.feedback.migrate import ensure_schema

RETRY_S = 1.0
"""From a failure to the next try; until then every method raises StoreUnavailable at once."""
TIMEOUT_S = 2
"""PostgreSQL connects and answers within this, or counts as unreachable."""
POOL_SIZE = 5
"""Connections to PostgreSQL that each process keeps open; as many again under load."""
SECRET_PARAMETERS = {"password", "sslpassword", "sslkey", "passfile"}
"""URL parameters that no message repeats."""
REFUSAL = re.compile(
    r"FATAL: .*(authentication failed|does not exist|no pg_hba.conf entry|permission denied)"
    r"|no password supplied"
)
"""PostgreSQL answered with a refusal; the same try again will not help."""
REMEDY_SQLITE = "EVENTS_URL must name a SQLite file in a folder that exists and can be written"
REMEDY_POSTGRESQL = (
    "EVENTS_URL must name a PostgreSQL database whose tables this role may make and change"
)


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
        PostgreSQL is no error: the next `begin` tries again.
        """
        self._url = parse_url(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if read_only and self.is_sqlite and not Path(self._url.database or "").is_file():
            raise InputError(
                f"event store {self.address}: no such file, expected a store to read; fill one "
                "with: marquee import-ratings --data … --events …"
            )
        self._read_only, self._clock = read_only, clock
        self.engine = make_engine(self._url, read_only)
        self._migrated, self._migrating = False, threading.Lock()
        self._failure, self._retry_at = "", 0.0
        with suppress(StoreUnavailable), self.begin():
            pass

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction, committed at the end of the block.

        Raises StoreUnavailable where the database does not answer now, and InputError where it
        refuses.
        """
        self._fail_fast()
        try:
            self._ensure_schema()
            with self.engine.begin() as connection:
                yield connection
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise self._store_error(error) from error
        self._failure, self._retry_at = "", 0.0

    @property
    def address(self) -> str:
        """The URL without its password."""
        return redact(self._url)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _fail_fast(self) -> None:
        now = self._clock()
        if now < self._retry_at:
            raise StoreUnavailable(self._failure)
        if self._failure:  # one caller tries; other callers do not wait with it
            self._retry_at = now + RETRY_S

    def _ensure_schema(self) -> None:
        """Migrate once. Alembic works in globals, so one thread waits for the other."""
        if self._migrated:
            return
        with self._migrating, self.engine.begin() as connection:
            try:
                ensure_schema(connection, self._read_only)
            except InputError as error:
                raise InputError(f"event store {self.address}: {error}") from error
        self._migrated = True

    def _store_error(self, error: Exception) -> InputError:
        """Name the store and quote the first line of the driver's message, never a row."""
        driver_message = str(getattr(error, "orig", None) or error)
        password = self._url.password or self._url.query.get("password")
        line = driver_message.strip().splitlines()[0].replace(str(password or "\0"), "***")
        message = f"event store {self.address}: {line}"
        if not self._is_unavailable(error, driver_message):
            remedy = REMEDY_SQLITE if self.is_sqlite else REMEDY_POSTGRESQL
            return InputError(f"{message}; {remedy}")
        self._failure, self._retry_at = message, self._clock() + RETRY_S
        return StoreUnavailable(message)

    def _is_unavailable(self, error: Exception, driver_message: str) -> bool:
        if not isinstance(
            error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError
        ):
            return False
        if "readonly" in driver_message:  # SQLite answered
            return False
        return self._migrated or not (self.is_sqlite or REFUSAL.search(driver_message))


def parse_url(text: str) -> sa.URL:
    """Return SQLAlchemy's URL with its driver; InputError does not repeat a password."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise InputError(
            f"EVENTS_URL: not a database address, expected one like {DEFAULT_EVENTS_URL}"
        ) from None
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        if "@" in (url.host or ""):
            raise InputError("EVENTS_URL: an @ in the password, expected %40 for it") from None
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise InputError(
        f"EVENTS_URL {redact(url)}: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    )


def redact(url: sa.URL) -> str:
    """Return the URL with *** for every secret."""
    secrets = dict.fromkeys(SECRET_PARAMETERS & set(url.query), "***")
    return url.update_query_dict(secrets).render_as_string(hide_password=True)


def make_engine(url: sa.URL, read_only: bool) -> sa.Engine:
    """Return an engine whose connections open on demand, each with our settings."""
    if url.get_backend_name() == "sqlite":
        # Readers never wait for a writer; a second writer waits up to 5 s. A commit returns only
        # when the disk has it.
        settings = ["PRAGMA busy_timeout=5000"]
        if read_only:
            settings += ["PRAGMA query_only=ON"]
        else:
            settings += ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"]
        engine = sa.create_engine(url, hide_parameters=True)
    else:
        settings = [f"SET statement_timeout = '{TIMEOUT_S}s'"]
        if read_only:  # a long read of all users, for which no request waits
            settings = ["SET statement_timeout = 0", "SET default_transaction_read_only = on"]
        engine = sa.create_engine(
            url,
            connect_args={"connect_timeout": TIMEOUT_S, "tcp_user_timeout": TIMEOUT_S * 1000},
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
            max_overflow=POOL_SIZE,
            pool_timeout=TIMEOUT_S,
        )

    def configure(connection: Any, _: object) -> None:
        for setting in settings:
            connection.execute(setting)
        connection.commit()

    sa.event.listen(engine, "connect", configure)
    return engine
