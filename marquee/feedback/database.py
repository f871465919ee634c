"""A connection to the database of the event store: SQLite, or PostgreSQL, which may be away.

    database = Database("postgresql://marquee:PASSWORD@db.example/marquee")
    with database.begin() as connection: …      # a transaction; StoreUnavailable where nobody answers

A database that failed is left in peace for a second: requests do not wait for it one by one.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.feedback.errors import DEFAULT_URL, StoreUnavailable
from marquee.feedback.migrate import prepare

RETRY_S = 1.0
"""From a failure to the next try; until then every method says at once that the store is away."""
PATIENCE_S = 2
"""PostgreSQL connects and answers within this, or it is away."""
CONNECTIONS = 5
"""To PostgreSQL, kept open, of each process; as many again in a rush."""
SECRET = {"password", "sslpassword", "sslkey", "passfile"}
"""What an address may hold behind its `?`, and no message repeats."""
REFUSED = re.compile(
    r"FATAL: .*(authentication failed|does not exist|no pg_hba.conf entry|permission denied)"
    r"|no password supplied"
)
"""PostgreSQL answered; asking again will not help."""


class Database:
    """Opened at start, and brought to the newest tables at the first contact."""

    def __init__(
        self, url: str, read_only: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises InputError for an address, a file or a table that cannot be used.

        A PostgreSQL that is away is no error: the next `begin` tries again.
        """
        self._url = read_address(url)
        self.is_sqlite = self._url.get_backend_name() == "sqlite"
        if read_only and self.is_sqlite and not Path(self._url.database or "").is_file():
            raise InputError(
                f"event store {self.address}: no such file; fill one with: "
                "marquee import-ratings --data … --events …"
            )
        self._read_only, self._clock = read_only, clock
        self._engine = make_engine(self._url, read_only)
        self._prepared, self._preparing = False, threading.Lock()
        self._failed, self._retry_at = "", 0.0
        try:
            with self.begin():
                pass
        except StoreUnavailable:
            pass

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction, committed at the end of the block.

        Raises StoreUnavailable where the database cannot be asked now, and InputError where it refuses.
        """
        self._fail_fast()
        try:
            self._prepare()
            with self._engine.begin() as connection:
                yield connection
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise self._told(error) from error
        self._failed, self._retry_at = "", 0.0

    @property
    def address(self) -> str:
        """The URL without its password."""
        return shown(self._url)

    def close(self) -> None:
        self._engine.dispose()

    def _fail_fast(self) -> None:
        now = self._clock()
        if now < self._retry_at:
            raise StoreUnavailable(self._failed)
        if self._failed:  # one caller tries; those beside it need not wait with it
            self._retry_at = now + RETRY_S

    def _prepare(self) -> None:
        """Once: Alembic works in globals, so of two threads one waits."""
        if self._prepared:
            return
        with self._preparing, self._engine.begin() as connection:
            try:
                prepare(connection, self._read_only)
            except InputError as error:
                raise InputError(f"event store {self.address}: {error}") from error
        self._prepared = True

    def _told(self, error: Exception) -> InputError:
        """A sentence that names the store; of what the driver says the first line, no row."""
        said = str(getattr(error, "orig", None) or error)
        password = self._url.password or self._url.query.get("password")
        line = said.strip().splitlines()[0].replace(str(password or "\0"), "***")
        sentence = f"event store {self.address}: {line}"
        if not self._is_away(error, said):
            return InputError(f"{sentence}; {REMEDY[self.is_sqlite]}")
        self._failed, self._retry_at = sentence, self._clock() + RETRY_S
        return StoreUnavailable(sentence)

    def _is_away(self, error: Exception, said: str) -> bool:
        if not isinstance(
            error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError
        ):
            return False
        if "readonly" in said:  # SQLite answered
            return False
        return self._prepared or not (self.is_sqlite or REFUSED.search(said))


REMEDY = {
    True: "EVENTS_URL must name a SQLite file in a folder that exists and can be written",
    False: "EVENTS_URL must name a PostgreSQL database whose tables this role may make and change",
}


def read_address(text: str) -> sa.URL:
    """A URL of SQLAlchemy, its driver named. Raises InputError, without repeating a password."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise InputError(f"EVENTS_URL is no database address; give {DEFAULT_URL}") from None
    if url.drivername in ("postgresql", "postgresql+psycopg"):
        if "@" in (url.host or ""):
            raise InputError("EVENTS_URL: an @ in the password is written %40") from None
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise InputError(
        f"EVENTS_URL {shown(url)}: expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    )


def shown(url: sa.URL) -> str:
    query = {name: "***" if name in SECRET else value for name, value in url.query.items()}
    return url.set(query=query).render_as_string(hide_password=True)


def make_engine(url: sa.URL, read_only: bool) -> sa.Engine:
    """Connections are made when they are asked for, each told how to behave."""
    if url.get_backend_name() == "sqlite":
        # Readers never wait for a writer; a second writer waits up to 5 s. An answer to a writer
        # means that the disk has it.
        settings = ["PRAGMA busy_timeout=5000"]
        settings += ["PRAGMA query_only=ON"] if read_only else []
        settings += [] if read_only else ["PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"]
        engine = sa.create_engine(url, hide_parameters=True)
    else:
        settings = [f"SET statement_timeout = '{PATIENCE_S}s'"]
        if read_only:  # a long walk through everybody, and no request waits for it
            settings = ["SET statement_timeout = 0", "SET default_transaction_read_only = on"]
        engine = sa.create_engine(
            url,
            connect_args={"connect_timeout": PATIENCE_S, "tcp_user_timeout": PATIENCE_S * 1000},
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=CONNECTIONS,
            max_overflow=CONNECTIONS,
            pool_timeout=PATIENCE_S,
        )

    def set_up(connection: Any, _: object) -> None:
        for setting in settings:
            connection.execute(setting)
        connection.commit()

    sa.event.listen(engine, "connect", set_up)
    return engine
