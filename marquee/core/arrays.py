"""The array types, column names and table sizes that the repository shares.

The shape suffixes of array names: U users, I items, B batch, L history, C candidates, K list,
N interactions, M negatives, D embedding, H hidden, G genres, S draws.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Int8: TypeAlias = npt.NDArray[np.int8]
Int32: TypeAlias = npt.NDArray[np.int32]
Int64: TypeAlias = npt.NDArray[np.int64]
AnyInt: TypeAlias = npt.NDArray[np.integer]
Float32: TypeAlias = npt.NDArray[np.float32]
Float64: TypeAlias = npt.NDArray[np.float64]
AnyFloat: TypeAlias = npt.NDArray[np.floating]


def shortest_decimal(value: np.float32 | float) -> float:
    """Return 4.1 for the float32 next to it, not 4.099999904632568."""
    return float(str(np.float32(value)))


class Columns:
    """Columns of ratings tables; ids are those of the files, never row numbers."""

    USER_ID = "user_id"
    MOVIE_ID = "movie_id"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of the network's tables, which follow from the data."""

    num_users: int
    num_items: int
    num_genres: int
    num_periods: int
    num_rating_bins: int  # values of the rating scale
    text_dim: int = 0
    num_item_values: int = 0  # rows of the table for all categories of the data set's features
    values_per_item: int = 0
    dense_dim: int = 0  # of the numbers, vectors and texts of the data set's features
    user_feature_dim: int = 0
