"""Splits of a data set: what training may read, and the queries of validation and test."""

from datamodules.splits.base import Refit, Split, training_ratings
from datamodules.splits.chronological import ML_1M_CUT, draw_candidates, split_next, split_time
from datamodules.splits.cold_start import random_holdout, split_new_movies, split_new_users
from datamodules.splits.rating_holdout import official_fold, split_ratings

__all__ = [
    "ML_1M_CUT",
    "Refit",
    "Split",
    "draw_candidates",
    "official_fold",
    "random_holdout",
    "split_new_movies",
    "split_new_users",
    "split_next",
    "split_ratings",
    "split_time",
    "training_ratings",
]
