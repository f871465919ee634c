"""Names and texts in SQL, and DuckDB's errors as ours."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

from marquee.core.command import Terminated
from marquee.core.errors import InputError
from marquee.core.movies import NO_GENRES

NONE_WORDS = frozenset(
    {"", "nan", "NaN", "NAN", "null", "NULL", "Null", "none", "None", "NONE", "n/a", "N/A", "#N/A"}
    | {"\\N", "<NA>", NO_GENRES}
)
"""The words that programs write for "no value"; "NA" is not among them: Namibia."""


def quote(name: str) -> str:
    """Return an identifier: a"b -> "a""b"."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[object]) -> str:
    """Return a list of texts: ['a', 'b']."""
    return "[" + ", ".join(literal(str(text)) for text in texts) + "]"


@contextmanager
def explained_errors(subject: str) -> Iterator[None]:
    """Raise DuckDB's errors as InputError: damaged files, full disks, no memory.

    DuckDB makes "Query interrupted" of any signal: that is KeyboardInterrupt or Terminated again.
    """
    try:
        yield
    except (duckdb.InterruptException, RuntimeError) as error:
        if "interrupt" not in str(error).lower():
            raise
        raise (Terminated if Terminated.has_come else KeyboardInterrupt) from None
    except duckdb.OutOfMemoryException as error:
        raise InputError(
            f"{subject}: {_first_line(error)}, expected enough memory and disk; give more with "
            "--memory-limit, or free disk below DATA_CACHE"
        ) from error
    except duckdb.Error as error:
        if "not valid UTF8" in str(error):
            raise InputError(
                f"{subject}: {_first_line(error)}, expected text in UTF-8; write binary columns as "
                "text, and binary UUIDs as the type UUID"
            ) from error
        raise InputError(
            f"{subject}: {_first_line(error)}, expected a whole and readable file; check it, or "
            "write it anew"
        ) from error


def _first_line(error: duckdb.Error) -> str:
    """Return the sentence of an error, without its class and its advice."""
    line = str(error).strip().split("\n", 1)[0]
    return line.removeprefix("IO Error: ").removeprefix("Invalid Input Error: ").rstrip(".")


def number_types(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[str]
) -> dict[str, str]:
    """Return the type that holds all numbers of columns of text.

    It is BIGINT where all are integers of 64 bits, VARCHAR where some are longer, else DOUBLE.
    """
    if not columns:
        return {}
    tests = ", ".join(
        f"bool_and(regexp_full_match({name}, '-?[0-9]+')), "
        f"bool_and(try_cast({name} AS BIGINT) IS NOT NULL) FILTER ({name} IS NOT NULL)"
        for name in map(quote, columns)
    )
    results = row_of(connection, f"SELECT {tests} FROM {source}")
    return {
        name: ("BIGINT" if fits else "VARCHAR") if is_integer else "DOUBLE"
        for name, is_integer, fits in zip(columns, results[::2], results[1::2], strict=True)
    }


def row_of(connection: duckdb.DuckDBPyConnection, sql: str, *values: object) -> tuple[Any, ...]:
    """Return the one row of a query; fetch all, which frees the connection."""
    (row,) = connection.execute(sql, list(values)).fetchall()
    return tuple(row)
