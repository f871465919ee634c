"""Baselines that any model must beat: popularity, item-kNN and EASE, and genre popularity.

They know a person only as a set of watched movies: no order, no stars, no user table, so a new
person is scored like any other. iALS is in ials.py, how all are tuned in tuning.py. EASE holds one
dense I x I matrix (ml-1m 55 MB, ml-latest-small 378 MB), three while it is inverted: for catalogues
of up to some 20,000 movies.

    one core           fit item-knn, ease
    ml-1m              1.4 s, 2.3 s
    ml-latest-small    1.6 s, 1.3 s

N ratings, U users, I items, G genres, B persons asked about.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from marquee.evaluation.ranker import Ints, Scores, Stars

BLOCK = 1024  # item rows at once: 1,024 x 9,724 movies in float32 are 40 MB


class Interactions(NamedTuple):
    """Who rated what, as row numbers in any order, each pair once."""

    user: Ints
    """(N,)"""
    item: Ints
    """(N,)"""
    num_users: int
    num_items: int


class Baseline(Protocol):
    """What each baseline offers; `score` is a Scorer of marquee.evaluation.ranker."""

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> Self:
        """Learn from the ratings (see Interactions) and return self."""
        ...

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        """Histories (item rows) -> float32 (B, I), higher is better; stars are not looked at.

        The movies of the history are scored too: leaving them out is the caller's part.
        """
        ...


class Popularity:
    """score_i = number of ratings of i. The same list for everybody."""

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> Self:
        """See Baseline."""
        self.count_I = np.bincount(item, minlength=num_items).astype(np.float32)
        return self

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        """See Baseline."""
        return np.tile(self.count_I, (len(histories), 1))


class ItemKNN:
    """Item-based neighbours, cosine with shrinkage.

        sim_ij  = n_ij / (sqrt(n_i n_j) + shrink)       n_ij: persons who rated both
        score_i = sum of sim_ij over the watched j among the `neighbours` nearest to i

    With shrink 20 two films that share their only five viewers are .2 alike, not 1. Sarwar et al.
    2001, in the form of Ferrari Dacrema et al. 2019. Equal neighbours at the edge: any of them.
    """

    def __init__(self, neighbours: int = 100, shrink: float = 0.0) -> None:
        if neighbours < 1 or shrink < 0:
            raise ValueError(
                f"neighbours {neighbours} and shrink {shrink}, needed at least 1 and at least 0."
            )
        self.neighbours, self.shrink = neighbours, shrink

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> Self:
        """See Baseline. Blocks of BLOCK movies, so no dense I x I matrix is ever held."""
        seen = interaction_matrix(user, item, num_users, num_items)
        norm_I = np.sqrt(np.asarray(seen.sum(axis=0))).ravel()
        near = [
            self._nearest(rows, together / (norm_I[rows, None] * norm_I + self.shrink + 1e-6))
            for rows, together in _together(seen)
        ]
        self.near = sparse.vstack(near).T.tocsr()  # (j, i): what a watched j adds to i
        return self

    def _nearest(self, rows: Ints, sim: NDArray[np.float32]) -> Any:
        sim[np.arange(len(rows)), rows] = 0  # a movie is not its own neighbour
        keep = min(self.neighbours, sim.shape[1])
        column = np.argpartition(-sim, keep - 1, axis=1)[:, :keep]
        value = np.take_along_axis(sim, column, axis=1)
        indptr = np.arange(0, column.size + 1, keep)
        block = sparse.csr_array((value.ravel(), column.ravel(), indptr), shape=sim.shape)
        block.eliminate_zeros()
        return block

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        """See Baseline."""
        watched = history_matrix(histories, self.near.shape[0])
        return np.asarray((watched @ self.near).toarray(), dtype=np.float32)


class EASE:
    """Linear item-item model in closed form.

        P = (X'X + l2 I)^-1        W_ij = -P_ij / P_jj, W_jj = 0        score = x W

    A larger l2 (20 to 2,000) pulls the weights of rare films towards 0. With fewer persons than
    movies P comes from a U x U inverse (Woodbury): the same numbers up to rounding, and
    ml-latest-small in 1.3 s instead of 13.5.
    Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data".
    """

    def __init__(self, l2: float = 500.0) -> None:
        if l2 <= 0:
            raise ValueError(f"l2 {l2}, needed more than 0: without it X'X has no inverse.")
        self.l2 = l2

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> Self:
        """See Baseline. float32 throughout; counts stay exact below 16.7 million."""
        seen = interaction_matrix(user, item, num_users, num_items)
        weight_II = self._by_persons(seen) if num_users < num_items else self._by_items(seen)
        weight_II /= -np.diag(weight_II).copy()
        np.fill_diagonal(weight_II, 0)
        self.weight_II = weight_II
        return self

    def _by_items(self, seen: Any) -> NDArray[np.float32]:
        gram_II = np.concatenate([together for _, together in _together(seen)])
        gram_II[np.diag_indices_from(gram_II)] += self.l2
        return _inverse(gram_II)

    def _by_persons(self, seen: Any) -> NDArray[np.float32]:
        gram_UU = (seen @ seen.T).toarray()
        gram_UU[np.diag_indices_from(gram_UU)] += self.l2
        dense_UI = seen.toarray()
        inverse_II = dense_UI.T @ (_inverse(gram_UU) @ dense_UI)
        inverse_II *= -1 / self.l2
        inverse_II[np.diag_indices_from(inverse_II)] += 1 / self.l2
        return np.asarray(inverse_II)

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        """See Baseline."""
        return np.asarray(history_matrix(histories, len(self.weight_II)) @ self.weight_II)


class GenrePopularity:
    """score_i = mean over the genres of i of the mean number of ratings of that genre's movies.

    Only movies with a rating count towards a genre's mean, so a movie that is held out neither
    lowers nor raises it. A movie without genres, or of genres that no rated movie has, gets the
    mean over all rated movies. The same list for everybody; for `new-movies`, where popularity
    itself is 0 for all.
    """

    def __init__(self, genre_IG: NDArray[np.float32]) -> None:
        self.genre_IG = genre_IG

    def fit(self, user: Ints, item: Ints, num_users: int, num_items: int) -> Self:
        """See Baseline."""
        count_I = np.bincount(item, minlength=num_items)
        rated_IG = self.genre_IG * (count_I > 0)[:, None]
        movies_G = rated_IG.sum(0)
        known_IG = self.genre_IG * (movies_G > 0)
        mean_G = count_I @ rated_IG / np.maximum(movies_G, 1)
        genres_I = known_IG.sum(1)
        overall = len(item) / max(1, (count_I > 0).sum())
        score_I = np.where(genres_I > 0, known_IG @ mean_G / np.maximum(genres_I, 1), overall)
        self.score_I = score_I.astype(np.float32)
        return self

    def score(self, histories: Sequence[Ints], stars: Stars = None) -> Scores:
        """See Baseline."""
        return np.tile(self.score_I, (len(histories), 1))


def interaction_matrix(user: Ints, item: Ints, num_users: int, num_items: int) -> Any:
    """Sparse float32 (U, I), 1 where a person rated a movie."""
    shape, one = (num_users, num_items), np.ones(len(user), dtype=np.float32)
    seen = sparse.coo_array((one, (user, item)), shape=shape).tocsr()
    seen.data[:] = 1  # a pair that stood twice was summed to 2
    return seen


def history_matrix(histories: Sequence[Ints], num_items: int) -> Any:
    person = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    return interaction_matrix(person, np.concatenate(histories), len(histories), num_items)


def _together(seen: Any) -> Iterator[tuple[Ints, NDArray[np.float32]]]:
    """X'X by blocks of rows: (item rows, persons who rated both, dense)."""
    by_item = seen.T.tocsr()
    for start in range(0, seen.shape[1], BLOCK):
        rows = np.arange(start, min(start + BLOCK, seen.shape[1]))
        yield rows, (by_item[rows] @ seen).toarray()


def _inverse(gram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inverse of a symmetric positive definite matrix by Cholesky; overwrites its argument."""
    factor, info = lapack.spotrf(gram.T, lower=1, overwrite_a=1)
    assert info == 0, f"spotrf {info}: not positive definite"
    inverse, info = lapack.spotri(factor, lower=1, overwrite_c=1)
    assert info == 0, f"spotri {info}"
    return np.ascontiguousarray(inverse + np.tril(inverse, -1).T)  # spotri fills one half
