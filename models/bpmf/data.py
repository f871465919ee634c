"""Ratings and draws of the rating model, as the sampler and the predictions read them.

Local letters: R rows of one side (users or items), O rows of the other side; F implicit features,
E = D + 1 (the bias is the last column).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from torch import Tensor

from marquee.core.errors import InputError

ENTRIES_PER_BLOCK = 1 << 16
"""Ratings gathered at once: with 20 dimensions 5 MB, which stays in cache."""
MIN_SINGULAR_VALUE = 1e-6
BUNDLE_ARRAYS = {
    "star_set": "implicit_IF",
    "star_item": "item_SIE",
    "star_mean": "prior_mean_SE",
    "star_lean": "prior_weight_SFE",
    "star_precision": "prior_precision_SEE",
    "star_alpha": "alpha_S",
}
"""Array names of a bundle, and the fields of PosteriorDraws."""


@dataclass(frozen=True, kw_only=True)
class RatingModelConfig:
    """The size of the rating model and of its chain (`stars` in a recipe)."""

    embedding_dim: int = 20
    """Dimensions of taste. Twice as many: four times the time of a sweep and of a request."""
    num_draws: int = 16
    """Draws in the bundle. Half of 32 lose .0004 of RMSE on ml-1m and answer in two thirds of the
    time; 8 lose .005 on ml-100k, 64 gain .001."""
    every: int = 6
    """Sweeps from one stored draw to the next: neighbors are nearly the same."""
    burn_in: int = 30
    """Sweeps before the first stored draw."""
    implicit_dim: int = 100
    """Numbers for the set of items a user rated, and for the set of users who rated an item,
    whatever the ratings."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            minimum = 0 if name == "implicit_dim" else 1
            if value < minimum:
                raise InputError(f"stars.{name} {value}: expected {minimum} or more")


@dataclass(frozen=True, eq=False, kw_only=True)
class CenteredRatings:
    """Ratings less their mean."""

    user_N: Tensor
    item_N: Tensor
    centered_rating_N: Tensor
    """float32"""

    def select(self, mask_N: Tensor) -> "CenteredRatings":
        return CenteredRatings(
            user_N=self.user_N[mask_N],
            item_N=self.item_N[mask_N],
            centered_rating_N=self.centered_rating_N[mask_N],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PosteriorDraws:
    """The stored states of a chain, and the factors of the implicit features."""

    implicit_IF: Tensor
    """The part that each item adds to a user's implicit features, over the root of their number."""
    item_SIE: Tensor
    """Vectors and biases of the items."""
    prior_mean_SE: Tensor
    """The prior of users: its mean,"""
    prior_weight_SFE: Tensor
    """the weights of the implicit features in that mean,"""
    prior_precision_SEE: Tensor
    """and its precision."""
    alpha_S: Tensor
    """Precision of a rating by an average user."""

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float32]]) -> "PosteriorDraws":
        """Read the draws from arrays under their names in a bundle."""
        return cls(
            **{field: torch.from_numpy(arrays[name]) for name, field in BUNDLE_ARRAYS.items()}
        )

    def to_arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return arrays under their names in a bundle."""
        return {name: getattr(self, field).numpy() for name, field in BUNDLE_ARRAYS.items()}

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield item (I, E), mean (E,), weight (F, E), precision (E, E), alpha () of each draw."""
        return zip(
            self.item_SIE,
            self.prior_mean_SE,
            self.prior_weight_SFE,
            self.prior_precision_SEE,
            self.alpha_S,
            strict=True,
        )


class RatingBlocks:
    """The ratings of each row of one side, in padded blocks of like length."""

    def __init__(
        self, row_N: Tensor, other_N: Tensor, centered_rating_N: Tensor, num_rows: int
    ) -> None:
        self.count_R = torch.bincount(row_N, minlength=num_rows)
        order_N = torch.argsort(row_N, stable=True)
        # One more entry than there are ratings, for places past the end.
        self.other = torch.cat([other_N[order_N], other_N.new_zeros(1)])
        self.centered_rating = torch.cat(
            [centered_rating_N[order_N], centered_rating_N.new_zeros(1)]
        )
        self.start_R = self.count_R.cumsum(0) - self.count_R
        self.order_R = torch.argsort(self.count_R, stable=True)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield rows (B,), their others (B, L), centered ratings (B, L), and a 0/1 mask (B, L)."""
        sorted_count, begin = self.count_R[self.order_R], 0
        while begin < len(self.order_R):
            end = begin + 1
            while (
                end < len(self.order_R)
                and (end + 1 - begin) * int(sorted_count[end]) <= ENTRIES_PER_BLOCK
            ):
                end += 1
            row_B = self.order_R[begin:end]
            place_L = torch.arange(max(1, int(self.count_R[row_B].max())))
            mask_BL = place_L < self.count_R[row_B][:, None]
            position_BL = (self.start_R[row_B][:, None] + place_L).clamp(max=len(self.other) - 1)
            yield (
                row_B,
                self.other[position_BL],
                self.centered_rating[position_BL] * mask_BL,
                mask_BL.to(self.centered_rating.dtype),
            )
            begin = end


def implicit_factors(
    row_N: Tensor, other_N: Tensor, num_rows: int, num_others: int, num_factors: int
) -> tuple[Tensor, Tensor]:
    """Factor the set of others of each row.

    Returns features (R, F), and the part of each other (O, F). A row's features are the sum of its
    others' parts over the root of their count, so a new row gets features, too. F is `num_factors`,
    or less if the ratings span less. Leading singular vectors of the 0/1 table; after Koren 2008
    (SVD++).
    """
    count_R = torch.bincount(row_N, minlength=num_rows).clamp(min=1).double()
    value_N = count_R.rsqrt()[row_N]
    table_RO = csr_matrix((value_N, (row_N, other_N)), shape=(num_rows, num_others))
    start = np.random.default_rng(0).random(min(table_RO.shape))
    if num_factors < min(table_RO.shape):
        _, size_F, factor_FO = svds(table_RO, k=max(num_factors, 1), v0=start)
    else:
        _, size_F, factor_FO = np.linalg.svd(table_RO.toarray(), full_matrices=False)
    order = np.argsort(-size_F)[:num_factors]
    order = order[size_F[order] > MIN_SINGULAR_VALUE]
    other_OF = torch.from_numpy(factor_FO[order].T.copy()).float()
    return torch.from_numpy(table_RO @ other_OF.numpy()).float(), other_OF


def implicit_features(
    implicit_IF: Tensor, user_N: Tensor, item_N: Tensor, num_users: int
) -> Tensor:
    """Return (U, F) features of users whose items are known, not their ratings."""
    feature_UF = torch.zeros(num_users, implicit_IF.shape[1])
    feature_UF.index_add_(0, user_N, implicit_IF[item_N])
    return feature_UF / torch.bincount(user_N, minlength=num_users).clamp(min=1).sqrt()[:, None]


def with_unit_bias(row_RE: Tensor) -> Tensor:
    """Return vectors with the bias component set to 1.

    The other side multiplies its vectors with these, so that its own bias is added.
    """
    return torch.cat([row_RE[..., :-1], torch.ones_like(row_RE[..., -1:])], -1)


def predict_ratings(user_UE: Tensor, item_IE: Tensor, user_N: Tensor, item_N: Tensor) -> Tensor:
    """Return (N,) centered ratings of pairs."""
    user_NE, item_NE = user_UE[user_N], item_IE[item_N]
    return (with_unit_bias(item_NE) * user_NE).sum(-1) + item_NE[:, -1]
