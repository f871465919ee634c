"""Gibbs sampling of the star model: what models/bpmf/model.py keeps the draws of.

Persons and movies take turns: given one side, every row of the other is a Gaussian of its own, and
the priors of both are regressions on what is known of a row beside its stars. One sweep over ml-1m
(900,000 ratings, 20 wide) takes 0.5 s on one core, 160 sweeps 80 s.

Sources: Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix factorization using Markov
chain Monte Carlo"; features as in Simm et al. 2017, "Macau"; which movies were rated, as in Koren
2008, "Factorization meets the neighborhood" (SVD++), here as leading singular vectors.

Shapes: S draws, U persons, I movies, R rows of one side, O of the other, B rows of a block, F
features, C implicit features, D embedding, E = D + 1 (the bias is the last column), N ratings, L
ratings of one row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from torch import Tensor

from marquee.core.errors import InputError

STEADY = 10.0
"""Ratings by which a person's own noise counts half; the prior's degrees of freedom."""
FEATURE_RIDGE = 3.0
"""Prior precision of a feature's weights, in rows that have it."""
BLOCK = 1 << 16
"""Ratings gathered at once: with 20 dimensions 5 MB, which stays in cache."""


@dataclass(frozen=True)
class StarConfig:
    """How stars are learned."""

    embedding_dim: int = 20
    """Dimensions of taste. Twice as many: four times the time of a sweep and of a request."""
    num_draws: int = 16
    """Draws kept in the bundle. Half of 32 lose .0004 of RMSE on ml-1m and answer in two thirds
    of the time; 8 lose .005 on ml-100k, 64 gain .001."""
    every: int = 6
    """Sweeps from one kept draw to the next: neighbours say nearly the same."""
    burn_in: int = 30
    """Sweeps before the first kept draw."""
    implicit_dim: int = 100
    """Numbers that say which movies a person rated, and who rated a movie, whatever the stars."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 0 if name == "implicit_dim" else 1
            if value < least:
                raise InputError(f"stars.{name} {value}: needed {least} or more")


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings, their stars less the mean."""

    user_N: Tensor
    item_N: Tensor
    over_N: Tensor
    """float32"""

    def where(self, keep_N: Tensor) -> "Ratings":
        return Ratings(self.user_N[keep_N], self.item_N[keep_N], self.over_N[keep_N])


@dataclass(frozen=True, eq=False)
class Draws:
    """What a chain keeps, and what it knew of which movies a person rated."""

    set_IC: Tensor
    """What each movie adds to a person's implicit features, over the root of their number."""
    item_SIE: Tensor
    """Vectors and biases of the movies."""
    mean_SE: Tensor
    """The prior of persons: its mean,"""
    lean_SCE: Tensor
    """what the implicit features add to it,"""
    precision_SEE: Tensor
    """and its precision."""
    alpha_S: Tensor
    """Precision of a rating of an average person."""

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """item (I, E), mean (E,), lean (C, E), precision (E, E) and alpha () of each draw."""
        each = self.item_SIE, self.mean_SE, self.lean_SCE, self.precision_SEE, self.alpha_S
        return zip(*each, strict=True)


def implicit(
    own_N: Tensor, other_N: Tensor, num_own: int, num_other: int, num: int
) -> tuple[Tensor, Tensor]:
    """Which others a row has, in few numbers: features (R, C) and what each other adds (O, C).

    A row's features are the sum of its others' over the root of their count, so that they can be
    made for a row that was not there. C is `num`, or less where the ratings span less.
    """
    count_R = torch.bincount(own_N, minlength=num_own).clamp(min=1).double()
    value_N = count_R.rsqrt()[own_N]
    there = csr_matrix((value_N, (own_N, other_N)), shape=(num_own, num_other))
    start = np.random.default_rng(0).random(min(there.shape))
    if num < min(there.shape):
        _, size_C, across_CO = svds(there, k=max(num, 1), v0=start)
    else:
        _, size_C, across_CO = np.linalg.svd(there.toarray(), full_matrices=False)
    order = np.argsort(-size_C)[:num]
    order = order[size_C[order] > 1e-6]
    other_OC = torch.from_numpy(across_CO[order].T.copy()).float()
    return torch.from_numpy(there @ other_OC.numpy()).float(), other_OC


class Rows:
    """The ratings of each person, or of each movie, in padded blocks of like length."""

    def __init__(self, own_N: Tensor, other_N: Tensor, over_N: Tensor, num_rows: int) -> None:
        self.count = torch.bincount(own_N, minlength=num_rows)
        by_row = torch.argsort(own_N, stable=True)
        # One entry more than there are, for places past the end.
        self.other_M = torch.cat([other_N[by_row], other_N.new_zeros(1)])
        self.over_M = torch.cat([over_N[by_row], over_N.new_zeros(1)])
        self.first = self.count.cumsum(0) - self.count
        self.order = torch.argsort(self.count, stable=True)

    def blocks(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """rows (B,), their others (B, L), stars over the mean (B, L), 1 where there is a rating."""
        sorted_count, begin = self.count[self.order], 0
        while begin < len(self.order):
            end = begin + 1
            while end < len(self.order) and (end + 1 - begin) * int(sorted_count[end]) <= BLOCK:
                end += 1
            rows = self.order[begin:end]
            place_L = torch.arange(max(1, int(self.count[rows].max())))
            there_BL = place_L < self.count[rows][:, None]
            at_BL = (self.first[rows][:, None] + place_L).clamp(max=len(self.other_M) - 1)
            yield (
                rows,
                self.other_M[at_BL],
                self.over_M[at_BL] * there_BL,
                there_BL.to(self.over_M.dtype),
            )
            begin = end


class Prior:
    """Rows ~ N(B' [1, features], precision^-1), B and the precision unknown: a regression."""

    def __init__(self, feature_RF: Tensor, width: int, chance: "Chance") -> None:
        one_R1 = torch.ones(len(feature_RF), 1, dtype=torch.float64)
        self.feature_RF = torch.cat([one_R1, feature_RF.double()], 1)
        num_features = self.feature_RF.shape[1]
        self.ridge_F = torch.full((num_features,), FEATURE_RIDGE, dtype=torch.float64)
        self.root_FF = torch.linalg.cholesky(
            self.feature_RF.T @ self.feature_RF + torch.diag(self.ridge_F)
        )
        self.weight_FE = torch.zeros(num_features, width, dtype=torch.float64)
        self.chance = chance

    def draw(self, row_RE: Tensor) -> tuple[Tensor, Tensor]:
        """(R, E) means of the rows, and their common precision (E, E), given the rows."""
        row_RE = row_RE.double()
        off_RE = row_RE - self.feature_RF @ self.weight_FE
        ridged_FE = self.weight_FE * self.ridge_F[:, None]
        width = row_RE.shape[1]
        scatter = torch.eye(width, dtype=torch.float64) + off_RE.T @ off_RE
        scatter += ridged_FE.T @ self.weight_FE
        precision_EE = self.chance.wishart(width + len(row_RE) + len(self.ridge_F), scatter)
        mean_FE = torch.cholesky_solve(self.feature_RF.T @ row_RE, self.root_FF)
        root_EE = torch.linalg.cholesky(precision_EE)
        noise_FE = torch.linalg.solve_triangular(
            root_EE.T, self.chance.normal(width, len(self.ridge_F)).double(), upper=True
        ).T
        self.weight_FE = mean_FE + torch.linalg.solve_triangular(
            self.root_FF.T, noise_FE, upper=True
        )
        return (self.feature_RF @ self.weight_FE).float(), precision_EE.float()


class Chance:
    """Everything random of a chain, from one seed."""

    def __init__(self, seed: int) -> None:
        self.torch, self.numpy = torch.Generator().manual_seed(seed), np.random.default_rng(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.torch)

    def gamma(self, shape: Tensor, rate: Tensor) -> Tensor:
        drawn = self.numpy.gamma(shape.numpy(), 1 / rate.numpy())
        return torch.from_numpy(np.asarray(drawn)).float()

    def wishart(self, degrees: int, scatter_EE: Tensor) -> Tensor:
        """A precision ~ Wishart(degrees, scatter^-1), by Bartlett's decomposition."""
        width = len(scatter_EE)
        below_EE = torch.tril(torch.from_numpy(self.numpy.normal(size=(width, width))), -1)
        chi_E = self.numpy.chisquare(degrees - np.arange(width))
        half_EE = below_EE + torch.diag(torch.from_numpy(np.sqrt(chi_E)))
        inverse_EE = torch.linalg.inv(scatter_EE)
        root_EE = torch.linalg.cholesky((inverse_EE + inverse_EE.T) / 2) @ half_EE
        return root_EE @ root_EE.T


def ones_for_biases(row_RE: Tensor) -> Tensor:
    """The other side's view of vectors: taste as it is, and 1 where the own bias stood."""
    return torch.cat([row_RE[..., :-1], torch.ones_like(row_RE[..., -1:])], -1)


def sample(
    ratings: Ratings,
    num_users: int,
    feature_IF: Tensor,
    config: StarConfig,
    num_draws: int,
    seed: int,
) -> Draws:
    """Run one chain and keep `num_draws` of its states."""
    chance, width = Chance(seed), config.embedding_dim + 1
    user_N, item_N, over_N = ratings.user_N, ratings.item_N, ratings.over_N
    num_items = len(feature_IF)
    by_person = Rows(user_N, item_N, over_N, num_users)
    by_movie = Rows(item_N, user_N, over_N, num_items)
    set_UC, set_IC = implicit(user_N, item_N, num_users, num_items, config.implicit_dim)
    rated_by_IC, _ = implicit(item_N, user_N, num_items, num_users, config.implicit_dim)
    person_prior = Prior(set_UC, width, chance)
    item_prior = Prior(torch.cat([feature_IF, rated_by_IC], 1), width, chance)
    person_UE, item_IE = (
        0.1 * chance.normal(num_users, width),
        0.1 * chance.normal(num_items, width),
    )
    steady_U, alpha, kept = torch.ones(num_users), torch.tensor(1.5), []
    for sweep in range(config.burn_in + config.every * num_draws):
        mean_UE, person_EE = person_prior.draw(person_UE)
        draw_rows(by_person, person_UE, item_IE, mean_UE, person_EE, alpha * steady_U, None, chance)
        mean_IE, item_EE = item_prior.draw(item_IE)
        weight = alpha.expand(num_items)
        draw_rows(by_movie, item_IE, person_UE, mean_IE, item_EE, weight, steady_U, chance)
        off_N = over_N - predicted(person_UE, item_IE, user_N, item_N)
        square_N = off_N * off_N
        rate = 1 + (square_N * steady_U[user_N]).sum() / 2
        alpha = chance.gamma(torch.tensor(1 + len(over_N) / 2), rate)
        square_U = torch.zeros(num_users).index_add_(0, user_N, square_N)
        steady_U = chance.gamma((STEADY + by_person.count) / 2, (STEADY + alpha * square_U) / 2)
        done = sweep + 1 - config.burn_in
        if done > 0 and done % config.every == 0:
            weight_FE = person_prior.weight_FE.float()
            kept.append((item_IE.clone(), weight_FE[0], weight_FE[1:], person_EE, alpha))
    return Draws(set_IC, *(torch.stack(parts) for parts in zip(*kept, strict=True)))


def predicted(person_UE: Tensor, item_IE: Tensor, user_N: Tensor, item_N: Tensor) -> Tensor:
    """(N,) stars over the mean, of pairs."""
    person_NE, item_NE = person_UE[user_N], item_IE[item_N]
    return (ones_for_biases(item_NE) * person_NE).sum(-1) + item_NE[:, -1]


def draw_rows(
    rows: Rows,
    own_RE: Tensor,
    other_OE: Tensor,
    mean_RE: Tensor,
    precision_EE: Tensor,
    weight_R: Tensor,
    weight_O: Tensor | None,
    chance: Chance,
) -> None:
    """Draw every row anew, in place, given the other side.

    A rating's precision is the weight of its row times that of its other side.
    """
    seen_OE, bias_O = ones_for_biases(other_OE), other_OE[:, -1]
    for row_B, other_BL, over_BL, there_BL in rows.blocks():
        weight_BL = weight_R[row_B][:, None] * there_BL
        if weight_O is not None:
            weight_BL = weight_BL * weight_O[other_BL]
        seen_BLE = seen_OE[other_BL]
        weighed_BLE = seen_BLE * weight_BL[..., None]
        precision_BEE = precision_EE + weighed_BLE.transpose(1, 2) @ seen_BLE
        rest_BL1 = (over_BL - bias_O[other_BL])[..., None]
        pull_BE1 = (mean_RE[row_B] @ precision_EE)[..., None] + weighed_BLE.transpose(
            1, 2
        ) @ rest_BL1
        root_BEE = torch.linalg.cholesky(precision_BEE)
        middle_BE1 = torch.cholesky_solve(pull_BE1, root_BEE)
        noise_BE1 = torch.linalg.solve_triangular(
            root_BEE.transpose(1, 2), chance.normal(*pull_BE1.shape), upper=True
        )
        own_RE[row_B] = (middle_BE1 + noise_BE1).squeeze(-1)
