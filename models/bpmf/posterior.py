"""The posterior of users given their ratings, and the probabilities of further ratings.

    (x_u, b_u) | ratings ~ N(cov (Lambda mean_u + w X' r), cov),   cov = (Lambda + w X' X)^-1
    w = alpha precision_u

X holds the rated items with 1 in place of their bias, r the ratings less mean and item bias. The
same in numpy, for all draws of one user, answers requests (marquee/recommender/rating_model.py).
Values of the scale follow an ordered probit whose cuts are fitted to held-out ratings:

    P(rating <= r) = mean over draws of Phi((cut_r - mean) / spread)
    spread^2       = variance + noise_factor x noise variance

Local letters: F implicit features, E = D + 1 (the bias is the last column), L ratings of one user,
V rating values, W = V - 1 cuts between them.
"""

from typing import NamedTuple

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

NUM_ROUNDS = 2  # in which a user's precision and vector are estimated from each other
GAP_PENALTY = 10  # weight of the prior that holds each gap between cuts near its start
MIN_PROBABILITY = 1e-9


class Predictive(NamedTuple):
    """The centered ratings of N pairs under each draw: mean and two variances."""

    mean_SN: Tensor
    variance_SN: Tensor  # of the user's expected rating, given their history
    noise_variance_SN: Tensor  # of a rating, given the user


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
    is_asked_U = torch.zeros(len(feature_UF), dtype=torch.bool)
    is_asked_U[user_N] = True
    moments = []
    for item_IE, prior_mean_E, weight_FE, precision_EE, alpha in draws:
        prior_mean_UE = prior_mean_E + feature_UF @ weight_FE
        user_UE, cov_UEE, precision_U = fold_in(
            blocks, is_asked_U, item_IE, prior_mean_UE, precision_EE, alpha
        )
        input_NE = with_unit_bias(item_IE[item_N])
        variance_N = ((input_NE[:, None] @ cov_UEE[user_N]) @ input_NE[..., None]).ravel()
        mean_N = predict_ratings(user_UE, item_IE, user_N, item_N)
        moments.append((mean_N, variance_N, 1 / (alpha * precision_U[user_N])))
    return Predictive(*map(torch.stack, zip(*moments, strict=True)))


def fold_in(
    blocks: RatingBlocks,
    is_asked_U: Tensor,
    item_IE: Tensor,
    prior_mean_UE: Tensor,
    precision_EE: Tensor,
    alpha: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return means, covariances (U, E, E) and rating precisions under one draw.

    is_asked_U: the users whose rows are filled; those of others hold anything.
    """
    num_users, width = prior_mean_UE.shape
    user_UE, cov_UEE = torch.empty(num_users, width), torch.empty(num_users, width, width)
    precision_U, input_IE, bias_I = torch.ones(num_users), with_unit_bias(item_IE), item_IE[:, -1]
    for block in blocks:
        is_asked_B = is_asked_U[block[0]]
        row_B, item_BL, rating_BL, mask_BL = (each[is_asked_B] for each in block)
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


def rating_probabilities(predictive: Predictive, cut_W: Tensor, noise_factor: Tensor) -> Tensor:
    """Return (N, V) probabilities of the rating values; the cuts are centered, too."""
    spread_SN = (predictive.variance_SN + noise_factor * predictive.noise_variance_SN).sqrt()
    below = [
        torch.special.ndtr((cut - predictive.mean_SN) / spread_SN).mean(0) for cut in cut_W.unbind()
    ]
    cumulative = torch.stack([torch.zeros_like(below[0]), *below, torch.ones_like(below[0])], 1)
    return cumulative.diff(dim=1)


def fit_cuts(
    predictive: Predictive, value_N: Tensor, step: float, cut_W: Tensor
) -> tuple[Tensor, float]:
    """Return cuts and noise factor with the highest likelihood of the ratings.

    value_N: int64 rows of the scale. cut_W: the start, half way between neighboring values. step:
    the width of a value there. The prior is for values that are hardly ever used.
    """
    first_gap_W = torch.cat([cut_W[:1] - cut_W[0] + step, cut_W.diff()]).log()
    parameters = torch.zeros(len(cut_W) + 1, requires_grad=True)

    def cuts_and_factor() -> tuple[Tensor, Tensor]:
        gap_W = (first_gap_W + parameters[:-1]).exp()
        return cut_W[0] - step + gap_W.cumsum(0), parameters[-1].exp()

    def closure() -> Tensor:
        optimizer.zero_grad()
        probability_NV = rating_probabilities(predictive, *cuts_and_factor())
        probability_N1 = probability_NV.gather(1, value_N[:, None])
        likelihood = probability_N1.clamp(min=MIN_PROBABILITY).log().sum()
        loss = (GAP_PENALTY * parameters.square().sum() - likelihood) / len(value_N)
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([parameters], max_iter=50, line_search_fn="strong_wolfe")
    optimizer.step(closure)
    fitted_W, factor = cuts_and_factor()
    return fitted_W.detach(), float(factor.detach())
