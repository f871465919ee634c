"""Baselines that predict ratings: averages, neighbors of the item, and SVD++.

Biases (Koren 2010, "Factor in the neighbors", section 2.1): mean + b_i + b_u, damped averages of
the residuals. Neighbors (section 2.2): to them is added the mean of the user's residuals on the k
most similar items, weighted by their correlation over users who rated both, shrunk by their number.
SVD++ (Koren 2008) is that of scikit-surprise, extra `baselines`; its other settings are the
library's own. On ml-1m a fit takes 10 minutes.

Local letters: N ratings to learn from, or to predict.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Self, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from marquee.core.arrays import Float64, Int64
from marquee.core.command import say
from marquee.evaluation.baselines.interactions import Interactions
from marquee.evaluation.protocols import PROTOCOLS

Grid: TypeAlias = Mapping[str, tuple[float, ...]]  # the settings among which validation chooses


@dataclass(eq=False)
class Biases:
    item_damping: float
    user_damping: float

    def fit(self, train: Interactions) -> Self:
        rating_N = _ratings(train)
        self.mean = float(rating_N.mean())
        residual_N = rating_N - self.mean
        self.item_I = _damped_mean(train.item, residual_N, train.num_items, self.item_damping)
        residual_N = residual_N - self.item_I[train.item]
        self.user_U = _damped_mean(train.user, residual_N, train.num_users, self.user_damping)
        return self

    def predict(self, user_N: Int64, item_N: Int64) -> Float64:
        return np.asarray(self.mean + self.item_I[item_N] + self.user_U[user_N])


@dataclass(eq=False)
class ItemNeighbors:
    """Biases, and the user's residuals on the k most similar items that they rated."""

    k: int
    shrinkage: float
    item_damping: float
    user_damping: float

    def fit(self, train: Interactions) -> Self:
        self.biases = Biases(self.item_damping, self.user_damping).fit(train)
        residual_N = _ratings(train) - self.biases.predict(train.user, train.item)
        cells, shape = (train.user, train.item), (train.num_users, train.num_items)
        residual_UI = sparse.csr_matrix((residual_N, cells), shape)
        is_rated_UI = sparse.csr_matrix((np.ones_like(residual_N), cells), shape)
        num_both_II = (is_rated_UI.T @ is_rated_UI).toarray()
        # Squares of i, over users who rated both.
        square_II = (residual_UI.multiply(residual_UI).T @ is_rated_UI).toarray()
        dot_II = (residual_UI.T @ residual_UI).toarray()
        similarity_II = dot_II / np.sqrt(np.maximum(square_II * square_II.T, 1e-12))
        self.similarity_II = similarity_II * num_both_II / (num_both_II + self.shrinkage)
        self.residual_UI = residual_UI
        return self

    def predict(self, user_N: Int64, item_N: Int64) -> Float64:
        predicted_N = self.biases.predict(user_N, item_N)
        for user, rows in _rows_by_user(user_N):
            cells = slice(self.residual_UI.indptr[user], self.residual_UI.indptr[user + 1])
            rated, residual = self.residual_UI.indices[cells], self.residual_UI.data[cells]
            weight = np.maximum(self.similarity_II[np.ix_(item_N[rows], rated)], 0)
            if len(rated) > self.k:
                edge = -np.partition(-weight, self.k - 1, axis=1)[:, self.k - 1 : self.k]
                weight = np.where(weight >= edge, weight, 0)
            predicted_N[rows] += weight @ residual / np.maximum(weight.sum(1), 1e-9)
        return predicted_N


@dataclass(eq=False)
class SVDPlusPlus:
    """Matrix factors, biases, factors of a user's rated items; by scikit-surprise."""

    num_epochs: int
    l2: float

    def fit(self, train: Interactions) -> Self:
        from surprise import Dataset, Reader, SVDpp

        rating_N = _ratings(train)
        columns = {"user": train.user, "item": train.item, "rating": rating_N}
        reader = Reader(rating_scale=(float(rating_N.min()), float(rating_N.max())))
        trainset = Dataset.load_from_df(pd.DataFrame(columns), reader).build_full_trainset()
        self.model = SVDpp(
            n_epochs=int(self.num_epochs), reg_all=self.l2, cache_ratings=True, random_state=0
        ).fit(trainset)
        return self

    def predict(self, user_N: Int64, item_N: Int64) -> Float64:
        pairs = zip(user_N.tolist(), item_N.tolist(), strict=True)
        return np.array([self.model.predict(user, item).est for user, item in pairs], np.float64)


GRIDS: dict[str, tuple[type[Any], Grid]] = {
    "biases": (Biases, {"item_damping": (2, 5, 10, 25), "user_damping": (2, 5, 10, 25)}),
    "item-knn": (
        ItemNeighbors,
        {"k": (10, 20, 40), "shrinkage": (25, 100), "item_damping": (5,), "user_damping": (5,)},
    ),
    # Of 20 or 40 epochs and l2 .02 or .05 four of ml-100k's five folds chose these (the fifth .02).
    "svd++": (SVDPlusPlus, {"num_epochs": (20,), "l2": (0.05,)}),
}


def rating_baselines() -> dict[str, tuple[type[Any], Grid]]:
    """Return the baselines of `stars` with their grids; no svd++ without `surprise`."""
    names = list(PROTOCOLS["stars"].baselines)
    if find_spec("surprise") is None:
        say("svd++ is left out: pip install -e '.[baselines]' brings scikit-surprise")
        names.remove("svd++")
    return {name: GRIDS[name] for name in names}


def _ratings(train: Interactions) -> Float64:
    assert train.rating is not None, "a baseline of ratings learns from ratings"
    return train.rating


def _damped_mean(row_N: Int64, value_N: Float64, num_rows: int, damping: float) -> Float64:
    count = np.bincount(row_N, minlength=num_rows)
    return np.asarray(np.bincount(row_N, value_N, num_rows) / (count + damping), np.float64)


def _rows_by_user(user_N: Int64) -> Iterator[tuple[int, Int64]]:
    order = np.argsort(user_N, kind="stable")
    users, first = np.unique(user_N[order], return_index=True)
    yield from zip(users.tolist(), np.split(order, first[1:]), strict=True)
