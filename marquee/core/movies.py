"""The movies of a data set: ids, titles, release years and genres, one row a movie."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32, Int64
from marquee.core.errors import InputError, unknown_movie_message
from marquee.core.ids import IdIndex, Ids, as_ids

NO_GENRES = "(no genres listed)"  # MovieLens' genre field of a movie without genres


@dataclass(frozen=True, eq=False)
class Movies:
    """I movies; row numbers ("item") are positions in these columns."""

    movie_id: Ids  # each once, in any order
    title: list[str]  # without the year: "The Matrix"
    year: list[int | None]
    genres: list[tuple[str, ...]]  # in file order; empty where none are known

    def __len__(self) -> int:
        return len(self.movie_id)

    @cached_property
    def genre_names(self) -> tuple[str, ...]:
        """Return the sorted names of all genres: the columns of `genre_matrix`."""
        return tuple(sorted({name for row in self.genres for name in row} - {NO_GENRES}))

    def genre_matrix(self) -> Float32:
        """Return (I, G), 1 for each genre of a movie, else 0."""
        column = {name: g for g, name in enumerate(self.genre_names)}
        genre_IG = np.zeros((len(self), len(column)), dtype=np.float32)
        for i, names in enumerate(self.genres):
            genre_IG[i, [column[name] for name in names if name in column]] = 1
        return genre_IG

    def rows(self, movie_ids: npt.ArrayLike) -> Int64:
        """Return the rows of movie ids, in the same shape; InputError names an unknown id."""
        rows, is_known = self._index.rows(movie_ids)
        if not is_known.all():
            raise InputError(unknown_movie_message(np.asarray(movie_ids)[~is_known].flat[0]))
        return rows

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
        """Return plain lists by column name, for JSON; `from_columns` reads them back."""
        return {
            "movie_id": self.movie_id.tolist(),
            "title": list(self.title),
            "year": list(self.year),
            "genres": [list(names) for names in self.genres],
        }

    @classmethod
    def from_columns(cls, columns: dict[str, Any]) -> "Movies":
        """Build the movies from `to_columns`; InputError for a missing or short column."""
        names = ("movie_id", "title", "year", "genres")
        for name in names:
            if name not in columns:
                raise InputError(f"movies: no column {name!r}, expected {names}; export them again")
        sizes = sorted({len(columns[name]) for name in names})
        if len(sizes) > 1:
            raise InputError(f"movies: columns of lengths {sizes}, expected one; export them again")
        movie_id, title, year, genres = (columns[name] for name in names)
        return cls(as_ids(movie_id), list(title), list(year), [tuple(row) for row in genres])

    @cached_property
    def _index(self) -> IdIndex:
        return IdIndex(self.movie_id)
