"""Baselines that rank items: popularity, item neighbors, EASE, iALS.

A baseline knows a user only as a set of interacted items, so a new user is scored like any other.
Items of the context are scored, too: leaving them out is the ranker's part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from scipy import sparse
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from marquee.core.arrays import Float32, Float64, Int64
from marquee.core.eval_queries import EvalQueries

IALS_ITERATIONS = 15
BLOCK_ROWS = 1024  # item rows at once: 1,024 x 9,724 items in float32 are 40 MB


@dataclass(frozen=True, eq=False, kw_only=True)
class Interactions:
    """Training interactions as row numbers in any order, each pair once."""

    user: Int64  # (N,)
    item: Int64  # (N,)
    num_users: int
    num_items: int
    rating: Float64 | None = None  # (N,) for baselines that predict ratings


class Baseline(Protocol):
    """A ranking baseline; `score` is a Scorer of marquee.evaluation.ranker."""

    def fit(self, train: Interactions) -> Self: ...
    def score(self, queries: EvalQueries) -> Float32: ...


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


class ItemKNN:
    """Item-based neighbors, cosine with shrinkage.

        sim_ij  = n_ij / (sqrt(n_i n_j) + shrink)       n_ij: users with both items
        score_i = sum of sim_ij over the items j of the context among the `neighbours` nearest to i

    With shrink 20 two items that share their only five users are .2 alike, not 1.
    Sarwar et al. 2001, in the form of Ferrari Dacrema et al. 2019.
    """

    def __init__(self, neighbours: int = 100, shrink: float = 0.0) -> None:
        if neighbours < 1 or shrink < 0:
            raise ValueError(
                f"neighbours {neighbours} and shrink {shrink}, expected at least 1 and at least 0"
            )
        self.neighbours, self.shrink = neighbours, shrink

    def fit(self, train: Interactions) -> Self:
        seen = _interaction_matrix(train)
        norm_I = np.sqrt(np.asarray(seen.sum(axis=0))).ravel()
        blocks = [
            self._nearest(rows, both / (norm_I[rows, None] * norm_I + self.shrink + 1e-6))
            for rows, both in _item_cooccurrence(seen)
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
        context = _context_matrix(queries, self.similarity.shape[0])
        return np.asarray((context @ self.similarity).toarray(), dtype=np.float32)


class EASE:
    """Linear item-item model in closed form.

        P = (X'X + l2 I)^-1        W_ij = -P_ij / P_jj, W_jj = 0        score = x W

    A larger l2 (20 to 2,000) pulls the weights of rare items towards 0. With fewer users than items
    P comes from a U x U inverse (Woodbury), ml-latest-small in 1.3 s instead of 13.5. One dense
    I x I matrix, three while it is inverted: for catalogs of up to some 20,000 items.
    Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data".
    """

    def __init__(self, l2: float = 500.0) -> None:
        if l2 <= 0:
            raise ValueError(f"l2 {l2}, expected more than 0: without it X'X has no inverse")
        self.l2 = l2

    def fit(self, train: Interactions) -> Self:
        seen = _interaction_matrix(train)  # float32: counts stay exact below 16.7 million
        by_users = train.num_users < train.num_items
        weight_II = self._invert_by_users(seen) if by_users else self._invert_by_items(seen)
        weight_II /= -np.diag(weight_II).copy()
        np.fill_diagonal(weight_II, 0)
        self.weight_II = weight_II
        return self

    def _invert_by_items(self, seen: Any) -> Float32:
        gram_II = np.concatenate([both for _, both in _item_cooccurrence(seen)])
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
        return np.asarray(_context_matrix(queries, len(self.weight_II)) @ self.weight_II)


class IALS:
    """Matrix factorization of implicit feedback, a pair not watched a weak no.

        loss = sum over watched (u, i) of alpha (1 - w_u h_i)^2
               + sum over all other (u, i) of (w_u h_i)^2
               + regularization (sum over u of |w_u|^2 + sum over i of |h_i|^2)

    Hu, Koren and Volinsky 2008; tuned with care it stays among the strongest baselines (Rendle et
    al. 2022, "Revisiting the Performance of iALS on Item Recommendation Benchmarks"). A user who
    was not trained on is folded in: w_u solves the loss exactly for the items of their history.
    Needs the package `implicit` (extra `baselines`); ImportError without it.
    """

    def __init__(self, factors: int = 64, alpha: float = 3.0, regularization: float = 50.0) -> None:
        from implicit.als import AlternatingLeastSquares

        with threadpool_limits(1, "blas"):
            settings = {"factors": factors, "alpha": alpha, "regularization": regularization}
            self.model: Any = AlternatingLeastSquares(
                **settings, iterations=IALS_ITERATIONS, random_state=0
            )

    def fit(self, train: Interactions) -> Self:
        with threadpool_limits(1, "blas"):  # its own threads take one row each
            # implicit takes the older class of scipy's two.
            self.model.fit(sparse.csr_matrix(_interaction_matrix(train)), show_progress=False)
        return self

    def score(self, queries: EvalQueries) -> Float32:
        item_ID = self.model.item_factors
        context = sparse.csr_matrix(_context_matrix(queries, len(item_ID)))
        user_BD = self.model.recalculate_user(np.arange(len(queries)), context)
        return np.asarray(user_BD @ item_ID.T, dtype=np.float32)


def _interaction_matrix(train: Interactions) -> Any:
    """Return a sparse float32 (U, I) matrix, 1 where a user interacted with an item."""
    return _binary_matrix(train.user, train.item, (train.num_users, train.num_items))


def _context_matrix(queries: EvalQueries, num_items: int) -> Any:
    """Return a sparse float32 (B, I) matrix, 1 for the items of each context."""
    return _binary_matrix(*queries.context_pairs(), (len(queries), num_items))


def _item_cooccurrence(seen: Any) -> Iterator[tuple[Int64, Float32]]:
    """Yield X'X, the number of users of both items, by dense blocks of item rows."""
    by_item = seen.T.tocsr()
    for start in range(0, seen.shape[1], BLOCK_ROWS):
        rows = np.arange(start, min(start + BLOCK_ROWS, seen.shape[1]))
        yield rows, (by_item[rows] @ seen).toarray()


def _binary_matrix(row_N: Int64, item_N: Int64, shape: tuple[int, int]) -> Any:
    ones = np.ones(len(row_N), dtype=np.float32)
    seen = sparse.coo_array((ones, (row_N, item_N)), shape=shape).tocsr()
    seen.data[:] = 1  # a pair that stood twice was summed to 2
    return seen


def _inverse(gram: Float32) -> Float32:
    """Inverse of a symmetric positive definite matrix by Cholesky; overwrites its argument."""
    factor, info = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    assert info == 0, f"spotrf {info}: not positive definite"
    inverse, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert info == 0, f"spotri {info}"
    return np.ascontiguousarray(inverse + np.tril(inverse, -1).T)  # spotri fills one half
