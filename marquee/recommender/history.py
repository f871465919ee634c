"""What a person watched, as the caller writes it, turned into rows for the encoder.

[1193, (661, 5.0), (914, None, 0.95)]  ->  rows, stars and what counts as seen
"""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.recommender.errors import RequestError, unknown_movie

Entry: TypeAlias = (
    "int | tuple[int] | tuple[int, float | None] | tuple[int, float | None, float | None]"
)
Stored: TypeAlias = tuple[int, float | None, float | None, int]
"""An entry of a stored history: movie_id, stars, portion, Unix microseconds."""

WEAK_DISLIKE = 0.1
"""A film left before this portion says nothing about what to show next; the star model takes it for
2 stars."""
WATCHED = 0.9
"""A film watched at least this far, without stars, counts as 4 stars."""
WATCHED_STARS = 4.0


@dataclass(frozen=True, eq=False)
class History:
    """One person's films, oldest first, each once (of a film given twice, the last counts)."""

    item: npt.NDArray[np.int64]
    """(L,) rows that the encoder reads."""
    star: npt.NDArray[np.int64]
    """(L,) 0 where no stars were given, else 1 + their place on the scale."""
    left: npt.NDArray[np.int64]
    """(M,) rows of films left in their first tenth: a weak dislike, and seen."""
    refused: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(R,) rows of films that are "not for me": never listed, their neighbours lowered."""

    @property
    def seen(self) -> npt.NDArray[np.int64]:
        """(L + M,) rows that count as seen."""
        return np.concatenate([self.item, self.left])

    def __len__(self) -> int:
        return len(self.item)


def read_history(
    entries: Iterable[Entry],
    row_of: Mapping[int, int],
    star_of: Mapping[float, int],
    not_interested: Iterable[int] = (),
) -> History:
    """Read entries `movie_id`, `(movie_id, stars)` or `(movie_id, stars, portion)`, oldest first.

    stars: a value of the scale, or None. portion: watched share 0..1, or None; it speaks only where
    no stars are given: below .1 the film counts as seen and as a weak dislike, and the encoder does
    not read it; from .9 on it counts as 4 stars. Of a film given twice the last entry counts, in
    its place and with its stars, or none. There is no limit here; the encoder reads the latest.
    not_interested: movie ids that are refused, whatever the entries say of them.
    Raises RequestError for an unknown movie, stars off the scale, or a portion outside 0..1.
    """
    if not isinstance(entries, Iterable):
        raise RequestError(f"a history is {entries!r}; give a list of entries", field="history")
    latest: dict[int, int | None] = {}  # row -> star; None: seen only
    for n, entry in enumerate(entries):
        movie_id, stars, portion = _three(entry, n)
        row = row_of.get(movie_id)
        if row is None:
            raise unknown_movie(movie_id, f"history.{n}.movie_id")
        latest.pop(row, None)  # a film given again moves to its latest place
        star = None  # what most entries give is told without a call
        if portion is None and type(stars) is float:
            star = star_of.get(stars)
        latest[row] = _star(stars, portion, star_of, n) if star is None else star
    refused = [_refused(movie_id, row_of, n) for n, movie_id in enumerate(not_interested)]
    for row in refused:
        latest.pop(row, None)
    read = {row: star for row, star in latest.items() if star is not None}
    left = (row for row, star in latest.items() if star is None)
    return History(_array(read), _array(read.values()), _array(left), np.unique(_array(refused)))


def _refused(movie_id: int, row_of: Mapping[int, int], n: int) -> int:
    if movie_id not in row_of:
        raise unknown_movie(movie_id, f"not_interested.{n}")
    return row_of[movie_id]


def _three(entry: Entry, n: int) -> tuple[int, float | None, float | None]:
    if type(entry) is tuple and len(entry) == 3 and type(entry[0]) is int:
        return entry
    parts = entry if isinstance(entry, tuple | list) else (entry,)
    if not 1 <= len(parts) <= 3:
        raise RequestError(
            f"history entry {n} has {len(parts)} parts; give movie_id, (movie_id, stars) "
            "or (movie_id, stars, portion)",
            field=f"history.{n}",
        )
    movie_id, stars, portion = (*parts, None, None)[:3]
    try:
        if isinstance(movie_id, bool):
            raise TypeError
        return operator.index(movie_id), stars, portion
    except TypeError:
        raise RequestError(
            f"history entry {n}: movie_id {movie_id!r} is no integer", field=f"history.{n}.movie_id"
        ) from None


def _star(
    stars: float | None, portion: float | None, star_of: Mapping[float, int], n: int
) -> int | None:
    if portion is not None and not (_is_number(portion) and 0 <= portion <= 1):
        raise RequestError(
            f"history entry {n}: portion {portion!r} is no share from 0 to 1",
            field=f"history.{n}.portion",
        )
    if stars is not None:
        star = star_of.get(stars) if _is_number(stars) else None
        if star is None:
            scale = ", ".join(f"{value:g}" for value in star_of)
            raise RequestError(
                f"history entry {n}: {stars!r} stars is off the scale; give one of {scale}",
                field=f"history.{n}.stars",
            )
        return star
    if portion is None or WEAK_DISLIKE <= portion < WATCHED:
        return 0
    return None if portion < WEAK_DISLIKE else star_of.get(WATCHED_STARS, 0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def _array(rows: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.fromiter(rows, dtype=np.int64)
