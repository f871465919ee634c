"""The items of a bundle: from movie ids to indices, from indices to records.

catalog = ItemCatalog(movies, num_ratings_I)
catalog.to_records(catalog.indices_of([1193], "movie_ids"))
# [{movie_id, title, year, genres, num_ratings}]
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Int64
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError, unknown_movie


class ItemCatalog:
    """The I items of a bundle. Raises RequestError for a movie that is not among them."""

    def __init__(self, movies: Movies, num_ratings_I: Int64) -> None:
        self.movies = movies
        self.num_ratings_I = num_ratings_I
        self.item_of = {movie_id: item for item, movie_id in enumerate(movies.movie_id.tolist())}
        """movie id -> item index."""

    def index_of(self, movie_id: int, field: str) -> int:
        """Return the item index of a movie id; field: the request's key of the id."""
        item = self.item_of.get(movie_id)
        if item is None:
            raise unknown_movie(movie_id, field)
        return item

    def indices_of(self, movie_ids: Iterable[int], field: str) -> Int64:
        """Return the item indices of movie ids, in their order."""
        items = [self.index_of(movie_id, f"{field}.{n}") for n, movie_id in enumerate(movie_ids)]
        return np.array(items, dtype=np.int64)

    def index_array(self, movie_ids: npt.ArrayLike, num_histories: int) -> Int64:
        """Return the item indices of movie ids of shape (C,) or (num_histories, C)."""
        ids = np.asarray(movie_ids)
        if ids.ndim not in (1, 2) or (ids.ndim == 2 and len(ids) != num_histories):
            raise RequestError(
                f"movie_ids: shape {ids.shape}, expected (C,) or ({num_histories}, C)",
                field="movie_ids",
            )
        return self.indices_of(ids.ravel().tolist(), "movie_ids").reshape(ids.shape)

    def to_records(
        self, item_K: Int64, columns: Mapping[str, Iterable[Any]] | None = None
    ) -> list[Any]:
        """Return K items as `Movie` records (marquee/recommender/responses.py).

        columns: further keys with K values each; they stand before `num_ratings`.
        """
        movies = self.movies
        records: list[dict[str, Any]] = [
            {
                "movie_id": movie_id,
                "title": movies.title[item],
                "year": movies.year[item],
                "genres": list(movies.genres[item]),
            }
            for item, movie_id in zip(
                item_K.tolist(), movies.movie_id[item_K].tolist(), strict=True
            )
        ]
        num_ratings_K = self.num_ratings_I[item_K].tolist()
        for name, values in {**(columns or {}), "num_ratings": num_ratings_K}.items():
            for record, value in zip(records, values, strict=True):
                record[name] = value
        return records
