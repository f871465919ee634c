"""Look up the movies and the rating scale of a bundle; this needs no network.

lookup = MovieLookup(bundle)
lookup.movie(1193)["title"]
lookup.parse_history([1193, (661, 5.0)])
"""

from collections.abc import Iterable, Iterator
from typing import Any

from marquee.core.arrays import Int64
from marquee.core.movies import Movies
from marquee.recommender.bundle import Bundle
from marquee.recommender.history import History, HistoryEntry, StoredEntry, parse_history
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.responses import Movie, MovieReference


class MovieLookup:
    """The movies of a bundle by their ids, and its rating scale."""

    def __init__(self, bundle: Bundle) -> None:
        """Index the movies and the scale."""
        self.manifest: dict[str, Any] = bundle.manifest
        self.movies: Movies = bundle.movies
        self.num_ratings: Int64 = bundle.arrays["num_ratings"]
        """(I,) training ratings of each movie."""
        self.catalog = ItemCatalog(self.movies, self.num_ratings)
        self._rating_bin_of = {
            float(stars): 1 + r for r, stars in enumerate(self.manifest["scale"])
        }

    @property
    def movie_ids(self) -> Int64:
        """(I,) int64 movie ids, ascending: the column order of `Recommender.score`."""
        return self.movies.movie_id

    @property
    def model_version(self) -> str:
        """The 64 hex digits that name this bundle's exact content."""
        return str(self.manifest["model_version"])

    @property
    def scale(self) -> list[float]:
        """The star values of the rating scale, ascending."""
        return list(self._rating_bin_of)

    def movie(self, movie_id: int) -> Movie:
        """Return one movie; RequestError if the bundle does not hold it."""
        (record,) = self.catalog.to_records(self.catalog.indices_of([movie_id], "movie_id"))
        return record

    def movie_reference(self, movie_id: int) -> MovieReference:
        """Return one movie; one that the bundle does not hold is its id only."""
        if not self.has_movie(movie_id):
            return {"movie_id": movie_id}
        (record,) = self.catalog.to_records(self.catalog.indices_of([movie_id], "movie_id"))
        return record

    def has_movie(self, movie_id: int) -> bool:
        """Return whether the bundle holds this movie."""
        return movie_id in self.catalog.item_of

    def is_on_scale(self, stars: float) -> bool:
        """Return whether these stars are a value of the rating scale."""
        return stars in self._rating_bin_of

    def known_ids(self, movie_ids: Iterable[int]) -> list[int]:
        """Return the ids that the bundle holds, in their order."""
        return [movie_id for movie_id in movie_ids if self.has_movie(movie_id)]

    def usable_entries(self, entries: Iterable[StoredEntry]) -> Iterator[tuple[int, HistoryEntry]]:
        """Yield (Unix microseconds, entry) for stored entries that the bundle can read.

        Movies that the bundle does not hold are left out. Stars off the bundle's scale become None;
        the movie still counts.
        """
        for movie_id, stars, watched, at_us in entries:
            if self.has_movie(movie_id):
                yield at_us, (movie_id, stars if stars in self._rating_bin_of else None, watched)

    def parse_history(
        self, entries: Iterable[HistoryEntry], not_interested: Iterable[int] = ()
    ) -> History:
        """Parse entries into item indices and rating bins (see `history.parse_history`)."""
        return parse_history(entries, self.catalog.item_of, self._rating_bin_of, not_interested)
