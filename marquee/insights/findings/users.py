"""Users: the share of the data that the busiest give, and the effect of a cap on influence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marquee.core.arrays import AnyInt, Float64
from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, with_bounds
from marquee.insights.render.formatting import count, number, percent
from marquee.insights.resample import UserResamples, scaled

Statistic = Callable[[Float64], Float64]
DEFAULT_CAP = 200
"""Ratings that one user counts for at most if no model says otherwise."""
POINTS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Shares of the users, busiest first."""


@dataclass(frozen=True, kw_only=True)
class Concentration:
    """The shares of the busiest users in a sum over all users."""

    shares: list[Interval]
    """Percent of the busiest users of each of POINTS."""
    gini: Interval


def concentration_of(value_U: AnyInt, resamples: UserResamples) -> Concentration:
    """Measure the busiest users' shares, and the Gini coefficient."""
    shares = resamples.intervals_of_weights(lorenz_of(value_U, POINTS))
    return Concentration(
        shares=[scaled(share, 100) for share in shares],
        gini=resamples.intervals_of_weights(gini_of(value_U))[0],
    )


def skew(aggregates: Aggregates, resamples: UserResamples, cap: int = DEFAULT_CAP) -> Finding:
    """Measure the share of the busiest, with and without the cap."""
    length_U = aggregates.length_U
    raw = concentration_of(length_U, resamples)
    capped = concentration_of(np.minimum(length_U, cap), resamples)
    top_share, capped_top_share = raw.shares[0], capped.shares[0]
    least = int(length_U.min())
    return Finding(
        id="skew",
        title=f"The busiest 1% of the people give {percent(top_share.mean)} of all ratings",
        sentence=f"One person in a hundred gives {percent(top_share.mean)} of the ratings; the "
        f"busiest alone {count(int(length_U.max()), 'rating')}, where half of the people give "
        f"{int(np.median(length_U)):,} or fewer. Counting nobody for more than {cap} "
        f"ratings leaves the busiest 1% a weight of {percent(capped_top_share.mean)}. Nobody is "
        "dropped.",
        number=top_share,
        unit="%",
        meaning="of the ratings are by the busiest 1%",
        n=aggregates.num_users,
        chart=_chart(raw, capped, cap),
        action="Keep the cap on influence in training, so that the few do not decide what the "
        "many are shown. On ml-100k lists changed no more without the busiest 1% than without "
        "a random 1%, as far as could be shown.",
        lever="`model.learning.influence_cap` of a recipe",
        how_sure="The data does not tell whether somebody with thousands of ratings is one "
        f"person, a family or a program. The least active person here has {count(least, 'rating')}"
        + ("; MovieLens leaves out people with fewer than 20." if least == 20 else "."),
        how_we_will_know="`influence_overlap_drop` at most 0.02 (results/influence-*.json)",
        numbers={
            "busiest": float(length_U.max()),
            "median": float(np.median(length_U)),
            "cap": cap,
            **with_bounds("gini", raw.gini),
            **with_bounds("gini_with_the_bound", capped.gini),
            **with_bounds("top_1_percent_with_the_bound", capped_top_share),
        },
    )


def _chart(raw: Concentration, capped: Concentration, cap: int) -> Chart:
    rows = tuple(
        (f"busiest {number(100 * point)}%", a.mean, b.mean, a.low, a.high, b.low, b.high)
        for point, a, b in zip(POINTS[:-1], raw.shares, capped.shares, strict=False)
    )
    return Chart(
        kind="bars",
        title=f"Share of all ratings that the busiest give, as it is and with a cap of {cap}",
        columns=(
            "people",
            "% of ratings",
            f"% with the cap of {cap}",
            "low",
            "high",
            "cap, low",
            "cap, high",
        ),
        rows=rows,
        drawn_columns=(1, 2),
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
