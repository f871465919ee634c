"""Sums by user and by movie for the findings, from two passes over all histories.

    aggregates = aggregate(dataset, histories)
    aggregates.value_count_UV               # how often each user gave each value of the scale
    aggregates.count_I                      # ratings of each movie

Ratings are read in chunks that split no user, and only sums by user and by movie stay in memory. So
memory grows with their numbers (some 500 bytes a user), not with the number of ratings. ml-1m takes
1 s.

Two statistics need all movies before they look at users: what the data would hold without a user.
So the second pass counts, for each user, the movies that depend on that user alone.

Local letters: V values of the scale, Y calendar years, X groups by number of ratings; N ratings of
a chunk, U also users of a chunk.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from marquee.core import memmap
from marquee.core.arrays import Float32, Float64, Int32, Int64
from marquee.core.item_stats import LIKED_RATING, release_years
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.insights.history_chunk import Chunk, count_pairs, year_of

SESSION_GAP_S = 3600
"""A session ends with an hour without a rating."""
WINDOW_YEARS = 2
"""An early rating comes by the end of the second year after the movie's release."""
PRIOR_RATINGS = 10
"""Means are shrunk: as if a movie had so many more ratings at the mean of all."""
SUPPORT = {"1": 1, "2-5": 5, "6-20": 20, "21-100": 100, "100+": np.inf}
"""Groups of movies by number of ratings: name and maximum of each group."""
HEAD_SHARE = 0.1
"""The head is the most rated tenth of the movies."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregates:
    """Sums by user and by movie."""

    name: str
    movies: Movies
    scale: tuple[float, ...]
    user_id: Int64
    """(U,)"""
    value_count_UV: Int32
    """Ratings by their value."""
    genre_count_UG: Int32
    """Ratings of movies that carry the genre; a movie with two genres counts in both."""
    genre_rating_sum_UG: Float32
    """Sum of those ratings."""
    year_count_UY: Int32
    """Ratings by the calendar year (UTC) they were given in."""
    years: Int64
    """(Y,) those years."""
    first_time_U: Int64
    """Time of a user's first rating, and of the last one."""
    last_time_U: Int64
    num_sessions_U: Int64
    in_first_session_U: Int64
    """Ratings of a user's first session."""
    count_I: Int64
    rating_sum_I: Float64
    early_count_I: Int64
    """Ratings of each movie within WINDOW_YEARS of its release."""
    edge_count_UX: Int32
    """A user's movies that have exactly 1, 2, 6, 21, 101 ratings. Without that user they would be
    gone, or one group of SUPPORT lower."""
    head_count_U: Int64
    """Ratings of the most rated tenth of the movies."""
    liked_change_U: Int64
    """Movies whose shrunk mean would rise to LIKED_RATING without this user, less those that would
    fall below it."""
    liked_only_U: Int64
    """Movies that only this user rated, with a shrunk mean of LIKED_RATING or more."""
    early_only_UY: Int32
    """Movies with one early rating, by this user, by release year from `years[0]` on."""

    @property
    def num_users(self) -> int:
        return len(self.user_id)

    @cached_property
    def num_ratings(self) -> int:
        return int(self.count_I.sum())

    @cached_property
    def length_U(self) -> Int64:
        return self.value_count_UV.sum(1, dtype=np.int64)

    @property
    def mean_rating(self) -> float:
        return float(self.rating_sum_I.sum() / self.num_ratings)

    @cached_property
    def release_year_I(self) -> Float64:
        return release_years(self.movies)

    @cached_property
    def shrunk_mean_I(self) -> Float64:
        """Mean rating of each movie, shrunk to the mean of all: (sum + 10 m) / (n + 10)."""
        return shrunk_mean(self.rating_sum_I, self.count_I, self.mean_rating)

    @cached_property
    def support_I(self) -> Int64:
        """The group of SUPPORT of each movie."""
        return np.searchsorted(list(SUPPORT.values()), self.count_I)


def aggregate(dataset: Dataset, histories: UserHistories) -> Aggregates:
    """Read all histories twice and return their sums."""
    first = _FirstPass(dataset, histories)
    for users, rows in memmap.iter_user_chunks(histories.indptr):
        first.read(users, rows)
    second = _SecondPass(dataset, histories, first)
    for users, rows in memmap.iter_user_chunks(histories.indptr):
        second.read(users, rows)
    return Aggregates(
        name=dataset.name,
        movies=dataset.movies,
        scale=dataset.scale,
        user_id=histories.user_id,
        value_count_UV=first.value_count_UV,
        genre_count_UG=first.genre_count_UG,
        genre_rating_sum_UG=first.genre_rating_sum_UG,
        year_count_UY=first.year_count_UY,
        years=first.years,
        first_time_U=first.first_time_U,
        last_time_U=first.last_time_U,
        num_sessions_U=first.num_sessions_U,
        in_first_session_U=first.in_first_session_U,
        count_I=first.count_I,
        rating_sum_I=first.rating_sum_I,
        early_count_I=first.early_count_I,
        edge_count_UX=second.edge_count_UX,
        head_count_U=second.head_count_U,
        liked_change_U=second.liked_change_U,
        liked_only_U=second.liked_only_U,
        early_only_UY=second.early_only_UY,
    )


def shrunk_mean(total: Any, count: Any, mean: float) -> Any:
    return (total + PRIOR_RATINGS * mean) / (count + PRIOR_RATINGS)


class _FirstPass:
    """Plain sums."""

    def __init__(self, dataset: Dataset, histories: UserHistories) -> None:
        U, V, num_items = len(histories), len(dataset.scale), len(dataset.movies)
        self._histories, self._scale = histories, dataset.scale
        self._genre_IG = dataset.movies.genre_matrix()
        self._release_year_I = release_years(dataset.movies)
        starts, ends = histories.indptr[:-1], histories.indptr[1:] - 1
        self.first_time_U = histories.timestamp[starts]
        self.last_time_U = histories.timestamp[ends]
        first, last = year_of(np.array([self.first_time_U.min(), self.last_time_U.max()]))
        self.years = np.arange(first, last + 1)
        G = self._genre_IG.shape[1]
        self.value_count_UV = np.zeros((U, V), np.int32)
        self.genre_count_UG = np.zeros((U, G), np.int32)
        self.genre_rating_sum_UG = np.zeros((U, G), np.float32)
        self.year_count_UY = np.zeros((U, len(self.years)), np.int32)
        self.num_sessions_U, self.in_first_session_U = np.zeros(U, np.int64), np.zeros(U, np.int64)
        self.count_I, self.early_count_I = (np.zeros(num_items, np.int64) for _ in range(2))
        self.rating_sum_I = np.zeros(num_items)

    def read(self, users: slice, rows: slice) -> None:
        chunk = Chunk.from_histories(self._histories, users, rows)
        size = chunk.num_users
        value = np.searchsorted(np.asarray(self._scale, np.float32), chunk.rating)
        self.value_count_UV[users] = count_pairs(chunk.user, value, size, len(self._scale))
        self.genre_count_UG[users] = chunk.sum_over_items(np.ones(len(chunk.user)), self._genre_IG)
        self.genre_rating_sum_UG[users] = chunk.sum_over_items(chunk.rating, self._genre_IG)
        year = year_of(chunk.timestamp)
        year_row = year - self.years[0]
        self.year_count_UY[users] = count_pairs(chunk.user, year_row, size, len(self.years))
        self.count_I += np.bincount(chunk.item, minlength=len(self.count_I))
        self.rating_sum_I += np.bincount(chunk.item, chunk.rating, len(self.rating_sum_I))
        is_early = year <= self._release_year_I[chunk.item] + WINDOW_YEARS
        self.early_count_I += np.bincount(chunk.item[is_early], minlength=len(self.early_count_I))
        self._read_sessions(users, chunk)

    def _read_sessions(self, users: slice, chunk: Chunk) -> None:
        is_first = np.append(True, chunk.user[1:] != chunk.user[:-1])
        gap = np.diff(chunk.timestamp, prepend=chunk.timestamp[:1])
        session = np.cumsum(is_first | (gap > SESSION_GAP_S))
        start = np.searchsorted(chunk.user, np.arange(chunk.num_users))
        end = np.searchsorted(chunk.user, np.arange(chunk.num_users), side="right")
        self.num_sessions_U[users] = session[end - 1] - session[start] + 1
        in_first = session == np.repeat(session[start], end - start)
        self.in_first_session_U[users] = np.bincount(chunk.user, in_first, chunk.num_users)


class _SecondPass:
    """Count the movies that are gone or change group when one user is left out."""

    def __init__(self, dataset: Dataset, histories: UserHistories, first: _FirstPass) -> None:
        U, num_items = len(histories), len(dataset.movies)
        self._histories, self._first = histories, first
        self._release_year_I = first._release_year_I
        edges = [1] + [int(maximum) + 1 for maximum in list(SUPPORT.values())[:-1]]
        self._edge_IX = np.column_stack([first.count_I == edge for edge in edges]).astype(float)
        order = np.argsort(-first.count_I, kind="stable")
        self._is_head_I = np.isin(
            np.arange(num_items), order[: max(1, round(HEAD_SHARE * num_items))]
        )
        self._mean = float(first.rating_sum_I.sum() / first.count_I.sum())
        self.edge_count_UX = np.zeros((U, len(edges)), np.int32)
        self.head_count_U, self.liked_change_U = np.zeros(U, np.int64), np.zeros(U, np.int64)
        self.liked_only_U = np.zeros(U, np.int64)
        self.early_only_UY = np.zeros((U, len(first.years)), np.int32)

    def read(self, users: slice, rows: slice) -> None:
        chunk, first = Chunk.from_histories(self._histories, users, rows), self._first
        self.edge_count_UX[users] = chunk.sum_over_items(np.ones(len(chunk.user)), self._edge_IX)
        self.head_count_U[users] = chunk.sum_by_user(self._is_head_I[chunk.item])
        self._read_liked(users, chunk)
        release = self._release_year_I[chunk.item]
        year = year_of(chunk.timestamp)
        is_only = (year <= release + WINDOW_YEARS) & (first.early_count_I[chunk.item] == 1)
        is_only &= (release >= first.years[0]) & (release <= first.years[-1])
        release_row = (release[is_only] - first.years[0]).astype(np.int64)
        counts = count_pairs(chunk.user[is_only], release_row, chunk.num_users, len(first.years))
        self.early_only_UY[users] = counts

    def _read_liked(self, users: slice, chunk: Chunk) -> None:
        first = self._first
        count, total = first.count_I[chunk.item], first.rating_sum_I[chunk.item]
        is_liked = shrunk_mean(total, count, self._mean) >= LIKED_RATING
        without = shrunk_mean(total - chunk.rating, count - 1, self._mean) >= LIKED_RATING
        is_only = count == 1
        change = np.where(is_only, 0, without.astype(np.int64) - is_liked)
        self.liked_change_U[users] = chunk.sum_by_user(change)
        self.liked_only_U[users] = chunk.sum_by_user(is_liked & is_only)
