"""Metrics of predicted ratings, with intervals over users.

    rmse, mae                of the expected ratings
    rmse_snips/propensity=movie    rmse as if every item were rated as often: errors weighed by
                             1 / (its training ratings + 1); see below
    ece                      of P(rating >= 4): ratings in 15 bins of equal mass by probability, the
                             mean distance of a bin's probability from its share (expected
                             calibration error, Naeini et al. 2015)
    coverage@90              share of ratings within the central 90% of their distribution
    coverage@90/support=1    the same by training ratings of the item
    rmse/rater=harsh         by kind of user

These are metrics over ratings, not means over users: users with many ratings weigh more. An
interval draws users with all their ratings, 2,000 times, and computes the metric anew; the bins of
`ece` stay as they are. `ece` of a perfect model is not 0: 100,000 ratings leave about .005.

The error over all (user, item) pairs is estimated by self-normalized inverse propensity scoring
(Schnabel et al. 2016, "Recommendations as Treatments: Debiasing Learning and Evaluation";
Swaminathan and Joachims 2015): a rating that was unlikely to be given stands for the many like it
that were not. It is as right as its propensities: `item_propensity` corrects popularity alone,
`rating_propensity` also that users rate what they like. The latter needs ratings of items picked at
random, which MovieLens lacks; `marquee simulate` shows how near each comes.

Local letters: N ratings of the test part (of several seeds or folds, one after the other), V values
of the scale, F summed columns, R ratings of items picked at random, S draws.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Bools, Float64, Int64
from marquee.core.bootstrap import NUM_DRAWS, Section, iter_draw_counts, percentile_interval
from marquee.core.item_stats import LIKED_RATING, MIDDLE_SHARE, liked_rating, rating_at

NUM_BINS = 15
# Buckets of items, and the largest number of training ratings in each.
MAX_NUM_RATINGS = {"0": 0, "1": 1, "2-5": 5, "6-20": 20, "21-100": 100, "100+": np.inf}
RATER_KINDS = ("high", "harsh", "full-range", "other")
DRAWS_PER_BLOCK = 200  # 10 MB with 6,040 users


@dataclass(frozen=True, eq=False, kw_only=True)
class RatingPredictions:
    """Ratings of users, and a model's predictions of them, (N,) each."""

    user: Int64  # rows of the users, 0 to U - 1
    rating: Float64
    expected: Float64
    is_liked: Bools | None = None  # rating >= liked_rating of the scale; None: 4 or more
    p_like: Float64 | None = None  # the probability of it; None for a model without a distribution
    pit: Float64 | None = None  # places of the ratings in their distributions: `randomized_pit`
    num_ratings: Int64 | None = None  # training ratings of the item
    rater_kind: Int64 | None = None  # kind of the user, a row of RATER_KINDS


class MetricSums(NamedTuple):
    """A metric as a function of sums over users, so that draws of users are cheap."""

    sum_UF: Float64  # sums over the ratings of each user
    metric: Callable[[Float64], Float64]  # sums over drawn users (S, F) -> each draw's metric (S,)

    def estimate(self) -> float:
        return float(self.metric(self.sum_UF.sum(0, keepdims=True))[0])

    def draw(self, draws: int) -> Float64:
        """Compute the metric in each draw; as many users have the same draws."""
        size = {"draws": draws, "draws_per_block": DRAWS_PER_BLOCK}
        blocks = iter_draw_counts(len(self.sum_UF), seed=0, **size)
        return np.concatenate([self.metric(count_SU @ self.sum_UF) for count_SU in blocks])


def rating_metrics(predictions: RatingPredictions) -> dict[str, MetricSums]:
    """Return every metric that the predictions allow; an empty bucket has none."""
    num_users = int(predictions.user.max()) + 1
    error_N = predictions.expected - predictions.rating
    square_N, ones_N = error_N * error_N, np.ones_like(error_N)

    def user_sums(columns: Sequence[Float64]) -> Float64:
        sums = [np.bincount(predictions.user, column_N, num_users) for column_N in columns]
        return np.stack(sums, axis=1)

    def mean(value_N: Float64, weight_N: Bools | Float64 = ones_N) -> MetricSums:
        return MetricSums(user_sums([value_N * weight_N, ones_N * weight_N]), _ratio)

    def rmse(weight_N: Bools | Float64 = ones_N) -> MetricSums:
        return mean(square_N, weight_N)._replace(metric=_root)

    metrics = {"rmse": rmse(), "mae": mean(np.abs(error_N))}
    if predictions.rater_kind is not None:
        for kind, name in enumerate(RATER_KINDS):
            if (is_kind_N := predictions.rater_kind == kind).any():
                metrics[f"rmse/rater={name}"] = rmse(is_kind_N)
    if predictions.num_ratings is not None:
        weight_N = 1 / item_propensity(predictions.num_ratings, num_users)
        metrics["rmse_snips/propensity=movie"] = rmse(weight_N)
    if predictions.p_like is None or predictions.pit is None:
        return metrics
    is_liked_N = predictions.is_liked
    if is_liked_N is None:
        is_liked_N = predictions.rating >= LIKED_RATING
    columns = _calibration_bins(predictions.p_like, is_liked_N)
    metrics["ece"] = MetricSums(user_sums([ones_N, *columns]), _ece)
    is_covered_N = ((predictions.pit > 0.05) & (predictions.pit < 0.95)).astype(np.float64)
    metrics["coverage@90"] = mean(is_covered_N)
    if predictions.num_ratings is not None:
        bucket_N = np.searchsorted(list(MAX_NUM_RATINGS.values()), predictions.num_ratings)
        for row, name in enumerate(MAX_NUM_RATINGS):
            if (bucket_N == row).any():
                metrics[f"coverage@90/support={name}"] = mean(is_covered_N, bucket_N == row)
    return metrics


def randomized_pit(probability_NV: Float64, value_N: Int64, seed: int = 0) -> Float64:
    """Return P(rating below) and a drawn share of the step itself, (N,).

    A rating is one of few values, so 90% cannot be cut exactly; the draw makes coverage exact, as
    it is uniform if the probabilities are right (randomized probability integral transform, PIT:
    Czado et al. 2009, "Predictive model assessment for count data"). value_N: rows of the scale.
    """
    row = np.arange(len(value_N))
    share_N = np.random.default_rng(seed).random(len(value_N))
    upto_N, own_N = probability_NV.cumsum(1)[row, value_N], probability_NV[row, value_N]
    return np.asarray(upto_N - own_N * share_N)


def rater_kinds(
    user_N: Int64, rating_N: Float64, num_users: int, scale: tuple[float, ...]
) -> Int64:
    """Return the kind of each user by training ratings, (U,) rows of RATER_KINDS.

    high: nine in ten of their ratings are `liked_rating` (4 of 5) or more. harsh: a mean below 3 of
    5. full-range: one in ten or more at each end of the scale, of `num_end_values` each.
    """
    columns_N = [np.ones(len(rating_N)), rating_N, *_ends(rating_N, scale)]
    sums = [np.bincount(user_N, column_N, num_users).astype(float) for column_N in columns_N]
    return _kinds(sums, scale)


def rater_kinds_of_counts(count_UV: npt.NDArray[np.integer], scale: tuple[float, ...]) -> Int64:
    """Return `rater_kinds` from how often each user gave each value of the scale."""
    value_V = np.asarray(scale, np.float64)
    columns_V = [np.ones(len(scale)), value_V, *_ends(value_V, scale)]
    sum_UF = count_UV.astype(np.float64) @ np.column_stack(columns_V).astype(np.float64)
    return _kinds(list(sum_UF.T), scale)


def _ends(rating_N: Float64, scale: tuple[float, ...]) -> tuple[Bools, Bools, Bools]:
    """Return which ratings are liked, at the low end, at the high end."""
    first, last = num_end_values(scale) - 1, len(scale) - num_end_values(scale) - 1
    middles = [sum(scale[place : place + 2]) / 2 for place in (first, last)]
    is_liked_N = rating_N >= liked_rating(scale) - 1e-6  # float32 of 3.7 is not 3.7
    return is_liked_N, rating_N < middles[0], rating_N > middles[1]


def _kinds(sums: Sequence[Float64], scale: tuple[float, ...]) -> Int64:
    count_U, total_U, *ends = sums
    count_U = np.maximum(count_U, 1)
    is_high_U, is_at_low_end_U, is_at_high_end_U = (
        part_U / count_U >= least for part_U, least in zip(ends, (0.9, 0.1, 0.1), strict=True)
    )
    is_harsh_U = total_U / count_U < rating_at(scale, MIDDLE_SHARE)
    return np.select([is_high_U, is_harsh_U, is_at_low_end_U & is_at_high_end_U], [0, 1, 2], 3)


def num_end_values(scale: tuple[float, ...]) -> int:
    """Return the number of values at an end of the scale: two, or a fifth.

    Examples:
        >>> [num_end_values(tuple(range(size))) for size in (2, 5, 10, 100)]
        [1, 2, 2, 20]
    """
    return max(1, min(max(2, len(scale) // 5), len(scale) // 2))


def point_estimates(metrics: dict[str, MetricSums]) -> dict[str, float]:
    return {name: sums.estimate() for name, sums in metrics.items()}


def summarise_ratings(metrics: dict[str, MetricSums], draws: int = NUM_DRAWS) -> Section:
    """Return {"rmse": {"mean", "low", "high"}, …}: the metric, and its 95% interval."""
    return {
        name: asdict(percentile_interval(sums.estimate(), sums.draw(draws)))
        for name, sums in metrics.items()
    }


def compare_ratings(
    metrics: dict[str, MetricSums], reference: dict[str, MetricSums], draws: int = NUM_DRAWS
) -> Section:
    """Return {"rmse": {"diff", "low", "high"}, …} over the same draws of users."""
    section: Section = {}
    for name, sums in metrics.items():
        if name in reference:
            diff = sums.estimate() - reference[name].estimate()
            difference_S = sums.draw(draws) - reference[name].draw(draws)
            interval = percentile_interval(diff, difference_S)
            section[name] = {"diff": interval.mean, "low": interval.low, "high": interval.high}
    return section


def snips_rmse(error_N: Float64, propensity_N: Float64) -> float:
    """Return the root of the mean squared error, each weighed by 1 / propensity.

    >>> snips_rmse(np.array([1.0, 3.0]), np.array([0.9, 0.1]))
    2.863564212655271
    """
    if not (propensity_N > 0).all():
        raise ValueError("a propensity of 0, expected more: such a rating cannot exist")
    weight_N = 1 / propensity_N
    return float(np.sqrt((weight_N * error_N**2).sum() / weight_N.sum()))


def item_propensity(num_ratings_N: Int64, num_users: int) -> Float64:
    """Return the share of users who rated the item of each rating, itself included."""
    return np.asarray((num_ratings_N + 1) / (num_users + 1), dtype=np.float64)


def rating_propensity(
    value_N: Int64, random_value_R: Int64, share_rated: float, num_values: int
) -> Float64:
    """Return P(rated | rating) = P(rating | rated) P(rated) / P(rating), (N,).

    value_N, random_value_R: rows of the scale, the latter of items picked at random. share_rated:
    P(rated) over all pairs. A value that no random rating has counts as half a rating there.
    """
    share_V = np.bincount(value_N, minlength=num_values) / len(value_N)
    random_V = np.maximum(np.bincount(random_value_R, minlength=num_values), 0.5)
    propensity_V = share_V * share_rated / (random_V / random_V.sum())
    return np.asarray(propensity_V[value_N], dtype=np.float64)


def _ratio(sum_SF: Float64) -> Float64:
    with np.errstate(invalid="ignore"):  # NaN for a draw without a rating
        return np.asarray(sum_SF[:, 0] / sum_SF[:, 1])


def _root(sum_SF: Float64) -> Float64:
    return np.sqrt(_ratio(sum_SF))


def _ece(sum_SF: Float64) -> Float64:
    return np.asarray(np.abs(sum_SF[:, 1:]).sum(1) / sum_SF[:, 0])


def _calibration_bins(p_like_N: Float64, is_liked_N: Bools) -> list[Float64]:
    """Probability minus outcome of each rating, in the column of its bin, 0 in the others."""
    bin_N = np.empty(len(p_like_N), dtype=np.int64)
    order = np.argsort(p_like_N, kind="stable")
    for number, rows in enumerate(np.array_split(order, NUM_BINS)):
        bin_N[rows] = number
    return [(p_like_N - is_liked_N) * (bin_N == number) for number in range(NUM_BINS)]
