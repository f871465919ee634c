"""Baselines that rank items: popularity, EASE, iALS; item_neighbors.py has two more.

A baseline knows a user only as a set of interacted items, so a new user is scored like any other.
Items of the context are scored, too: leaving them out is the ranker's part.
"""

from typing import Any, Self

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from marquee.core.arrays import Float32
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.baselines.interactions import (
    BLOCK_ROWS,
    Interactions,
    context_matrix,
    interaction_matrix,
    item_cooccurrence,
)

IALS_ITERATIONS = 15


class Popularity:
    """score_i = number of interactions of i. The same list for all users."""

    score_I: Float32

    def fit(self, train: Interactions) -> Self:
        self.score_I = np.bincount(train.item, minlength=train.num_items).astype(np.float32)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        return np.tile(self.score_I, (len(queries), 1))


class GenrePopularity(Popularity):
    """The popularity of an item's genres, for items that nobody has rated.

        score_i = mean over the genres of i of the mean interactions of that genre's items

    Only items with an interaction count towards a genre's mean, so an item that is held out neither
    lowers nor raises it. An item without genres, or of genres that no such item has, gets the mean
    over all items with an interaction.
    """

    def __init__(self, genre_IG: Float32) -> None:
        self.genre_IG = genre_IG

    def fit(self, train: Interactions) -> Self:
        count_I = np.bincount(train.item, minlength=train.num_items)
        rated_IG = self.genre_IG * (count_I > 0)[:, None]
        num_items_G = rated_IG.sum(0)
        known_IG = self.genre_IG * (num_items_G > 0)
        mean_G = count_I @ rated_IG / np.maximum(num_items_G, 1)
        num_genres_I = known_IG.sum(1)
        overall = len(train.item) / max(1, (count_I > 0).sum())
        genre_mean_I = known_IG @ mean_G / np.maximum(num_genres_I, 1)
        self.score_I = np.where(num_genres_I > 0, genre_mean_I, overall).astype(np.float32)
        return self


class EASE:
    """Linear item-item model in closed form.

        P = (X'X + l2 I)^-1        W_ij = -P_ij / P_jj, W_jj = 0        score = x W

    A larger l2 (20 to 2,000) pulls the weights of rare items towards 0. With fewer users than items
    P comes from a U x U inverse (Woodbury), ml-latest-small in 1.3 s instead of 13.5. One dense
    I x I matrix, two while it is made: for catalogs of up to some 20,000 items.
    Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data".
    """

    def __init__(self, l2: float = 500.0, strength: float = 0) -> None:
        if l2 <= 0:
            raise ValueError(f"l2 {l2}, expected more than 0: without it X'X has no inverse")
        self.l2, self.strength = l2, strength

    def fit(self, train: Interactions) -> Self:
        # float32: counts stay exact below 16.7 million.
        seen = interaction_matrix(train, self.strength)
        by_users = train.num_users < train.num_items
        weight_II = self._invert_by_users(seen) if by_users else self._invert_by_items(seen)
        weight_II /= -np.diag(weight_II).copy()
        np.fill_diagonal(weight_II, 0)
        self.weight_II = weight_II
        return self

    def _invert_by_items(self, seen: Any) -> Float32:
        gram_II = np.concatenate([both for _, both in item_cooccurrence(seen)])
        gram_II[np.diag_indices_from(gram_II)] += self.l2
        return _inverse(gram_II)

    def _invert_by_users(self, seen: Any) -> Float32:
        gram_UU = (seen @ seen.T).toarray()
        gram_UU[np.diag_indices_from(gram_UU)] += self.l2
        dense_UI = seen.toarray()
        inverse_II = dense_UI.T @ (_inverse(gram_UU) @ dense_UI)
        inverse_II *= -1 / self.l2
        inverse_II[np.diag_indices_from(inverse_II)] += 1 / self.l2
        return np.asarray(inverse_II)

    def score(self, queries: EvalQueries) -> Float32:
        context = context_matrix(queries, len(self.weight_II), self.strength)
        return np.asarray(context @ self.weight_II)


class IALS:
    """Matrix factorization of implicit feedback, a pair not watched a weak no.

        loss = sum over watched (u, i) of alpha x_ui (1 - w_u h_i)^2
               + sum over all other (u, i) of (w_u h_i)^2
               + regularization (sum over u of |w_u|^2 + sum over i of |h_i|^2)

    x_ui: 1, or the strength. Hu, Koren and Volinsky 2008; tuned with care it stays among the
    strongest baselines (Rendle et al. 2022, "Revisiting the Performance of iALS on Item
    Recommendation Benchmarks"). A user who was not trained on is folded in: w_u solves the loss
    exactly for the items of their history.
    Needs the package `implicit` (extra `baselines`); ImportError without it.
    """

    def __init__(
        self,
        factors: int = 64,
        alpha: float = 3.0,
        regularization: float = 50.0,
        strength: float = 0,
    ) -> None:
        from implicit.als import AlternatingLeastSquares

        self.strength = strength
        with threadpool_limits(1, "blas"):
            settings = {"factors": factors, "alpha": alpha, "regularization": regularization}
            self.model: Any = AlternatingLeastSquares(
                **settings, iterations=IALS_ITERATIONS, random_state=0
            )

    def fit(self, train: Interactions) -> Self:
        with threadpool_limits(1, "blas"):  # its own threads take one row each
            # implicit takes the older class of scipy's two.
            seen = sparse.csr_matrix(interaction_matrix(train, self.strength))
            self.model.fit(seen, show_progress=False)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        item_ID = self.model.item_factors
        context = sparse.csr_matrix(context_matrix(queries, len(item_ID), self.strength))
        user_BD = self.model.recalculate_user(np.arange(len(queries)), context)
        return np.asarray(user_BD @ item_ID.T, dtype=np.float32)


def _inverse(gram: Float32) -> Float32:
    """Inverse of a symmetric positive definite matrix by Cholesky; overwrites its argument."""
    factor, info = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    assert info == 0, f"spotrf {info}: not positive definite"
    inverse, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert info == 0, f"spotri {info}"
    for start in range(0, len(inverse), BLOCK_ROWS):  # spotri fills one half, with zeros above it
        end = start + BLOCK_ROWS
        inverse[start:end, end:] = inverse[end:, start:end].T
        inverse[start:end, start:end] += np.tril(inverse[start:end, start:end], -1).T
    return np.asarray(inverse.T)
