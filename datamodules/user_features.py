"""The features of users as sparse rows: a share for each value of a category, and numbers.

A bundle holds no user, so most requests come without features: the encoder learns to do without
(models/history_encoder.py).
"""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack
from torch import Tensor

from datamodules.feature_fitting import fit_feature
from marquee.core.arrays import Int64
from marquee.core.feature_encodings import NONE_ROW, CategoryEncoding, Encoding, value_weights
from marquee.data.features import Feature


class UserFeatures:
    """The features of U users as a sparse matrix; X is `FeatureSpace.user_dim`."""

    def __init__(self, features: Sequence[Feature], num_users: int) -> None:
        self.encodings = tuple(fit_feature(feature, num_users) for feature in features)
        parts = [
            _sparse(encoding, feature.values)
            for encoding, feature in zip(self.encodings, features, strict=True)
        ]
        self.matrix_UX = csr_matrix(hstack(parts)) if parts else csr_matrix((num_users, 0))

    def __len__(self) -> int:
        return len(self.encodings)

    def rows(self, user_B: Int64) -> Tensor:
        """Return float32 (B, X), as `FeatureSpace.encode_user` gives it for a request."""
        return torch.from_numpy(self.matrix_UX[user_B].toarray().astype(np.float32))


def _sparse(encoding: Encoding, values: np.ndarray) -> csr_matrix:
    if not isinstance(encoding, CategoryEncoding):
        return csr_matrix(encoding.encode(values))
    row_UW = encoding.encode(values)
    user_N, place_N = np.nonzero(row_UW != NONE_ROW)
    share_N = value_weights(row_UW)[user_N, place_N]
    shape = (len(row_UW), encoding.num_rows)
    return csr_matrix((share_N, (user_N, row_UW[user_N, place_N])), shape=shape)
