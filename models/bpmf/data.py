"""Ratings and draws of the rating model, as the sampler and the predictions read them.

Local letters: R rows of one side (users or items), O rows of the other side; F implicit features,
E = D + 1 (the bias is the last column).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from torch import Tensor

ENTRIES_PER_BLOCK = 1 << 16  # with 20 dimensions 5 MB, which stays in cache
MIN_SINGULAR_VALUE = 1e-6
BUNDLE_ARRAYS = {  # array names of a bundle, and the fields of PosteriorDraws
    "star_set": "implicit_IF",
    "star_item": "item_SIE",
    "star_mean": "prior_mean_SE",
    "star_lean": "prior_weight_SFE",
    "star_precision": "prior_precision_SEE",
    "star_alpha": "alpha_S",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class CenteredRatings:
    user_N: Tensor
    item_N: Tensor
    centered_rating_N: Tensor  # float32

    def select(self, mask_N: Tensor) -> "CenteredRatings":
        return CenteredRatings(**{name: column_N[mask_N] for name, column_N in vars(self).items()})


@dataclass(frozen=True, eq=False, kw_only=True)
class PosteriorDraws:
    """The stored states of a chain, and the factors of the implicit features."""

    implicit_IF: Tensor  # what an item adds to a user's features, over the root of their number
    item_SIE: Tensor  # vectors and biases of the items
    prior_mean_SE: Tensor  # the prior of users: its mean,
    prior_weight_SFE: Tensor  # the weights of the implicit features in that mean,
    prior_precision_SEE: Tensor  # and its precision
    alpha_S: Tensor  # precision of a rating by an average user
    item_weight_SXE: Tensor | None = None  # the prior of items: weights of 1 and the features,
    item_precision_SEE: Tensor | None = None  # and its precision; a bundle needs neither

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.float32]]) -> "PosteriorDraws":
        fields = {field: torch.from_numpy(arrays[name]) for name, field in BUNDLE_ARRAYS.items()}
        return cls(**fields)

    def to_arrays(self) -> dict[str, npt.NDArray[np.float32]]:
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
        self.other, self.centered_rating = (
            F.pad(column_N[order_N], (0, 1)) for column_N in (other_N, centered_rating_N)
        )
        self.start_R = self.count_R.cumsum(0) - self.count_R
        self.order_R = torch.argsort(self.count_R, stable=True)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Yield rows (B,), their others (B, L), centered ratings (B, L), and a 0/1 mask (B, L)."""
        counts, begin = self.count_R[self.order_R].tolist(), 0
        for end in range(1, len(counts) + 1):
            is_last = end == len(counts)
            if is_last or (end + 1 - begin) * counts[end] > ENTRIES_PER_BLOCK:
                yield self._block(self.order_R[begin:end])
                begin = end

    def _block(self, row_B: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        place_L = torch.arange(max(1, int(self.count_R[row_B].max())))
        mask_BL = place_L < self.count_R[row_B][:, None]
        position_BL = (self.start_R[row_B][:, None] + place_L).clamp(max=len(self.other) - 1)
        rating_BL = self.centered_rating[position_BL] * mask_BL
        return row_B, self.other[position_BL], rating_BL, mask_BL.to(rating_BL.dtype)


def implicit_factors(
    row_N: Tensor, other_N: Tensor, num_rows: int, num_others: int, num_factors: int
) -> tuple[Tensor, Tensor]:
    """Return features of each row, (R, F), and each other's part in them, (O, F).

    A row's features are the sum of its others' parts over the root of their count, so a new row
    gets features, too: leading singular vectors of the 0/1 table, after Koren 2008 (SVD++). F is
    `num_factors`, or less if the ratings span less.
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
    """Set the bias to 1, so that the other side's vectors add their own."""
    return torch.cat([row_RE[..., :-1], torch.ones_like(row_RE[..., -1:])], -1)


def predict_ratings(user_UE: Tensor, item_IE: Tensor, user_N: Tensor, item_N: Tensor) -> Tensor:
    """Return (N,) centered ratings of pairs."""
    user_NE, item_NE = user_UE[user_N], item_IE[item_N]
    return (with_unit_bias(item_NE) * user_NE).sum(-1) + item_NE[:, -1]
