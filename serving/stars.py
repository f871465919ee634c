"""Expected stars, and how sure: S draws of the movies, and what a history says of its person.

    star(i)          = mean + b_i + b_u + x_u . y_i, a normal distribution for each draw
    P(stars <= s)    = mean over draws of Phi((cut_s - star(i)) / spread)
    spread^2         = (y_i, 1)' cov (y_i, 1) + noise_factor / (alpha steady_u)

Given a draw of the movies, the person (x_u, b_u) is Gaussian: a regression of their stars on the
movies they rated, from a prior that knows which movies they rated or watched. Nobody's history: the
prior of everybody, a wide one. Few ratings of a movie: its draws lie
far apart, so the interval is wide. `steady_u` is how closely this person's stars follow, estimated
from the same history. Where the draws come from, and the papers: models/stars.py.

One person with 50 starred films, 16 draws, 20 dimensions: 0.6 ms on one core.

Shapes: S draws, I movies, E = embedding + 1 (the bias is the last column), n movies asked for, L
starred entries, C implicit features, K star values.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.bundle import Bundle
from serving.history import History

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LIKED = 4.0
LEFT_STARS = 2.0
"""What leaving a film in its first tenth is worth as stars (docs/decisions.md)."""
TAIL = 0.05
"""Left out on each side of the interval: 90% lies between."""
ENTRIES_AT_ONCE = 512
"""Starred entries gathered together: 0.7 MB with 16 draws of 21 numbers."""


@dataclass(frozen=True, eq=False)
class Person:
    """What each draw makes of one history."""

    mean_SE: npt.NDArray[np.floating]
    cov_SEE: npt.NDArray[np.floating]
    noise_S: npt.NDArray[np.floating]
    """Variance of a rating of theirs."""


@dataclass(frozen=True, eq=False)
class StarModel:
    """The star model of a bundle."""

    scale_K: Float64
    cut_K: Float64  # (K - 1,) between neighbouring stars
    mean: float
    noise_factor: float
    steady: float
    rounds: int
    set_IC: Float32
    item_ISE: Float32
    mean_SE: Float32
    lean_SCE: Float32
    precision_SEE: Float32
    alpha_S: Float32

    @classmethod
    def of(cls, bundle: Bundle) -> "StarModel":
        stars, arrays = bundle.manifest["stars"], bundle.arrays
        return cls(
            np.asarray(bundle.manifest["scale"], dtype=np.float64),
            np.asarray(stars["cuts"], dtype=np.float64),
            float(stars["mean"]),
            float(stars["noise_factor"]),
            float(stars["steady"]),
            int(stars["rounds"]),
            arrays["star_set"],
            arrays["star_item"],
            arrays["star_mean"],
            arrays["star_lean"],
            arrays["star_precision"],
            arrays["star_alpha"],
        )

    def person(self, history: History) -> Person:
        """A history to its person; an entry without stars says only that it was chosen, one that
        was left at once that it was a poor choice."""
        rated, left = history.star > 0, np.full(len(history.left), LEFT_STARS)
        rows = np.concatenate([history.item[rated], history.left])
        over_L = np.concatenate([self.scale_K[history.star[rated] - 1], left]) - self.mean
        square_SEE, pull_SE1, rest_S = self._evidence(rows, over_L.astype(np.float32))
        prior_SE1 = self.precision_SEE @ self._prior_mean(history)[..., None]
        steady_S = np.ones_like(self.alpha_S)
        for _ in range(self.rounds if len(rows) else 1):
            weight_S11 = (self.alpha_S * steady_S)[:, None, None]
            cov_SEE = np.linalg.inv(self.precision_SEE + weight_S11 * square_SEE)
            mean_SE1 = cov_SEE @ (prior_SE1 + weight_S11 * pull_SE1)
            # Squared misses of the ratings, and what the person's own uncertainty adds to them.
            quadratic_S = (mean_SE1 * (square_SEE @ mean_SE1 - 2 * pull_SE1)).sum((1, 2))
            miss_S = rest_S + quadratic_S + (cov_SEE * square_SEE).sum((1, 2))
            steady_S = (self.steady + len(rows)) / (self.steady + self.alpha_S * miss_S)
        return Person(mean_SE1[..., 0], cov_SEE, 1 / (self.alpha_S * steady_S))

    def of_strangers(self) -> Float32:
        """Stars that each draw expects of a person of whom nothing is known, (S, I)."""
        taste_IS = (self.item_ISE[..., :-1] * self.mean_SE[:, :-1]).sum(-1)
        stars_IS = self.mean + self.mean_SE[:, -1] + self.item_ISE[..., -1] + taste_IS
        return np.asarray(stars_IS.T, np.float32)

    def _prior_mean(self, history: History) -> Float32:
        """(S, E) of a person of whom the rated movies are known, not their stars: what was watched
        without a rating says nothing here, as the leaning was learned from ratings alone."""
        chosen = history.item[history.star > 0]
        set_C = self.set_IC[chosen].sum(axis=0) / np.float32(max(1, len(chosen)) ** 0.5)
        return self.mean_SE + set_C @ self.lean_SCE

    def _evidence(self, rows: Int64, over_L: Float32) -> tuple[Float32, Float32, Float32]:
        """Sums over the entries: their squares (S, E, E), their pull (S, E, 1), their stars'
        squares (S,), all over the movies' own means."""
        S, E = self.mean_SE.shape
        square, pull = np.zeros((S, E, E), np.float32), np.zeros((S, E, 1), np.float32)
        rest = np.zeros(S, np.float32)
        for start in range(0, len(rows), ENTRIES_AT_ONCE):
            part = slice(start, start + ENTRIES_AT_ONCE)
            seen_SLE, bias_SL = self._seen(rows[part])
            rest_SL1 = (over_L[part] - bias_SL)[..., None]
            across_SEL = seen_SLE.transpose(0, 2, 1)
            square += across_SEL @ seen_SLE
            pull += across_SEL @ rest_SL1
            rest += (rest_SL1 * rest_SL1).sum((1, 2))
        return square, pull, rest

    def _seen(self, rows: Int64) -> tuple[Float32, Float32]:
        """Movies as a person meets them, taste and a 1, (S, n, E), and their biases, (S, n)."""
        seen_SnE = self.item_ISE[rows].transpose(1, 0, 2).copy()  # in order, so BLAS takes it
        bias_Sn = seen_SnE[..., -1].copy()
        seen_SnE[..., -1] = 1
        return seen_SnE, bias_Sn

    def _outlook(self, person: Person, rows: Int64) -> tuple[Float64, Float64]:
        """Middle and variance of a rating for each draw, (S, n)."""
        seen_SnE, bias_Sn = self._seen(rows)
        middle_Sn = self.mean + bias_Sn + (seen_SnE @ person.mean_SE[..., None])[..., 0]
        unsure_Sn = ((seen_SnE @ person.cov_SEE) * seen_SnE).sum(-1)
        noise_S1 = self.noise_factor * person.noise_S[:, None]
        return middle_Sn.astype(np.float64), (unsure_Sn + noise_S1).astype(np.float64)

    def chances(self, history: History, rows: Int64) -> Float64:
        """P(stars = s) of n movies for one person -> (n, K), each row sums to 1."""
        return self._chances(*self._outlook(self.person(history), rows))

    def _chances(self, middle_Sn: Float64, variance_Sn: Float64) -> Float64:
        spread_Sn1 = np.sqrt(variance_Sn)[..., None]
        below_nK = _phi((self.cut_K - middle_Sn[..., None]) / spread_Sn1).mean(axis=0)
        edge_n1 = np.zeros((below_nK.shape[0], 1))
        return np.diff(np.hstack([edge_n1, below_nK, edge_n1 + 1]), axis=1)

    def expected(self, history: History, rows: Int64) -> Float64:
        """Expected stars, (n,), within the scale."""
        middle_Sn, _ = self._outlook(self.person(history), rows)
        return self._expected(middle_Sn)

    def _expected(self, middle_Sn: Float64) -> Float64:
        # The mean of the distribution of star values has the larger error: .888 against .887 on
        # u2 of ml-100k.
        return np.clip(middle_Sn.mean(axis=0), self.scale_K[0], self.scale_K[-1])

    def describe(self, history: History, rows: Int64) -> list[dict[str, Any]]:
        """{expected, low, high, p_like} of n movies; low..high is the central 90%.

        low and high are star values, widened where the expected stars lie outside them.
        """
        middle_Sn, variance_Sn = self._outlook(self.person(history), rows)
        chance_nK = self._chances(middle_Sn, variance_Sn)
        below_nK = chance_nK.cumsum(axis=1)
        expected_n = self._expected(middle_Sn)
        low_n = np.minimum(self.scale_K[_first(below_nK >= TAIL)], expected_n)
        high_n = np.maximum(self.scale_K[_first(below_nK >= 1 - TAIL)], expected_n)
        like_n = np.minimum(chance_nK[:, self.scale_K >= LIKED].sum(axis=1), 1.0)
        names = ("expected", "low", "high", "p_like")
        columns = (column.tolist() for column in (expected_n, low_n, high_n, like_n))
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _first(true_nK: npt.NDArray[np.bool_]) -> Int64:
    true_nK[:, -1] = True  # the last sum is 1 but for rounding
    return np.asarray(true_nK.argmax(axis=1))


def _phi(z: Float64) -> Float64:
    """Normal distribution function, error below 2e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    tail = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) * series
    return np.asarray(np.where(z >= 0, 1 - tail, tail), dtype=np.float64)
