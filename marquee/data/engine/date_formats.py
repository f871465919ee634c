"""Formats of dates beyond ISO 8601: 31.12.2024, 12/31/24, 14 Jul 2017, 5/1/2024 2:40 PM.

A sample of a column says which formats it needs. In 12/31/24 the day comes where some value of the
column is above 12; where none is, the caller is asked.
"""

from collections.abc import Sequence
from itertools import product

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.sql import literal, literals, row_of

BASIC_ISO = ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S%z", "%Y-%m")
DATES = ("%d.%m.%y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y",
         "%d-%b-%Y", "%a, %d %b %Y", "%Y-%m-%d", "%Y/%m/%d")  # fmt: skip
DAY_FIRST = ("%d/%m/%y", "%d/%m/%Y", "%d-%m-%y", "%d-%m-%Y")
MONTH_FIRST = ("%m/%d/%y", "%m/%d/%Y", "%m-%d-%y", "%m-%d-%Y")
CLOCKS = ("", "%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S GMT", "%H:%M:%S %z")
"""A year of two digits is tried first: %Y takes 24 for the year 24."""
ISO = "TRY_CAST({text} AS TIMESTAMPTZ)"
MIN_YEAR = 1000  # below, DuckDB took 1/5/24 for a day of the year 1
NUMBERS = r"^\s*(\d{1,2})[/-](\d{1,2})[/-]\d{2,4}(\D|$)"


def date_sql(connection: duckdb.DuckDBPyConnection, view: str, text: str, *, rows: int) -> str:
    """Return SQL of a TIMESTAMPTZ of a column of dates, NULL where a value is none.

    text: SQL of the value. rows: size of the sample. Raises InputError where day and month cannot
    be told apart.
    """
    sample = (
        f"(SELECT t FROM (SELECT {text} AS t FROM {view} WHERE {text} <> '' LIMIT {rows}) "
        f"WHERE coalesce(year({ISO.format(text='t')}), 0) < {MIN_YEAR})"
    )
    formats = _formats(connection, view, text, sample)
    iso = ISO.format(text=text)
    if not formats:
        return f"coalesce({iso}, {_parsed(text, BASIC_ISO)})"
    return f"coalesce({_parsed(text, (*BASIC_ISO, *formats))}, {iso})"


def _parsed(text: str, formats: Sequence[str]) -> str:
    return f"try_strptime({text}, {literals(formats)})::TIMESTAMPTZ"


def _formats(
    connection: duckdb.DuckDBPyConnection, view: str, text: str, sample: str
) -> tuple[str, ...]:
    """Return the formats that values of the sample are in."""
    has_any, has_numbers = row_of(
        connection,
        f"SELECT count(*) > 0, coalesce(bool_or(regexp_matches(t, {literal(NUMBERS)})), false) "
        f"FROM {sample}",
    )
    if not has_any:
        return ()
    dates = [*(_numbered(connection, view, text) if has_numbers else ()), *DATES]
    formats = [
        date + (separator + clock if clock else "")
        for date, clock, separator in product(dates, CLOCKS, (" ", ", "))
        if clock or separator == " "
    ]
    parsed = (f"try_strptime(t, {literal(form)})" for form in formats)
    counts = ", ".join(f"count(*) FILTER (year({date}) >= {MIN_YEAR})" for date in parsed)
    used = row_of(connection, f"SELECT {counts} FROM {sample}")
    return tuple(form for form, number in zip(formats, used, strict=True) if number)


def _numbered(connection: duckdb.DuckDBPyConnection, view: str, text: str) -> tuple[str, ...]:
    """Return the order of day and month: a number above 12 is a day."""
    first, second = (
        f"max(TRY_CAST(regexp_extract({text}, {literal(NUMBERS)}, {group}) AS INTEGER))"
        for group in (1, 2)
    )
    largest_first, largest_second, example = row_of(
        connection,
        f"SELECT {first}, {second}, any_value({text}) "
        f"FROM {view} WHERE regexp_matches({text}, {literal(NUMBERS)})",
    )
    if (largest_first > 12) == (largest_second > 12):
        orders = "in both orders" if largest_first > 12 else "that can be in both orders"
        raise InputError(
            f"--time: days and months {orders}, such as {example!r}, expected one order, and some "
            "day above 12 that tells it; write the dates as 2015-01-31"
        )
    return DAY_FIRST if largest_first > 12 else MONTH_FIRST
