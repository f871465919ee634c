"""Decide whether ids are integers or text, before any of them is cast.

In text files ids are integers only where every value is plain decimal digits, a minus sign allowed,
within 64 bits and without a leading zero: "0114508" makes all ids text. In Parquet and databases
the column's type decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import duckdb

from marquee.core.errors import InputError
from marquee.core.id_limits import MAX_ID_LENGTH, MAX_INT64
from marquee.core.ids import IdType
from marquee.data.source_tables.sql import quote, row_of

INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")

_TEXTS = ("VARCHAR", "UUID", "HUGEINT", "UHUGEINT", "UBIGINT", "BIGNUM", "ENUM")


@dataclass(frozen=True)
class IdColumn:
    sql: str  # BIGINT or VARCHAR
    type: IdType
    is_open: bool  # of a text file: integers if all values of all files are


def id_column(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    column: str,
    type_name: str,
    *,
    is_text: bool,
    option: str,
) -> IdColumn:
    """Return how ids are read; InputError for a type whose values are no exact ids."""
    check_id_type(type_name, option)
    name = quote(column)
    if type_name in INTEGERS:
        return IdColumn(f"{name}::BIGINT", "int", False)
    if type_name == "UBIGINT" and _largest(connection, view, name) <= MAX_INT64:
        return IdColumn(f"{name}::BIGINT", "int", False)
    return IdColumn(f"{name}::VARCHAR", "text", is_text and type_name == "VARCHAR")


def check_id_type(type_name: str, option: str) -> None:
    is_whole = type_name.startswith("DECIMAL") and ",0)" in type_name
    if not (type_name.startswith((*INTEGERS, *_TEXTS)) or is_whole) or type_name.endswith("]"):
        raise InputError(
            f"{option}: a column of type {type_name}, expected text, whole numbers or UUIDs, which "
            "name a user or an item exactly; write it as one of them: of a list a row for each id, "
            "of an object name the field as column.field"
        )


def may_be_integers(types: Iterable[str]) -> bool:
    """Return whether ids in text files can be integers beside columns of these types."""
    return all(type_name in (*INTEGERS, "UBIGINT") for type_name in types)


def are_integers(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    """Return whether every text of a column is the plain form of a 64-bit integer.

    table: ends in WHERE or AND.
    """
    name = quote(column)
    is_integer = f"TRY_CAST({name} AS BIGINT)::VARCHAR IS NOT DISTINCT FROM {name}"
    query = f"SELECT coalesce(bool_and({is_integer}), true) FROM {table} {name} <> ''"
    return bool(row_of(connection, query)[0])


def as_integers(column: IdColumn) -> IdColumn:
    """Return a text column as integers; NULL where text is no plain form of one."""
    integer = f"TRY_CAST({column.sql} AS BIGINT)"
    sql = f"CASE WHEN {integer}::VARCHAR = {column.sql} THEN {integer} END"
    return replace(column, sql=sql, type="int")


def is_bad(sql: str) -> str:
    """Return SQL that is true for a text that cannot be an id."""
    return (
        f"({sql} IS NULL OR {sql} = '' OR length({sql}) > {MAX_ID_LENGTH} "
        f"OR contains({sql}, chr(0)))"
    )


def _largest(connection: duckdb.DuckDBPyConnection, view: str, name: str) -> int:
    return int(row_of(connection, f"SELECT coalesce(max({name}), 0) FROM {view}")[0])
