"""Read the watched share of an interaction: 0 to 1, or percent, told apart by what most values are.

Some rows of shares are above 1, where a title was watched again: they count as 1.
"""

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.sql import row_of

MAX_SHARE, MAX_PERCENT = 1.5, 150  # a title that is watched again may count beyond the whole
MAX_BEYOND = 0.1  # share of rows
MIN_PERCENT = 0.5  # of the rows exceed MAX_SHARE where the values are percent


def find_share(
    connection: duckdb.DuckDBPyConnection, *, by_seconds: bool
) -> tuple[str, tuple[str, ...]]:
    """Return SQL of the share, from 0 to 1, of the table `rows`, and a note.

    by_seconds: it is seconds / duration. Raises InputError for values in another unit.
    """
    largest, share_beyond = row_of(
        connection,
        f"SELECT coalesce(max(watched), 0), coalesce(avg((watched > {MAX_SHARE})::INTEGER), 0) "
        "FROM rows WHERE isfinite(watched) AND watched > 0 AND part >= 0",
    )
    if by_seconds:
        if share_beyond > MAX_BEYOND:
            raise InputError(
                f"--watched-seconds: {share_beyond:.0%} exceed {MAX_SHARE} times --duration, "
                "expected both in seconds; convert the one that is not"
            )
        return _up_to_1("rows.watched"), ("watched: seconds of the duration",)
    if largest > MAX_PERCENT:
        raise InputError(
            f"--watched: values up to {largest:g}, expected a share from 0 to 1 or percent; are "
            "they seconds? then use --watched-seconds with --duration"
        )
    if largest <= MAX_SHARE or share_beyond <= MAX_BEYOND:
        return _up_to_1("rows.watched"), (f"watched: shares up to {largest:g}",)
    if share_beyond >= MIN_PERCENT:
        return _up_to_1("rows.watched / 100"), (f"watched: percent up to {largest:g}",)
    raise InputError(
        f"--watched: {share_beyond:.0%} of the values exceed {MAX_SHARE}, expected shares from 0 "
        f"to 1, or percent; write all of them as shares"
    )


def _up_to_1(share: str) -> str:
    return f"(CASE WHEN {share} > 1 THEN 1 ELSE {share} END)"
