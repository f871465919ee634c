"""Splits of a data set: what training may read, and the queries of validation and test.

| function           | protocols           | held out                                              |
|--------------------|---------------------|-------------------------------------------------------|
| `split_next`       | next, ncf-paper     | the last movie of each user, and the one before it    |
| `split_time`       | time                | everything from one second on                         |
| `split_new_users`  | new-users           | 10% of users, with the last 20% of their histories    |
| `split_new_movies` | new-movies          | 15% of the rated movies                               |
| `split_ratings`    | stars               | 10% of all ratings, and 5% of the others              |
"""

from datamodules.splits.base import Refit, Split, training_ratings
from datamodules.splits.cold_start import random_holdout, split_new_movies, split_new_users
from datamodules.splits.leave_one_out import draw_candidates, split_next
from datamodules.splits.rating_holdout import official_fold, split_ratings
from datamodules.splits.temporal import ML_1M_CUT, split_time

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
