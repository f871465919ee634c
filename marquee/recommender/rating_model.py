"""Expected stars, and how sure: S draws of the movies, and what a history says of its person.

    star(i)          = mean + b_i + b_u + x_u . y_i, a normal distribution for each draw
    P(stars <= s)    = mean over draws of Phi((cut_s - star(i)) / spread)
    spread^2         = (y_i, 1)' cov (y_i, 1) + noise_factor / (alpha steady_u)

Given a draw of the movies, the person (x_u, b_u) is Gaussian: a regression of their stars on the
movies they rated, from a prior that knows which movies they rated or watched. Persons are held in
coordinates in which that prior has covariance 1, and movies in those that leave x_u . y_i as it is;
so the covariance given the ratings is (1 + weight x squares of their movies)^-1. Nobody's history:
the prior of everybody, a wide one. Few ratings of a movie: its draws lie
far apart, so the interval is wide. `steady_u` is how closely this person's stars follow, estimated
from the same history. Where the draws come from, and the papers: models/bpmf/model.py.

One person with 50 starred films, 16 draws, 20 dimensions: 0.6 ms on one core.

Shapes: P people, S draws, I movies, E = embedding + 1 (the bias is the last column), n movies asked
for, L starred entries, C implicit features, K star values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.recommender.bundle import Bundle
from marquee.recommender.history import History

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

LIKED = 4.0
LEFT_STARS = 2.0
"""What leaving a film in its first tenth is worth as stars (docs/decisions.md)."""
TAIL = 0.05
"""Left out on each side of the interval: 90% lies between."""
DESCRIBED = ("expected", "low", "high", "p_like")
PEOPLE_AT_ONCE = 16
"""Worked out together: their matrices, 450 kB, stay in cache."""
ENTRIES_AT_ONCE = 512
"""Starred entries gathered together: 0.7 MB with 16 draws of 21 numbers."""


@dataclass(frozen=True, eq=False)
class People:
    """What each draw makes of P histories."""

    mean_PSE: npt.NDArray[np.floating]
    root_PSEE: npt.NDArray[np.floating]
    """R with R' R = the covariance."""
    noise_PS: npt.NDArray[np.floating]
    """Variance of a rating of theirs."""


@dataclass(frozen=True, eq=False)
class RatingModel:
    """The star model of a bundle, in the coordinates of its prior."""

    scale_K: Float64
    cut_K: Float64  # (K - 1,) between neighbouring stars
    mean: float
    noise_factor: float
    steady: float
    rounds: int
    set_IC: Float32
    item_ISE: Float32
    """As a person meets a movie: its taste, and 1 for their own level."""
    bias_IS: Float32
    mean_SE: Float32
    lean_SCE: Float32
    alpha_S: Float32

    @classmethod
    def of(cls, bundle: Bundle) -> "RatingModel":
        stars, arrays = bundle.manifest["stars"], bundle.arrays
        side_SEE = np.linalg.cholesky(arrays["star_precision"])  # person' = side' person
        item_ISE, turn_SEE = arrays["star_item"].copy(), np.linalg.inv(side_SEE).mT
        item_ISE[..., -1] = 1
        for s, turn_EE in enumerate(turn_SEE):
            item_ISE[:, s] = item_ISE[:, s] @ turn_EE
        return cls(
            np.asarray(bundle.manifest["scale"], dtype=np.float64),
            np.asarray(stars["cuts"], dtype=np.float64),
            float(stars["mean"]),
            float(stars["noise_factor"]),
            float(stars["steady"]),
            int(stars["rounds"]),
            arrays["star_set"],
            item_ISE,
            arrays["star_item"][..., -1].copy(),
            (arrays["star_mean"][:, None] @ side_SEE)[:, 0],
            arrays["star_lean"] @ side_SEE,
            arrays["star_alpha"],
        )

    def people(self, histories: Sequence[History]) -> People:
        """Histories to their persons; an entry without stars says only that it was chosen, one that
        was left at once that it was a poor choice."""
        square_PSEE, pull_PSE, rest_PS, num_P1 = self._evidence(histories)
        prior_PSE = np.stack([self._prior_mean(history) for history in histories])
        steady_PS, E = np.ones_like(rest_PS), prior_PSE.shape[-1]
        diagonal = np.arange(E)
        for _ in range(self.rounds if num_P1.any() else 1):
            weight_PS = self.alpha_S * steady_PS
            precision_PSEE = weight_PS[..., None, None] * square_PSEE
            precision_PSEE[..., diagonal, diagonal] += 1
            root_PSEE = inverse_root(precision_PSEE)
            told_PSE = prior_PSE + weight_PS[..., None] * pull_PSE
            mean_PSE = (root_PSEE.mT @ (root_PSEE @ told_PSE[..., None]))[..., 0]
            # Squared misses of the ratings, and what the person's own uncertainty adds to them:
            # mean . (squares mean - 2 pull) + trace(covariance squares), the squares put in by
            # weight squares = precision - 1.
            over_PS = (mean_PSE * (prior_PSE - mean_PSE - weight_PS[..., None] * pull_PSE)).sum(-1)
            unsure_PS = E - np.square(root_PSEE).sum((-2, -1))
            miss_PS = rest_PS + (over_PS + unsure_PS) / weight_PS
            steady_PS = (self.steady + num_P1) / (self.steady + self.alpha_S * miss_PS)
        return People(mean_PSE, root_PSEE, 1 / (self.alpha_S * steady_PS))

    def of_strangers(self) -> Float32:
        """Stars that each draw expects of a person of whom nothing is known, (S, I)."""
        stars_IS = self.mean + self.bias_IS + (self.item_ISE * self.mean_SE).sum(-1)
        return np.asarray(stars_IS.T, np.float32)

    def _prior_mean(self, history: History) -> Float32:
        """(S, E) of a person of whom the rated movies are known, not their stars: what was watched
        without a rating says nothing here, as the leaning was learned from ratings alone."""
        chosen = history.item[history.star > 0]
        set_C = self.set_IC[chosen].sum(axis=0) / np.float32(max(1, len(chosen)) ** 0.5)
        return self.mean_SE + set_C @ self.lean_SCE

    def _evidence(self, histories: Sequence[History]) -> tuple[Float32, Float32, Float32, Float32]:
        """Sums over the entries of each: their squares (P, S, E, E), their pull (P, S, E), their
        stars' squares (P, S), all over the movies' own means; and how many they are, (P, 1)."""
        P, (S, E) = len(histories), self.mean_SE.shape
        square = np.zeros((P, S, E, E), np.float32)
        pull, rest = np.zeros((P, S, E), np.float32), np.zeros((P, S), np.float32)
        number = np.zeros((P, 1), np.float32)
        for p, history in enumerate(histories):
            rated, left = history.star > 0, np.full(len(history.left), LEFT_STARS)
            rows = np.concatenate([history.item[rated], history.left])
            stars_L = np.concatenate([self.scale_K[history.star[rated] - 1], left])
            over_L = (stars_L - self.mean).astype(np.float32)
            number[p] = len(rows)
            for start in range(0, len(rows), ENTRIES_AT_ONCE):
                part = slice(start, start + ENTRIES_AT_ONCE)
                seen_SLE, bias_SL = self._seen(rows[part])
                rest_SL1 = (over_L[part] - bias_SL)[..., None]
                across_SEL = seen_SLE.mT
                square[p] += across_SEL @ seen_SLE
                pull[p] += (across_SEL @ rest_SL1)[..., 0]
                rest[p] += (rest_SL1 * rest_SL1).sum((1, 2))
        return square, pull, rest, number

    def _seen(self, rows: Int64) -> tuple[Float32, Float32]:
        """Movies as a person meets them, (…, S, n, E), and their biases, (…, S, n); rows (…, n)."""
        return np.swapaxes(self.item_ISE[rows], -3, -2), np.swapaxes(self.bias_IS[rows], -2, -1)

    def _outlook(self, histories: Sequence[History], rows_Pn: Int64) -> tuple[Float64, Float64]:
        """Middle and variance of a rating for each draw, (P, S, n)."""
        people = self.people(histories)
        seen_PSnE, bias_PSn = self._seen(rows_Pn)
        middle_PSn = self.mean + bias_PSn + (seen_PSnE @ people.mean_PSE[..., None])[..., 0]
        unsure_PSn = np.square(seen_PSnE @ people.root_PSEE.mT).sum(-1)
        noise_PS1 = self.noise_factor * people.noise_PS[..., None]
        return middle_PSn.astype(np.float64), (unsure_PSn + noise_PS1).astype(np.float64)

    def chances(self, history: History, rows: Int64) -> Float64:
        """P(stars = s) of n movies for one person -> (n, K), each row sums to 1."""
        return self._chances(*self._outlook([history], rows[None]))[0]

    def _chances(self, middle_PSn: Float64, variance_PSn: Float64) -> Float64:
        spread_PSn1 = np.sqrt(variance_PSn)[..., None]
        below_PnK = _phi((self.cut_K - middle_PSn[..., None]) / spread_PSn1).mean(axis=1)
        edge_Pn1 = np.zeros((*below_PnK.shape[:-1], 1))
        return np.diff(np.concatenate([edge_Pn1, below_PnK, edge_Pn1 + 1], axis=-1), axis=-1)

    def expected(self, history: History, rows: Int64) -> Float64:
        """Expected stars, (n,), within the scale."""
        middle_1Sn, _ = self._outlook([history], rows[None])
        return self._expected(middle_1Sn)[0]

    def _expected(self, middle_PSn: Float64) -> Float64:
        # The mean of the distribution of star values has the larger error: .888 against .887 on
        # u2 of ml-100k.
        return np.clip(middle_PSn.mean(axis=1), self.scale_K[0], self.scale_K[-1])

    def describe(
        self, histories: Sequence[History], rows: Sequence[Int64]
    ) -> Iterator[list[dict[str, Any]]]:
        """{expected, low, high, p_like} of each person's n movies; low..high is the central 90%.

        low and high are star values, widened where the expected stars lie outside them. People are
        worked out PEOPLE_AT_ONCE together: .3 ms each instead of .55.
        """
        for start in range(0, len(histories), PEOPLE_AT_ONCE):
            part = slice(start, start + PEOPLE_AT_ONCE)
            yield from self._describe(histories[part], rows[part])

    def _describe(
        self, histories: Sequence[History], rows: Sequence[Int64]
    ) -> Iterator[list[dict[str, Any]]]:
        rows_Pn = np.zeros((len(rows), max(map(len, rows))), np.int64)
        for p, each in enumerate(rows):
            rows_Pn[p, : len(each)] = each
        middle_PSn, variance_PSn = self._outlook(histories, rows_Pn)
        chance_PnK = self._chances(middle_PSn, variance_PSn)
        below_PnK = chance_PnK.cumsum(axis=-1)
        expected_Pn = self._expected(middle_PSn)
        low_Pn = np.minimum(self.scale_K[_first(below_PnK >= TAIL)], expected_Pn)
        high_Pn = np.maximum(self.scale_K[_first(below_PnK >= 1 - TAIL)], expected_Pn)
        like_Pn = np.minimum(chance_PnK[..., self.scale_K >= LIKED].sum(axis=-1), 1.0)
        four_Pn4 = np.stack([expected_Pn, low_Pn, high_Pn, like_Pn], axis=-1).tolist()
        for each, four_n4 in zip(rows, four_Pn4, strict=True):
            yield [dict(zip(DESCRIBED, four, strict=True)) for four in four_n4[: len(each)]]


def inverse_root(precision_SEE: Float32) -> Float32:
    """Lower triangles R with R' R = the inverses of positive definite matrices, (…, E, E).

    One row of all of them at a time: for 16 matrices of 21 the time of `np.linalg.inv`, for 256
    half of it.
    """
    low_SEE = np.linalg.cholesky(precision_SEE)
    root_SEE = np.zeros_like(low_SEE)
    over_SE = 1 / np.diagonal(low_SEE, axis1=-2, axis2=-1)
    for e in range(low_SEE.shape[-1]):
        done_S1e = low_SEE[..., e : e + 1, :e] @ root_SEE[..., :e, :e]
        root_SEE[..., e, :e] = -done_S1e[..., 0, :] * over_SE[..., e, None]
        root_SEE[..., e, e] = over_SE[..., e]
    return root_SEE


def _first(true_PnK: npt.NDArray[np.bool_]) -> Int64:
    true_PnK[..., -1] = True  # the last sum is 1 but for rounding
    return np.asarray(true_PnK.argmax(axis=-1))


def _phi(z: Float64) -> Float64:
    """Normal distribution function, error below 2e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    tail = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) * series
    return np.asarray(np.where(z >= 0, 1 - tail, tail), dtype=np.float64)
