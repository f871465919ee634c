"""Which movies may be recommended: genres, years, support, and lists of ids.

Example: `Filters(movies, num_ratings).mask({"genres": ["Comedy"], "year_min": 1990})`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError

Mask = npt.NDArray[np.bool_]

NO_YEAR = -1
NAMES = ("genres", "exclude_genres", "year_min", "year_max", "min_ratings")


class Filters:
    """The columns of I movies that a request can filter by."""

    def __init__(self, movies: Movies, num_ratings_I: npt.NDArray[np.int64]) -> None:
        self._genre_IG = movies.genre_matrix() > 0
        self._column = {name: g for g, name in enumerate(movies.genre_names)}
        self._year_I = np.array([NO_YEAR if y is None else y for y in movies.year])
        self._num_ratings_I = num_ratings_I

    def mask(self, filters: Mapping[str, Any] | None) -> Mask:
        """(I,) True where a movie passes every filter given; all True without filters.

        genres: at least one of them (an empty list asks for nothing); exclude_genres: none of them;
        year_min, year_max: inclusive, and a movie without a year passes neither;
        min_ratings: training ratings, at least.
        Raises RequestError for an unknown filter or genre, or year_min after year_max.
        """
        given = {name: value for name, value in (filters or {}).items() if value is not None}
        for name in given:
            if name not in NAMES:
                raise RequestError(
                    f"filter {name!r} is none of {', '.join(NAMES)}", field="filters"
                )
        keep_I = np.ones(len(self._year_I), dtype=bool)
        if given.get("genres"):
            keep_I &= self._any_genre(given["genres"], "genres")
        if given.get("exclude_genres"):
            keep_I &= ~self._any_genre(given["exclude_genres"], "exclude_genres")
        if "min_ratings" in given:
            keep_I &= self._num_ratings_I >= given["min_ratings"]
        return keep_I & self._years(given.get("year_min"), given.get("year_max"))

    def only(self, rows: npt.NDArray[np.int64]) -> Mask:
        """(I,) true at these rows."""
        keep_I = np.zeros(len(self._year_I), dtype=bool)
        keep_I[rows] = True
        return keep_I

    def _any_genre(self, names: Iterable[str], field: str) -> Mask:
        columns = []
        for name in names:
            if name not in self._column:
                raise RequestError(
                    f"genre {name!r} is none of {', '.join(self._column)}",
                    code="unknown_genre",
                    field=f"filters.{field}",
                )
            columns.append(self._column[name])
        return np.asarray(self._genre_IG[:, columns].any(axis=1))

    def _years(self, first: int | None, last: int | None) -> Mask:
        if first is not None and last is not None and first > last:
            raise RequestError(
                f"year_min {first} is after year_max {last}", field="filters.year_min"
            )
        keep_I = np.ones(len(self._year_I), dtype=bool)
        if first is not None or last is not None:
            keep_I &= self._year_I != NO_YEAR
        if first is not None:
            keep_I &= self._year_I >= first
        if last is not None:
            keep_I &= self._year_I <= last
        return keep_I
