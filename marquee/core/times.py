"""Times: Unix seconds and microseconds, and RFC 3339 as the API writes them."""

import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MICROS_PER_SECOND = 1_000_000
MAX_TIMESTAMP = 2**33  # seconds: the year 2242; a larger time is in another unit


def unix_us(at: datetime) -> int:
    """Return Unix microseconds of a time with a zone, exactly."""
    return (at - EPOCH) // MICROSECOND


def unix_time_us() -> int:
    """Return the Unix microseconds of now."""
    return time.time_ns() // 1000


def rfc3339(at_us: int) -> str:
    """Return Unix microseconds as RFC 3339 in UTC: 2026-11-30T06:31:35Z."""
    return (EPOCH + at_us * MICROSECOND).isoformat().replace("+00:00", "Z")


def utc_seconds(text: str) -> int:
    """Return Unix seconds of an ISO 8601 date or time.

    Without a zone it is UTC. Raises ValueError for other text.

    >>> utc_seconds("2000-12-02")
    975715200
    """
    at = datetime.fromisoformat(text)
    return unix_us(at if at.tzinfo else at.replace(tzinfo=UTC)) // MICROS_PER_SECOND


def utc_date(seconds: int) -> str:
    """Return Unix seconds as a date where they are midnight, else as RFC 3339.

    >>> utc_date(975715200), utc_date(975715201)
    ('2000-12-02', '2000-12-02T00:00:01Z')
    """
    text = rfc3339(seconds * MICROS_PER_SECOND)
    return text.removesuffix("T00:00:00Z")
