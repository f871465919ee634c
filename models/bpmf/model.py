"""Stars by Bayesian matrix factorisation, in which a person is their history.

    star(u, i) = mean + b_i + b_u + x_u . y_i + noise,     noise ~ N(0, 1 / (alpha * steady_u))
    (y_i, b_i) ~ N(B' [genres, period, text, rated_by]_i, item_precision^-1)
    (x_u, b_u) ~ N(person_mean + lean' set_u, person_precision^-1)
    steady_u   ~ Gamma(STEADY / 2, STEADY / 2)            some people's ratings scatter more

Which movies somebody chose to rate says something of them before any star is read (Koren 2008,
"Factorization meets the neighborhood"): `set_u` has that in C numbers, `rated_by_i` who rated a
movie. Worth .007 of RMSE on ml-1m's validation, .010 on ml-100k's.

Learned by Gibbs sampling (models/bpmf/gibbs.py, with its sources). What is kept is S draws of the movies
and of the priors, no person: given a draw, what a history says of its person is Gaussian and in
closed form, so somebody new is served as exactly as somebody trained on (marquee/recommender/rating_model.py). The
draws differ most where ratings are few, and that is the uncertainty.

Stars are ordered: P(stars <= s) = mean over draws of Phi((cut_s - star) / spread), the cuts and a
factor for the noise fitted to ratings that a first, shorter chain did not see.

Shapes: S draws, U persons, I movies, B persons of a block, C implicit features, E embedding + 1
(the bias is the last column), N ratings, L ratings of one person, K star values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.bpmf.gibbs import (
    STEADY,
    Draws,
    Ratings,
    Rows,
    StarConfig,
    ones_for_biases,
    predicted,
    sample,
)

ROUNDS = 2
"""Times that a history's noise and its person are worked out from each other."""
HELD_SHARE = 0.05
"""Ratings that the cuts are fitted to."""
STAR_ARRAYS = {
    "star_set": "set_IC",
    "star_item": "item_SIE",
    "star_mean": "mean_SE",
    "star_lean": "lean_SCE",
    "star_precision": "precision_SEE",
    "star_alpha": "alpha_S",
}
"""What a bundle calls the parts of Draws."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What each draw says of N pairs, (S, N): stars over the mean, and their two variances."""

    middle: Tensor
    unsure: Tensor
    """Of the person, given their history."""
    noise: Tensor
    """Of a rating, given the person."""


def outlook(
    draws: Draws, given: Ratings, set_UC: Tensor, user_N: Tensor, item_N: Tensor
) -> Outlook:
    """Pairs that are not among `given`; persons known by their ratings there and by set_UC."""
    history, found = Rows(given.user_N, given.item_N, given.over_N, len(set_UC)), []
    for item_IE, mean_E, lean_CE, precision_EE, alpha in draws:
        mean_UE = mean_E + set_UC @ lean_CE
        person_UE, cov_UEE, steady_U = fold_in(history, item_IE, mean_UE, precision_EE, alpha)
        seen_NE = ones_for_biases(item_IE[item_N])
        unsure_N = ((seen_NE[:, None] @ cov_UEE[user_N]) @ seen_NE[..., None]).ravel()
        middle_N = predicted(person_UE, item_IE, user_N, item_N)
        found.append((middle_N, unsure_N, 1 / (alpha * steady_U[user_N])))
    return Outlook(*(torch.stack(parts) for parts in zip(*found, strict=True)))


def implicit_features(set_IC: Tensor, user_N: Tensor, item_N: Tensor, num_users: int) -> Tensor:
    """(U, C) of persons of whom the movies are known, not the stars."""
    set_UC = torch.zeros(num_users, set_IC.shape[1]).index_add_(0, user_N, set_IC[item_N])
    return set_UC / torch.bincount(user_N, minlength=num_users).clamp(min=1).sqrt()[:, None]


def fold_in(
    history: Rows, item_IE: Tensor, mean_UE: Tensor, precision_EE: Tensor, alpha: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Every person given their ratings, for one draw: mean (U, E), covariance (U, E, E), steady
    (U,). The same in numpy, for one person and all draws, is what a bundle answers with."""
    num_users, width = mean_UE.shape
    person_UE, cov_UEE = torch.empty(num_users, width), torch.empty(num_users, width, width)
    steady_U, seen_IE, bias_I = torch.ones(num_users), ones_for_biases(item_IE), item_IE[:, -1]
    for row_B, item_BL, over_BL, there_BL in history.blocks():
        seen_BLE = seen_IE[item_BL] * there_BL[..., None]
        rest_BL1 = ((over_BL - bias_I[item_BL]) * there_BL)[..., None]
        square_BEE, pull_BE1 = (
            seen_BLE.transpose(1, 2) @ seen_BLE,
            seen_BLE.transpose(1, 2) @ rest_BL1,
        )
        prior_BE1 = (mean_UE[row_B] @ precision_EE)[..., None]
        steady_B11, count_B = torch.ones(len(row_B), 1, 1), there_BL.sum(1)
        for _ in range(ROUNDS):
            weight_B11 = alpha * steady_B11
            cov_BEE = torch.linalg.inv(precision_EE + weight_B11 * square_BEE)
            person_BE1 = cov_BEE @ (prior_BE1 + weight_B11 * pull_BE1)
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
        set_UC = implicit_features(draws.set_IC, given.user_N, given.item_N, num_users)
        seen = outlook(draws, given, set_UC, held.user_N, held.item_N)
        cut_K, factor = fit_cuts(seen, star_N[held_N], float(value_K.diff().mean()), cut_K)
    draws = sample(ratings, num_users, features, config, config.num_draws, seed)
    arrays = {name: getattr(draws, field).numpy() for name, field in STAR_ARRAYS.items()}
    scalars = {
        "mean": mean,
        "cuts": (cut_K.double() + mean).tolist(),
        "noise_factor": factor,
        "steady": STEADY,
        "rounds": ROUNDS,
    }
    return arrays, scalars
