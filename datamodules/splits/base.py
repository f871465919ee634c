"""The type of every split, in which each rating is in one part: training, validation or test."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from datamodules.splits.repeats import without_repeats
from marquee.core.arrays import Bools, Float32, Int8, Int64
from marquee.core.errors import InputError
from marquee.core.eval_queries import EvalQueries
from marquee.data.user_histories import UserHistories

Refit = Literal["none", "validation", "all"]
TRAIN, VALID, TEST, EXCLUDED = 0, 1, 2, 3
"""The part of a rating; training never reads an excluded one."""
LAST_TRAINED_SUBSET: dict[str, int] = {"none": TRAIN, "validation": VALID, "all": TEST}


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """The ratings that are trained on, and the queries of validation and test."""

    all_histories: UserHistories
    subset_N: Int8  # (N,) the part of each rating of `all_histories`
    valid: EvalQueries
    test: EvalQueries
    num_items: int
    protocol: str
    refit: Refit = "none"
    cut: int | None = None  # of `time`: the second since 1970 that ends training

    @cached_property
    def train_histories(self) -> UserHistories:
        """The ratings that training may read; of users that it may not know, none."""
        return self.all_histories.filter(self.subset_N <= LAST_TRAINED_SUBSET[self.refit])

    def exclude_users(self, users: Int64) -> "Split":
        """Return the same queries; training reads no rating of these user rows."""
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

    def check(self, reason: str) -> "Split":
        """Return the split; InputError if a part is empty, or tests precede training."""
        sizes = {
            "test": len(self.test),
            "validation": len(self.valid),
            "training": np.count_nonzero(self.subset_N == TRAIN),
        }
        for name, size in sizes.items():
            if size == 0:
                raise InputError(
                    f"{self.protocol}: the {name} part is empty, expected at least one; {reason}"
                )
        time_N, indptr = self.all_histories.timestamp, self.all_histories.indptr
        falls = np.setdiff1d(np.flatnonzero(time_N[1:] < time_N[:-1]) + 1, indptr)
        if len(falls):
            user = np.searchsorted(indptr, falls[0], side="right") - 1
            raise InputError(
                f"user {self.all_histories.user_id[user]}: history goes back in time, expected "
                "chronological order, so that no test precedes its training; build it with "
                "build_histories()"
            )
        return self


def training_ratings(split: Split) -> tuple[Int64, Int64, Float32]:
    """Return user rows, item rows and values of the training ratings, (N,) each."""
    histories = split.train_histories
    return histories.user, histories.item.astype(np.int64), histories.rating


def cut_queries(
    histories: UserHistories,
    context_end: Int64,
    *,
    context_start: Int64 | int = 0,
    target_end: Int64 | None = None,
    ranked_items: Int64 | None = None,
) -> EvalQueries:
    """Cut one query per user, at positions among the user's entries, (U,) each.

    target_end: None is one target, at `context_end`.
    """
    start = histories.indptr[:-1]
    return EvalQueries(
        item_N=histories.item,
        rating_N=histories.rating,
        timestamp_N=histories.timestamp,
        strength_N=histories.strength,
        user=np.arange(len(histories)),
        start=start,
        context_start=start + context_start,
        context_end=start + context_end,
        target_end=start + (context_end + 1 if target_end is None else target_end),
        has_many_targets=target_end is not None,
        ranked_items=ranked_items,
    )


def hide(histories: UserHistories, is_hidden_N: Bools, min_context: int) -> EvalQueries:
    """Ask for hidden interactions of users with `min_context` others.

    The others are the context, which keeps the order of the histories. A hidden item that the
    context holds is no target.
    """
    length_U, context_length_U = histories.length, histories.count_by_user(~is_hidden_N)
    table = histories.sort_within_user(is_hidden_N)
    queries = cut_queries(table, context_length_U, target_end=length_U)
    is_asked_U = (length_U > context_length_U) & (context_length_U >= min_context)
    return without_repeats(queries.take(is_asked_U))
