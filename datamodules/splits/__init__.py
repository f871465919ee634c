"""Splits of a data set: what training may read, and the queries of validation and test."""

from datamodules.splits.base import Refit, Split, training_ratings
from datamodules.splits.chronological import draw_candidates, split_next, split_time, time_cut
from datamodules.splits.cold_start import random_holdout, split_new_movies, split_new_users
from datamodules.splits.fixed import split_fixed
from datamodules.splits.rating_holdout import official_fold, split_ratings
from datamodules.splits.requirements import check_requirements, has_order

__all__ = [
    "Refit",
    "Split",
    "check_requirements",
    "draw_candidates",
    "has_order",
    "official_fold",
    "random_holdout",
    "split_fixed",
    "split_new_movies",
    "split_new_users",
    "split_next",
    "split_ratings",
    "split_time",
    "time_cut",
    "training_ratings",
]
