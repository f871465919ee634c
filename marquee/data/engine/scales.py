"""Find the scale of ratings: the ascending values that a user can give.

1 to 10, half stars, 0 to 100, thumbs (0 and 1): all values that occur, and those between them where
most of the steps occur. More than 101 values are a continuous rating: they are rounded to steps of
1, 2 or 5 times a power of ten, at most 101 of them. One value says nothing: no ratings.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import duckdb

from marquee.core.arrays import shortest_decimal
from marquee.data.engine.interactions import DISLIKE, LIKE
from marquee.data.source_tables.sql import row_of

MAX_VALUES = 101


@dataclass(frozen=True)
class Scale:
    values: tuple[float, ...]  # () where nothing is rated
    sql: str  # of the rating that is kept, FLOAT, from column `rating`; NULL where there is none
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_scale(
    connection: duckdb.DuckDBPyConnection,
    fixed: tuple[float, ...] | None = None,
    *,
    has_kinds: bool = False,
    column: str = "",
) -> Scale:
    """Return the scale of the table `rows`.

    fixed: the scale is known, as of MovieLens. has_kinds: infinite ratings are likes and dislikes.
    column: of the ratings, as warnings name it.
    """
    if fixed is not None:
        return Scale(fixed, "rating")
    count_of = _counts(connection)
    values = list(count_of)
    warnings = () if has_kinds else tuple(_warn_of_none(count_of, column))
    counts = row_of(
        connection,
        f"SELECT count(*) FILTER (rating = {LIKE}), count(*) FILTER (rating = {DISLIKE}) FROM rows",
    )
    counts = counts if has_kinds else (0, 0)
    num_likes, num_dislikes = counts
    step = 0.0
    if len(values) > MAX_VALUES:
        step, values = _rounded(values)
    low, high = (values[0], values[-1]) if len(values) > 1 else (0.0, 1.0)
    ratings = set(values) | ({high} if num_likes else set()) | ({low} if num_dislikes else set())
    scale = _fill(sorted(ratings))
    if len(scale) == 1:
        note = f"rating: every rating is {scale[0]:g}, so they count as plays, not as ratings"
        return Scale((), "NULL::FLOAT", (note,))
    if not scale:
        return Scale((), "NULL::FLOAT")
    return Scale(tuple(scale), _sql(low, high, step), _notes(scale, step, counts), warnings)


def _counts(connection: duckdb.DuckDBPyConnection) -> dict[float, int]:
    """Return how often each rating occurs, ascending."""
    rows = connection.execute(
        "SELECT rating, count(*) FROM rows WHERE isfinite(rating) AND part >= 0 GROUP BY rating "
        "ORDER BY rating"
    ).fetchall()
    return {shortest_decimal(value): number for value, number in rows}


def _warn_of_none(count_of: dict[float, int], column: str) -> Iterator[str]:
    """Yield a warning of a lowest value such as 0 or -1 that may stand for no rating."""
    lowest, second, *others = [*count_of, 0.0, 0.0]
    if lowest <= 0 < second and 5 <= len(others) <= 20 and count_of[lowest] > count_of[second]:
        yield (
            f"rating: {count_of[lowest]:,} are {lowest:g}, more than are {second:g}, expected that "
            f"few give the lowest; if it stands for no rating, add --kind {column!r} --kinds "
            f"'{lowest:g}=watch,*=rating' (as the file writes it)"
        )


def _rounded(values: list[float]) -> tuple[float, list[float]]:
    """Return the step, and the values at its multiples."""
    low, high = values[0], values[-1]
    power = 10.0 ** math.floor(math.log10((high - low) / (MAX_VALUES - 1)))
    step = next(
        factor * power
        for factor in (1, 2, 5, 10, 20)
        if round(high / (factor * power)) - round(low / (factor * power)) < MAX_VALUES
    )
    first, last = round(low / step), round(high / step)
    return step, [shortest_decimal(number * step) for number in range(first, last + 1)]


def _fill(values: list[float]) -> list[float]:
    """Add the steps between values where at least half of them occur."""
    if len(values) < 3:
        return values
    thousandths = [round(value * 1000) for value in values]
    if any(
        abs(value * 1000 - nearest) > 1e-3
        for value, nearest in zip(values, thousandths, strict=True)
    ):
        return values
    step = math.gcd(*(high - low for low, high in pairwise(thousandths)))
    filled = [number / 1000 for number in range(thousandths[0], thousandths[-1] + 1, step or 1)]
    return filled if len(filled) <= min(2 * len(values), MAX_VALUES) else values


def _sql(low: float, high: float, step: float) -> str:
    rating = (
        f"(round(rating::DOUBLE / {step!r}::DOUBLE) * {step!r}::DOUBLE)::FLOAT"
        if step
        else "rating"
    )
    return (
        f"CASE WHEN rating = {LIKE} THEN {high!r}::FLOAT WHEN rating = {DISLIKE} THEN "
        f"{low!r}::FLOAT WHEN rating IS NOT NULL THEN {rating} END"
    )


def _notes(scale: list[float], step: float, counts: tuple[int, int]) -> tuple[str, ...]:
    texts = [f"rating: {len(scale)} values from {scale[0]:g} to {scale[-1]:g}"]
    if step:
        texts.append(f"rating: more than {MAX_VALUES} values, rounded to steps of {step:g}")
    for word, number, value in zip(("like", "dislike"), counts, (scale[-1], scale[0]), strict=True):
        if number:
            texts.append(f"rating: {number:,} of kind {word} count as {value:g}")
    return tuple(texts)
