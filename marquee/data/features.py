"""The features that a data set brings for its items or users, one row each."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

FeatureType: TypeAlias = Literal["category", "categories", "number", "text", "vector"]


@dataclass(frozen=True, eq=False)
class Feature:
    """A feature of R rows, items or users.

    values by type: `category` and `text` object (R,) of str or None; `categories` object (R,) of
    tuples of str, empty where none are known; `number` float32 (R,), NaN where unknown; `vector`
    float32 (R, V), a row of NaN where unknown.
    """

    name: str
    type: FeatureType
    values: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: npt.NDArray[np.int64]) -> "Feature":
        return Feature(self.name, self.type, self.values[rows])
