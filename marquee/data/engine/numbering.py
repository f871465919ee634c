"""Number the ids that are left, ascending, and give the rows by number, sorted by user and time."""

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from marquee.core.ids import Ids, IdType
from marquee.data.engine.columns import BATCH_ROWS
from marquee.data.engine.id_columns import IdColumn, are_integers
from marquee.data.source_tables import SourceTable

GOOD = "rows.part >= 0 AND rows.rowid NOT IN (SELECT row FROM bad)"


def id_type_of(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    ids: IdColumn,
    attributes: tuple[SourceTable, str] | None,
) -> IdType:
    """Return the type of ids: of the interactions, with text files of both files.

    table: `users` or `items`. attributes: the source about them, and its column of ids.
    """
    if not ids.is_open:
        return ids.type
    if ids.type == "text" and not are_integers(connection, f"{table} WHERE NOT is_bad AND", "id"):
        return "text"
    if attributes is None:
        return "int"
    source, column = attributes
    if str(source.columns[column]) == "VARCHAR":
        is_int = source.is_text and are_integers(connection, f"{source.view} WHERE", column)
        return "int" if is_int else "text"
    return "int" if "INT" in str(source.columns[column]) else "text"


def number_ids(
    connection: duckdb.DuckDBPyConnection, table: str, id_type: IdType, *, some_are_out: bool
) -> Ids:
    """Create TABLE_numbers (h, id, number), and return the ids, ascending.

    some_are_out: rows are left out, so an id may have none.
    """
    row = "u" if table == "users" else "i"
    key = "id::BIGINT" if id_type == "int" else "id::VARCHAR"
    used = f"AND h IN (SELECT {row} FROM rows WHERE {GOOD})" if some_are_out else ""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {table}_numbers AS SELECT h, id, "
        "(row_number() OVER (ORDER BY id) - 1)::INTEGER AS number "
        f"FROM (SELECT h, {key} AS id FROM {table} WHERE NOT is_bad {used})"
    )
    table_ids = connection.sql(f"SELECT id FROM {table}_numbers ORDER BY number").to_arrow_table()
    column = table_ids["id"].combine_chunks()
    if id_type == "int":
        return np.array(np.from_dlpack(column), np.int64)
    return np.array(column.to_pylist(), dtype=object)


def sorted_rows(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, str], *, has_times: bool,
    some_are_out: bool,
) -> Iterator[pa.RecordBatch]:  # fmt: skip
    """Yield user, item and columns (name -> SQL of `rows`), by user, time, row."""
    selected: dict[str, Any] = {
        "user": "users_numbers.number",
        "item": "items_numbers.number",
    } | columns
    names = ", ".join(f"{sql} AS {name}" for name, sql in selected.items())
    by_time = "rows.t, " if has_times else ""
    where = f"WHERE {GOOD}" if some_are_out else ""
    query = (
        f"SELECT {names} FROM rows JOIN users_numbers ON rows.u = users_numbers.h "
        f"JOIN items_numbers ON rows.i = items_numbers.h {where} "
        f"ORDER BY users_numbers.number, {by_time}rows.rowid"
    )
    yield from connection.sql(query).to_arrow_reader(BATCH_ROWS)
