"""Filters over the catalog: genres, years, number of ratings, and lists of items.

ItemFilter(movies, num_ratings_I).mask({"genres": ["Comedy"], "year_min": 1990})
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Int64
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError

NO_YEAR = -1
FILTER_NAMES = ("genres", "exclude_genres", "year_min", "year_max", "min_ratings")


class ItemFilter:
    """The columns of I items that a query can filter by."""

    def __init__(self, movies: Movies, num_ratings_I: Int64) -> None:
        self._genre_IG = movies.genre_matrix() > 0
        self._genre_column = {name: g for g, name in enumerate(movies.genre_names)}
        self._year_I = np.array([NO_YEAR if y is None else y for y in movies.year])
        self._num_ratings_I = num_ratings_I

    def mask(self, filters: Mapping[str, Any] | None) -> Bools:
        """Return (I,) bool: the items that pass every filter; without filters, all.

        genres: at least one of them (an empty list filters nothing). exclude_genres: none of them.
        year_min, year_max: inclusive; an item without a year passes neither. min_ratings: training
        ratings, at least.
        Raises RequestError for an unknown filter or genre, or year_min after year_max.
        """
        values = {name: value for name, value in (filters or {}).items() if value is not None}
        for name in values:
            if name not in FILTER_NAMES:
                raise RequestError(
                    f"filters: {name!r}, expected {', '.join(FILTER_NAMES)}", field="filters"
                )
        mask_I = np.ones(len(self._year_I), dtype=bool)
        if values.get("genres"):
            mask_I &= self._any_genre(values["genres"], "genres")
        if values.get("exclude_genres"):
            mask_I &= ~self._any_genre(values["exclude_genres"], "exclude_genres")
        if "min_ratings" in values:
            mask_I &= self._num_ratings_I >= values["min_ratings"]
        return mask_I & self._year_mask(values.get("year_min"), values.get("year_max"))

    def mask_of(self, items: Int64) -> Bools:
        """Return (I,) bool, True at these item indices."""
        mask_I = np.zeros(len(self._year_I), dtype=bool)
        mask_I[items] = True
        return mask_I

    def _any_genre(self, names: Iterable[str], field: str) -> Bools:
        columns = []
        for name in names:
            if name not in self._genre_column:
                raise RequestError(
                    f"genre {name!r}: not in the catalog, expected one of "
                    f"{', '.join(self._genre_column)}",
                    code="unknown_genre",
                    field=f"filters.{field}",
                )
            columns.append(self._genre_column[name])
        return np.asarray(self._genre_IG[:, columns].any(axis=1))

    def _year_mask(self, year_min: int | None, year_max: int | None) -> Bools:
        if year_min is not None and year_max is not None and year_min > year_max:
            raise RequestError(
                f"year_min: {year_min}, expected at most year_max {year_max}",
                field="filters.year_min",
            )
        mask_I = np.ones(len(self._year_I), dtype=bool)
        if year_min is not None or year_max is not None:
            mask_I &= self._year_I != NO_YEAR
        if year_min is not None:
            mask_I &= self._year_I >= year_min
        if year_max is not None:
            mask_I &= self._year_I <= year_max
        return mask_I
