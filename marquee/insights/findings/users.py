"""Users: the stars that they give, the part of the scale that they use, and the busiest of them."""

import numpy as np

from marquee.core.arrays import AnyInt, Float64
from marquee.core.item_stats import LIKED_RATING
from marquee.evaluation.metrics.rating import RATER_KINDS, rater_kinds_of_counts
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, by_name, texts
from marquee.insights.render.formatting import count, number, percent
from marquee.insights.resample import Statistic, UserResamples, scaled

RATER_NAMES = {
    "high": "nearly always high",
    "harsh": "harshly",
    "full-range": "at both ends",
    "other": "in the middle",
}
"""Plain names of marquee.evaluation.metrics.rating.RATER_KINDS, which defines them."""
LOW_RATING = 2
DEFAULT_CAP = 200
"""Ratings that one user counts for at most if no model says otherwise."""
POINTS = (0.01, 0.05, 0.1, 0.25, 0.5)
"""Shares of the users, busiest first."""


def ratings(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Measure the distribution of ratings, in percent."""
    scale, length_U = np.asarray(aggregates.scale), aggregates.length_U
    counts = aggregates.value_count_UV
    shares = resamples.percent(counts, length_U)
    liked_share = resamples.share(counts[:, scale >= LIKED_RATING].sum(1), length_U)
    low_share = resamples.share(counts[:, scale <= LOW_RATING].sum(1), length_U)
    names = [f"{value:g}" for value in aggregates.scale]
    mode = max(range(len(names)), key=lambda row: shares[row].mean)
    return Finding(
        **texts("ratings"),
        title=f"{percent(liked_share.mean)} of all ratings are 4 stars or more",
        sentence=f"{percent(low_share.mean)} of the ratings are {LOW_RATING} stars or less. The "
        f"most frequent rating is {names[mode]} stars. Users choose what they watch and rate what "
        "they chose. So low ratings are rare because users avoid movies that they expect to "
        "dislike.",
        number=liked_share,
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="columns",
            title="Share of all ratings, by stars",
            table={"stars": names, "% of ratings": shares},
        ),
        numbers={"mean_stars": aggregates.mean_rating, "low_percent": low_share},
    )


def raters(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Measure how much of the scale the users use."""
    counts = aggregates.value_count_UV
    kind_U = rater_kinds_of_counts(counts, aggregates.scale)
    is_kind_UX = kind_U[:, None] == np.arange(len(RATER_KINDS))
    rating_sum_U, num_values_U = counts @ np.asarray(aggregates.scale), (counts > 0).sum(1)
    shares = resamples.percent(is_kind_UX, np.ones(aggregates.num_users))
    means, num_values = (
        [interval.mean for interval in resamples.ratios(part_UX, total_UX)]
        for part_UX, total_UX in (
            (is_kind_UX * rating_sum_U[:, None], is_kind_UX * aggregates.length_U[:, None]),
            (is_kind_UX * num_values_U[:, None], is_kind_UX),
        )
    )
    high_share, harsh_share, full_range_share, _ = shares
    subject = f"{percent(full_range_share.mean)} of users" if full_range_share.mean else "No users"
    return Finding(
        **texts("raters"),
        title=f"{subject} use both ends of the scale",
        sentence="Such users give at least a tenth of their ratings to the two lowest values, and "
        f"a tenth to the two highest. {percent(high_share.mean)} of users give 4 stars or more "
        f"nine times in ten. {percent(harsh_share.mean)} of users have a mean below 3 stars. So "
        "the same stars mean different things from different users.",
        number=full_range_share,
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="bars",
            title="Share of users, by how they use the scale",
            table={
                "kind of rater": [RATER_NAMES[kind] for kind in RATER_KINDS],
                "% of users": shares,
                "mean stars": means,
                "values used": num_values,
            },
        ),
        numbers=by_name(
            RATER_KINDS,
            {
                "users_percent": [share.mean for share in shares],
                "mean_stars": means,
                "values": num_values,
            },
        ),
    )


def skew(aggregates: Aggregates, resamples: UserResamples, cap: int = DEFAULT_CAP) -> Finding:
    """Measure the share of the busiest, with and without the cap."""
    length_U = aggregates.length_U
    capped_length_U = np.minimum(length_U, cap)
    shares, capped_shares = (
        [scaled(share, 100) for share in resamples.intervals_of_weights(lorenz_of(value_U, POINTS))]
        for value_U in (length_U, capped_length_U)
    )
    least = count(int(length_U.min()), "rating")
    if least == "20 ratings":
        least += "; MovieLens leaves out users with fewer"
    return Finding(
        **texts("skew", least=least),
        title=f"The busiest 1% of users give {percent(shares[0].mean)} of all ratings",
        sentence=f"The busiest user gave {count(int(length_U.max()), 'rating')}. Half of the users "
        f"gave {count(int(np.median(length_U)), 'rating')} or fewer. A cap of {cap} ratings per "
        f"user lowers the share of the busiest to {percent(capped_shares[0].mean)}. The cap drops "
        "no user.",
        number=shares[0],
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="bars",
            title=f"Share of all ratings by the busiest users, without and with a cap of {cap}",
            table={
                "users": [f"busiest {number(100 * point)}%" for point in POINTS],
                "% of ratings": shares,
                f"% with a cap of {cap}": capped_shares,
            },
            drawn=("% of ratings", f"% with a cap of {cap}"),
        ),
        numbers={
            "busiest": float(length_U.max()),
            "median": float(np.median(length_U)),
            "cap": cap,
            "gini": resamples.intervals_of_weights(gini_of(length_U))[0],
            "gini_capped": resamples.intervals_of_weights(gini_of(capped_length_U))[0],
            "top_1_percent_capped": capped_shares[0],
        },
    )


def lorenz_of(value_U: AnyInt, points: tuple[float, ...]) -> Statistic:
    """Return a statistic: the busiest users' shares of the sum.

    It maps weights (S, U) to shares (S, points). A point that falls within a user takes that part
    of the user's value.
    """
    order = np.argsort(-value_U, kind="stable")
    sorted_U = value_U[order].astype(np.float64)

    def statistic(weight_SU: Float64) -> Float64:
        weight = weight_SU[:, order]
        user_sums, value_sums = np.cumsum(weight, 1), np.cumsum(weight * sorted_U, 1)
        return np.stack(
            [
                np.interp(np.asarray(points) * u[-1], np.append(0, u), np.append(0, v)) / v[-1]
                for u, v in zip(user_sums, value_sums, strict=True)
            ]
        )

    return statistic


def gini_of(value_U: AnyInt) -> Statistic:
    """Return a statistic: weights (S, U) -> Gini coefficients, (S, 1).

    0: all give alike; near 1: one gives all. It is 1 - 2 x the area under the Lorenz curve of the
    drawn users, least active first.
    """
    order = np.argsort(value_U, kind="stable")
    sorted_U = value_U[order].astype(np.float64)

    def statistic(weight_SU: Float64) -> Float64:
        weight = weight_SU[:, order]
        value = weight * sorted_U
        before = np.cumsum(value, 1) - value
        area = (weight * (before + value / 2)).sum(1) / (weight.sum(1) * value.sum(1))
        return (1 - 2 * area)[:, None]

    return statistic
