"""Array types of the whole repository.

The shape suffixes of array names: U users, I items, B batch, L history, C candidates, K list,
N interactions, M negatives, D embedding, H hidden, G genres, S draws.
"""

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
