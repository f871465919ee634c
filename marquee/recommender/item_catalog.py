"""The items of a bundle and its rating scale: what a request names, and how it is answered."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Bools, Int64
from marquee.core.ids import Id
from marquee.core.item_stats import release_years
from marquee.core.movies import Movies
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.eligibility.item_filter import parse_filter
from marquee.recommender.errors import RequestError, unknown_genre, unknown_movie
from marquee.recommender.history import History, HistoryEntry, StoredEntry, parse_history
from marquee.recommender.responses import Movie, MovieReference

FILTER_NAMES = ("genres", "exclude_genres", "year_min", "year_max", "min_ratings", "where")


class ItemCatalog:
    """The I items of a bundle. Raises RequestError for a movie or genre that it lacks."""

    def __init__(
        self,
        movies: Movies,
        num_ratings_I: Int64,
        scale: Sequence[float],
        attributes: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """attributes: further values of the items by name; title, year and genres are known."""
        self.movies = movies
        own: dict[str, Sequence[Any]] = {"title": movies.title, "year": movies.year}
        own |= {"genres": movies.genres, "num_ratings": num_ratings_I.tolist()}
        self.attributes = AttributeTable(len(movies), {**(attributes or {}), **own})
        self.num_ratings_I = num_ratings_I
        self.scale = [float(stars) for stars in scale]
        # A value of float32 is on the scale, too: .1 is then .10000000149.
        self._rating_bin_of = {
            value: 1 + r
            for r, stars in enumerate(self.scale)
            for value in (stars, float(np.float32(stars)))
        }
        self._item_of: dict[Id, int] = {
            movie_id: item for item, movie_id in enumerate(movies.movie_id.tolist())
        }
        self._genre_IG = movies.genre_matrix() > 0
        self._genre_column = {name: g for g, name in enumerate(movies.genre_names)}
        self._year_I = release_years(movies)

    def has_movie(self, movie_id: Id) -> bool:
        return movie_id in self._item_of

    def known_ids(self, movie_ids: Iterable[Id]) -> list[Id]:
        return [movie_id for movie_id in movie_ids if self.has_movie(movie_id)]

    def usable_entries(self, entries: Iterable[StoredEntry]) -> Iterator[tuple[int, HistoryEntry]]:
        """Yield (Unix microseconds, entry) for stored entries that the bundle can read.

        Movies that the bundle does not hold are left out. Stars off the bundle's scale become None,
        as all do without ratings; the movie still counts.
        """
        for movie_id, stars, watched, at_us in entries:
            if self.has_movie(movie_id):
                yield at_us, (movie_id, stars if stars in self._rating_bin_of else None, watched)

    def parse_history(
        self,
        entries: Iterable[HistoryEntry],
        not_interested: Iterable[Id] = (),
        viewer: Mapping[str, Any] | None = None,
    ) -> History:
        """Parse entries into item indices and rating bins (see `history.parse_history`)."""
        item_of, rating_bin_of = self._item_of, self._rating_bin_of
        return parse_history(entries, item_of, rating_bin_of, not_interested, viewer)

    def indices_of(self, movie_ids: Iterable[Id], field: str) -> Int64:
        """Return the item indices of movie ids, in their order; field: their request key."""
        items = []
        for n, movie_id in enumerate(movie_ids):
            if movie_id not in self._item_of:
                raise unknown_movie(movie_id, f"{field}.{n}")
            items.append(self._item_of[movie_id])
        return np.array(items, dtype=np.int64)

    def index_array(self, movie_ids: npt.ArrayLike, num_histories: int) -> Int64:
        """Return the item indices of movie ids of shape (C,) or (num_histories, C)."""
        # An object array takes text as it is; numpy's own text type would cut trailing zero bytes.
        ids = np.asarray(movie_ids, object if self.movies.movie_id.dtype == object else None)
        if ids.ndim not in (1, 2) or (ids.ndim == 2 and len(ids) != num_histories):
            message = f"movie_ids: shape {ids.shape}, expected (C,) or ({num_histories}, C)"
            raise RequestError(message, field="movie_ids")
        return self.indices_of(ids.ravel().tolist(), "movie_ids").reshape(ids.shape)

    def filter_mask(self, filters: Mapping[str, Any] | None) -> Bools:
        """Return (I,) bool: the items that pass every filter of `Recommender.recommend`.

        An empty list of genres filters nothing; an item without a year passes no filter by year.
        Raises RequestError for an unknown filter or genre, or year_min after year_max.
        """
        values = {name: value for name, value in (filters or {}).items() if value is not None}
        for name in values:
            if name not in FILTER_NAMES:
                message = f"filters: {name!r}, expected {', '.join(FILTER_NAMES)}"
                raise RequestError(message, field="filters")
        mask_I = np.ones(len(self.movies), dtype=bool)
        if values.get("genres"):
            mask_I &= self._has_any_genre(values["genres"], "genres")
        if values.get("exclude_genres"):
            mask_I &= ~self._has_any_genre(values["exclude_genres"], "exclude_genres")
        if "where" in values:
            mask_I &= parse_filter(values["where"])(self.attributes)
        if "min_ratings" in values:
            mask_I &= self.num_ratings_I >= values["min_ratings"]
        year_min, year_max = values.get("year_min"), values.get("year_max")
        if year_min is not None and year_max is not None and year_min > year_max:
            message = f"year_min: {year_min}, expected at most year_max {year_max}"
            raise RequestError(message, field="filters.year_min")
        if year_min is not None:
            mask_I &= self._year_I >= year_min
        if year_max is not None:
            mask_I &= self._year_I <= year_max
        return mask_I

    def candidate_mask(
        self,
        filters: Mapping[str, Any] | None,
        include_ids: Iterable[Id] | None = None,
        exclude_ids: Iterable[Id] | None = None,
    ) -> Bools:
        """Return (I,) bool: the items of the filters and include_ids, without exclude_ids."""
        mask_I = self.filter_mask(filters)
        if include_ids is not None:
            included = self.indices_of(include_ids, "include_ids")
            mask_I &= np.isin(np.arange(len(mask_I)), included)
        if exclude_ids is not None:
            mask_I[self.indices_of(exclude_ids, "exclude_ids")] = False
        return mask_I

    def _has_any_genre(self, names: Iterable[str], field: str) -> Bools:
        columns = []
        for name in names:
            if name not in self._genre_column:
                raise unknown_genre(name, self._genre_column, f"filters.{field}")
            columns.append(self._genre_column[name])
        return np.asarray(self._genre_IG[:, columns].any(axis=1))

    def movie(self, movie_id: Id) -> Movie:
        if not self.has_movie(movie_id):
            raise unknown_movie(movie_id, "movie_id")
        (record,) = self.to_records(self.indices_of([movie_id], "movie_id"))
        return record

    def movie_reference(self, movie_id: Id) -> MovieReference:
        return {**self.movie(movie_id)} if self.has_movie(movie_id) else {"movie_id": movie_id}

    def to_records(
        self, item_K: Int64, columns: Mapping[str, Iterable[Any]] | None = None
    ) -> list[Any]:
        """Return K items as `Movie` records (marquee/recommender/responses.py).

        columns: further keys with K values each; they stand before `num_ratings`.
        """
        movies, items = self.movies, item_K.tolist()
        all_columns = {
            "movie_id": movies.movie_id[item_K].tolist(),
            "title": [movies.title[item] for item in items],
            "year": [movies.year[item] for item in items],
            "genres": [list(movies.genres[item]) for item in items],
            **(columns or {}),
            "num_ratings": self.num_ratings_I[item_K].tolist(),
        }
        rows = zip(*all_columns.values(), strict=True)
        return [dict(zip(all_columns, row, strict=True)) for row in rows]
