"""The types of every split: which ratings training may read, and the queries of the other parts.

    split = split_next(histories, len(dataset.movies))
    split.train_histories                            # what training may read
    split.with_refit("validation").train_histories   # the same and the validation ratings
    split.test                                       # the queries of the test part

Every rating is in one part: training, validation or test. A query is a user and three cuts through
their ratings: see EvalQueries.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from marquee.core.arrays import Float32, Int8, Int64
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories

Refit = Literal["none", "validation", "all"]
TRAIN, VALID, TEST, EXCLUDED = 0, 1, 2, 3
"""The part of a rating; training never reads an excluded one."""
LAST_TRAINED_SUBSET: dict[str, int] = {"none": TRAIN, "validation": VALID, "all": TEST}
"""For each refit the last part that it trains on, with all parts before it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """The ratings that are trained on, and the queries of validation and test."""

    all_histories: UserHistories
    """Every rating of the data set."""
    subset_N: Int8
    """(N,) the part of each rating of `all_histories`."""
    valid: EvalQueries
    test: EvalQueries
    num_items: int
    protocol: str
    refit: Refit = "none"

    @cached_property
    def train_histories(self) -> UserHistories:
        """The ratings that training may read.

        Users that it may not know have an empty row.
        """
        return self.all_histories.filter(self.subset_N <= LAST_TRAINED_SUBSET[self.refit])

    @property
    def train_length(self) -> Int64:
        """(U,) training ratings per user."""
        return self.train_histories.length

    def exclude_users(self, users: Int64) -> "Split":
        """Return the same queries, without any rating of some user rows in training.

        The exclusion holds for every refit.
        """
        if len(users) == 0:
            return self
        is_excluded_U = np.isin(np.arange(len(self.all_histories)), users)
        subset_N = self.subset_N.copy()
        subset_N[np.repeat(is_excluded_U, self.all_histories.length)] = EXCLUDED
        return replace(self, subset_N=subset_N)

    def with_refit(self, refit: Refit) -> "Split":
        """Return the same queries, with validation, or everything, added to training."""
        if refit not in LAST_TRAINED_SUBSET:
            raise InputError(f"refit: {refit!r}, expected none, validation or all")
        return self if refit == self.refit else replace(self, refit=refit)


def training_ratings(split: Split) -> tuple[Int64, Int64, Float32]:
    """Return all ratings that training may read.

    These are user rows, item rows and values, (N,) each.
    """
    histories = split.train_histories
    return histories.user, histories.item.astype(np.int64), histories.rating


def cut_queries(
    histories: UserHistories,
    user: Int64,
    *,
    context_end: Int64,
    target_end: Int64,
    context_start: Int64 | int = 0,
    has_many_targets: bool = False,
    ranked_items: Int64 | None = None,
) -> EvalQueries:
    """Cut one query per user from histories.

    user: (B,) user rows, each once. context_start, context_end, target_end: (B,) positions within
    the entries of each user; the other arguments as in EvalQueries.
    """
    start = histories.indptr[user]
    return EvalQueries(
        item_N=histories.item,
        rating_N=histories.rating,
        timestamp_N=histories.timestamp,
        user=user,
        start=start,
        context_start=start + context_start,
        context_end=start + context_end,
        target_end=start + target_end,
        has_many_targets=has_many_targets,
        ranked_items=ranked_items,
    )


def check_split(split: Split, reason: str) -> Split:
    """Return the split if it can be tested.

    InputError if a part is empty, or if a test precedes its training. reason: the explanation of an
    empty part.
    """
    histories = split.all_histories
    sizes = {
        "test": len(split.test),
        "validation": len(split.valid),
        "training": np.count_nonzero(split.subset_N == TRAIN),
    }
    for name, size in sizes.items():
        if size == 0:
            raise InputError(
                f"{split.protocol}: the {name} part is empty, expected at least one; {reason}"
            )
    falls = np.flatnonzero(histories.timestamp[1:] < histories.timestamp[:-1]) + 1
    falls = np.setdiff1d(falls, histories.indptr)
    if len(falls):
        user = np.searchsorted(histories.indptr, falls[0], side="right") - 1
        raise InputError(
            f"user {histories.user_id[user]}: history goes back in time, expected chronological "
            "order, so that no test precedes its training; build it with build_histories()"
        )
    return split
