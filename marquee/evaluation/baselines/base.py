"""The interface of the ranking baselines, and interactions as a sparse matrix.

A baseline knows a user only as a set of interacted items: no order, no ratings, no user table, so a
new user is scored like any other. How all are tuned: marquee/evaluation/tuning.py.

    one core           fit item-knn, ease
    ml-1m              1.4 s, 2.3 s
    ml-latest-small    1.6 s, 1.3 s
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from scipy import sparse

from marquee.core.arrays import Float32, Float64, Int64
from marquee.core.eval_queries import EvalQueries

BLOCK_ROWS = 1024  # item rows at once: 1,024 x 9,724 items in float32 are 40 MB


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions:
    """Training interactions as row numbers in any order, each pair once."""

    user: Int64
    """(N,)"""
    item: Int64
    """(N,)"""
    num_users: int
    num_items: int
    rating: Float64 | None = None
    """(N,) for baselines that predict ratings."""


class Baseline(Protocol):
    """The interface of a ranking baseline.

    `score` is a Scorer of marquee.evaluation.ranker.
    """

    def fit(self, train: Interactions) -> Self:
        """Learn from the interactions and return self."""
        ...

    def score(self, queries: EvalQueries) -> Float32:
        """Score every item for each query: float32 (B, I), higher is better.

        Items of the context are scored, too: leaving them out is the ranker's part.
        """
        ...


def interaction_matrix(train: Interactions) -> Any:
    """Return a sparse float32 (U, I) matrix, 1 where a user interacted with an item."""
    return _matrix(train.user, train.item, train.num_users, train.num_items)


def context_matrix(queries: EvalQueries, num_items: int) -> Any:
    """Return a sparse float32 (B, I) matrix, 1 for the items of each context."""
    return _matrix(*queries.context_pairs(), len(queries), num_items)


def item_cooccurrence(seen: Any) -> Iterator[tuple[Int64, Float32]]:
    """Yield X'X by blocks of rows: item rows, and their co-occurrence, dense.

    A cell is the number of users of both items.
    """
    by_item = seen.T.tocsr()
    for start in range(0, seen.shape[1], BLOCK_ROWS):
        rows = np.arange(start, min(start + BLOCK_ROWS, seen.shape[1]))
        yield rows, (by_item[rows] @ seen).toarray()


def _matrix(row_N: Int64, item_N: Int64, num_rows: int, num_items: int) -> Any:
    ones = np.ones(len(row_N), dtype=np.float32)
    seen = sparse.coo_array((ones, (row_N, item_N)), shape=(num_rows, num_items)).tocsr()
    seen.data[:] = 1  # a pair that stood twice was summed to 2
    return seen
