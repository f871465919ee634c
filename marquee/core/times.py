"""Times: Unix seconds and microseconds, and RFC 3339 as the API writes them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MICROS_PER_SECOND = 1_000_000
MAX_TIMESTAMP = 2**33  # seconds: the year 2242; a larger time is in another unit


def unix_us(at: datetime) -> int:
    """Return Unix microseconds of a time with a zone, exactly."""
    return (at - EPOCH) // MICROSECOND


def rfc3339(at_us: int) -> str:
    """Return Unix microseconds as RFC 3339 in UTC: 2026-11-30T06:31:35Z."""
    return (EPOCH + at_us * MICROSECOND).isoformat().replace("+00:00", "Z")
