"""The filters of a request: genres, years, number of ratings, and conditions on attributes."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Float64, Int64
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.eligibility.item_filter import parse_filter
from marquee.recommender.errors import RequestError, unknown_genre

FILTER_NAMES = ("genres", "exclude_genres", "year_min", "year_max", "min_ratings", "where")


def request_mask(
    filters: Mapping[str, Any],
    table: AttributeTable,
    *,
    num_ratings_I: Int64,
    year_I: Float64,
    genre_names: Collection[str],
) -> Bools:
    """Return (I,) bool: the items that pass every filter of `Recommender.recommend`.

    An empty list of genres filters nothing; an item without a year passes no filter by year.
    Raises RequestError for an unknown filter or genre, or year_min after year_max.
    """
    values = {name: value for name, value in filters.items() if value is not None}
    for name in values:
        if name not in FILTER_NAMES:
            message = f"filters: {name!r}, expected {', '.join(FILTER_NAMES)}"
            raise RequestError(message, field="filters")
    mask_I = np.ones(table.num_items, dtype=bool)
    for name in ("genres", "exclude_genres"):
        if values.get(name):
            check_genres(values[name], genre_names, f"filters.{name}")
            has_genre_I = table.column("genres").equals(list(values[name]))
            mask_I &= has_genre_I if name == "genres" else ~has_genre_I
    if "where" in values:
        mask_I &= parse_filter(values["where"])(table)
    if "min_ratings" in values:
        mask_I &= num_ratings_I >= values["min_ratings"]
    year_min, year_max = values.get("year_min"), values.get("year_max")
    if year_min is not None and year_max is not None and year_min > year_max:
        message = f"year_min: {year_min}, expected at most year_max {year_max}"
        raise RequestError(message, field="filters.year_min")
    if year_min is not None:
        mask_I &= year_I >= year_min
    if year_max is not None:
        mask_I &= year_I <= year_max
    return mask_I


def check_genres(names: Iterable[str], genre_names: Collection[str], field: str) -> None:
    """Raise RequestError for a genre that no title has."""
    for name in names:
        if name not in genre_names:
            raise unknown_genre(name, genre_names, field)
