"""Item-based nearest neighbors with cosine similarity."""

from typing import Any, Self

import numpy as np
from scipy import sparse

from marquee.core.arrays import Float32, Int64
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.base import (
    Interactions,
    context_matrix,
    interaction_matrix,
    item_cooccurrence,
)


class ItemKNN:
    """Item-based neighbors, cosine with shrinkage.

        sim_ij  = n_ij / (sqrt(n_i n_j) + shrink)       n_ij: users with both items
        score_i = sum of sim_ij over the items j of the context among the `neighbours` nearest to i

    With shrink 20 two items that share their only five users are .2 alike, not 1. Sarwar et al.
    2001, in the form of Ferrari Dacrema et al. 2019. Equal neighbors at the edge: any of them.
    """

    def __init__(self, neighbours: int = 100, shrink: float = 0.0) -> None:
        if neighbours < 1 or shrink < 0:
            raise ValueError(
                f"neighbours {neighbours} and shrink {shrink}, expected at least 1 and at least 0"
            )
        self.neighbours, self.shrink = neighbours, shrink

    def fit(self, train: Interactions) -> Self:
        """Learn in blocks of items, so that no dense I x I matrix is ever held."""
        seen = interaction_matrix(train)
        norm_I = np.sqrt(np.asarray(seen.sum(axis=0))).ravel()
        blocks = [
            self._nearest(rows, both / (norm_I[rows, None] * norm_I + self.shrink + 1e-6))
            for rows, both in item_cooccurrence(seen)
        ]
        self.similarity = sparse.vstack(blocks).T.tocsr()  # (j, i): what j of a context adds to i
        return self

    def _nearest(self, rows: Int64, similarity: Float32) -> Any:
        similarity[np.arange(len(rows)), rows] = 0  # an item is not its own neighbor
        num = min(self.neighbours, similarity.shape[1])
        column = np.argpartition(-similarity, num - 1, axis=1)[:, :num]
        value = np.take_along_axis(similarity, column, axis=1)
        indptr = np.arange(0, column.size + 1, num)
        block = sparse.csr_array((value.ravel(), column.ravel(), indptr), shape=similarity.shape)
        block.eliminate_zeros()
        return block

    def score(self, queries: EvalQueries) -> Float32:
        context = context_matrix(queries, self.similarity.shape[0])
        return np.asarray((context @ self.similarity).toarray(), dtype=np.float32)
