"""Movies as every answer shows them: one item shape, and movie ids to rows and back.

cards = ItemCatalog(movies, num_ratings)
cards.items(cards.rows([1193], "movie_ids"))      # [{movie_id, title, year, genres, support}]
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.movies import Movies
from marquee.recommender.errors import unknown_movie

Int64 = npt.NDArray[np.int64]
Card: TypeAlias = dict[str, Any]


class ItemCatalog:
    """The I movies of a bundle. Raises RequestError for a movie that is not among them."""

    def __init__(self, movies: Movies, num_ratings_I: Int64) -> None:
        self.movies = movies
        self.num_ratings_I = num_ratings_I
        self.row_of = {movie_id: row for row, movie_id in enumerate(movies.movie_id.tolist())}

    def row(self, movie_id: int, field: str) -> int:
        row = self.row_of.get(movie_id)
        if row is None:
            raise unknown_movie(movie_id, field)
        return row

    def rows(self, movie_ids: Iterable[int], field: str) -> Int64:
        """Rows of movie ids, (n,); field: the key that the ids came under."""
        found = [self.row(movie_id, f"{field}.{n}") for n, movie_id in enumerate(movie_ids)]
        return np.array(found, dtype=np.int64)

    def named(self, row: int) -> Card:
        """{movie_id, title} of one movie."""
        return {"movie_id": int(self.movies.movie_id[row]), "title": self.movies.title[row]}

    def items(self, rows: Int64, **more: Iterable[Any]) -> list[Card]:
        """Movies in the one item shape; more: further keys, a value a movie, before `support`."""
        movies = self.movies
        items: list[Card] = [
            {
                "movie_id": movie_id,
                "title": movies.title[row],
                "year": movies.year[row],
                "genres": list(movies.genres[row]),
            }
            for row, movie_id in zip(rows.tolist(), movies.movie_id[rows].tolist(), strict=True)
        ]
        more["support"] = self.num_ratings_I[rows].tolist()
        for name, values in more.items():
            for item, value in zip(items, values, strict=True):
                item[name] = value
        return items
