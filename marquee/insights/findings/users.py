"""Users: their ratings, the part of the scale that they use, and the busiest of them."""

import numpy as np

from marquee.core.arrays import AnyInt, Float64
from marquee.core.bootstrap import Interval
from marquee.core.item_stats import MIDDLE_SHARE, rating_at
from marquee.evaluation.metrics.rating import RATER_KINDS, num_end_values
from marquee.insights.aggregates import Aggregates
from marquee.insights.chunk_sums import WATCHED_GROUPS
from marquee.insights.finding import Chart, Finding, by_name, texts
from marquee.insights.render.formatting import count, number, percent
from marquee.insights.resample import Statistic, UserResamples, scaled
from marquee.insights.words import Scale, Words

RATER_NAMES = {
    "high": "nearly always high",
    "harsh": "harshly",
    "full-range": "at both ends",
    "other": "in the middle",
}
"""Plain names of marquee.evaluation.metrics.rating.RATER_KINDS, which defines them."""
DEFAULT_CAP = 200
"""Ratings that one user counts for at most if no model says otherwise."""
POINTS = (0.01, 0.05, 0.1, 0.25, 0.5)
"""Shares of the users, busiest first."""


def ratings(aggregates: Aggregates, resamples: UserResamples, scale: Scale) -> Finding:
    """Measure the distribution of ratings, in percent."""
    words, num_rated_U = aggregates.words, aggregates.num_rated_U
    shares = resamples.percent(aggregates.value_count_UV, num_rated_U)
    liked_share = resamples.share(aggregates.liked_count_U, num_rated_U)
    low_share = resamples.share(aggregates.low_count_U, num_rated_U)
    mode = scale.values[int(np.argmax(aggregates.value_count_V))]
    names, _ = scale.groups
    is_grouped = len(names) < len(scale.values)
    return Finding(
        **texts("ratings", words),
        title=f"{percent(liked_share.mean)} of all ratings are {scale.at_least(scale.liked)}",
        sentence=f"{percent(low_share.mean)} of the ratings are {scale.at_most(scale.low)}. The "
        f"most frequent rating is {scale.text(mode)}. Users choose what they watch and rate what "
        "they chose. So low ratings are rare because users avoid movies that they expect to "
        "dislike.",
        number=liked_share,
        n=int((num_rated_U > 0).sum()),
        chart=Chart.from_table(
            kind="columns",
            title=f"Share of all ratings, by {scale.noun}",
            table={
                f"{scale.noun} from" if is_grouped else scale.noun: names,
                "% of ratings": shares,
            },
        ),
        numbers={"mean_stars": aggregates.mean_rating, "low_percent": low_share},
    )


def raters(aggregates: Aggregates, resamples: UserResamples, scale: Scale) -> Finding:
    """Measure how much of the scale the users use."""
    rates_U = aggregates.num_rated_U > 0
    is_kind_UX = (aggregates.rater_kind_U[:, None] == np.arange(len(RATER_KINDS))) & rates_U[
        :, None
    ]
    shares = resamples.percent(is_kind_UX, rates_U)
    means, num_values = (
        [interval.mean for interval in resamples.ratios(part_UX, total_UX)]
        for part_UX, total_UX in (
            (
                is_kind_UX * aggregates.rating_sum_U[:, None],
                is_kind_UX * aggregates.num_rated_U[:, None],
            ),
            (is_kind_UX * aggregates.num_values_U[:, None], is_kind_UX),
        )
    )
    high_share, harsh_share, full_range_share, _ = shares
    subject = f"{percent(full_range_share.mean)} of users" if full_range_share.mean else "No users"
    return Finding(
        **texts("raters", aggregates.words),
        title=f"{subject} use both ends of the scale",
        sentence=f"{_ends_text(scale)} {percent(high_share.mean)} of users give "
        f"{scale.at_least(scale.liked)} nine times in ten. {percent(harsh_share.mean)} of users "
        f"have a mean below {scale.text(rating_at(scale.values, MIDDLE_SHARE))}. So the same "
        f"{'stars mean' if scale.is_stars else 'rating means'} different things from different "
        "users.",
        number=full_range_share,
        n=int(rates_U.sum()),
        chart=Chart.from_table(
            kind="bars",
            title="Share of users, by how they use the scale",
            table={
                "kind of rater": [RATER_NAMES[kind] for kind in RATER_KINDS],
                "% of users": shares,
                f"mean {scale.noun}": means,
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


def _ends_text(scale: Scale) -> str:
    num = num_end_values(scale.values)
    size, values = {1: ("", "value"), 2: ("two ", "values")}.get(num, (f"{num} ", "values"))
    return (
        f"Such users give at least a tenth of their ratings to the {size}lowest {values}, and "
        f"a tenth to the {size}highest."
    )


def finishing(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Measure how much of a play is watched, where that is known."""
    counts = aggregates.watched_count_UW
    assert counts is not None
    known_U = counts.sum(1)
    shares = resamples.percent(counts, known_U)
    left_share, finished_share = shares[0], shares[-1]
    known_share = resamples.share(known_U, aggregates.length_U)
    return Finding(
        **texts("finishing", aggregates.words),
        title=f"{percent(finished_share.mean)} of the plays are watched to the end",
        sentence=f"A play counts as finished from 90% on. {percent(left_share.mean)} of the plays "
        f"end before a tenth of the movie. The share is known for {percent(known_share.mean)} of "
        f"the {aggregates.words.ratings}.",
        number=finished_share,
        n=int((known_U > 0).sum()),
        chart=Chart.from_table(
            kind="columns",
            title="Share of plays, by watched share",
            table={"watched": list(WATCHED_GROUPS), "% of plays": shares},
        ),
        numbers={"below_a_tenth_percent": left_share, "known_percent": known_share},
    )


def skew(aggregates: Aggregates, resamples: UserResamples, cap: int = DEFAULT_CAP) -> Finding:
    """Measure the share of the busiest, with and without the cap."""
    length_U, words = aggregates.length_U, aggregates.words
    capped_length_U = np.minimum(length_U, cap)
    shares, capped_shares = (
        [scaled(share, 100) for share in resamples.intervals_of_weights(lorenz_of(value_U, POINTS))]
        for value_U in (length_U, capped_length_U)
    )
    least = count(int(length_U.min()), words.rating)
    if least == "20 ratings" and words.is_movielens:
        least += "; MovieLens leaves out users with fewer"
    return Finding(
        **texts("skew", words, least=least),
        title=f"The busiest 1% of users {words.give} {percent(shares[0].mean)} of all "
        f"{words.ratings}",
        sentence=f"The busiest user {words.gave} {count(int(length_U.max()), words.rating)}. Half "
        f"of the users {words.gave} {count(int(np.median(length_U)), words.rating)} or fewer. "
        f"{_cap_text(cap, length_U, capped_shares[0], words)}",
        number=shares[0],
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="bars",
            title=f"Share of all {words.ratings} by the busiest users, without and with a cap of "
            f"{cap}",
            table={
                "users": [f"busiest {number(100 * point)}%" for point in POINTS],
                f"% of {words.ratings}": shares,
                f"% with a cap of {cap}": capped_shares,
            },
            drawn=(f"% of {words.ratings}", f"% with a cap of {cap}"),
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


def _cap_text(cap: int, length_U: AnyInt, capped_share: Interval, words: Words) -> str:
    cap_text = f"A cap of {cap} {words.ratings} per user"
    if length_U.max() <= cap:
        return f"{cap_text} would change nothing: no user has more."
    return (
        f"{cap_text} lowers the share of the busiest to {percent(capped_share.mean)}. The cap "
        "drops no user."
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
