"""Formats of dates beyond ISO 8601: 31.12.2024, 12/31/24, 14 Jul 2017, 5/1/2024 2:40 PM, those of
logs (14/Jul/2017:02:40:00 +0000) and of programs (Fri Jul 14 02:40:00 +0000 2017).

A sample of a column says which formats it needs. In 12/31/24 the day comes where some value of the
column is above 12; where none is, the caller is asked.
"""

from itertools import product

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.sql import literal, literals, row_of

BASIC_ISO = ("%Y%m%dT%H%M%S", "%Y%m%dT%H%M%S%z", "%Y-%m")
DATES = ("%d.%m.%y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%y",
         "%d-%b-%Y", "%a, %d %b %Y", "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日",
         "%m %d, %Y")  # fmt: skip
DAY_FIRST = ("%d/%m/%y", "%d/%m/%Y", "%d-%m-%y", "%d-%m-%Y")
MONTH_FIRST = ("%m/%d/%y", "%m/%d/%Y", "%m-%d-%y", "%m-%d-%Y")
"""A year of two digits is tried first: %Y takes 24 for the year 24."""
CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p", "%I:%M:%S.%f %p")
WHOLE = ("%a %b %d %H:%M:%S %Y", "%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S%z")
SAME = (
    ("[\u00a0\u202f]", " "),
    (r" (\d{1,2})\.(\d\d)\.(\d\d)", r" \1:\2:\3"),
    (r", +(\d{1,2}:\d\d)", r" \1"),
    (r"(:\d\d),(\d+)", r"\1.\2"),
    (r" ?(?:Z|UTC|GMT)$", "+00"),
    (r" ?(?:UTC|GMT)?([+-]\d\d:?\d\d)$", r"\1"),
)
"""Pattern -> the same in one way: "1 Jan 2024, 3.04.05 PM UTC" -> "1 Jan 2024 3:04:05 PM+00"."""
ISO = "TRY_CAST({text} AS TIMESTAMPTZ)"
MIN_YEAR = 1000  # below, DuckDB took 1/5/24 for a day of the year 1
NUMBERS = r"^\s*(\d{1,2})[/-](\d{1,2})[/-]\d{2,4}(\D|$)"


def date_sql(connection: duckdb.DuckDBPyConnection, view: str, text: str, *, rows: int) -> str:
    """Return SQL of a TIMESTAMPTZ of a column of dates, NULL where a value is none.

    text: SQL of the value. rows: size of the sample. Raises InputError where day and month cannot
    be told apart.
    """
    sample = (
        f"(SELECT {_same('t')} AS t FROM (SELECT {text} AS t FROM {view} WHERE {text} <> '' "
        f"LIMIT {rows}) WHERE coalesce(year({ISO.format(text='t')}), 0) < {MIN_YEAR})"
    )
    formats = _formats(connection, view, text, sample)
    if not formats:
        return ISO.format(text=text)
    same = _same(text)
    # In one list, DuckDB gives a text without a zone that of the row before.
    by_zone = [
        [form for form in formats if ("%z" in form) is has_zone] for has_zone in (True, False)
    ]
    parsed = "".join(
        f"try_strptime({same}, {literals(forms)})::TIMESTAMPTZ, " for forms in by_zone if forms
    )
    return f"coalesce({parsed}{ISO.format(text=same)})"


def _same(text: str) -> str:
    """Return SQL of a text with its clock and zone written in one way."""
    for pattern, replacement in SAME:
        text = f"regexp_replace({text}, {literal(pattern)}, {literal(replacement)})"
    return text


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
    clocks = (f" {clock}{zone}" for clock, zone in product(CLOCKS, ("", "%z")))
    times = [date + clock for date, clock in product(dates, ("", *clocks))]
    formats = [*BASIC_ISO, *WHOLE, *times]
    parsed = (f"try_strptime(t, {literal(form)})" for form in formats)
    counts = ", ".join(f"count(*) FILTER (year({date}) >= {MIN_YEAR})" for date in parsed)
    used = row_of(connection, f"SELECT {counts} FROM {sample}")
    return tuple(form for form, number in zip(formats, used, strict=True) if number) or BASIC_ISO


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
