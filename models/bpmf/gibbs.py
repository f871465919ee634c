"""Gibbs sampling of the rating model (models/bpmf/model.py).

Users and items take turns: given one side, every row of the other is a Gaussian of its own, and the
priors of both are regressions on the features of a row. One sweep over ml-1m (900,000 ratings, 20
wide) takes 0.5 s on one core, 160 sweeps 80 s.

Sources: Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix factorization using Markov
chain Monte Carlo"; features as in Simm et al. 2017, "Macau"; the set of rated items as in Koren
2008, "Factorization meets the neighborhood" (SVD++), here as leading singular vectors.

Local letters: R rows of one side, O rows of the other, B rows of a block, L ratings of one row; X
features of a row, F implicit features, E = D + 1 (the bias is the last column).
"""

import numpy as np
import torch
from torch import Tensor

from models.bpmf.data import (
    CenteredRatings,
    PosteriorDraws,
    RatingBlocks,
    RatingModelConfig,
    implicit_factors,
    predict_ratings,
    with_unit_bias,
)

PRECISION_PRIOR = 10.0
"""Ratings by which a user's own precision counts half: the prior's degrees of freedom."""
FEATURE_RIDGE = 3.0
"""Prior precision of a feature's weights, in rows that have it."""
INITIAL_SCALE = 0.1
INITIAL_ALPHA = 1.5


class RngStreams:
    """All random numbers of a chain, from one seed."""

    def __init__(self, seed: int) -> None:
        self.torch, self.numpy = torch.Generator().manual_seed(seed), np.random.default_rng(seed)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.torch)

    def gamma(self, shape: Tensor, rate: Tensor) -> Tensor:
        values = self.numpy.gamma(shape.numpy(), 1 / rate.numpy())
        return torch.from_numpy(np.asarray(values)).float()

    def wishart(self, degrees: int, scatter_EE: Tensor) -> Tensor:
        """Draw a precision ~ Wishart(degrees, scatter^-1), by Bartlett's decomposition."""
        width = len(scatter_EE)
        below_EE = torch.tril(torch.from_numpy(self.numpy.normal(size=(width, width))), -1)
        chi_E = self.numpy.chisquare(degrees - np.arange(width))
        triangle_EE = below_EE + torch.diag(torch.from_numpy(np.sqrt(chi_E)))
        inverse_EE = torch.linalg.inv(scatter_EE)
        factor_EE = torch.linalg.cholesky((inverse_EE + inverse_EE.T) / 2) @ triangle_EE
        return factor_EE @ factor_EE.T


class Prior:
    """Rows ~ N(W' [1, features], precision^-1), W and the precision unknown: a regression."""

    def __init__(self, feature_RX: Tensor, width: int, rng: RngStreams) -> None:
        one_R1 = torch.ones(len(feature_RX), 1, dtype=torch.float64)
        self.feature_RX = torch.cat([one_R1, feature_RX.double()], 1)
        num_features = self.feature_RX.shape[1]
        self.ridge_X = torch.full((num_features,), FEATURE_RIDGE, dtype=torch.float64)
        self.gram_chol_XX = torch.linalg.cholesky(
            self.feature_RX.T @ self.feature_RX + torch.diag(self.ridge_X)
        )
        self.weight_XE = torch.zeros(num_features, width, dtype=torch.float64)
        self.rng = rng

    def draw(self, row_RE: Tensor) -> tuple[Tensor, Tensor]:
        """Draw weights and precision given the rows.

        Returns the rows' means (R, E) and their common precision (E, E).
        """
        row_RE = row_RE.double()
        residual_RE = row_RE - self.feature_RX @ self.weight_XE
        ridged_XE = self.weight_XE * self.ridge_X[:, None]
        width = row_RE.shape[1]
        scatter_EE = torch.eye(width, dtype=torch.float64) + residual_RE.T @ residual_RE
        scatter_EE += ridged_XE.T @ self.weight_XE
        precision_EE = self.rng.wishart(width + len(row_RE) + len(self.ridge_X), scatter_EE)
        mean_XE = torch.cholesky_solve(self.feature_RX.T @ row_RE, self.gram_chol_XX)
        precision_chol_EE = torch.linalg.cholesky(precision_EE)
        noise_XE = torch.linalg.solve_triangular(
            precision_chol_EE.T, self.rng.normal(width, len(self.ridge_X)).double(), upper=True
        ).T
        self.weight_XE = mean_XE + torch.linalg.solve_triangular(
            self.gram_chol_XX.T, noise_XE, upper=True
        )
        return (self.feature_RX @ self.weight_XE).float(), precision_EE.float()


def run_chain(
    ratings: CenteredRatings,
    num_users: int,
    feature_IX: Tensor,
    config: RatingModelConfig,
    num_draws: int,
    seed: int,
) -> PosteriorDraws:
    """Run one chain and store `num_draws` of its states."""
    rng, width = RngStreams(seed), config.embedding_dim + 1
    user_N, item_N = ratings.user_N, ratings.item_N
    rating_N, num_items = ratings.centered_rating_N, len(feature_IX)
    by_user = RatingBlocks(user_N, item_N, rating_N, num_users)
    by_item = RatingBlocks(item_N, user_N, rating_N, num_items)
    feature_UF, implicit_IF = implicit_factors(
        user_N, item_N, num_users, num_items, config.implicit_dim
    )
    rated_by_IF, _ = implicit_factors(item_N, user_N, num_items, num_users, config.implicit_dim)
    user_prior = Prior(feature_UF, width, rng)
    item_prior = Prior(torch.cat([feature_IX, rated_by_IF], 1), width, rng)
    user_UE = INITIAL_SCALE * rng.normal(num_users, width)
    item_IE = INITIAL_SCALE * rng.normal(num_items, width)
    precision_U, alpha = torch.ones(num_users), torch.tensor(INITIAL_ALPHA)
    states = []
    for sweep in range(config.burn_in + config.every * num_draws):
        mean_UE, user_EE = user_prior.draw(user_UE)
        draw_rows(by_user, user_UE, item_IE, mean_UE, user_EE, alpha * precision_U, None, rng)
        mean_IE, item_EE = item_prior.draw(item_IE)
        alpha_I = alpha.expand(num_items)
        draw_rows(by_item, item_IE, user_UE, mean_IE, item_EE, alpha_I, precision_U, rng)
        residual_N = rating_N - predict_ratings(user_UE, item_IE, user_N, item_N)
        square_N = residual_N * residual_N
        rate = 1 + (square_N * precision_U[user_N]).sum() / 2
        alpha = rng.gamma(torch.tensor(1 + len(rating_N) / 2), rate)
        square_U = torch.zeros(num_users).index_add_(0, user_N, square_N)
        precision_U = rng.gamma(
            (PRECISION_PRIOR + by_user.count_R) / 2, (PRECISION_PRIOR + alpha * square_U) / 2
        )
        sweeps_after_burn_in = sweep + 1 - config.burn_in
        if sweeps_after_burn_in > 0 and sweeps_after_burn_in % config.every == 0:
            weight_XE = user_prior.weight_XE.float()
            states.append((item_IE.clone(), weight_XE[0], weight_XE[1:], user_EE, alpha))
    item_SIE, mean_SE, weight_SFE, precision_SEE, alpha_S = (
        torch.stack(values) for values in zip(*states, strict=True)
    )
    return PosteriorDraws(
        implicit_IF=implicit_IF,
        item_SIE=item_SIE,
        prior_mean_SE=mean_SE,
        prior_weight_SFE=weight_SFE,
        prior_precision_SEE=precision_SEE,
        alpha_S=alpha_S,
    )


def draw_rows(
    blocks: RatingBlocks,
    row_RE: Tensor,
    other_OE: Tensor,
    mean_RE: Tensor,
    precision_EE: Tensor,
    weight_R: Tensor,
    weight_O: Tensor | None,
    rng: RngStreams,
) -> None:
    """Draw every row anew, in place, given the other side.

    A rating's precision is the weight of its row times that of its other side.
    """
    input_OE, bias_O = with_unit_bias(other_OE), other_OE[:, -1]
    for row_B, other_BL, rating_BL, mask_BL in blocks:
        weight_BL = weight_R[row_B][:, None] * mask_BL
        if weight_O is not None:
            weight_BL = weight_BL * weight_O[other_BL]
        input_BLE = input_OE[other_BL]
        weighted_BLE = input_BLE * weight_BL[..., None]
        precision_BEE = precision_EE + weighted_BLE.transpose(1, 2) @ input_BLE
        residual_BL1 = (rating_BL - bias_O[other_BL])[..., None]
        xty_BE1 = (mean_RE[row_B] @ precision_EE)[..., None] + weighted_BLE.transpose(
            1, 2
        ) @ residual_BL1
        precision_chol_BEE = torch.linalg.cholesky(precision_BEE)
        mean_BE1 = torch.cholesky_solve(xty_BE1, precision_chol_BEE)
        noise_BE1 = torch.linalg.solve_triangular(
            precision_chol_BEE.transpose(1, 2), rng.normal(*xty_BE1.shape), upper=True
        )
        row_RE[row_B] = (mean_BE1 + noise_BE1).squeeze(-1)
