"""Evaluation queries by hand, and read back: one list of item rows per user."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from marquee.core.arrays import AnyInt, Float32, Int64
from marquee.core.eval_queries import EvalQueries

ItemLists: TypeAlias = Sequence[Sequence[int] | AnyInt]
RatingLists: TypeAlias = Sequence[Sequence[float] | Float32]


def cuts(queries: EvalQueries) -> dict[int, tuple[list[int], list[int]]]:
    """Return context and targets of each user."""
    lists = zip(queries.user.tolist(), queries.contexts(), queries.targets(), strict=True)
    return {user: (context.tolist(), target.tolist()) for user, context, target in lists}


def eval_queries(
    *,
    contexts: ItemLists,
    targets: ItemLists,
    ratings: RatingLists | None = None,
    excluded: ItemLists | None = None,
    has_many_targets: bool = False,
    ranked_items: Int64 | None = None,
    candidate_BC: Int64 | None = None,
) -> EvalQueries:
    """Build queries of the users 0 to B - 1 over a table of their own.

    ratings: of the contexts; NaN if they are absent. excluded: item rows that are not ranked
    either, beside the context.
    """
    excluded = [[]] * len(contexts) if excluded is None else excluded
    triples = zip(excluded, contexts, targets, strict=True)
    parts = [np.asarray(items, np.int64) for triple in triples for items in triple]
    end_B3 = np.cumsum([len(items) for items in parts], dtype=np.int64).reshape(-1, 3)
    item_N = np.concatenate([np.empty(0, np.int64), *parts])
    queries = EvalQueries(
        item_N=item_N,
        rating_N=np.full(len(item_N), np.nan, np.float32),
        timestamp_N=np.zeros(len(item_N), np.int64),
        user=np.arange(len(contexts)),
        start=end_B3[:, 0] - np.array([len(items) for items in excluded], dtype=np.int64),
        context_start=end_B3[:, 0],
        context_end=end_B3[:, 1],
        target_end=end_B3[:, 2],
        has_many_targets=has_many_targets,
        ranked_items=ranked_items,
        candidate_BC=candidate_BC,
    )
    if ratings is not None:
        for context, values in zip(queries.context_ratings(), ratings, strict=True):
            context[:] = values  # a view of the table
    return queries
