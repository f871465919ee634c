"""Baselines of stars: averages, neighbours of the movie, and SVD++.

    Biases(item_damping=10, user_damping=10).fit(given).expected(user_T, item_T)
    ItemNeighbours(k=40, shrinkage=100, …).fit(given).expected(user_T, item_T)
    SVDPlusPlus(num_epochs=20, l2=0.02).fit(given).expected(user_T, item_T)

Biases (Koren 2010, "Factor in the neighbors", section 2.1): mean + b_i + b_u, damped averages of
what is left. Neighbours (section 2.2): to them is added the mean of the person's deviations on the
k movies most alike, weighted by their correlation over people who rated both, shrunk by their
number. SVD++ (Koren 2008) is that of scikit-surprise, extra `bench`; its other settings are the
library's own. On ml-1m a fit takes 10 minutes.

Shapes: N ratings given, T asked, U persons, I movies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Given(NamedTuple):
    """Ratings to learn from."""

    user: Ints
    item: Ints
    stars: Floats
    num_users: int
    num_items: int


class StarBaseline(Protocol):
    def fit(self, given: Given) -> Self: ...
    def expected(self, user: Ints, item: Ints) -> Floats:
        """(T,) stars, not yet held within the scale."""


@dataclass(eq=False)
class Biases:
    """mean + b_i + b_u."""

    item_damping: float
    user_damping: float

    def fit(self, given: Given) -> Self:
        self.mean = float(given.stars.mean())
        over = given.stars - self.mean
        self.item_I = _damped(given.item, over, given.num_items, self.item_damping)
        rest = over - self.item_I[given.item]
        self.user_U = _damped(given.user, rest, given.num_users, self.user_damping)
        return self

    def expected(self, user: Ints, item: Ints) -> Floats:
        return np.asarray(self.mean + self.item_I[item] + self.user_U[user])


@dataclass(eq=False)
class ItemNeighbours:
    """Biases, and the person's deviations on the k most alike movies that they rated."""

    k: int
    shrinkage: float
    item_damping: float
    user_damping: float

    def fit(self, given: Given) -> Self:
        self.biases = Biases(self.item_damping, self.user_damping).fit(given)
        rest = given.stars - self.biases.expected(given.user, given.item)
        shape = given.num_users, given.num_items
        rest_UI = sparse.csr_matrix((rest, (given.user, given.item)), shape)
        self.rest_UI = rest_UI
        there_UI = sparse.csr_matrix((np.ones_like(rest), (given.user, given.item)), shape)
        both_II = (there_UI.T @ there_UI).toarray()
        square_II = (rest_UI.multiply(rest_UI).T @ there_UI).toarray()  # of i, over raters of both
        dot_II = (rest_UI.T @ rest_UI).toarray()
        alike_II = dot_II / np.sqrt(np.maximum(square_II * square_II.T, 1e-12))
        self.alike_II = alike_II * both_II / (both_II + self.shrinkage)
        return self

    def expected(self, user: Ints, item: Ints) -> Floats:
        out = self.biases.expected(user, item)
        for person, rows in _by_person(user):
            part = slice(self.rest_UI.indptr[person], self.rest_UI.indptr[person + 1])
            rated, rest = self.rest_UI.indices[part], self.rest_UI.data[part]
            weight = np.maximum(self.alike_II[np.ix_(item[rows], rated)], 0)
            if len(rated) > self.k:
                least = -np.partition(-weight, self.k - 1, axis=1)[:, self.k - 1 : self.k]
                weight = np.where(weight >= least, weight, 0)
            out[rows] += weight @ rest / np.maximum(weight.sum(1), 1e-9)
        return out


@dataclass(eq=False)
class SVDPlusPlus:
    """Matrix factors, biases, and factors of the movies that a person rated; by scikit-surprise."""

    num_epochs: int
    l2: float

    def fit(self, given: Given) -> Self:
        from surprise import Dataset, Reader, SVDpp

        columns = {"user": given.user, "item": given.item, "stars": given.stars}
        scale = Reader(rating_scale=(float(given.stars.min()), float(given.stars.max())))
        train = Dataset.load_from_df(pd.DataFrame(columns), scale).build_full_trainset()
        self.model = SVDpp(
            n_epochs=int(self.num_epochs), reg_all=self.l2, cache_ratings=True, random_state=0
        ).fit(train)
        return self

    def expected(self, user: Ints, item: Ints) -> Floats:
        pairs = zip(user.tolist(), item.tolist(), strict=True)
        return np.array([self.model.predict(u, i).est for u, i in pairs], np.float64)


BASELINES: dict[str, tuple[type[Any], dict[str, tuple[float, ...]]]] = {
    "biases": (Biases, {"item_damping": (2, 5, 10, 25), "user_damping": (2, 5, 10, 25)}),
    "item-knn": (
        ItemNeighbours,
        {
            "k": (10, 20, 40),
            "shrinkage": (25, 100),
            "item_damping": (5,),
            "user_damping": (5,),
        },
    ),
    # Of 20 or 40 epochs and l2 .02 or .05 four of ml-100k's five folds chose these (the fifth .02).
    "svd++": (SVDPlusPlus, {"num_epochs": (20,), "l2": (0.05,)}),
}
"""Each baseline and the settings among which validation chooses."""


def rivals() -> dict[str, tuple[type[Any], dict[str, tuple[float, ...]]]]:
    """Those of BASELINES that can run; svd++ needs the extra `bench`, and a line says so."""
    if find_spec("surprise") is None:
        print("svd++ is left out: pip install -e '.[bench]' brings scikit-surprise", flush=True)
        return {name: rival for name, rival in BASELINES.items() if name != "svd++"}
    return BASELINES


def _damped(row: Ints, over: Floats, num: int, damping: float) -> Floats:
    return np.asarray(
        np.bincount(row, over, num) / (np.bincount(row, minlength=num) + damping), np.float64
    )


def _by_person(user: Ints) -> Iterator[tuple[int, Ints]]:
    order = np.argsort(user, kind="stable")
    persons, first = np.unique(user[order], return_index=True)
    yield from zip(persons.tolist(), np.split(order, first[1:]), strict=True)
