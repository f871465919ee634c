"""The long parts of migration 0007, done beside services that go on: batch by batch, no long lock.

    fill(database)       # every row has a movie_key
    contract(database)   # drop movie_id

On PostgreSQL, 2 million events and 1 million ratings take 80 s to fill, 90 MB of memory whatever
their number, and 6 s to contract; no call of a service beside it takes more than 0.2 s.

Both can be stopped and run again. Rows that old services add meanwhile are filled by a trigger.
"""

import time
from collections.abc import Callable
from typing import Any, TypeAlias

import sqlalchemy as sa

from marquee.feedback.database import Database
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.migrate import HEAD, migrate

Key: TypeAlias = tuple[Any, ...]
Progress: TypeAlias = Callable[[str, int], object]
ROWS_PER_BATCH = 10_000
"""Rows that a transaction changes: 0.2 s, for which an erasure of one of these users waits."""
KEYS = {"events": ("sequence",), "ratings": ("user_id", "movie_id")}
PREPARATIONS = (
    "DROP INDEX CONCURRENTLY IF EXISTS ratings_movie_key",  # an interrupted build leaves half of it
    "CREATE UNIQUE INDEX CONCURRENTLY ratings_movie_key "
    "ON ratings (user_id, movie_key) INCLUDE (sequence)",
    *(
        statement
        for table in KEYS
        for statement in (
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS movie_key_present",
            f"ALTER TABLE {table} ADD CONSTRAINT movie_key_present "
            "CHECK (movie_key IS NOT NULL) NOT VALID",
            f"ALTER TABLE {table} VALIDATE CONSTRAINT movie_key_present",
        )
    ),
)
"""Statements that read whole tables while others write; each commits for itself."""


LOCK_ATTEMPTS, PAUSE_S = 40, 0.25
"""Each attempt waits 100 ms for the tables, as does who comes after it; between them all go on."""


def fill(database: Database, progress: Progress = lambda *_: None) -> int:
    """Fill each missing movie_key of an expanded store; return the number of rows.

    progress: called after each batch, with the table and the number of rows that it has filled.
    """
    return sum(_fill_table(database, table, key, progress) for table, key in KEYS.items())


def contract(database: Database) -> None:
    """Drop what only services of version 0004 need; call `fill` before.

    On PostgreSQL all but a change of the catalog is done without a lock that others wait for.
    """
    if not database.is_sqlite:
        with database.autocommit() as connection:
            for statement in PREPARATIONS:
                connection.exec_driver_sql(statement)
    for _ in range(LOCK_ATTEMPTS - 1):
        try:
            return _change_catalog(database)
        except StoreUnavailable:  # a transaction holds one of the tables
            time.sleep(PAUSE_S)
    _change_catalog(database)


def _change_catalog(database: Database) -> None:
    with database.begin() as connection:
        migrate(connection, HEAD)


def _fill_table(database: Database, table: str, key: tuple[str, ...], progress: Progress) -> int:
    """Walk the table by its key; the last key of a batch is where the next one starts."""
    start: Key | None = None
    num_filled, is_finished = 0, False
    while not is_finished:
        with database.begin() as connection:
            if not database.is_sqlite:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # no request waits
            end = _end_of_batch(connection, table, key, start)
            num_filled += _fill_batch(connection, table, key, start, end)
        progress(table, num_filled)
        start, is_finished = end, end is None
    return num_filled


def _end_of_batch(
    connection: sa.Connection, table: str, key: tuple[str, ...], start: Key | None
) -> Key | None:
    """Return the key of the batch's last row; None where fewer rows are left."""
    columns = ", ".join(key)
    statement = sa.text(
        f"SELECT {columns} FROM {table} WHERE {_bounds(key, start, None)} "
        f"ORDER BY {columns} LIMIT 1 OFFSET {ROWS_PER_BATCH - 1}"
    )
    row = connection.execute(statement, _parameters(start, None)).first()
    return tuple(row) if row else None


def _fill_batch(
    connection: sa.Connection,
    table: str,
    key: tuple[str, ...],
    start: Key | None,
    end: Key | None,
) -> int:
    statement = sa.text(
        f"UPDATE {table} SET movie_key = CAST(movie_id AS TEXT) "
        f"WHERE movie_key IS NULL AND {_bounds(key, start, end)}"
    )
    return connection.execute(statement, _parameters(start, end)).rowcount


def _bounds(key: tuple[str, ...], start: Key | None, end: Key | None) -> str:
    """Return the condition `start < key <= end`; None is no bound."""
    columns, conditions = ", ".join(key), ["true"]
    for name, operator, bound in (("start", ">", start), ("end", "<=", end)):
        if bound is not None:
            values = ", ".join(f":{name}_{n}" for n in range(len(key)))
            conditions.append(f"({columns}) {operator} ({values})")
    return " AND ".join(conditions)


def _parameters(start: Key | None, end: Key | None) -> dict[str, Any]:
    bounds = {"start": start or (), "end": end or ()}
    return {f"{name}_{n}": value for name, bound in bounds.items() for n, value in enumerate(bound)}
