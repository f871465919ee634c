"""Expected stars, and how sure: damped movie and person biases read as an ordered distribution.

    b_user         = sum(stars - mean - star_bias[i]) / (n + user_damping)   over n starred entries
    middle         = mean + star_bias[i] + b_user
    P(stars <= s)  = Phi((edge above s - middle) / sqrt(sigma^2 + star_bias_var[i]))

The edge above a star value is half way to the next; nothing lies above the top one. A film with
few ratings has a larger star_bias_var, so a wider interval. It does not learn tastes: two people
with the same mean deviation get the same stars.

Damped biases: Koren 2010, "Factor in the neighbors", section 2.1.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.history import History

Float64 = npt.NDArray[np.float64]

LIKED = 4.0
TAIL = 0.05
"""Left out on each side of the interval: 90% lies between."""


@dataclass(frozen=True, eq=False)
class StarModel:
    """I movies, S star values."""

    scale: Float64  # (S,)
    mean: float
    user_damping: float
    sigma: float
    bias: npt.NDArray[np.float32]  # (I,)
    bias_var: npt.NDArray[np.float32]  # (I,)

    @classmethod
    def of(cls, bundle: Bundle) -> "StarModel":
        return cls(
            np.asarray(bundle.manifest["scale"], dtype=np.float64),
            **{name: float(value) for name, value in bundle.manifest["stars"].items()},
            bias=bundle.arrays["star_bias"],
            bias_var=bundle.arrays["star_bias_var"],
        )

    def chances(self, history: History, rows: npt.NDArray[np.int64]) -> Float64:
        """P(stars = s) of n movies for one person -> (n, S), each row sums to 1."""
        middle_n = self.mean + self.bias[rows] + self.person(history)
        spread_n = np.sqrt(self.sigma**2 + self.bias_var[rows])
        edge = (self.scale[:-1] + self.scale[1:]) / 2
        below = _phi((edge[None, :] - middle_n[:, None]) / spread_n[:, None])
        n = len(rows)
        return np.diff(np.hstack([np.zeros((n, 1)), below, np.ones((n, 1))]), axis=1)

    def person(self, history: History) -> float:
        """How far above the movies' means this person rates, damped toward 0."""
        rated = history.star > 0
        stars = self.scale[history.star[rated] - 1]
        over = stars - self.mean - self.bias[history.item[rated]]
        return float(over.sum() / max(len(stars) + self.user_damping, 1e-9))

    def expected(self, history: History, rows: npt.NDArray[np.int64]) -> Float64:
        """Expected stars, (n,)."""
        return self.chances(history, rows) @ self.scale

    def describe(self, history: History, rows: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
        """{expected, low, high, p_like} of n movies; low..high is the central 90%.

        low and high are star values, widened where the expected stars lie outside them.
        """
        chance_nS = self.chances(history, rows)
        below_nS = chance_nS.cumsum(axis=1)
        expected_n = chance_nS @ self.scale
        low_n = np.minimum(self.scale[_first(below_nS >= TAIL)], expected_n)
        high_n = np.maximum(self.scale[_first(below_nS >= 1 - TAIL)], expected_n)
        like_n = np.minimum(chance_nS[:, self.scale >= LIKED].sum(axis=1), 1.0)
        names = ("expected", "low", "high", "p_like")
        columns = (column.tolist() for column in (expected_n, low_n, high_n, like_n))
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _first(true_nS: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    true_nS[:, -1] = True  # the last sum is 1 but for rounding
    return np.asarray(true_nS.argmax(axis=1))


def _phi(z: Float64) -> Float64:
    """Normal distribution function, error below 2e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    tail = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) * series
    return np.asarray(np.where(z >= 0, 1 - tail, tail), dtype=np.float64)
