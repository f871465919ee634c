"""Expected ratings with intervals: Bayesian matrix factorization, given a history.

    rating(i)      = mean + b_i + b_u + x_u . y_i, a normal distribution for each draw
    P(stars <= r)  = mean over draws of Phi((cut_r - rating(i)) / spread)
    spread^2       = (y_i, 1)' cov (y_i, 1) + noise_factor / (alpha precision_u)

Given one of S draws of the items, the user (x_u, b_u) is Gaussian: the regression of their ratings
on the items they rated. Its prior knows which items they rated or watched. Users are represented in
coordinates in which that prior has covariance 1, and items in those that leave x_u . y_i unchanged.
So the posterior covariance is (1 + weight x squares of the rated items)^-1. `precision_u` says how
closely this user's ratings follow the model, estimated from the same history. models/bpmf/model.py
has the papers, and makes the draws.

Local letters: E = D + 1 (the user's level, or bias, is the last column), F implicit features,
R values of the rating scale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Float32, Float64, Int64
from marquee.core.item_stats import liked_rating, low_rating
from marquee.recommender.bundle import Bundle
from marquee.recommender.catalog.added_items import AddedRatings
from marquee.recommender.history import History
from marquee.recommender.responses import Stars

TAIL = 0.05  # probability on each side of the interval: 90% lies between
USERS_PER_BATCH = 16  # computed together: their matrices, 450 kB, stay in cache
ENTRIES_PER_BLOCK = 512  # gathered together: 0.7 MB with 16 draws of 21 numbers


class UserPosterior(NamedTuple):
    """The posterior of B users under each draw."""

    mean_BSE: AnyFloat
    root_BSEE: AnyFloat  # R with R' R = the covariance
    noise_BS: AnyFloat  # variance of a rating by the user


class _Evidence(NamedTuple):
    """Sums over the rated entries of B users, ratings less mean and item bias."""

    square_BSEE: Float32  # outer products of the items
    product_BSE: Float32  # items times ratings
    rating_square_BS: Float32
    count_B1: Float32


@dataclass(frozen=True, eq=False, kw_only=True)
class RatingModel:
    """The rating model of a bundle, in the coordinates of its prior."""

    scale_R: Float64
    cut_R: Float64  # (R - 1,) between neighboring values of the scale
    mean: float
    noise_factor: float
    precision_prior: float  # ratings that the prior of a user's precision (mean 1) is worth
    num_rounds: int  # of estimating a user's precision and vector in turn
    implicit_IF: Float32
    item_ISE: Float32  # an item as a user meets it: its taste, and 1 for the user's level
    bias_IS: Float32
    prior_mean_SE: Float32
    implicit_weight_SFE: Float32
    alpha_S: Float32  # precision of a rating
    rotation_SEE: AnyFloat  # from an item's draws to the coordinates of the prior
    added: AddedRatings | None = None  # of items behind those of the bundle

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> "RatingModel":
        """Change the draws of a bundle with ratings to the coordinates of the prior."""
        scalars, arrays = bundle.manifest["stars"], bundle.arrays
        factor_SEE = np.linalg.cholesky(arrays["star_precision"])  # new user = factor' user
        rotation_SEE = np.linalg.inv(factor_SEE).mT
        return cls(
            scale_R=np.asarray(bundle.manifest["scale"], dtype=np.float64),
            cut_R=np.asarray(scalars["cuts"], dtype=np.float64),
            mean=float(scalars["mean"]),
            noise_factor=float(scalars["noise_factor"]),
            precision_prior=float(scalars["steady"]),
            num_rounds=int(scalars["rounds"]),
            implicit_IF=arrays["star_set"],
            item_ISE=rotated(arrays["star_item"], rotation_SEE),
            bias_IS=arrays["star_item"][..., -1].copy(),
            prior_mean_SE=(arrays["star_mean"][:, None] @ factor_SEE)[:, 0],
            implicit_weight_SFE=arrays["star_lean"] @ factor_SEE,
            alpha_S=arrays["star_alpha"],
            rotation_SEE=rotation_SEE,
        )

    def posterior(self, histories: Sequence[History]) -> UserPosterior:
        """Return the posterior of B users; an entry without a rating moves nothing."""
        evidence = self._evidence(histories)
        prior_BSE = np.stack([self.prior_mean(history) for history in histories])
        E = prior_BSE.shape[-1]
        precision_BS, diagonal = np.ones_like(evidence.rating_square_BS), np.arange(E)
        for _ in range(self.num_rounds if evidence.count_B1.any() else 1):
            weight_BS = self.alpha_S * precision_BS
            precision_BSEE = weight_BS[..., None, None] * evidence.square_BSEE
            precision_BSEE[..., diagonal, diagonal] += 1
            root_BSEE = inverse_root(precision_BSEE)
            total_BSE = prior_BSE + weight_BS[..., None] * evidence.product_BSE
            mean_BSE = (root_BSEE.mT @ (root_BSEE @ total_BSE[..., None]))[..., 0]
            # Squared residuals of the ratings, plus the posterior's own uncertainty in them:
            # mean . (squares mean - 2 product) + trace(covariance squares), with the squares
            # replaced by weight squares = precision - 1.
            shift_BS = (
                mean_BSE * (prior_BSE - mean_BSE - weight_BS[..., None] * evidence.product_BSE)
            ).sum(-1)
            uncertainty_BS = E - np.square(root_BSEE).sum((-2, -1))
            residual_BS = evidence.rating_square_BS + (shift_BS + uncertainty_BS) / weight_BS
            precision_BS = (self.precision_prior + evidence.count_B1) / (
                self.precision_prior + self.alpha_S * residual_BS
            )
        return UserPosterior(
            mean_BSE=mean_BSE, root_BSEE=root_BSEE, noise_BS=1 / (self.alpha_S * precision_BS)
        )

    def cold_start_ratings(self) -> Float32:
        """Return (S, I): the rating that each draw expects from a user without a history."""
        rating_IS = self.mean + self.bias_IS + (self.item_ISE * self.prior_mean_SE).sum(-1)
        return np.asarray(rating_IS.T, np.float32)

    def prior_mean(self, history: History) -> Float32:
        """Return (S, E): the prior mean, given which items the user rated (not: watched)."""
        rated = history.item_L[history.rating_bin_L > 0]
        known = rated[rated < len(self.implicit_IF)]  # an added item says nothing by itself
        implicit_F = self.implicit_IF[known].sum(axis=0) / np.float32(max(1, len(rated)) ** 0.5)
        return self.prior_mean_SE + implicit_F @ self.implicit_weight_SFE

    def _evidence(self, histories: Sequence[History]) -> _Evidence:
        B, (S, E) = len(histories), self.prior_mean_SE.shape
        evidence = _Evidence(
            square_BSEE=np.zeros((B, S, E, E), np.float32),
            product_BSE=np.zeros((B, S, E), np.float32),
            rating_square_BS=np.zeros((B, S), np.float32),
            count_B1=np.zeros((B, 1), np.float32),
        )
        for b, history in enumerate(histories):
            is_rated = history.rating_bin_L > 0
            items = np.concatenate([history.item_L[is_rated], history.abandoned])
            abandoned = np.full(len(history.abandoned), low_rating(self.scale_R.tolist()))
            rating_L = np.concatenate([self.scale_R[history.rating_bin_L[is_rated] - 1], abandoned])
            centered_L = (rating_L - self.mean).astype(np.float32)
            evidence.count_B1[b] = len(items)
            for start in range(0, len(items), ENTRIES_PER_BLOCK):
                block = slice(start, start + ENTRIES_PER_BLOCK)
                item_SLE, bias_SL = self._gather(items[block])
                residual_SL1 = (centered_L[block] - bias_SL)[..., None]
                item_SEL = item_SLE.mT
                evidence.square_BSEE[b] += item_SEL @ item_SLE
                evidence.product_BSE[b] += (item_SEL @ residual_SL1)[..., 0]
                evidence.rating_square_BS[b] += (residual_SL1 * residual_SL1).sum((1, 2))
        return evidence

    def _gather(self, items: Int64) -> tuple[Float32, Float32]:
        """Return item vectors (…, S, K, E) and biases (…, S, K) for items (…, K)."""
        num_items = len(self.item_ISE)
        is_added = items >= num_items if self.added is not None else np.zeros((), bool)
        if not is_added.any():
            return self.item_ISE[items].swapaxes(-3, -2), self.bias_IS[items].swapaxes(-2, -1)
        known = np.where(is_added, 0, items)
        item_KSE, bias_KS = self.item_ISE[known], self.bias_IS[known]
        assert self.added is not None
        draw_NSE = self.added.draws(items[is_added])
        item_KSE[is_added] = rotated(draw_NSE, self.rotation_SEE)
        bias_KS[is_added] = draw_NSE[..., -1]
        return item_KSE.swapaxes(-3, -2), bias_KS.swapaxes(-2, -1)

    def _predictive(self, histories: Sequence[History], item_BK: Int64) -> tuple[Float64, Float64]:
        """Return mean and variance of a rating under each draw: (B, S, K) each."""
        posterior = self.posterior(histories)
        item_BSKE, bias_BSK = self._gather(item_BK)
        mean_BSK = self.mean + bias_BSK + (item_BSKE @ posterior.mean_BSE[..., None])[..., 0]
        variance_BSK = np.square(item_BSKE @ posterior.root_BSEE.mT).sum(-1)
        noise_BS1 = self.noise_factor * posterior.noise_BS[..., None]
        return mean_BSK.astype(np.float64), (variance_BSK + noise_BS1).astype(np.float64)

    def rating_probabilities(self, history: History, item_K: Int64) -> Float64:
        """Return (K, R): P(stars = r) of K items for one user; each row sums to 1."""
        return self._rating_probabilities(*self._predictive([history], item_K[None]))[0]

    def _rating_probabilities(self, mean_BSK: Float64, variance_BSK: Float64) -> Float64:
        spread_BSK1 = np.sqrt(variance_BSK)[..., None]
        below_BKR = normal_cdf((self.cut_R - mean_BSK[..., None]) / spread_BSK1).mean(axis=1)
        edge_BK1 = np.zeros((*below_BKR.shape[:-1], 1))
        return np.diff(np.concatenate([edge_BK1, below_BKR, edge_BK1 + 1], axis=-1), axis=-1)

    def expected_ratings(self, histories: Sequence[History], items: Int64) -> Float32:
        """Return ratings (B, C) of items (C,) or (B, C), each row as for its user alone."""
        item_BC = np.broadcast_to(items, (len(histories), items.shape[-1]))
        rating_BC = np.empty(item_BC.shape, dtype=np.float32)
        for b, history in enumerate(histories):
            mean_BSK, _ = self._predictive([history], item_BC[b : b + 1])
            rating_BC[b] = self._expected(mean_BSK)[0]
        return rating_BC

    def _expected(self, mean_BSK: Float64) -> Float64:
        # The mean over the distribution of star values has a larger error: .888, not .887 on u2.
        return np.clip(mean_BSK.mean(axis=1), self.scale_R[0], self.scale_R[-1])

    def describe(
        self, histories: Sequence[History], items: Sequence[Int64]
    ) -> Iterator[list[Stars]]:
        """Yield the Stars of each user's K items, for B users.

        low and high are values of the scale, widened where the expected rating lies outside them.
        """
        for start in range(0, len(histories), USERS_PER_BATCH):
            batch = slice(start, start + USERS_PER_BATCH)
            stars_BK4 = self._describe(histories[batch], items[batch]).tolist()
            for item_K, stars_K4 in zip(items[batch], stars_BK4, strict=True):
                yield [
                    {"expected": expected, "low": low, "high": high, "p_like": p_like}
                    for expected, low, high, p_like in stars_K4[: len(item_K)]
                ]

    def _describe(self, histories: Sequence[History], items: Sequence[Int64]) -> Float64:
        """Return (B, K, 4): expected, low, high, p_like."""
        item_BK = np.zeros((len(items), max(map(len, items))), np.int64)
        for b, item_K in enumerate(items):
            item_BK[b, : len(item_K)] = item_K
        mean_BSK, variance_BSK = self._predictive(histories, item_BK)
        probability_BKR = self._rating_probabilities(mean_BSK, variance_BSK)
        below_BKR = probability_BKR.cumsum(axis=-1)
        expected_BK = self._expected(mean_BSK)
        low_BK = np.minimum(self.scale_R[_first_true(below_BKR >= TAIL)], expected_BK)
        high_BK = np.maximum(self.scale_R[_first_true(below_BKR >= 1 - TAIL)], expected_BK)
        is_liked_R = self.scale_R >= liked_rating(self.scale_R.tolist())
        p_like_BK = np.minimum(probability_BKR[..., is_liked_R].sum(axis=-1), 1.0)
        return np.stack([expected_BK, low_BK, high_BK, p_like_BK], axis=-1)


def rotated(draw_ISE: Float32, rotation_SEE: AnyFloat) -> Float32:
    """Return draws of items in the coordinates of the prior, 1 for the user's level."""
    item_ISE = draw_ISE.copy()
    item_ISE[..., -1] = 1
    for s, rotation_EE in enumerate(rotation_SEE):
        item_ISE[:, s] = item_ISE[:, s] @ rotation_EE
    return item_ISE


def inverse_root(precision_SEE: Float32) -> Float32:
    """Return lower triangles R, R' R the inverse; in half of `np.linalg.inv`'s time."""
    lower_SEE = np.linalg.cholesky(precision_SEE)
    root_SEE = np.zeros_like(lower_SEE)
    inverse_SE = 1 / np.diagonal(lower_SEE, axis1=-2, axis2=-1)
    for e in range(lower_SEE.shape[-1]):
        product_S1e = lower_SEE[..., e : e + 1, :e] @ root_SEE[..., :e, :e]
        root_SEE[..., e, :e] = -product_S1e[..., 0, :] * inverse_SE[..., e, None]
        root_SEE[..., e, e] = inverse_SE[..., e]
    return root_SEE


def _first_true(is_true_BKR: Bools) -> Int64:
    is_true_BKR[..., -1] = True  # the last sum is 1 but for rounding
    return np.asarray(is_true_BKR.argmax(axis=-1))


def normal_cdf(z: Float64) -> Float64:
    """Return the normal CDF, error below 2e-7 (Abramowitz and Stegun 1964, 26.2.17)."""
    t = 1 / (1 + 0.2316419 * np.abs(z))
    series = t * (
        0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429)))
    )
    tail = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) * series
    return np.asarray(np.where(z >= 0, 1 - tail, tail), dtype=np.float64)
