"""Gibbs sampling of the rating model (models/bpmf/model.py).

Users and items take turns: given one side, every row of the other is a Gaussian of its own, and the
priors of both are regressions on the features of a row. A sweep over ml-1m takes 0.5 s on one core.

Sources: Salakhutdinov and Mnih 2008, "Bayesian probabilistic matrix factorization using Markov
chain Monte Carlo"; features as in Simm et al. 2017, "Macau"; the set of rated items as in Koren
2008, "Factorization meets the neighborhood" (SVD++), here as leading singular vectors.

Local letters: as in models/bpmf/data.py; X features of a row.
"""

import numpy as np
import torch
from torch import Tensor

from models.bpmf.data import (
    CenteredRatings,
    PosteriorDraws,
    RatingBlocks,
    implicit_factors,
    predict_ratings,
    with_unit_bias,
)
from models.config import RatingModelConfig

PRECISION_PRIOR = 10.0  # ratings by which a user's own precision counts half: degrees of freedom
FEATURE_RIDGE = 3.0  # prior precision of a feature's weights, in rows that have it
INITIAL_SCALE = 0.1
INITIAL_ALPHA = 1.5


class RngStreams:
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


def solve_upper(triangle: Tensor, right: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(triangle, right, upper=True)


class Prior:
    """A regression of rows on their features.

    Rows ~ N(W' [1, features], precision^-1), with W and the precision unknown.
    """

    def __init__(self, feature_RX: Tensor, width: int, rng: RngStreams) -> None:
        one_R1 = torch.ones(len(feature_RX), 1, dtype=torch.float64)
        self.feature_RX = torch.cat([one_R1, feature_RX.double()], 1)
        ridge_XX = FEATURE_RIDGE * torch.eye(self.feature_RX.shape[1], dtype=torch.float64)
        self.gram_chol_XX = torch.linalg.cholesky(self.feature_RX.T @ self.feature_RX + ridge_XX)
        self.weight_XE = torch.zeros(len(ridge_XX), width, dtype=torch.float64)
        self.rng = rng

    def draw(self, row_RE: Tensor) -> tuple[Tensor, Tensor]:
        """Draw weights and precision given the rows; return row means and precision."""
        row_RE = row_RE.double()
        residual_RE = row_RE - self.feature_RX @ self.weight_XE
        num_features, width = self.weight_XE.shape
        scatter_EE = torch.eye(width, dtype=torch.float64) + residual_RE.T @ residual_RE
        scatter_EE += (self.weight_XE * FEATURE_RIDGE).T @ self.weight_XE
        precision_EE = self.rng.wishart(width + len(row_RE) + num_features, scatter_EE)
        mean_XE = torch.cholesky_solve(self.feature_RX.T @ row_RE, self.gram_chol_XX)
        noise_EX = self.rng.normal(width, num_features).double()
        noise_XE = solve_upper(torch.linalg.cholesky(precision_EE).T, noise_EX).T
        self.weight_XE = mean_XE + solve_upper(self.gram_chol_XX.T, noise_XE)
        return (self.feature_RX @ self.weight_XE).float(), precision_EE.float()


class Side:
    def __init__(
        self, blocks: RatingBlocks, feature_RX: Tensor, width: int, rng: RngStreams
    ) -> None:
        self.blocks, self.prior, self.rng = blocks, Prior(feature_RX, width, rng), rng
        self.row_RE = INITIAL_SCALE * rng.normal(len(feature_RX), width)

    def draw(self, other_OE: Tensor, weight_R: Tensor, weight_O: Tensor) -> None:
        """Draw the prior, then every row in place, given the other side.

        A rating's precision is the weight of its row times that of its other side.
        """
        mean_RE, self.precision_EE = self.prior.draw(self.row_RE)
        input_OE, bias_O = with_unit_bias(other_OE), other_OE[:, -1]
        for row_B, other_BL, rating_BL, mask_BL in self.blocks:
            weight_BL = weight_R[row_B][:, None] * mask_BL * weight_O[other_BL]
            input_BLE = input_OE[other_BL]
            weighted_BEL = (input_BLE * weight_BL[..., None]).transpose(1, 2)
            precision_BEE = self.precision_EE + weighted_BEL @ input_BLE
            residual_BL1 = (rating_BL - bias_O[other_BL])[..., None]
            prior_BE1 = (mean_RE[row_B] @ self.precision_EE)[..., None]
            precision_chol_BEE = torch.linalg.cholesky(precision_BEE)
            xty_BE1 = prior_BE1 + weighted_BEL @ residual_BL1
            mean_BE1 = torch.cholesky_solve(xty_BE1, precision_chol_BEE)
            noise_BE1 = self.rng.normal(*xty_BE1.shape)
            noise_BE1 = solve_upper(precision_chol_BEE.transpose(1, 2), noise_BE1)
            self.row_RE[row_B] = (mean_BE1 + noise_BE1).squeeze(-1)


class Chain:
    def __init__(
        self,
        ratings: CenteredRatings,
        num_users: int,
        feature_IX: Tensor,
        config: RatingModelConfig,
        seed: int,
    ) -> None:
        self.ratings, self.config, self.rng = ratings, config, RngStreams(seed)
        num_items, width = len(feature_IX), config.embedding_dim + 1
        user_N, item_N, rating_N = ratings.user_N, ratings.item_N, ratings.centered_rating_N
        feature_UF, self.implicit_IF = implicit_factors(
            user_N, item_N, num_users, num_items, config.implicit_dim
        )
        rated_by_IF, _ = implicit_factors(item_N, user_N, num_items, num_users, config.implicit_dim)
        feature_IX = torch.cat([feature_IX, rated_by_IF], 1)
        by_user = RatingBlocks(user_N, item_N, rating_N, num_users)
        by_item = RatingBlocks(item_N, user_N, rating_N, num_items)
        self.users = Side(by_user, feature_UF, width, self.rng)
        self.items = Side(by_item, feature_IX, width, self.rng)
        self.precision_U, self.alpha = torch.ones(num_users), torch.tensor(INITIAL_ALPHA)

    def sweep(self) -> None:
        """Draw the users, the items and the precisions anew, each given the others."""
        one_I = torch.ones(len(self.items.row_RE))
        self.users.draw(self.items.row_RE, self.alpha * self.precision_U, one_I)
        self.items.draw(self.users.row_RE, self.alpha * one_I, self.precision_U)
        self._draw_rating_precisions()

    def _draw_rating_precisions(self) -> None:
        user_N, item_N = self.ratings.user_N, self.ratings.item_N
        rating_N = self.ratings.centered_rating_N
        predicted_N = predict_ratings(self.users.row_RE, self.items.row_RE, user_N, item_N)
        square_N = (rating_N - predicted_N) * (rating_N - predicted_N)
        rate = 1 + (square_N * self.precision_U[user_N]).sum() / 2
        self.alpha = self.rng.gamma(torch.tensor(1 + len(rating_N) / 2), rate)
        square_U = torch.zeros(len(self.precision_U)).index_add_(0, user_N, square_N)
        self.precision_U = self.rng.gamma(
            (PRECISION_PRIOR + self.users.blocks.count_R) / 2,
            (PRECISION_PRIOR + self.alpha * square_U) / 2,
        )

    def run(self, num_draws: int) -> PosteriorDraws:
        """Sweep, and store `num_draws` of the states after the burn-in."""
        for _ in range(self.config.burn_in):
            self.sweep()
        states = []
        for _ in range(num_draws):
            for _ in range(self.config.every):
                self.sweep()
            states.append(self._state())
        fields = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        return PosteriorDraws(implicit_IF=self.implicit_IF, **fields)

    def _state(self) -> dict[str, Tensor]:
        """Return the state by field of PosteriorDraws; later sweeps leave it as it is."""
        weight_XE = self.users.prior.weight_XE.float()
        return {
            "item_SIE": self.items.row_RE.clone(),
            "prior_mean_SE": weight_XE[0],
            "prior_weight_SFE": weight_XE[1:],
            "prior_precision_SEE": self.users.precision_EE,
            "alpha_S": self.alpha,
            "item_weight_SXE": self.items.prior.weight_XE.float(),
            "item_precision_SEE": self.items.precision_EE,
        }
