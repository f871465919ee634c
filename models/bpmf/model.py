"""The rating model: Bayesian matrix factorization, in which a user is their history.

    rating(u, i) = mean + b_i + b_u + x_u . y_i + noise,   noise ~ N(0, 1 / (alpha precision_u))
    (y_i, b_i)  ~ N(W' [genres, period, text, rated_by]_i, item_precision^-1)
    (x_u, b_u)  ~ N(prior_mean + prior_weight' set_u, prior_precision^-1)
    precision_u ~ Gamma(PRECISION_PRIOR / 2, PRECISION_PRIOR / 2)  some ratings scatter more

The set of items that a user chose to rate says something about them before any rating is read
(Koren 2008, "Factorization meets the neighborhood"). `set_u` holds that in F numbers, `rated_by_i`
the users who rated an item.

Learned by Gibbs sampling (models/bpmf/gibbs.py, with its sources). A bundle stores S draws of the
items and of the priors, and no user. Given a draw, a user's posterior given their history is in
closed form (models/bpmf/posterior.py): a new user is served as exactly as one of the training.

Rating values are ordered: the cuts between them, and a factor for the noise, are fitted to ratings
that a first, shorter chain did not see.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from marquee.core.arrays import AnyFloat, Float32, Int64
from models.bpmf.data import CenteredRatings, PosteriorDraws, implicit_features
from models.bpmf.gibbs import PRECISION_PRIOR, Chain, solve_upper
from models.bpmf.posterior import NUM_ROUNDS, fit_cuts, predict_pairs
from models.config import RatingModelConfig

CALIBRATION_SHARE = 0.05  # of the ratings, which the cuts are fitted to,
MAX_CALIBRATION_RATINGS = 100_000  # but so many at most: with 101 values they take 1 GB


class ItemPrior(NamedTuple):
    """Draws of what the attributes of an item alone say of its rating vector.

    An item without ratings is (1, attributes) @ weight_SXE + noise_SE: its draws then differ as
    much as those of an item that is not known better.
    """

    weight_SXE: Tensor
    noise_SE: Tensor


def fit_rating_model(
    user_N: Int64,
    item_N: Int64,
    rating_N: Float32,
    feature_IX: Float32,
    scale: tuple[float, ...],
    config: RatingModelConfig,
    seed: int = 0,
) -> tuple[dict[str, AnyFloat], dict[str, Any], ItemPrior]:
    """Return a bundle's rating model: arrays, manifest scalars, prior of items.

    rating_N: values of `scale`, which has two or more. feature_IX: attributes of each item. Two
    chains run: one without 5% of the ratings, which then fit the cuts, and one with all. The same
    seed gives the same model.
    """
    mean = float(rating_N.mean(dtype=np.float64))
    ratings = CenteredRatings(
        user_N=torch.from_numpy(user_N),
        item_N=torch.from_numpy(item_N),
        centered_rating_N=torch.from_numpy(rating_N - np.float32(mean)),
    )
    num_users, features = int(user_N.max()) + 1, torch.from_numpy(feature_IX)
    value_V = torch.tensor(scale, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    share = min(CALIBRATION_SHARE, MAX_CALIBRATION_RATINGS / len(user_N))
    is_calibration_N = torch.rand(len(user_N), generator=generator) < share
    cut_W = ((value_V[:-1] + value_V[1:]) / 2 - mean).float()
    factor = 1.0
    if is_calibration_N.any() and not is_calibration_N.all():
        train = ratings.select(~is_calibration_N)
        calibration = ratings.select(is_calibration_N)
        num_draws = max(1, config.num_draws // 2)
        draws = Chain(train, num_users, features, config, seed + 1).run(num_draws)
        feature_UF = implicit_features(draws.implicit_IF, train.user_N, train.item_N, num_users)
        predictive = predict_pairs(draws, train, feature_UF, calibration.user_N, calibration.item_N)
        value_N = torch.searchsorted(value_V.float(), torch.from_numpy(rating_N))
        step = float(value_V.diff().mean())
        cut_W, factor = fit_cuts(predictive, value_N[is_calibration_N], step, cut_W)
    draws = Chain(ratings, num_users, features, config, seed).run(config.num_draws)
    scalars = {
        "mean": mean,
        "cuts": (cut_W.double() + mean).tolist(),
        "noise_factor": factor,
        "steady": PRECISION_PRIOR,
        "rounds": NUM_ROUNDS,
    }
    return draws.to_arrays(), scalars, item_prior(draws, feature_IX.shape[1], generator)


def item_prior(draws: PosteriorDraws, num_features: int, generator: torch.Generator) -> ItemPrior:
    """Return the prior of an item that nobody has rated: `rated_by` is 0."""
    assert draws.item_weight_SXE is not None and draws.item_precision_SEE is not None
    noise_SE1 = torch.randn(*draws.item_weight_SXE.shape[::2], 1, generator=generator)
    triangle_SEE = torch.linalg.cholesky(draws.item_precision_SEE).mT
    return ItemPrior(
        weight_SXE=draws.item_weight_SXE[:, : 1 + num_features],
        noise_SE=solve_upper(triangle_SEE, noise_SE1)[..., 0],
    )
