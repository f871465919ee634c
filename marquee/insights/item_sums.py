"""Sums by movie: the first pass of aggregates.py, and what the second pass needs of them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from marquee.core import memmap
from marquee.core.arrays import Bools, Int64
from marquee.core.item_stats import release_years
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories

WINDOW_YEARS = 2
"""An early interaction comes by the end of the second year after the movie's release."""
PRIOR_RATINGS = 10
"""Means are shrunk: as if a movie had so many more ratings at the mean of all."""
SUPPORT = {"1": 1, "2-5": 5, "6-20": 20, "21-100": 100, "100+": np.inf}
"""Groups of movies by number of interactions: name and maximum of each group."""
HEAD_SHARE = 0.1
"""The head is the most popular tenth of the movies."""
DAY_S = 86_400


def shrunk_mean(total: Any, count: Any, mean: float) -> Any:
    return (total + PRIOR_RATINGS * mean) / (count + PRIOR_RATINGS)


def year_of(timestamp: Int64) -> Int64:
    """Return the calendar year (UTC) of Unix seconds."""
    return timestamp.astype("datetime64[s]").astype("datetime64[Y]").astype(np.int64) + 1970


def iter_histories(histories: UserHistories) -> Iterator[UserHistories]:
    """Yield the histories of some users at a time."""
    for users, rows in memmap.iter_user_chunks(histories.indptr):
        yield UserHistories(
            user_id=histories.user_id[users],
            indptr=histories.indptr[users.start : users.stop + 1] - rows.start,
            **{name: column[rows] for name, column in histories.columns.items()},
        )


class ItemSums:
    """Sums by movie, over the movies with an interaction."""

    def __init__(self, dataset: Dataset, histories: UserHistories) -> None:
        self.movies = first_movies(dataset.movies, dataset.num_items)
        self.scale_values = dataset.scale
        self.scale = np.asarray(dataset.scale, np.float32)
        self.genre_IG = self.movies.genre_matrix()
        self.release_year_I = release_years(self.movies)
        num_items = dataset.num_items
        self.count_I, self.rated_count_I, self.early_count_I = np.zeros((3, num_items), np.int64)
        self.rating_sum_I = np.zeros(num_items)
        self.value_count_V = np.zeros(len(dataset.scale), np.int64)
        self.first_time, self.last_time, self.has_clock = np.iinfo(np.int64).max, 0, False
        for chunk in iter_histories(histories):
            self._add(chunk)
        self.mean_rating = float(self.rating_sum_I.sum() / max(self.rated_count_I.sum(), 1))
        edges = [1] + [int(maximum) + 1 for maximum in list(SUPPORT.values())[:-1]]
        self.edge_IX = np.column_stack([self.count_I == edge for edge in edges]).astype(np.float64)
        head = np.argsort(-self.count_I, kind="stable")[: max(1, round(HEAD_SHARE * num_items))]
        self.is_head_I = np.isin(np.arange(num_items), head)

    def _add(self, chunk: UserHistories) -> None:
        num_items, is_rated_N = len(self.movies), self.is_rated(chunk)
        item, rating = chunk.item[is_rated_N], chunk.rating[is_rated_N]
        self.count_I += np.bincount(chunk.item, minlength=num_items)
        self.rated_count_I += np.bincount(item, minlength=num_items)
        self.rating_sum_I += np.bincount(item, rating, num_items)
        if len(self.scale):
            value = self.value_rows(rating)
            self.value_count_V += np.bincount(value, minlength=len(self.scale))
        early_item = chunk.item[self.is_early(chunk)]
        self.early_count_I += np.bincount(early_item, minlength=num_items)
        if len(chunk.timestamp):
            self.first_time = min(self.first_time, int(chunk.timestamp.min()))
            self.last_time = max(self.last_time, int(chunk.timestamp.max()))
            self.has_clock |= bool((chunk.timestamp % DAY_S).any())

    @property
    def has_unrated(self) -> bool:
        return bool(self.rated_count_I.sum() < self.count_I.sum())

    @property
    def years(self) -> Int64:
        first, last = year_of(np.array([self.first_time, self.last_time]))
        return np.arange(first, last + 1)

    def is_rated(self, chunk: UserHistories) -> Bools:
        if not len(self.scale):
            return np.zeros(len(chunk.rating), bool)
        return ~np.isnan(chunk.rating)

    def value_rows(self, rating: Any) -> Int64:
        """Return the rows of ratings on the scale."""
        return np.searchsorted(self.scale, rating).clip(max=len(self.scale) - 1)

    def is_early(self, chunk: UserHistories) -> Bools:
        return year_of(chunk.timestamp) <= self.release_year_I[chunk.item] + WINDOW_YEARS


def first_movies(movies: Movies, num: int) -> Movies:
    """Return the first rows: the movies with an interaction."""
    return Movies(movies.movie_id[:num], movies.title[:num], movies.year[:num], movies.genres[:num])
