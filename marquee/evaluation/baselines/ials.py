"""iALS: matrix factorization of implicit feedback, every pair not watched a weak no.

    loss = sum over watched (u, i) of alpha (1 - w_u h_i)^2
           + sum over all other (u, i) of (w_u h_i)^2
           + regularization (sum over u of |w_u|^2 + sum over i of |h_i|^2)

Hu, Koren and Volinsky 2008; tuned with care it stays among the strongest baselines (Rendle et al.
2022, "Revisiting the Performance of iALS on Item Recommendation Benchmarks"). Their regularization
by frequency is not in the package; with our own solver it gained nothing on ml-1m. A user who was
not trained on is folded in: w_u solves the loss exactly for the items of their history.

Needs the package `implicit`: pip install -e '.[bench]'. ml-1m, one core: 3 s with 32 factors, 10 s
with 256.
"""

from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from marquee.core.arrays import Float32
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.base import Interactions, context_matrix, interaction_matrix

ITERATIONS = 15


class IALS:
    """A ranking baseline (see base.py): fit on interactions, score contexts."""

    def __init__(self, factors: int = 64, alpha: float = 3.0, regularization: float = 50.0) -> None:
        """Set up the solver; ImportError if implicit is missing.

        alpha: weight of a watched pair beside one that is not. regularization: larger pulls users
        and items with few interactions towards 0.
        """
        from implicit.als import AlternatingLeastSquares

        with threadpool_limits(1, "blas"):
            self.model: Any = AlternatingLeastSquares(
                factors=factors,
                alpha=alpha,
                regularization=regularization,
                iterations=ITERATIONS,
                random_state=0,
            )

    def fit(self, train: Interactions) -> Self:
        with threadpool_limits(1, "blas"):  # its own threads take one row each
            # implicit takes the older class of scipy's two.
            self.model.fit(csr_matrix(interaction_matrix(train)), show_progress=False)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        item_ID = self.model.item_factors
        context = csr_matrix(context_matrix(queries, len(item_ID)))
        user_BD = self.model.recalculate_user(np.arange(len(queries)), context)
        return np.asarray(user_BD @ item_ID.T, dtype=np.float32)
