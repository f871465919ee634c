"""A transaction that changes the catalog: locked first, with one new version for all its rows."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa

from marquee.catalog import sql
from marquee.core.times import unix_us

NO_DOCUMENT = "{}"
ROWS_PER_STATEMENT = 1000
"""PostgreSQL takes a tenth of its time limit for them."""


class CatalogWriter:
    """The only writer of the catalog while its transaction is open.

    So versions are in the order of commits.
    """

    def __init__(self, connection: sa.Connection, actor: str) -> None:
        self._connection, self._actor = connection, actor
        self._is_sqlite = connection.dialect.name == "sqlite"
        if self._is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        lock = sql.LOCK_VERSION if self._is_sqlite else f"{sql.LOCK_VERSION} FOR UPDATE"
        self.version = int(connection.exec_driver_sql(lock).scalar_one())
        self.next_version, self.now_us = self.version + 1, unix_us(datetime.now(UTC))

    def read_movies(self, keys: Sequence[str]) -> dict[str, Any]:
        """Return the rows of those titles that have one, by key."""
        rows: dict[str, Any] = {}
        statement = sql.select_stored(is_sqlite=self._is_sqlite)
        for start in range(0, len(keys), ROWS_PER_STATEMENT):
            batch = list(keys[start : start + ROWS_PER_STATEMENT])
            parameter = orjson.dumps(batch).decode() if self._is_sqlite else batch
            result = self._connection.exec_driver_sql(statement, (parameter,))
            rows |= {row.movie_key: row for row in result}
        return rows

    def write_movies(self, rows: list[tuple[Any, ...]]) -> None:
        """Insert or replace rows of MOVIE_COLUMNS."""
        self._write(sql.upsert_movies(is_sqlite=self._is_sqlite), sql.MOVIE_COLUMNS, rows)

    def read_rule(self, name: str) -> str | None:
        """Return the document of a rule as text; None without a rule."""
        row = self._connection.execute(sql.SELECT_RULE, {"name": name}).first()
        return None if row is None or row.is_deleted else row.document

    def write_rule(self, name: str, document: str | None) -> None:
        """Insert or replace a rule; None marks it as deleted."""
        row = {
            "name": name,
            "document": document or NO_DOCUMENT,
            "is_deleted": document is None,
            "version": self.next_version,
            "changed_us": self.now_us,
        }
        self._connection.execute(sql.UPSERT_RULE, row)

    def write_audit(self, action: str, entries: list[tuple[str, str | None, str | None]]) -> None:
        """Add an entry for each (subject, before, after), and take the next version."""
        if not entries:
            return
        who = (self.now_us, self._actor, action)
        self._write(
            sql.insert_audit(is_sqlite=self._is_sqlite),
            sql.AUDIT_COLUMNS,
            [(*who, *entry) for entry in entries],
        )
        self._connection.execute(sql.UPDATE_VERSION, {"version": self.next_version})
        self.version = self.next_version

    def _write(self, statement: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        names = columns.split(", ")
        for start in range(0, len(rows), ROWS_PER_STATEMENT):
            batch: Any = rows[start : start + ROWS_PER_STATEMENT]
            if not self._is_sqlite:
                objects = [dict(zip(names, row, strict=True)) for row in batch]
                batch = (orjson.dumps(objects).decode(),)
            self._connection.exec_driver_sql(statement, batch)
