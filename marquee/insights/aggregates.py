"""Sums by user and by movie for the findings, from two passes over all histories.

    aggregates = aggregate(dataset, histories)
    aggregates.value_count_UV               # how often each user gave each value of the scale
    aggregates.count_I                      # interactions of each movie

Interactions are read in chunks that split no user, and only sums by user and by movie stay in
memory. So memory grows with their numbers (some 500 bytes a user), not with the number of
interactions. ml-1m takes 1 s.

Two statistics need all movies before they look at users: what the data would hold without a user.
So the second pass counts, for each user, the movies that depend on that user alone. The sums of a
chunk are in chunk_sums.py.

Movies are those with an interaction, the first `dataset.num_items`. Where nothing is rated, sums of
ratings are 0 and no finding reads them.

Local letters: V values of the scale (or groups of them), Y calendar years, X groups by number of
interactions, W groups by watched share.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from marquee.core.arrays import Float32, Float64, Int8, Int32, Int64
from marquee.core.item_stats import release_years
from marquee.core.movies import Movies
from marquee.data.dataset import Dataset
from marquee.data.user_histories import UserHistories
from marquee.insights.chunk_sums import ChunkSums
from marquee.insights.item_sums import SUPPORT, ItemSums, iter_histories, shrunk_mean
from marquee.insights.words import Words, words_of


@dataclass(frozen=True, eq=False, kw_only=True)
class Aggregates:
    """Sums by user and by movie."""

    movies: Movies
    num_unseen: int
    """Movies of the catalog without an interaction; no other field counts them."""
    words: Words
    has_times: bool
    """False if all interactions have the same time, or none has one."""
    has_clock: bool
    """False if all times are whole days."""
    session_gap_s: int
    years: Int64
    """(Y,) calendar years (UTC) of the interactions."""
    value_count_V: Int64
    """Ratings by their value, each value of the scale."""
    length_U: Int64
    """Interactions of each user."""
    value_count_UV: Int32
    """Ratings by their value; those of a long scale in the groups of `Scale.groups`."""
    rating_sum_U: Float64
    liked_count_U: Int64
    low_count_U: Int64
    num_values_U: Int64
    """Different values of a user's ratings; groups of them on a long scale."""
    rater_kind_U: Int8
    """Rows of RATER_KINDS."""
    genre_count_UG: Int32
    """Interactions with movies that carry the genre; a movie with two genres counts in both."""
    genre_rated_count_UG: Int32 | None
    """Those that are ratings; None if all are, or none is."""
    genre_rating_sum_UG: Float32
    """Sum of those ratings."""
    year_count_UY: Int32
    watched_count_UW: Int32 | None
    """Interactions by watched share, those of known share; None without any."""
    num_sessions_U: Int64
    in_first_session_U: Int64
    """Interactions of a user's first session."""
    count_I: Int64
    rated_count_I: Int64
    rating_sum_I: Float64
    early_count_I: Int64
    """Interactions of each movie within WINDOW_YEARS of its release."""
    edge_count_UX: Int32
    """A user's movies that have exactly 1, 2, 6, 21, 101 interactions. Without that user they would
    be gone, or one group of SUPPORT lower."""
    rated_only_U: Int64
    """Movies that this user alone rated."""
    head_count_U: Int64
    """Interactions with the most popular tenth of the movies."""
    liked_change_U: Int64
    """Movies whose shrunk mean would rise to `liked` without this user, less those that would fall
    below it or be gone."""
    early_only_UY: Int32
    """Movies with one early interaction, by this user, by release year from `years[0]` on."""

    @property
    def num_users(self) -> int:
        return len(self.length_U)

    @cached_property
    def num_interactions(self) -> int:
        return int(self.count_I.sum())

    @cached_property
    def num_ratings(self) -> int:
        return int(self.rated_count_I.sum())

    @cached_property
    def num_rated_U(self) -> Int64:
        return self.value_count_UV.sum(1, dtype=np.int64)

    @property
    def mean_rating(self) -> float:
        return float(self.rating_sum_I.sum() / max(self.num_ratings, 1))

    @property
    def rated_by_genre_UG(self) -> Int32:
        counts = self.genre_rated_count_UG
        return self.genre_count_UG if counts is None else counts

    @cached_property
    def release_year_I(self) -> Float64:
        return release_years(self.movies)

    @cached_property
    def shrunk_mean_I(self) -> Float64:
        """Mean rating of each movie, shrunk to the mean of all: (sum + 10 m) / (n + 10)."""
        return np.asarray(shrunk_mean(self.rating_sum_I, self.rated_count_I, self.mean_rating))

    @cached_property
    def support_I(self) -> Int64:
        """The group of SUPPORT of each movie."""
        return np.searchsorted(list(SUPPORT.values()), self.count_I)


def aggregate(dataset: Dataset, histories: UserHistories) -> Aggregates:
    """Read all histories twice and return their sums."""
    items = ItemSums(dataset, histories)
    words = words_of(
        dataset.name,
        items.scale_values,
        has_unrated=items.has_unrated,
        has_genres=bool(items.movies.genre_names),
    )
    sums = ChunkSums(items, words)
    parts = [sums.of(chunk) for chunk in iter_histories(histories)]
    return Aggregates(
        movies=items.movies,
        num_unseen=len(dataset.movies) - dataset.num_items,
        words=words,
        has_times=dataset.has_times and items.last_time > items.first_time,
        has_clock=items.has_clock,
        session_gap_s=sums.session_gap_s,
        years=items.years,
        value_count_V=items.value_count_V,
        count_I=items.count_I,
        rated_count_I=items.rated_count_I,
        rating_sum_I=items.rating_sum_I,
        early_count_I=items.early_count_I,
        **{name: _joined([part[name] for part in parts]) for name in parts[0]},
    )


def _joined(columns: list[Any]) -> Any:
    return None if columns[0] is None else np.concatenate(columns)
