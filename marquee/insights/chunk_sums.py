"""Sums by user of one chunk of histories: the second pass of aggregates.py.

Local letters: N interactions and U users of the chunk, F columns of a table of items.
"""

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from marquee.core.arrays import Bools, Int64
from marquee.data.user_histories import UserHistories
from marquee.evaluation.metrics.rating import rater_kinds
from marquee.insights.item_sums import ItemSums, shrunk_mean, year_of
from marquee.insights.resample import AnyArray
from marquee.insights.words import Words

SESSION_GAP_S = 3600
"""A session ends with an hour without a rating."""
PLAY_GAP_S = 4 * 3600
"""A play has the time of its start: four hours without one, more than a movie, end a session."""
WATCHED_GROUPS = {"below 10%": 0.1, "10 to 50%": 0.5, "50 to 90%": 0.9, "90% or more": np.inf}
"""Interactions by watched share: name and end of each group."""


class ChunkSums:
    """Sums by user; `of(chunk)` returns them by the names of the fields of Aggregates."""

    def __init__(self, items: ItemSums, words: Words) -> None:
        self.items, self.words = items, words
        self.session_gap_s = SESSION_GAP_S if words.are_ratings else PLAY_GAP_S

    def of(self, chunk: UserHistories) -> dict[str, Any]:
        """Return all sums of a chunk."""
        return (
            self._counts(chunk)
            | self._rating_sums(chunk)
            | self._sessions(chunk)
            | self._without_user(chunk)
        )

    def _counts(self, chunk: UserHistories) -> dict[str, Any]:
        items, year_N = self.items, year_of(chunk.timestamp) - self.items.years[0]
        genre_count_UG = _sum_over_items(chunk, np.ones(len(chunk.item)), items.genre_IG)
        return {
            "length_U": chunk.length,
            "genre_count_UG": genre_count_UG.astype(np.int32),
            "year_count_UY": _count_columns(chunk, year_N, len(items.years)),
            "watched_count_UW": self._watched(chunk),
            "head_count_U": _sum_by_user(chunk, items.is_head_I[chunk.item]),
        }

    def _watched(self, chunk: UserHistories) -> AnyArray | None:
        if chunk.watched is None:
            return None
        ends = list(WATCHED_GROUPS.values())[:-1]
        group_N = np.searchsorted(ends, chunk.watched.astype(np.float64) + 1e-6, side="right")
        return _count_columns(chunk, group_N, len(WATCHED_GROUPS), ~np.isnan(chunk.watched))

    def _rating_sums(self, chunk: UserHistories) -> dict[str, Any]:
        items, is_rated_N = self.items, self.items.is_rated(chunk)
        scale, has_mixed = self.words.scale, bool(len(items.scale)) and items.has_unrated
        rating_N = np.where(is_rated_N, chunk.rating, 0)
        rated_count = _sum_over_items(chunk, is_rated_N, items.genre_IG) if has_mixed else None
        sums = {
            "genre_rated_count_UG": None if rated_count is None else rated_count.astype(np.int32),
            "genre_rating_sum_UG": _sum_over_items(chunk, rating_N, items.genre_IG),
            "rating_sum_U": np.bincount(chunk.user, rating_N, len(chunk)),
        }
        if scale is None:
            fields = ("liked_count_U", "low_count_U", "num_values_U", "rater_kind_U")
            empty_UV = np.zeros((len(chunk), 0), np.int32)
            return sums | dict.fromkeys(fields, np.zeros(0, int)) | {"value_count_UV": empty_UV}
        value_N, (names, group_V) = items.value_rows(rating_N), scale.groups
        liked_row, low_row = (scale.values.index(value) for value in (scale.liked, scale.low))
        count_UV = _count_columns(chunk, group_V[value_N], len(names), is_rated_N)
        user, rating = chunk.user[is_rated_N], rating_N[is_rated_N].astype(np.float64)
        return sums | {
            "value_count_UV": count_UV,
            "liked_count_U": _sum_by_user(chunk, is_rated_N & (value_N >= liked_row)),
            "low_count_U": _sum_by_user(chunk, is_rated_N & (value_N <= low_row)),
            "num_values_U": (count_UV > 0).sum(1),
            "rater_kind_U": rater_kinds(user, rating, len(chunk), scale.values).astype(np.int8),
        }

    def _sessions(self, chunk: UserHistories) -> dict[str, AnyArray]:
        is_first = np.append(True, chunk.user[1:] != chunk.user[:-1])
        gap = np.diff(chunk.timestamp, prepend=chunk.timestamp[:1])
        session = np.cumsum(is_first | (gap > self.session_gap_s))
        start, end = chunk.indptr[:-1], chunk.indptr[1:]
        in_first = session == np.repeat(session[start], end - start)
        return {
            "num_sessions_U": np.asarray(session[end - 1] - session[start] + 1),
            "in_first_session_U": _sum_by_user(chunk, in_first),
        }

    def _without_user(self, chunk: UserHistories) -> dict[str, AnyArray]:
        """Count the movies that are gone or change group when one user is left out."""
        items, years = self.items, self.items.years
        release = items.release_year_I[chunk.item]
        is_early_only = items.is_early(chunk) & (items.early_count_I[chunk.item] == 1)
        is_early_only &= (release >= years[0]) & (release <= years[-1])
        release_row = np.where(is_early_only, release - years[0], 0).astype(np.int64)
        edge_count_UX = _sum_over_items(chunk, np.ones(len(chunk.item)), items.edge_IX)
        is_only = items.is_rated(chunk) & (items.rated_count_I[chunk.item] == 1)
        return {
            "edge_count_UX": edge_count_UX.astype(np.int32),
            "rated_only_U": _sum_by_user(chunk, is_only),
            "liked_change_U": _sum_by_user(chunk, self._liked_change(chunk, is_only)),
            "early_only_UY": _count_columns(chunk, release_row, len(years), is_early_only),
        }

    def _liked_change(self, chunk: UserHistories, is_only: Bools) -> Int64:
        """Return 1, 0 or -1: whether the movie would be liked without this rating."""
        items, scale = self.items, self.words.scale
        if scale is None:
            return np.zeros(len(chunk.item), np.int64)
        count, total = items.rated_count_I[chunk.item], items.rating_sum_I[chunk.item]
        is_liked = shrunk_mean(total, count, items.mean_rating) >= scale.liked
        total_left = total - np.nan_to_num(chunk.rating)
        without = shrunk_mean(total_left, count - 1, items.mean_rating) >= scale.liked
        change = (without & ~is_only) * 1 - is_liked
        return np.where(items.is_rated(chunk), change, 0)


def _sum_by_user(chunk: UserHistories, value_N: AnyArray) -> AnyArray:
    return np.bincount(chunk.user, value_N, len(chunk)).astype(np.int64)


def _sum_over_items(chunk: UserHistories, value_N: AnyArray, column_IF: AnyArray) -> AnyArray:
    """Return (U, F) sums over each user's interactions of value x the movie's row."""
    shape = (len(chunk), len(column_IF))
    return csr_matrix((value_N, chunk.item, chunk.indptr), shape=shape) @ column_IF


def _count_columns(
    chunk: UserHistories, column_N: Int64, num_columns: int, weight_N: Any = None
) -> AnyArray:
    """Return (U, num_columns) counts of each user's interactions by their column."""
    flat_N = chunk.user * num_columns + column_N
    counts = np.bincount(flat_N, weight_N, len(chunk) * num_columns)
    return counts.reshape(-1, num_columns).astype(np.int32)
