"""Read times in any common form: one whole number each, and what one of them means.

A column is numbers (seconds, milliseconds, microseconds or nanoseconds since 1970, days since 1970
or of a spreadsheet, 20150131, 20150131235959, 2015) or dates (ISO 8601 with or without zone,
2015-01-31, those of `date_formats.py`, the types of a database).
Numbers are told apart by size: a column has one unit, that of most rows. Times keep their full
precision until all rows are sorted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from marquee.core.errors import InputError
from marquee.core.times import EPOCH, MAX_TIMESTAMP
from marquee.data.engine.date_formats import date_sql
from marquee.data.source_tables.sql import quote, row_of

FIRST_YEAR = 1971  # of numbers since 1970: before, they are in another unit
FIRST_YEAR_OF_DAYS = 1990
OLDEST_YEAR = 1900
DAYS_OF_1970 = 25_569  # as spreadsheets count them
FUTURE = timedelta(days=5 * 365)  # later times are in another unit, or wrong
SAMPLE_ROWS = 10_000
REMEDY = (
    "expected seconds, milliseconds, microseconds or nanoseconds since 1970, days since 1970, "
    "dates such as 2015-01-31, 31.01.2015, 20150131 or 2015, or ISO 8601; convert them, or leave "
    "--time out and say --ordered where the rows of a user are oldest first"
)
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
             "UINTEGER", "UBIGINT", "UHUGEINT", "BIGNUM")  # fmt: skip


@dataclass(frozen=True)
class TimeForm:
    """An SQL expression that reads a column: one number a row, else NULL."""

    sql: str
    is_date: bool  # the number is nanoseconds since 1970, of a date or a time with a name
    has_fractions: bool  # the number is DOUBLE


@dataclass(frozen=True)
class TimeUnit:
    name: str
    first: str  # SQL of the smallest and the largest number that are plausible
    last: str
    seconds: str  # SQL of whole seconds since 1970 from the number {t}
    is_valid: str = "true"

    def is_plausible(self) -> str:
        """Return SQL that is true for a number `t` in this unit."""
        valid = self.is_valid.format(t="t")
        return f"CASE WHEN t BETWEEN {self.first} AND {self.last} THEN {valid} ELSE false END"


def time_form(
    connection: duckdb.DuckDBPyConnection, view: str, column: str, type_name: str, *,
    fractions: bool = False,
) -> TimeForm:  # fmt: skip
    """Return how to read a column of a view.

    fractions: text holds numbers such as 1.5e9.
    """
    name = quote(column)
    if type_name.startswith(_FRACTIONS):
        return TimeForm(f"nullif({name}::DOUBLE, 'nan'::DOUBLE)", False, True)
    if type_name in _INTEGERS:
        return TimeForm(f"TRY_CAST({name} AS BIGINT)", False, False)
    if type_name.startswith(("TIMESTAMP", "DATE")):
        return TimeForm(_nanoseconds(name, type_name), True, False)
    if type_name != "VARCHAR":
        raise InputError(f"--time: a column of type {type_name}, {REMEDY}")
    text = f"trim({name})"
    if not _are_numbers(connection, view, name):
        parsed = date_sql(connection, view, text, rows=SAMPLE_ROWS)
        sub_us = f"epoch_ns(TRY_CAST({text} AS TIMESTAMP_NS)) % 1000"
        precise = f"CASE WHEN length({text}) > 26 THEN coalesce({sub_us}, 0) ELSE 0 END"
        return TimeForm(f"({_nanoseconds(parsed, 'TIMESTAMPTZ')} + {precise})", True, False)
    if fractions:
        return TimeForm(f"TRY_CAST({text} AS DOUBLE)", False, True)
    # `trim` and `contains` take 70 ns a row, twice as long as the cast.
    integer = f"coalesce(TRY_CAST({name} AS BIGINT), TRY_CAST({text} AS BIGINT))"
    seconds_or_null = f"CASE WHEN {name} LIKE '%.%' THEN NULL ELSE {integer} END"
    return TimeForm(seconds_or_null, False, False)


def _are_numbers(connection: duckdb.DuckDBPyConnection, view: str, name: str) -> bool:
    query = (
        f"SELECT count(TRY_CAST(trim(t) AS DOUBLE)) * 2 >= count(*) FROM (SELECT {name} AS t "
        f"FROM {view} WHERE trim({name}) <> '' LIMIT {SAMPLE_ROWS})"
    )
    return bool(row_of(connection, query)[0])


def _nanoseconds(sql: str, type_name: str) -> str:
    """Return NULL beyond the years that 64 bits of nanoseconds hold."""
    if type_name == "TIMESTAMP_NS":
        return f"epoch_ns({sql})"
    known = f"CASE WHEN isfinite({sql}) THEN {sql} END"
    in_range = f"CASE WHEN year({known}) BETWEEN 1678 AND 2261 THEN {known} END"
    return f"(epoch_us(({in_range}){'::TIMESTAMP' if type_name == 'DATE' else ''}) * 1000)"


def units(now: datetime, *, fractions: bool) -> tuple[TimeUnit, ...]:
    """Return the units of numbers, in the order in which they are tried."""
    last = now + FUTURE
    first_s, last_s = int(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()), int(last.timestamp())
    first_day = (datetime(FIRST_YEAR_OF_DAYS, 1, 1, tzinfo=UTC) - EPOCH).days
    date = "try_strptime({t}::BIGINT::VARCHAR, '%Y%m%d')"
    date_time = "try_strptime({t}::BIGINT::VARCHAR, '%Y%m%d%H%M%S')"
    quotient = "floor({{t}} / {})::BIGINT" if fractions else "{{t}} // {}"
    return (
        TimeUnit("years", str(OLDEST_YEAR), str(last.year),
                 "epoch(make_date({t}::BIGINT, 1, 1))::BIGINT"),
        TimeUnit("dates such as 20150131", f"{OLDEST_YEAR}0101", f"{last:%Y%m%d}",
                 f"epoch({date})::BIGINT", f"{date} IS NOT NULL"),
        TimeUnit("dates such as 20150131235959", f"{OLDEST_YEAR}0101000000",
                 f"{last:%Y%m%d}235959", f"epoch({date_time})::BIGINT",
                 f"{date_time} IS NOT NULL"),
        *(
            TimeUnit(f"days since {year}", str(first_day + days), str(last_s // 86_400 + days),
                     f"round(({{t}} - {days}) * 86400)::BIGINT")
            for year, days in ((1970, 0), (1900, DAYS_OF_1970))
        ),
        *(
            TimeUnit(f"{word} since 1970", str(first_s * factor), str(last_s * factor),
                     quotient.format(factor))
            for word, factor in (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6),
                                 ("nanoseconds", 10**9))
        ),
    )  # fmt: skip


SECONDS = TimeUnit("seconds since 1970", "0", str(MAX_TIMESTAMP - 1), "{t}::BIGINT")
"""Of MovieLens' files, whatever the times are."""


def date_unit(now: datetime) -> TimeUnit:
    """Return the unit of dates: nanoseconds, which may lie before 1970."""
    first = int(datetime(OLDEST_YEAR, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    last = int((now + FUTURE).timestamp()) * 10**9
    seconds = "({t} // 1000000000 - CASE WHEN {t} % 1000000000 < 0 THEN 1 ELSE 0 END)"
    return TimeUnit("dates", str(first), str(last), seconds)


def recognise_unit(
    connection: duckdb.DuckDBPyConnection, table: str, form: TimeForm, column: str
) -> TimeUnit:
    """Return the unit of the numbers in column `t` of a table.

    Raises InputError where most are in no unit, or where many are in another one than most.
    """
    now = datetime.now(UTC)
    candidates = (date_unit(now),) if form.is_date else units(now, fractions=form.has_fractions)
    counts = ", ".join(f"count(*) FILTER ({unit.is_plausible()})" for unit in candidates)
    num_times, smallest, largest, *num_by_unit = row_of(
        connection, f"SELECT count(t), min(t), max(t), {counts} FROM {table}"
    )
    num_best, unit = max(zip(num_by_unit, candidates, strict=True), key=lambda pair: pair[0])
    if num_times and num_best * 2 <= num_times:
        raise InputError(
            f"--time: column {column!r} holds {describe(smallest, form)} to "
            f"{describe(largest, form)}, which are no times in one unit from {OLDEST_YEAR} to "
            f"{(now + FUTURE).year}; {REMEDY}"
        )
    return unit


def check_readable(connection: duckdb.DuckDBPyConnection, column: str) -> None:
    """Raise InputError where no time of `source` could be read into `rows`."""
    ((is_read,),) = connection.execute("SELECT count(t) > 0 FROM rows").fetchall()
    if is_read:
        return
    examples = connection.execute('SELECT "time" FROM source WHERE "time" IS NOT NULL LIMIT 1')
    for (example,) in examples.fetchall():
        raise InputError(f"--time: column {column!r} holds {str(example)[:60]!r}, {REMEDY}")


def describe(number: float | None, form: TimeForm) -> str:
    if number is None or not form.is_date:
        return str(number)
    return (EPOCH + timedelta(microseconds=number // 1000)).isoformat()
