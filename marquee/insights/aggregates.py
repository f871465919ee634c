"""What the findings need of the ratings, from two passes over everybody's history.

    tables = Tables.of(dataset, histories)
    tables.star_UK                   # how often each person gave each value of the scale
    tables.count_I                   # ratings of each film

Ratings are read whole people at a time and only sums are kept, by person and by film: memory grows
with their numbers (some 500 bytes a person), not with the number of ratings. ml-1m takes 1 s.

Two figures need to know the films before they look at people: what the data would hold without a
person. So the second pass counts, for everybody, the films that are theirs alone.

U people, I films, K values of the scale, G genres, Y calendar years, N ratings of a block.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from marquee.core.item_stats import release_years
from marquee.core.memmap import people_blocks
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.interactions import UserHistories

Ints = NDArray[np.int64]
Counts = NDArray[np.int32]
Floats = NDArray[np.float64]

PAUSE_S = 3600
"""A sitting ends with an hour without a rating."""
WINDOW_YEARS = 2
"""A film is found early if it is rated by the end of the second year after its release."""
PRIOR_RATINGS = 10
"""A mean is drawn to that of all ratings as if it had so many more ratings of just that mean."""
LIKED = 4.0
SUPPORT = {"1": 1, "2-5": 5, "6-20": 20, "21-100": 100, "100+": np.inf}
"""Films by number of ratings: the most of each group."""
HEAD = 0.1
"""The most rated tenth of the films."""


@dataclass(frozen=True, eq=False)
class Tables:
    """Sums by person and by film."""

    name: str
    movies: Movies
    scale: tuple[float, ...]
    user_id: Ints
    """(U,)"""
    star_UK: Counts
    genre_UG: Counts
    """Ratings of films that carry the genre; a film with two genres counts in both."""
    genre_stars_UG: NDArray[np.float32]
    """Their stars, summed."""
    year_UY: Counts
    """Ratings by the calendar year (UTC) they were given in."""
    years: Ints
    """(Y,) those years."""
    first_U: Ints
    """Time of a person's first rating, and of the last one."""
    last_U: Ints
    sittings_U: Ints
    in_first_U: Ints
    """Ratings of a person's first sitting."""
    count_I: Ints
    stars_I: Floats
    """Stars of each film, summed."""
    early_I: Ints
    """Ratings of each film within WINDOW_YEARS of its release."""
    edge_US: Counts
    """A person's films that have exactly 1, 2, 6, 21, 101 ratings: those that would be gone, or one
    row of SUPPORT lower, without that person."""
    head_U: Ints
    """Ratings of the most rated tenth of the films."""
    loved_U: Ints
    """Films whose drawn-in mean would rise to LIKED without this person, less those that fall."""
    loved_alone_U: Ints
    """Films of nobody else with a drawn-in mean of LIKED."""
    early_alone_UR: Counts
    """Films that nobody else found early, by release year from `years[0]` on."""

    @property
    def num_people(self) -> int:
        return len(self.user_id)

    @cached_property
    def num_ratings(self) -> int:
        return int(self.count_I.sum())

    @cached_property
    def length_U(self) -> Ints:
        return self.star_UK.sum(1, dtype=np.int64)

    @property
    def mean_stars(self) -> float:
        return float(self.stars_I.sum() / self.num_ratings)

    @cached_property
    def release_I(self) -> Floats:
        return release_years(self.movies)

    @cached_property
    def drawn_in_I(self) -> Floats:
        """Mean stars of each film, drawn to the mean of all ratings: (sum + 10 m) / (n + 10)."""
        return drawn_in(self.stars_I, self.count_I, self.mean_stars)

    @cached_property
    def support_I(self) -> Ints:
        """The row of SUPPORT of each film."""
        return np.searchsorted(list(SUPPORT.values()), self.count_I)

    @classmethod
    def of(cls, dataset: Dataset, histories: UserHistories) -> "Tables":
        first = _FirstPass(dataset, histories)
        for people, rows in people_blocks(histories.indptr):
            first.read(people, rows)
        second = _SecondPass(dataset, histories, first)
        for people, rows in people_blocks(histories.indptr):
            second.read(people, rows)
        shared = vars(first) | vars(second)
        names = [name for name in cls.__dataclass_fields__ if name in shared]
        return cls(**{name: shared[name] for name in names})


def drawn_in(stars: Any, count: Any, mean: float) -> Any:
    return (stars + PRIOR_RATINGS * mean) / (count + PRIOR_RATINGS)


class _FirstPass:
    def __init__(self, dataset: Dataset, histories: UserHistories) -> None:
        U, num_items, K = len(histories), len(dataset.movies), len(dataset.scale)
        self.name, self.movies, self.scale = dataset.name, dataset.movies, dataset.scale
        self.user_id, self._histories = histories.user_id, histories
        self._genre_IG = dataset.movies.genre_matrix()
        self._release_I = release_years(dataset.movies)
        starts, ends = histories.indptr[:-1], histories.indptr[1:] - 1
        self.first_U, self.last_U = histories.timestamp[starts], histories.timestamp[ends]
        first, last = year_of(np.array([self.first_U.min(), self.last_U.max()]))
        self.years = np.arange(first, last + 1)
        G = self._genre_IG.shape[1]
        self.star_UK = np.zeros((U, K), np.int32)
        self.genre_UG = np.zeros((U, G), np.int32)
        self.genre_stars_UG = np.zeros((U, G), np.float32)
        self.year_UY = np.zeros((U, len(self.years)), np.int32)
        self.sittings_U, self.in_first_U = np.zeros(U, np.int64), np.zeros(U, np.int64)
        self.count_I, self.early_I = (np.zeros(num_items, np.int64) for _ in range(2))
        self.stars_I = np.zeros(num_items)

    def read(self, people: slice, rows: slice) -> None:
        block = Block.of(self._histories, people, rows)
        size = block.num_people
        place = np.searchsorted(np.asarray(self.scale, np.float32), block.stars)
        self.star_UK[people] = counted(block.user, place, size, len(self.scale))
        self.genre_UG[people] = block.by_item(np.ones(len(block.user)), self._genre_IG)
        self.genre_stars_UG[people] = block.by_item(block.stars, self._genre_IG)
        year = year_of(block.timestamp)
        self.year_UY[people] = counted(block.user, year - self.years[0], size, len(self.years))
        self.count_I += np.bincount(block.item, minlength=len(self.count_I))
        self.stars_I += np.bincount(block.item, block.stars, len(self.stars_I))
        is_early = year <= self._release_I[block.item] + WINDOW_YEARS
        self.early_I += np.bincount(block.item[is_early], minlength=len(self.early_I))
        self._read_sittings(people, block)

    def _read_sittings(self, people: slice, block: "Block") -> None:
        is_first = np.append(True, block.user[1:] != block.user[:-1])
        gap = np.diff(block.timestamp, prepend=block.timestamp[:1])
        sitting = np.cumsum(is_first | (gap > PAUSE_S))
        start = np.searchsorted(block.user, np.arange(block.num_people))
        end = np.searchsorted(block.user, np.arange(block.num_people), side="right")
        self.sittings_U[people] = sitting[end - 1] - sitting[start] + 1
        in_first = sitting == np.repeat(sitting[start], end - start)
        self.in_first_U[people] = np.bincount(block.user, in_first, block.num_people)


class _SecondPass:
    """What would be gone without each person."""

    def __init__(self, dataset: Dataset, histories: UserHistories, first: _FirstPass) -> None:
        U, num_items = len(histories), len(dataset.movies)
        self._histories, self._first = histories, first
        self._release_I = first._release_I
        edges = [1] + [int(most) + 1 for most in list(SUPPORT.values())[:-1]]
        self._edge_IS = np.column_stack([first.count_I == edge for edge in edges]).astype(float)
        order = np.argsort(-first.count_I, kind="stable")
        self._head_I = np.isin(np.arange(num_items), order[: max(1, round(HEAD * num_items))])
        self._mean = float(first.stars_I.sum() / first.count_I.sum())
        self.edge_US = np.zeros((U, len(edges)), np.int32)
        self.head_U, self.loved_U = np.zeros(U, np.int64), np.zeros(U, np.int64)
        self.loved_alone_U = np.zeros(U, np.int64)
        self.early_alone_UR = np.zeros((U, len(first.years)), np.int32)

    def read(self, people: slice, rows: slice) -> None:
        block, first = Block.of(self._histories, people, rows), self._first
        one = np.ones(len(block.user))
        self.edge_US[people] = block.by_item(one, self._edge_IS)
        self.head_U[people] = block.summed(self._head_I[block.item])
        self._read_loved(people, block)
        release = self._release_I[block.item]
        year = year_of(block.timestamp)
        alone = (year <= release + WINDOW_YEARS) & (first.early_I[block.item] == 1)
        alone &= (release >= first.years[0]) & (release <= first.years[-1])
        released = (release[alone] - first.years[0]).astype(np.int64)
        counts = counted(block.user[alone], released, block.num_people, len(first.years))
        self.early_alone_UR[people] = counts

    def _read_loved(self, people: slice, block: "Block") -> None:
        first = self._first
        count, total = first.count_I[block.item], first.stars_I[block.item]
        is_loved = drawn_in(total, count, self._mean) >= LIKED
        would_be = drawn_in(total - block.stars, count - 1, self._mean) >= LIKED
        alone = count == 1
        change = np.where(alone, 0, would_be.astype(np.int64) - is_loved)
        self.loved_U[people] = block.summed(change)
        self.loved_alone_U[people] = block.summed(is_loved & alone)


@dataclass(frozen=True, eq=False)
class Block:
    """The ratings of some whole people."""

    user: Ints
    """(N,) from 0."""
    item: NDArray[np.integer]
    stars: NDArray[np.float32]
    timestamp: Ints
    indptr: Ints

    @property
    def num_people(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of(cls, histories: UserHistories, people: slice, rows: slice) -> "Block":
        indptr = histories.indptr[people.start : people.stop + 1] - rows.start
        user = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        columns = (histories.item[rows], histories.stars[rows], histories.timestamp[rows])
        return cls(user, *columns, indptr)

    def summed(self, value_N: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(self.user, value_N, self.num_people).astype(np.float64)

    def by_item(self, value_N: NDArray[Any], column_IM: NDArray[Any]) -> NDArray[Any]:
        """Sum over each person's films of value x the film's row: (people, M)."""
        shape = (self.num_people, len(column_IM))
        return csr_matrix((value_N, self.item, self.indptr), shape=shape) @ column_IM


def counted(row: Ints, column: Ints, num_rows: int, num_columns: int) -> Counts:
    """How often each pair of row and column is there."""
    flat = np.bincount(row * num_columns + column, minlength=num_rows * num_columns)
    return flat.reshape(num_rows, num_columns).astype(np.int32)


def year_of(timestamp: Ints) -> Ints:
    """Calendar year, UTC."""
    return timestamp.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970
