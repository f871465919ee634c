"""Baselines without personalization: popularity, and popularity of an item's genres."""

from typing import Self

import numpy as np

from marquee.core.arrays import Float32
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.base import Interactions


class Popularity:
    """score_i = number of interactions of i. The same list for all users."""

    def fit(self, train: Interactions) -> Self:
        self.count_I = np.bincount(train.item, minlength=train.num_items).astype(np.float32)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        return np.tile(self.count_I, (len(queries), 1))


class GenrePopularity:
    """The popularity of an item's genres.

        score_i = mean over the genres of i of the mean interactions of that genre's items

    Only items with an interaction count towards a genre's mean, so an item that is held out neither
    lowers nor raises it. An item without genres, or of genres that no such item has, gets the mean
    over all items with an interaction. The same list for all users; for `new-movies`, where
    popularity itself is 0 for all.
    """

    def __init__(self, genre_IG: Float32) -> None:
        self.genre_IG = genre_IG

    def fit(self, train: Interactions) -> Self:
        count_I = np.bincount(train.item, minlength=train.num_items)
        rated_IG = self.genre_IG * (count_I > 0)[:, None]
        num_items_G = rated_IG.sum(0)
        known_IG = self.genre_IG * (num_items_G > 0)
        mean_G = count_I @ rated_IG / np.maximum(num_items_G, 1)
        num_genres_I = known_IG.sum(1)
        overall = len(train.item) / max(1, (count_I > 0).sum())
        genre_mean_I = known_IG @ mean_G / np.maximum(num_genres_I, 1)
        self.score_I = np.where(num_genres_I > 0, genre_mean_I, overall).astype(np.float32)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        return np.tile(self.score_I, (len(queries), 1))
