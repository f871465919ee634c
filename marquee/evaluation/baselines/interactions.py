"""Training interactions, and the contexts of queries, as sparse matrices for the baselines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from scipy import sparse

from marquee.core.arrays import Float32, Float64, Int64
from marquee.core.eval_queries import EvalQueries

BLOCK_ROWS = 64  # item rows at once: 64 x 24,507 items in float32 are 6 MB, which stay in cache


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions:
    """Training interactions as row numbers in any order, repeats among them."""

    user: Int64  # (N,)
    item: Int64  # (N,)
    num_users: int
    num_items: int
    rating: Float64 | None = None  # (N,) for baselines that predict ratings
    strength: Float64 | None = None  # (N,) weight of an interaction; None if all weigh the same


class Baseline(Protocol):
    """A ranking baseline; `score` is a Scorer of marquee.evaluation.ranker."""

    def fit(self, train: Interactions) -> Self: ...
    def score(self, queries: EvalQueries) -> Float32: ...


def interaction_matrix(train: Interactions, strength: float = 0) -> Any:
    """Return a sparse float32 (U, I) matrix of strengths to the power `strength`.

    strength: 0 gives 1 where a user interacted with an item, as a data set without strengths does.
    Repeats of a pair add up before the power.
    """
    shape = (train.num_users, train.num_items)
    return _matrix(train.user, train.item, train.strength, strength, shape)


def context_matrix(queries: EvalQueries, num_items: int, strength: float = 0) -> Any:
    """Return a sparse float32 (B, I) matrix of contexts, as interaction_matrix."""
    shape = (len(queries), num_items)
    return _matrix(*queries.context_pairs(), queries.context_strengths(), strength, shape)


def item_cooccurrence(seen: Any) -> Iterator[tuple[Int64, Float32]]:
    """Yield X'X in dense blocks of item rows; of a binary matrix, common users."""
    by_item = seen.T.tocsr()
    for start in range(0, seen.shape[1], BLOCK_ROWS):
        rows = np.arange(start, min(start + BLOCK_ROWS, seen.shape[1]))
        yield rows, (by_item[rows] @ seen).toarray()


def _matrix(row_N: Int64, item_N: Int64, value_N: Any, power: float, shape: tuple[int, int]) -> Any:
    is_binary = value_N is None or power == 0
    value_N = np.ones(len(row_N), np.float32) if is_binary else np.asarray(value_N, np.float32)
    matrix = sparse.coo_array((value_N, (row_N, item_N)), shape=shape).tocsr()
    # A pair that stood twice was summed.
    matrix.data = np.ones_like(matrix.data) if is_binary else matrix.data**power
    return matrix
