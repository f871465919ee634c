"""Read the watched share of an interaction: 0 to 1, or percent, told apart by what most values are.

Shares above 1 are of titles that were watched again, as short videos are: they count as 1.
"""

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.sql import row_of

MAX_HALF, MAX_MOST, MAX_PERCENT = 1.5, 10, 150
"""Of shares half of the values, and nine in ten, are at most so much; of percent all are."""


def find_share(
    connection: duckdb.DuckDBPyConnection, *, by_seconds: bool
) -> tuple[str, tuple[str, ...]]:
    """Return SQL of the share, from 0 to 1, of the table `rows`, and a note.

    by_seconds: it is seconds / duration. Raises InputError for values in another unit.
    """
    largest, half, most = row_of(
        connection,
        "SELECT coalesce(max(watched), 0), coalesce(quantile_cont(watched, 0.5), 0), "
        "coalesce(quantile_cont(watched, 0.9), 0) "
        "FROM rows WHERE isfinite(watched) AND watched > 0 AND part >= 0",
    )
    is_share = half <= MAX_HALF and most <= MAX_MOST
    if by_seconds and is_share:
        return _up_to_1("rows.watched"), ("watched: seconds of the duration",)
    if by_seconds:
        raise InputError(
            f"--watched-seconds: half of them exceed {half:.3g} times --duration, one in ten "
            f"{most:.3g} times, expected both in seconds; convert the one that is not"
        )
    if is_share:
        return _up_to_1("rows.watched"), (f"watched: shares up to {largest:g}",)
    if half > MAX_HALF and largest <= MAX_PERCENT:
        return _up_to_1("rows.watched / 100"), (f"watched: percent up to {largest:g}",)
    raise InputError(
        f"--watched: half of the values exceed {half:.3g}, one in ten {most:.3g}, "
        "expected shares from 0 to 1, or percent, of all rows; are they seconds? then use "
        "--watched-seconds with --duration"
    )


def _up_to_1(share: str) -> str:
    return f"(CASE WHEN {share} > 1 THEN 1 ELSE {share} END)"
