"""iALS: matrix factorisation of who watched what, every pair not watched a weak no.

    loss = sum over watched (u, i) of alpha (1 - w_u h_i)^2
           + sum over all other (u, i) of (w_u h_i)^2
           + regularization (sum over u of |w_u|^2 + sum over i of |h_i|^2)

Hu, Koren and Volinsky 2008; tuned with care it stays among the strongest baselines (Rendle et al.
2022, "Revisiting the Performance of iALS on Item Recommendation Benchmarks"). Their regularisation
by frequency is not in the package; with our own solver it gained nothing on ml-1m. A person who was
not trained on is folded in: w_u solves the loss exactly for the movies of their history.

Needs the package `implicit`: pip install -e '.[bench]'. ml-1m, one core: 3 s with 32 factors, 10 s
with 256. Shapes: B persons asked about, I items.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from threadpoolctl import threadpool_limits

from marquee.evaluation.baselines.neighbors import history_matrix, interaction_matrix
from marquee.evaluation.ranker import Ints, Scores, Stars

ITERATIONS = 15


class IALS:
    """A Baseline (see baselines.py): fit on ratings, score histories."""

    def __init__(self, factors: int = 64, alpha: float = 3.0, regularization: float = 50.0) -> None:
        """alpha: weight of a watched pair beside one that is not; regularization: larger pulls
        people and films with few ratings towards 0. ImportError where implicit is missing."""
        from implicit.als import AlternatingLeastSquares

        with threadpool_limits(1, "blas"):
            self.model: Any = AlternatingLeastSquares(
                factors=factors,
                alpha=alpha,
                regularization=regularization,
                iterations=ITERATIONS,
                random_state=0,
            )

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> Self:
        """See Baseline."""
        watched = interaction_matrix(user, item, num_users, num_items)
        with threadpool_limits(1, "blas"):  # its own threads take one row each
            self.model.fit(_csr_matrix(watched), show_progress=False)
        return self

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        """See Baseline."""
        item_ID = self.model.item_factors
        watched = _csr_matrix(history_matrix(histories, len(item_ID)))
        user_BD = self.model.recalculate_user(np.arange(len(histories)), watched)
        return np.asarray(user_BD @ item_ID.T, dtype=np.float32)


def _csr_matrix(watched: Any) -> Any:
    """implicit takes the older class of scipy's two."""
    from scipy.sparse import csr_matrix

    return csr_matrix(watched)
