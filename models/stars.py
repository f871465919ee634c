"""Stars by Bayesian matrix factorisation, in which a person is their history.

    star(u, i) = mean + b_i + b_u + x_u . y_i + noise,     noise ~ N(0, 1 / (alpha * steady_u))
    (y_i, b_i) ~ N(B' features_i, item_precision^-1)      genres, period, text: films nobody rated
    (x_u, b_u) ~ N(person_mean, person_precision^-1)
    steady_u   ~ Gamma(STEADY / 2, STEADY / 2)            some people's ratings scatter more

Gibbs sampling (Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix factorization using
Markov chain Monte Carlo"), movies' features as in Simm et al. 2017 ("Macau"). What is kept is S
draws of the movies and of the priors, no person: given a draw, what a history says of its person
is Gaussian and in closed form, so somebody new is served as exactly as somebody trained on
(serving/stars.py). The draws differ most where ratings are few, and that is the uncertainty.

Stars are ordered: P(stars <= s) = mean over draws of Phi((cut_s - star) / spread), the cuts and a
factor for the noise fitted to ratings that a first, shorter chain did not see.

One sweep over ml-1m (900,000 ratings, 20 wide) takes 0.5 s on one core, 160 sweeps 80 s.

Shapes: S draws, U persons, I movies, F features, D embedding, E = D + 1 (the bias is the last
column), N ratings, L ratings of one person or movie, K star values.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from catalogue.errors import UserError

STEADY = 10.0
"""Ratings by which a person's own noise counts half; the prior's degrees of freedom."""
ROUNDS = 2
"""Times that a history's noise and its person are worked out from each other."""
FEATURE_RIDGE = 3.0
"""Prior precision of a feature's weights, in movies that have it."""
HELD_SHARE = 0.05
"""Ratings that the cuts are fitted to."""
BLOCK = 1 << 16
"""Ratings gathered at once: with 20 dimensions 5 MB, which stays in cache."""


@dataclass(frozen=True)
class StarConfig:
    """How stars are learned."""

    embedding_dim: int = 20
    """Dimensions of taste. Twice as many: four times the time of a sweep and of a request."""
    num_draws: int = 32
    """Draws kept in the bundle; 8 lose .005 of RMSE on ml-100k, 64 gain .001."""
    every: int = 3
    """Sweeps from one kept draw to the next: neighbours say nearly the same."""
    burn_in: int = 30
    """Sweeps before the first kept draw."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise UserError(f"stars.{name} {value}: needed 1 or more")


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
    """What a chain keeps."""

    item_SIE: Tensor
    """Vectors and biases of the movies."""
    mean_SE: Tensor
    """The prior of persons: its mean and its precision."""
    precision_SEE: Tensor
    alpha_S: Tensor
    """Precision of a rating of an average person."""


class Rows:
    """The ratings of each person, or of each movie, in padded blocks of like length."""

    def __init__(self, own_N: Tensor, other_N: Tensor, over_N: Tensor, num_rows: int) -> None:
        self.count = torch.bincount(own_N, minlength=num_rows)
        by_row = torch.argsort(own_N, stable=True)
        self.other_N, self.over_N = other_N[by_row], over_N[by_row]
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
            at_BL = (self.first[rows][:, None] + place_L).clamp(max=len(self.other_N) - 1)
            yield (
                rows,
                self.other_N[at_BL],
                self.over_N[at_BL] * there_BL,
                there_BL.to(self.over_N.dtype),
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
    person_prior = Prior(torch.zeros(num_users, 0), width, chance)
    item_prior = Prior(feature_IF, width, chance)
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
            kept.append((item_IE.clone(), mean_UE[0].clone(), person_EE, alpha))
    return Draws(*(torch.stack(parts) for parts in zip(*kept, strict=True)))


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


@dataclass(frozen=True, eq=False)
class Outlook:
    """What each draw says of N pairs, (S, N): stars over the mean, and their two variances."""

    middle: Tensor
    unsure: Tensor
    """Of the person, given their history."""
    noise: Tensor
    """Of a rating, given the person."""


def outlook(
    draws: Draws, given: Ratings, num_users: int, user_N: Tensor, item_N: Tensor
) -> Outlook:
    """Pairs that are not among `given`, each person known by their ratings there."""
    history, found = Rows(given.user_N, given.item_N, given.over_N, num_users), []
    for item_IE, mean_E, precision_EE, alpha in zip(*vars(draws).values(), strict=True):
        person_UE, cov_UEE, steady_U = fold_in(history, item_IE, mean_E, precision_EE, alpha)
        seen_NE = ones_for_biases(item_IE[item_N])
        unsure_N = ((seen_NE[:, None] @ cov_UEE[user_N]) @ seen_NE[..., None]).ravel()
        middle_N = predicted(person_UE, item_IE, user_N, item_N)
        found.append((middle_N, unsure_N, 1 / (alpha * steady_U[user_N])))
    return Outlook(*(torch.stack(parts) for parts in zip(*found, strict=True)))


def fold_in(
    history: Rows, item_IE: Tensor, mean_E: Tensor, precision_EE: Tensor, alpha: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Every person given their ratings, for one draw: mean (U, E), covariance (U, E, E), steady
    (U,). The same in numpy, for one person and all draws, is what a bundle answers with."""
    num_users, width = len(history.count), len(mean_E)
    person_UE, cov_UEE = torch.empty(num_users, width), torch.empty(num_users, width, width)
    steady_U, seen_IE, bias_I = torch.ones(num_users), ones_for_biases(item_IE), item_IE[:, -1]
    for row_B, item_BL, over_BL, there_BL in history.blocks():
        seen_BLE = seen_IE[item_BL] * there_BL[..., None]
        rest_BL1 = ((over_BL - bias_I[item_BL]) * there_BL)[..., None]
        square_BEE, pull_BE1 = (
            seen_BLE.transpose(1, 2) @ seen_BLE,
            seen_BLE.transpose(1, 2) @ rest_BL1,
        )
        steady_B11, count_B = torch.ones(len(row_B), 1, 1), there_BL.sum(1)
        for _ in range(ROUNDS):
            weight_B11 = alpha * steady_B11
            cov_BEE = torch.linalg.inv(precision_EE + weight_B11 * square_BEE)
            person_BE1 = cov_BEE @ ((precision_EE @ mean_E)[:, None] + weight_B11 * pull_BE1)
            off_BL1 = rest_BL1 - seen_BLE @ person_BE1
            unsure_B = (cov_BEE * square_BEE).sum((1, 2))
            square_B = (off_BL1 * off_BL1).sum((1, 2)) + unsure_B
            steady_B11 = ((STEADY + count_B) / (STEADY + alpha * square_B))[:, None, None]
        person_UE[row_B], cov_UEE[row_B] = person_BE1.squeeze(-1), cov_BEE
        steady_U[row_B] = steady_B11.ravel()
    return person_UE, cov_UEE, steady_U


def chances(outlook: Outlook, cut_K: Tensor, noise_factor: Tensor) -> Tensor:
    """(N, K + 1) probabilities of the star values, cuts over the mean."""
    spread_SN = (outlook.unsure + noise_factor * outlook.noise).sqrt()
    below = [
        torch.special.ndtr((cut - outlook.middle) / spread_SN).mean(0) for cut in cut_K.unbind()
    ]
    whole = torch.stack([torch.zeros_like(below[0]), *below, torch.ones_like(below[0])], 1)
    return whole.diff(dim=1)


def fit_cuts(outlook: Outlook, star_N: Tensor, step: float, cut_K: Tensor) -> tuple[Tensor, float]:
    """Cuts and noise factor that make the stars that were given likeliest.

    cut_K: where the search starts, half way between neighbours; step: the width of a star there.
    A weak prior holds each gap near where it started, for star values that hardly anybody gives.
    """
    first_gaps = torch.cat([cut_K[:1] - cut_K[0] + step, cut_K.diff()]).log()
    setting = torch.zeros(len(cut_K) + 1, requires_grad=True)

    def read() -> tuple[Tensor, Tensor]:
        gap_K = (first_gaps + setting[:-1]).exp()
        start = cut_K[0] - step
        return start + gap_K.cumsum(0), setting[-1].exp()

    def closure() -> Tensor:
        optimizer.zero_grad()
        chance_NK = chances(outlook, *read())
        likelihood = chance_NK.gather(1, star_N[:, None]).clamp(min=1e-9).log().sum()
        loss = (10 * setting.square().sum() - likelihood) / len(star_N)
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([setting], max_iter=50, line_search_fn="strong_wolfe")
    optimizer.step(closure)
    cut_K, factor = read()
    return cut_K.detach(), float(factor.detach())


def fit_stars(
    user_N: npt.NDArray[np.int64],
    item_N: npt.NDArray[np.int64],
    stars_N: npt.NDArray[np.float32],
    feature_IF: npt.NDArray[np.float32],
    scale: tuple[float, ...],
    config: StarConfig,
    seed: int = 0,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The star model of a bundle: its arrays, and the scalars of the manifest.

    user_N, item_N: int64 rows; stars_N: float32, values of `scale`; feature_IF: what is known of
    each movie. Two chains run: one without 5% of the ratings, which then fit the cuts, and one with
    all. The same seed gives the same model.
    """
    mean = float(stars_N.mean(dtype=np.float64))
    over_N = torch.from_numpy(stars_N - np.float32(mean))
    ratings = Ratings(torch.from_numpy(user_N), torch.from_numpy(item_N), over_N)
    num_users, features = int(user_N.max()) + 1, torch.from_numpy(feature_IF)
    value_K = torch.tensor(scale, dtype=torch.float64)
    star_N = torch.searchsorted(value_K, torch.from_numpy(stars_N).double())
    held_N = torch.rand(len(user_N), generator=torch.Generator().manual_seed(seed)) < HELD_SHARE
    cut_K = ((value_K[:-1] + value_K[1:]) / 2 - mean).float()
    factor = 1.0
    if held_N.any() and not held_N.all():
        given, held = ratings.where(~held_N), ratings.where(held_N)
        few = max(1, config.num_draws // 2)
        draws = sample(given, num_users, features, config, few, seed + 1)
        seen = outlook(draws, given, num_users, held.user_N, held.item_N)
        cut_K, factor = fit_cuts(seen, star_N[held_N], float(value_K.diff().mean()), cut_K)
    draws = sample(ratings, num_users, features, config, config.num_draws, seed)
    arrays = {
        "star_item": draws.item_SIE,
        "star_mean": draws.mean_SE,
        "star_precision": draws.precision_SEE,
        "star_alpha": draws.alpha_S,
    }
    scalars = {
        "mean": mean,
        "cuts": (cut_K.double() + mean).tolist(),
        "noise_factor": factor,
        "steady": STEADY,
        "rounds": ROUNDS,
    }
    return {name: array.numpy() for name, array in arrays.items()}, scalars
