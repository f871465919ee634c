"""Sums by user and by movie for the findings, from two passes over all histories.

    aggregates = aggregate(dataset, histories)
    aggregates.value_count_UV               # how often each user gave each value of the scale
    aggregates.count_I                      # ratings of each movie

Ratings are read in chunks that split no user, and only sums by user and by movie stay in memory. So
memory grows with their numbers (some 500 bytes a user), not with the number of ratings. ml-1m takes
1 s.

Two statistics need all movies before they look at users: what the data would hold without a user.
So the second pass counts, for each user, the movies that depend on that user alone.

Local letters: V values of the scale, Y calendar years, X groups by number of ratings; N ratings and
U users of a chunk, F columns of a table of items.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from marquee.core import memmap
from marquee.core.arrays import Bools, Float32, Float64, Int32, Int64
from marquee.core.item_stats import LIKED_RATING, release_years
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.insights.resample import AnyArray

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

    movies: Movies
    scale: tuple[float, ...]
    has_times: bool
    """False if all ratings have the same time."""
    years: Int64
    """(Y,) calendar years (UTC) of the ratings."""
    value_count_UV: Int32
    """Ratings by their value."""
    genre_count_UG: Int32
    """Ratings of movies that carry the genre; a movie with two genres counts in both."""
    genre_rating_sum_UG: Float32
    """Sum of those ratings."""
    year_count_UY: Int32
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
    fall below it or be gone."""
    early_only_UY: Int32
    """Movies with one early rating, by this user, by release year from `years[0]` on."""

    @property
    def num_users(self) -> int:
        return len(self.num_sessions_U)

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
    catalog = _Catalog(dataset, histories)
    first = histories.timestamp[histories.indptr[:-1]].min()
    last = histories.timestamp[histories.indptr[1:] - 1].max()
    first_year, last_year = year_of(np.array([first, last]))
    years = np.arange(first_year, last_year + 1)
    parts = [
        _sums(chunk, catalog, years) | _sessions(chunk) | _sums_without_user(chunk, catalog, years)
        for chunk in _chunks(histories)
    ]
    return Aggregates(
        movies=dataset.movies,
        scale=dataset.scale,
        has_times=bool(first < last),
        years=years,
        count_I=catalog.count_I,
        rating_sum_I=catalog.rating_sum_I,
        early_count_I=catalog.early_count_I,
        **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
    )


def shrunk_mean(total: Any, count: Any, mean: float) -> Any:
    return (total + PRIOR_RATINGS * mean) / (count + PRIOR_RATINGS)


def year_of(timestamp: Int64) -> Int64:
    """Return the calendar year (UTC) of Unix seconds."""
    return timestamp.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970


def _chunks(histories: UserHistories) -> Iterator[UserHistories]:
    for users, rows in memmap.iter_user_chunks(histories.indptr):
        yield UserHistories(
            user_id=histories.user_id[users],
            indptr=histories.indptr[users.start : users.stop + 1] - rows.start,
            item=histories.item[rows],
            rating=histories.rating[rows],
            timestamp=histories.timestamp[rows],
        )


class _Catalog:
    """Sums by movie, from the first pass, and what the second pass needs of them."""

    def __init__(self, dataset: Dataset, histories: UserHistories) -> None:
        num_items = len(dataset.movies)
        self.scale = np.asarray(dataset.scale, np.float32)
        self.genre_IG = dataset.movies.genre_matrix()
        self.release_year_I = release_years(dataset.movies)
        self.count_I, self.early_count_I = (
            np.zeros(num_items, np.int64),
            np.zeros(num_items, np.int64),
        )
        self.rating_sum_I = np.zeros(num_items)
        for chunk in _chunks(histories):
            self.count_I += np.bincount(chunk.item, minlength=num_items)
            self.rating_sum_I += np.bincount(chunk.item, chunk.rating, num_items)
            early_item = chunk.item[self.is_early(chunk)]
            self.early_count_I += np.bincount(early_item, minlength=num_items)
        self.mean_rating = float(self.rating_sum_I.sum() / self.count_I.sum())
        edges = [1] + [int(maximum) + 1 for maximum in list(SUPPORT.values())[:-1]]
        self.edge_IX = np.column_stack([self.count_I == edge for edge in edges]).astype(np.float64)
        head = np.argsort(-self.count_I, kind="stable")[: max(1, round(HEAD_SHARE * num_items))]
        self.is_head_I = np.isin(np.arange(num_items), head)

    def is_early(self, chunk: UserHistories) -> Bools:
        return year_of(chunk.timestamp) <= self.release_year_I[chunk.item] + WINDOW_YEARS


def _sum_by_user(chunk: UserHistories, value_N: AnyArray) -> AnyArray:
    return np.bincount(chunk.user, value_N, len(chunk)).astype(np.int64)


def _sum_over_items(chunk: UserHistories, value_N: AnyArray, column_IF: AnyArray) -> AnyArray:
    """Return (U, F) sums over each user's ratings of value x the movie's row."""
    shape = (len(chunk), len(column_IF))
    return csr_matrix((value_N, chunk.item, chunk.indptr), shape=shape) @ column_IF


def _count_columns(
    chunk: UserHistories, column_N: Int64, num_columns: int, weight_N: Any = None
) -> AnyArray:
    """Return (U, num_columns) counts of each user's ratings by their column."""
    flat_N = chunk.user * num_columns + column_N
    counts = np.bincount(flat_N, weight_N, len(chunk) * num_columns)
    return counts.reshape(-1, num_columns).astype(np.int32)


def _sums(chunk: UserHistories, catalog: _Catalog, years: Int64) -> dict[str, AnyArray]:
    value_N, one_N = np.searchsorted(catalog.scale, chunk.rating), np.ones(len(chunk.item))
    year_N = year_of(chunk.timestamp) - years[0]
    genre_count_UG = _sum_over_items(chunk, one_N, catalog.genre_IG).astype(np.int32)
    return {
        "value_count_UV": _count_columns(chunk, value_N, len(catalog.scale)),
        "genre_count_UG": genre_count_UG,
        "genre_rating_sum_UG": _sum_over_items(chunk, chunk.rating, catalog.genre_IG),
        "year_count_UY": _count_columns(chunk, year_N, len(years)),
        "head_count_U": _sum_by_user(chunk, catalog.is_head_I[chunk.item]),
    }


def _sessions(chunk: UserHistories) -> dict[str, AnyArray]:
    is_first = np.append(True, chunk.user[1:] != chunk.user[:-1])
    gap = np.diff(chunk.timestamp, prepend=chunk.timestamp[:1])
    session = np.cumsum(is_first | (gap > SESSION_GAP_S))
    start, end = chunk.indptr[:-1], chunk.indptr[1:]
    in_first = session == np.repeat(session[start], end - start)
    return {
        "num_sessions_U": np.asarray(session[end - 1] - session[start] + 1),
        "in_first_session_U": _sum_by_user(chunk, in_first),
    }


def _sums_without_user(
    chunk: UserHistories, catalog: _Catalog, years: Int64
) -> dict[str, AnyArray]:
    """Count the movies that are gone or change group when one user is left out."""
    count, total = catalog.count_I[chunk.item], catalog.rating_sum_I[chunk.item]
    is_liked = shrunk_mean(total, count, catalog.mean_rating) >= LIKED_RATING
    without = shrunk_mean(total - chunk.rating, count - 1, catalog.mean_rating) >= LIKED_RATING
    is_only = count == 1
    release = catalog.release_year_I[chunk.item]
    is_early_only = catalog.is_early(chunk) & (catalog.early_count_I[chunk.item] == 1)
    is_early_only &= (release >= years[0]) & (release <= years[-1])
    release_row = np.where(is_early_only, release - years[0], 0).astype(np.int64)
    edge_count_UX = _sum_over_items(chunk, np.ones(len(chunk.item)), catalog.edge_IX)
    return {
        "edge_count_UX": edge_count_UX.astype(np.int32),
        "liked_change_U": _sum_by_user(chunk, (without & ~is_only) * 1 - is_liked),
        "early_only_UY": _count_columns(chunk, release_row, len(years), is_early_only),
    }
