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

from typing import NamedTuple

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


class Draw(NamedTuple):
    """One stored state of a chain; `PosteriorDraws` describes its fields."""

    item_IE: Tensor
    prior_mean_E: Tensor
    prior_weight_FE: Tensor
    prior_precision_EE: Tensor
    alpha: Tensor


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
    """A regression of rows on their features.

    Rows ~ N(W' [1, features], precision^-1), with W and the precision unknown.
    """

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


class Chain:
    """One Markov chain: its data, its priors and its current state."""

    def __init__(
        self,
        ratings: CenteredRatings,
        num_users: int,
        feature_IX: Tensor,
        config: RatingModelConfig,
        seed: int,
    ) -> None:
        self.ratings, self.rng = ratings, RngStreams(seed)
        num_items, width = len(feature_IX), config.embedding_dim + 1
        user_N, item_N, rating_N = ratings.user_N, ratings.item_N, ratings.centered_rating_N
        self.by_user = RatingBlocks(user_N, item_N, rating_N, num_users)
        self.by_item = RatingBlocks(item_N, user_N, rating_N, num_items)
        feature_UF, self.implicit_IF = implicit_factors(
            user_N, item_N, num_users, num_items, config.implicit_dim
        )
        rated_by_IF, _ = implicit_factors(item_N, user_N, num_items, num_users, config.implicit_dim)
        self.user_prior = Prior(feature_UF, width, self.rng)
        self.item_prior = Prior(torch.cat([feature_IX, rated_by_IF], 1), width, self.rng)
        self.user_UE = INITIAL_SCALE * self.rng.normal(num_users, width)
        self.item_IE = INITIAL_SCALE * self.rng.normal(num_items, width)
        self.precision_U, self.alpha = torch.ones(num_users), torch.tensor(INITIAL_ALPHA)

    def sweep(self) -> None:
        """Draw the users, the items and the precisions anew, each given the others."""
        mean_UE, self.user_precision_EE = self.user_prior.draw(self.user_UE)
        draw_rows(
            blocks=self.by_user,
            row_RE=self.user_UE,
            other_OE=self.item_IE,
            mean_RE=mean_UE,
            precision_EE=self.user_precision_EE,
            weight_R=self.alpha * self.precision_U,
            weight_O=None,
            rng=self.rng,
        )
        mean_IE, item_precision_EE = self.item_prior.draw(self.item_IE)
        draw_rows(
            blocks=self.by_item,
            row_RE=self.item_IE,
            other_OE=self.user_UE,
            mean_RE=mean_IE,
            precision_EE=item_precision_EE,
            weight_R=self.alpha.expand(len(self.item_IE)),
            weight_O=self.precision_U,
            rng=self.rng,
        )
        self._draw_rating_precisions()

    def _draw_rating_precisions(self) -> None:
        user_N, item_N = self.ratings.user_N, self.ratings.item_N
        rating_N = self.ratings.centered_rating_N
        residual_N = rating_N - predict_ratings(self.user_UE, self.item_IE, user_N, item_N)
        square_N = residual_N * residual_N
        rate = 1 + (square_N * self.precision_U[user_N]).sum() / 2
        self.alpha = self.rng.gamma(torch.tensor(1 + len(rating_N) / 2), rate)
        square_U = torch.zeros(len(self.user_UE)).index_add_(0, user_N, square_N)
        self.precision_U = self.rng.gamma(
            (PRECISION_PRIOR + self.by_user.count_R) / 2,
            (PRECISION_PRIOR + self.alpha * square_U) / 2,
        )

    def state(self) -> Draw:
        """Return the current state, which later sweeps leave as it is."""
        weight_XE = self.user_prior.weight_XE.float()
        return Draw(
            item_IE=self.item_IE.clone(),
            prior_mean_E=weight_XE[0],
            prior_weight_FE=weight_XE[1:],
            prior_precision_EE=self.user_precision_EE,
            alpha=self.alpha,
        )


def run_chain(
    ratings: CenteredRatings,
    num_users: int,
    feature_IX: Tensor,
    config: RatingModelConfig,
    num_draws: int,
    seed: int,
) -> PosteriorDraws:
    """Run one chain and store `num_draws` of its states."""
    chain = Chain(ratings, num_users, feature_IX, config, seed)
    draws = []
    for sweep in range(config.burn_in + config.every * num_draws):
        chain.sweep()
        sweeps_after_burn_in = sweep + 1 - config.burn_in
        if sweeps_after_burn_in > 0 and sweeps_after_burn_in % config.every == 0:
            draws.append(chain.state())
    return PosteriorDraws(
        implicit_IF=chain.implicit_IF,
        item_SIE=torch.stack([draw.item_IE for draw in draws]),
        prior_mean_SE=torch.stack([draw.prior_mean_E for draw in draws]),
        prior_weight_SFE=torch.stack([draw.prior_weight_FE for draw in draws]),
        prior_precision_SEE=torch.stack([draw.prior_precision_EE for draw in draws]),
        alpha_S=torch.stack([draw.alpha for draw in draws]),
    )


def draw_rows(
    *,
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
