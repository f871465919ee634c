"""The posterior of users given their ratings, and the predictive distribution of further ratings.

    (x_u, b_u) | ratings ~ N(cov (Lambda mean_u + w X' r), cov),   cov = (Lambda + w X' X)^-1
    w = alpha precision_u

X holds the rated items with 1 in place of their bias, r the ratings less mean and item bias. The
same in numpy, for all draws of one user, answers requests (marquee/recommender/rating_model.py).

Local letters: F implicit features, E = D + 1 (the bias is the last column), L ratings of one user.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.bpmf.data import (
    CenteredRatings,
    PosteriorDraws,
    RatingBlocks,
    predict_ratings,
    with_unit_bias,
)
from models.bpmf.gibbs import PRECISION_PRIOR

NUM_ROUNDS = 2
"""Rounds in which a user's precision and vector are estimated from each other."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictive:
    """The centered ratings of N pairs under each draw: mean and two variances."""

    mean_SN: Tensor
    variance_SN: Tensor
    """Of the user's expected rating, given their history."""
    noise_variance_SN: Tensor
    """Of a rating, given the user."""


def predict_pairs(
    draws: PosteriorDraws,
    history: CenteredRatings,
    feature_UF: Tensor,
    user_N: Tensor,
    item_N: Tensor,
) -> Predictive:
    """Return the predictive distribution of pairs outside the history.

    history: the known ratings of the users. feature_UF: their implicit features.
    """
    blocks = RatingBlocks(
        history.user_N, history.item_N, history.centered_rating_N, len(feature_UF)
    )
    means, variances, noise_variances = [], [], []
    for item_IE, prior_mean_E, weight_FE, precision_EE, alpha in draws:
        prior_mean_UE = prior_mean_E + feature_UF @ weight_FE
        user_UE, cov_UEE, precision_U = fold_in(blocks, item_IE, prior_mean_UE, precision_EE, alpha)
        input_NE = with_unit_bias(item_IE[item_N])
        variance_N = ((input_NE[:, None] @ cov_UEE[user_N]) @ input_NE[..., None]).ravel()
        means.append(predict_ratings(user_UE, item_IE, user_N, item_N))
        variances.append(variance_N)
        noise_variances.append(1 / (alpha * precision_U[user_N]))
    return Predictive(
        mean_SN=torch.stack(means),
        variance_SN=torch.stack(variances),
        noise_variance_SN=torch.stack(noise_variances),
    )


def fold_in(
    blocks: RatingBlocks,
    item_IE: Tensor,
    prior_mean_UE: Tensor,
    precision_EE: Tensor,
    alpha: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the posterior of all users under one draw.

    Returns the means (U, E), covariances (U, E, E), and precisions of their ratings (U,).
    """
    num_users, width = prior_mean_UE.shape
    user_UE, cov_UEE = torch.empty(num_users, width), torch.empty(num_users, width, width)
    precision_U, input_IE, bias_I = torch.ones(num_users), with_unit_bias(item_IE), item_IE[:, -1]
    for row_B, item_BL, rating_BL, mask_BL in blocks:
        input_BLE = input_IE[item_BL] * mask_BL[..., None]
        target_BL1 = ((rating_BL - bias_I[item_BL]) * mask_BL)[..., None]
        gram_BEE = input_BLE.transpose(1, 2) @ input_BLE
        xty_BE1 = input_BLE.transpose(1, 2) @ target_BL1
        prior_BE1 = (prior_mean_UE[row_B] @ precision_EE)[..., None]
        precision_B11, count_B = torch.ones(len(row_B), 1, 1), mask_BL.sum(1)
        for _ in range(NUM_ROUNDS):
            weight_B11 = alpha * precision_B11
            cov_BEE = torch.linalg.inv(precision_EE + weight_B11 * gram_BEE)
            user_BE1 = cov_BEE @ (prior_BE1 + weight_B11 * xty_BE1)
            residual_BL1 = target_BL1 - input_BLE @ user_BE1
            variance_B = (cov_BEE * gram_BEE).sum((1, 2))
            square_B = (residual_BL1 * residual_BL1).sum((1, 2)) + variance_B
            precision_B = (PRECISION_PRIOR + count_B) / (PRECISION_PRIOR + alpha * square_B)
            precision_B11 = precision_B[:, None, None]
        user_UE[row_B], cov_UEE[row_B] = user_BE1.squeeze(-1), cov_BEE
        precision_U[row_B] = precision_B11.ravel()
    return user_UE, cov_UEE, precision_U
