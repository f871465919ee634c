"""Baselines of item neighbors: item-knn and RP3beta, both sparse (I, I).

A user is a set of items, weighed by the strengths of the interactions where a data set has them.
polimi-tv-2022, 24,507 items and 1.3 million interactions: a fit takes 10 s on one core.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from scipy import sparse

from marquee.core.arrays import Float32, Int64
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines import interactions
from marquee.evaluation.baselines.interactions import Interactions


class ItemKNN:
    """Item-based neighbors, cosine with shrinkage.

        sim_ij  = x_i x_j / (|x_i| |x_j| + shrink)      x_i: users of i, each 1 or its strength
        score_i = sum of x_j sim_ij over the items j of the context among the `neighbours` nearest

    With shrink 20 two items that share their only five users are .2 alike, not 1.
    Sarwar et al. 2001, in the form of Ferrari Dacrema et al. 2019.
    """

    def __init__(self, neighbours: int = 100, shrink: float = 0.0, strength: float = 0) -> None:
        if neighbours < 1 or shrink < 0:
            raise ValueError(
                f"neighbours {neighbours} and shrink {shrink}, expected at least 1 and at least 0"
            )
        self.neighbours, self.shrink, self.strength = neighbours, shrink, strength

    def fit(self, train: Interactions) -> Self:
        seen = interactions.interaction_matrix(train, self.strength)
        norm_I = np.sqrt(np.asarray(seen.power(2).sum(axis=0))).ravel()
        blocks = [
            nearest(
                rows, both / (norm_I[rows, None] * norm_I + self.shrink + 1e-6), self.neighbours
            )
            for rows, both in interactions.item_cooccurrence(seen)
        ]
        self.similarity = sparse.vstack(blocks).T.tocsr()  # (j, i): what j of a context adds to i
        return self

    def score(self, queries: EvalQueries) -> Float32:
        context = interactions.context_matrix(queries, self.similarity.shape[0], self.strength)
        return np.asarray((context @ self.similarity).toarray(), dtype=np.float32)


class RP3Beta:
    """A random walk of three steps, user to item to user to item, against popularity.

        to_user_iu  = (1 / users of i)^alpha            to_item_ui = (x_ui / sum of x_u)^alpha
        walk_ij     = sum over users of to_user_iu to_item_uj / (users of j)^beta
        score_j     = sum of x_ui share_ij over the items i of a context

    x_ui: the strength of an interaction, or 1. share_ij: the `neighbours` largest walk_ij of each
    i != j, divided by their sum; of those the `neighbours` largest of each j. Paudel et al. 2017,
    in the form of Ferrari Dacrema et al. 2019, `RP3betaRecommender` with normalize_similarity.
    The defaults are the settings published for polimi-tv-2022
    (MatteoPancini/Recsys-Challenge-2022).
    """

    def __init__(
        self,
        neighbours: int = 56,
        alpha: float = 0.8254780654387982,
        beta: float = 0.3051633514985817,
        strength: float = 1,
    ) -> None:
        self.neighbours, self.alpha, self.beta = neighbours, alpha, beta
        self.strength = strength

    def fit(self, train: Interactions) -> Self:
        users = interactions.interaction_matrix(train, self.strength).astype(np.float64)
        count_I = np.bincount(users.indices, minlength=train.num_items)
        total_U = np.maximum(np.asarray(users.sum(axis=1)).ravel(), 1e-12)
        to_item = users.copy()
        to_item.data = (users.data / np.repeat(total_U, np.diff(users.indptr))) ** self.alpha
        to_user = users.T.tocsr()
        to_user.data = np.repeat(np.maximum(count_I, 1.0) ** -self.alpha, count_I)
        damping_I = np.maximum(count_I, 1.0) ** -self.beta
        blocks = [
            nearest(rows, walk * damping_I, self.neighbours)
            for rows, walk in _blocks_of_product(to_user, to_item)
        ]
        walk = sparse.vstack(blocks).tocsr()
        total_N = np.repeat(np.asarray(walk.sum(axis=1)).ravel(), np.diff(walk.indptr))
        walk.data /= total_N
        self.share = _largest_of_columns(walk, self.neighbours).astype(np.float32)  # (i, j)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        context = interactions.context_matrix(queries, self.share.shape[0], self.strength)
        return np.asarray((context @ self.share).toarray(), dtype=np.float32)


def nearest(rows: Int64, value_RI: Any, num: int) -> Any:
    """Return the `num` largest values of each row, sparse, without the item itself."""
    value_RI[np.arange(len(rows)), rows] = 0
    num = min(num, value_RI.shape[1])
    column = np.argpartition(-value_RI, num - 1, axis=1)[:, :num]
    value = np.take_along_axis(value_RI, column, axis=1)
    indptr = np.arange(0, column.size + 1, num)
    block = sparse.csr_array((value.ravel(), column.ravel(), indptr), shape=value_RI.shape)
    block.eliminate_zeros()
    return block


def _blocks_of_product(left: Any, right: Any) -> Iterator[tuple[Int64, Any]]:
    for start in range(0, left.shape[0], interactions.BLOCK_ROWS):
        rows = np.arange(start, min(start + interactions.BLOCK_ROWS, left.shape[0]))
        yield rows, (left[rows] @ right).toarray()


def _largest_of_columns(matrix: Any, num: int) -> Any:
    """Return the `num` largest values of each column of a sparse matrix, ties by row."""
    cells = matrix.tocoo()
    order = np.lexsort((cells.row, -cells.data, cells.col))
    first_I = np.searchsorted(cells.col[order], np.arange(matrix.shape[1]))
    is_large = np.arange(len(order)) - first_I[cells.col[order]] < num
    large = order[is_large]
    pairs = (cells.row[large], cells.col[large])
    return sparse.coo_array((cells.data[large], pairs), shape=matrix.shape).tocsr()
