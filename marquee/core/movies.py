"""The movies of a data set: ids, titles, release years and genres, one row a movie.

Row numbers ("item") are positions in this table; `rows` turns ids into rows, once, at the boundary.
62,000 movies (ml-25m) take about 20 MB.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32, Int64
from marquee.core.errors import InputError, unknown_movie_message

NO_GENRES = "(no genres listed)"
"""MovieLens' genre field of a movie without genres."""


@dataclass(frozen=True, eq=False)
class Movies:
    """I movies, in the order of their rows."""

    movie_id: Int64
    """(I,) ids as in the movie file, each once."""
    title: list[str]
    """Display titles without the year: "The Matrix"."""
    year: list[int | None]
    """Release years; None if the title has none."""
    genres: list[tuple[str, ...]]
    """Genres in file order; empty where none are known."""

    def __len__(self) -> int:
        return len(self.movie_id)

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        """Sorted names of all genres of these movies: the columns of `genre_matrix`."""
        return tuple(sorted({name for row in self.genres for name in row} - {NO_GENRES}))

    def genre_matrix(self) -> Float32:
        """Return (I, G), 1 for each genre of a movie, else 0.

        A movie without genres is a row of 0.
        """
        column = {name: g for g, name in enumerate(self.genre_names)}
        genre_IG = np.zeros((len(self), len(column)), dtype=np.float32)
        for i, names in enumerate(self.genres):
            genre_IG[i, [column[name] for name in names if name in column]] = 1
        return genre_IG

    def rows(self, movie_ids: npt.ArrayLike) -> Int64:
        """Return the rows of movie ids, in the same shape; InputError names an unknown id."""
        ids = np.asarray(movie_ids, dtype=np.int64)
        if len(self) == 0 and ids.size:
            raise InputError(unknown_movie_message(ids.flat[0]))
        if ids.size == 0:
            return np.zeros(ids.shape, dtype=np.int64)
        sorted_id, row = self._sorted
        place = np.minimum(np.searchsorted(sorted_id, ids), len(self) - 1)
        is_unknown = sorted_id[place] != ids
        if is_unknown.any():
            raise InputError(unknown_movie_message(ids[is_unknown].flat[0]))
        return row[place]

    def select(self, movie_ids: npt.ArrayLike) -> "Movies":
        """Return these movies only, in the order of the ids."""
        rows = self.rows(movie_ids)
        return Movies(
            self.movie_id[rows],
            [self.title[i] for i in rows],
            [self.year[i] for i in rows],
            [self.genres[i] for i in rows],
        )

    def label(self, row: int) -> str:
        """Return "The Matrix (1999)", or the bare title where the year is unknown."""
        year = self.year[row]
        return self.title[row] if year is None else f"{self.title[row]} ({year})"

    def to_columns(self) -> dict[str, list[Any]]:
        """Return plain lists by column name, ready for JSON.

        `from_columns` reads them back.
        """
        return {
            "movie_id": self.movie_id.tolist(),
            "title": list(self.title),
            "year": list(self.year),
            "genres": [list(names) for names in self.genres],
        }

    @classmethod
    def from_columns(cls, columns: dict[str, Any]) -> "Movies":
        """Build the movies from `to_columns`.

        InputError for a missing or too short column.
        """
        try:
            movie_id, title, year, genres = (
                columns[k] for k in ("movie_id", "title", "year", "genres")
            )
        except KeyError as error:
            raise InputError(
                f"movies: no column {error}, expected movie_id, title, year and genres; export "
                "them again"
            ) from None
        sizes = {len(column) for column in (movie_id, title, year, genres)}
        if len(sizes) > 1:
            raise InputError(
                f"movies: columns of lengths {sorted(sizes)}, expected one length; export them "
                "again"
            )
        ids = np.asarray(movie_id, dtype=np.int64)
        return cls(ids, list(title), list(year), [tuple(names) for names in genres])

    @cached_property
    def _sorted(self) -> tuple[Int64, Int64]:
        row = np.argsort(self.movie_id).astype(np.int64)
        return self.movie_id[row], row
