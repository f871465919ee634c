"""The times in a column of a file, each understood or refused, never guessed.

    read_time = time_reader(["11/02/2024", "13/02/2024"])    # the second: the day comes first
    read_time("11/02/2024")                                  # 11 February 2024, in UTC
    read_time("soon")                                        # ValueError

    2024-02-11    2024/02/11    20240211          year, month, day
    11/02/2024    11.02.2024    11-02-2024        the order that the column shows; else refused
    … 10:00   … 10:00:00.5   … 3:30 PM   …T10:00Z   … 10:00:00+02:00    with a time of the day
    1707645600    1707645600.5    1707645600000    Unix seconds; milli-, micro- and nanoseconds

A date is its first moment. A time without a zone is taken as UTC: the file does not say.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXPECTED = "expected a date such as 2024-02-11, or Unix seconds"
UNIX = re.compile(r"([0-9]{9,19})(\.[0-9]+)?")
COMPACT = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
DATE = re.compile(
    r"(?P<first>[0-9]{1,4})(?P<mark>[-/.])(?P<second>[0-9]{1,2})(?P=mark)(?P<third>[0-9]{1,4})"
    r"(?:(?:T|,? +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second_of_minute>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?: *(?P<half>[AP])M)?(?: *(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2}))?)?",
    re.IGNORECASE,
)


def time_reader(column: Iterable[str]) -> Callable[[str], datetime]:
    """Return the reader of a column's times, which raises ValueError for what is none."""
    is_day_first = _is_day_first(column)

    def read_time(text: str) -> datetime:
        match = DATE.fullmatch(text)
        time = _read_date(match, is_day_first) if match else _read_number(text)
        if time is None:
            raise ValueError(f"{text[:40]!r}, {EXPECTED}")
        return time

    return read_time


def _is_day_first(column: Iterable[str]) -> bool | None:
    """Return whether days stand before months; None where the column does not show it."""
    orders = set()
    for text in column:
        match = DATE.fullmatch(text)
        if match is not None and len(match["third"]) == 4:
            numbers = int(match["first"]), int(match["second"])
            if 1 <= min(numbers) <= 12 < max(numbers) <= 31:
                orders.add(numbers[0] > 12)
    return orders.pop() if len(orders) == 1 else None


def _read_number(text: str) -> datetime | None:
    """Read a date of eight digits, or Unix time, whose unit its length shows."""
    if compact := COMPACT.fullmatch(text):
        return _datetime(map(int, compact.groups()))
    match = UNIX.fullmatch(text)
    if match is None or len(match[1]) % 3 == 2:  # 11 digits: seconds of the far future
        return None
    units_per_s = 1000 ** (len(match[1]) // 3 - 3)
    micros = int(match[1]) * 10**6 // units_per_s + int(float(match[2] or 0) * 10**6 / units_per_s)
    return EPOCH + timedelta(microseconds=micros)


def _read_date(match: re.Match[str], is_day_first: bool | None) -> datetime | None:
    first, second, third = (int(match[name]) for name in ("first", "second", "third"))
    if len(match["first"]) == 4:
        date = first, second, third
    elif len(match["third"]) != 4:  # a year of two digits
        return None
    elif first > 12 or first == second or (is_day_first and second <= 12):
        date = third, second, first
    elif second > 12 or is_day_first is False:
        date = third, first, second
    else:
        raise ValueError(f"{match[0][:40]!r}, which is day/month or month/day; {EXPECTED}")
    hour = int(match["hour"] or 0)
    if match["half"]:  # 12 AM is midnight
        hour = hour % 12 + 12 * (match["half"].upper() == "P") if 1 <= hour <= 12 else 24
    micros = int((match["fraction"] or "").ljust(6, "0")[:6])
    clock = hour, int(match["minute"] or 0), int(match["second_of_minute"] or 0), micros
    return _datetime((*date, *clock), match["zone"])


def _datetime(fields: Iterable[int], zone: str | None = None) -> datetime | None:
    """Return a time; None where there is none: 30 February, 24:00, a zone of 24 h."""
    minutes = 0
    if zone is not None and zone.upper() not in ("Z", "UTC"):
        minutes = int(f"{zone[0]}1") * (60 * int(zone[1:3]) + int(zone[-2:]))
    try:
        return datetime(*fields, tzinfo=timezone(timedelta(minutes=minutes)))  # type: ignore[arg-type,misc]
    except ValueError:
        return None
