"""The movies of a data set: ids, titles, release years and genres, one row a movie.

Row numbers ("item") are positions in this table; `rows` turns ids into rows, once, at the door.
62,000 movies (ml-25m) take about 20 MB.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.errors import InputError

NO_GENRES = "(no genres listed)"
"""What MovieLens writes for a movie without genres."""


@dataclass(frozen=True, eq=False)
class Movies:
    """I movies, in the order of their rows."""

    movie_id: npt.NDArray[np.int64]
    """(I,) ids as in the movie file, each once."""
    title: list[str]
    """Display titles without the year: "The Matrix"."""
    year: list[int | None]
    """Release years; None where the title gives none."""
    genres: list[tuple[str, ...]]
    """Genres in file order; empty where none are known."""

    def __len__(self) -> int:
        return len(self.movie_id)

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        """All genres of these movies, sorted: the columns of `genre_matrix`."""
        return tuple(sorted({name for row in self.genres for name in row} - {NO_GENRES}))

    def genre_matrix(self) -> npt.NDArray[np.float32]:
        """(I, G) float32, 1 where the movie has the genre; a movie without genres is a row of 0."""
        column = {name: g for g, name in enumerate(self.genre_names)}
        genre_IG = np.zeros((len(self), len(column)), dtype=np.float32)
        for i, names in enumerate(self.genres):
            genre_IG[i, [column[name] for name in names if name in column]] = 1
        return genre_IG

    def rows(self, movie_ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Rows of the given movie ids, same shape, int64; InputError names the first unknown id."""
        wanted = np.asarray(movie_ids, dtype=np.int64)
        if len(self) == 0 and wanted.size:
            raise _unknown(wanted.flat[0], len(self))
        if wanted.size == 0:
            return np.zeros(wanted.shape, dtype=np.int64)
        sorted_id, row = self._sorted
        place = np.minimum(np.searchsorted(sorted_id, wanted), len(self) - 1)
        unknown = sorted_id[place] != wanted
        if unknown.any():
            raise _unknown(wanted[unknown].flat[0], len(self))
        return row[place]

    def select(self, movie_ids: npt.ArrayLike) -> "Movies":
        """These movies only, in the order given."""
        rows = self.rows(movie_ids)
        return Movies(
            self.movie_id[rows],
            [self.title[i] for i in rows],
            [self.year[i] for i in rows],
            [self.genres[i] for i in rows],
        )

    def label(self, row: int) -> str:
        """ "The Matrix (1999)", or the bare title where the year is unknown."""
        year = self.year[row]
        return self.title[row] if year is None else f"{self.title[row]} ({year})"

    def to_columns(self) -> dict[str, list[Any]]:
        """Plain lists by column name, ready for JSON; `from_columns` reads them back."""
        return {
            "movie_id": self.movie_id.tolist(),
            "title": list(self.title),
            "year": list(self.year),
            "genres": [list(names) for names in self.genres],
        }

    @classmethod
    def from_columns(cls, columns: dict[str, Any]) -> "Movies":
        """The movies that `to_columns` wrote; InputError where a column is missing or too short."""
        try:
            movie_id, title, year, genres = (
                columns[k] for k in ("movie_id", "title", "year", "genres")
            )
        except KeyError as missing:
            raise InputError(f"The movies have no column {missing}; export them again.") from None
        sizes = {len(column) for column in (movie_id, title, year, genres)}
        if len(sizes) > 1:
            raise InputError(
                f"The movies' columns have lengths {sorted(sizes)}; export them again."
            )
        ids = np.asarray(movie_id, dtype=np.int64)
        return cls(ids, list(title), list(year), [tuple(names) for names in genres])

    @cached_property
    def _sorted(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        row = np.argsort(self.movie_id).astype(np.int64)
        return self.movie_id[row], row


def _unknown(movie_id: np.int64, size: int) -> InputError:
    return InputError(
        f"Movie {movie_id} is not in the catalogue of {size} movies; find ids by title search."
    )
