"""Who rates: how much of the data is a few people's, and what a bound on influence does."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from marquee.insights.aggregates import Tables
from marquee.insights.finding import Chart, Finding, with_bounds
from marquee.insights.render.formatting import count, number, percent
from marquee.insights.resample import Draws, scaled

Floats = NDArray[np.float64]
Figure = Callable[[Floats], Floats]
CAP = 200
"""Ratings that one person counts for at most where no model says otherwise."""
POINTS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Shares of the people, busiest first."""


def skew(tables: Tables, draws: Draws, cap: int = CAP) -> Finding:
    """The share of the busiest, before and after the bound."""
    length_U = tables.length_U
    capped_U = np.minimum(length_U, cap)
    raw = [scaled(one, 100) for one in draws.of_weights(lorenz_of(length_U, POINTS))]
    bound = [scaled(one, 100) for one in draws.of_weights(lorenz_of(capped_U, POINTS))]
    gini, gini_bound = (draws.of_weights(gini_of(each))[0] for each in (length_U, capped_U))
    rows = tuple(
        (f"busiest {number(100 * share)}%", a.mean, b.mean, a.low, a.high, b.low, b.high)
        for share, a, b in zip(POINTS[:-1], raw, bound, strict=False)
    )
    return Finding(
        "skew",
        f"The busiest 1% of the people give {percent(raw[0].mean)} of all ratings",
        f"One person in a hundred gives {percent(raw[0].mean)} of the ratings; the busiest alone "
        f"{count(int(length_U.max()), 'rating')}, where half of the people give "
        f"{int(np.median(length_U)):,} or fewer. Counting nobody for more than {cap} "
        f"ratings leaves the busiest 1% a weight of {percent(bound[0].mean)}. Nobody is dropped.",
        raw[0],
        "%",
        "of the ratings are by the busiest 1%",
        tables.num_people,
        chart=Chart(
            "bars",
            f"Share of all ratings that the busiest give, as it is and with a bound of {cap}",
            (
                "people",
                "% of ratings",
                f"% with the bound of {cap}",
                "low",
                "high",
                "bound, low",
                "bound, high",
            ),
            rows,
            drawn=(1, 2),
        ),
        so_what="Keep the bound on influence in training, so that the few do not decide what the "
        "many are shown. On ml-100k lists changed no more without the busiest 1% than without "
        "a random 1%, as far as could be shown.",
        lever="`model.learning.influence_cap` of a recipe",
        how_sure="Whether somebody with thousands of ratings is one person, a family or a program "
        f"cannot be told. The least active person here has {count(int(length_U.min()), 'rating')}"
        + ("; MovieLens leaves out who gave fewer than 20." if length_U.min() == 20 else "."),
        how_we_will_know="`influence_overlap_drop` at most 0.02 (results/influence-*.json)",
        numbers={
            "busiest": float(length_U.max()),
            "median": float(np.median(length_U)),
            "cap": cap,
            **with_bounds("gini", gini),
            **with_bounds("gini_with_the_bound", gini_bound),
            **with_bounds("top_1_percent_with_the_bound", bound[0]),
        },
    )


def lorenz_of(value_U: NDArray[np.integer], points: tuple[float, ...]) -> Figure:
    """weights (R, U) -> share of the sum that the busiest shares of the people have, (R, P).

    A point that falls within a person takes that part of them.
    """
    order = np.argsort(-value_U, kind="stable")
    sorted_U = value_U[order].astype(np.float64)

    def figure(weight_RU: Floats) -> Floats:
        weight = weight_RU[:, order]
        people, sums = np.cumsum(weight, 1), np.cumsum(weight * sorted_U, 1)
        return np.stack(
            [
                np.interp(np.asarray(points) * p[-1], np.append(0, p), np.append(0, s)) / s[-1]
                for p, s in zip(people, sums, strict=True)
            ]
        )

    return figure


def gini_of(value_U: NDArray[np.integer]) -> Figure:
    """weights (R, U) -> Gini coefficient, (R, 1): 0 where all give alike, near 1 if one gives all.

    1 - 2 x the area under the Lorenz curve of drawn people, least active first.
    """
    order = np.argsort(value_U, kind="stable")
    sorted_U = value_U[order].astype(np.float64)

    def figure(weight_RU: Floats) -> Floats:
        weight = weight_RU[:, order]
        given = weight * sorted_U
        before = np.cumsum(given, 1) - given
        area = (weight * (before + given / 2)).sum(1) / (weight.sum(1) * given.sum(1))
        return (1 - 2 * area)[:, None]

    return figure
