"""Stars: their distribution over ratings and movies, and each user's part of the scale."""

from dataclasses import dataclass

import numpy as np

from marquee.core.bootstrap import Interval
from marquee.core.item_stats import LIKED_RATING
from marquee.evaluation.metrics.rating import RATER_KINDS, rater_kinds_of_counts
from marquee.insights.aggregates import PRIOR_RATINGS, Aggregates
from marquee.insights.finding import Chart, Finding, with_bounds
from marquee.insights.findings.movies import MIN_RATINGS_OF_MEAN
from marquee.insights.render.formatting import percent, with_interval
from marquee.insights.resample import UserResamples, jackknife

RATER_NAMES = {
    "high": "nearly always high",
    "harsh": "harshly",
    "full-range": "at both ends",
    "other": "in the middle",
}
"""Plain names of marquee.evaluation.metrics.rating.RATER_KINDS, which defines them."""
LOW_RATING = 2


def ratings(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Measure the distribution of ratings, in percent."""
    scale, length_U = np.asarray(aggregates.scale), aggregates.length_U
    counts = aggregates.value_count_UV
    shares = resamples.percent(counts, length_U)
    liked_share = resamples.share(counts[:, scale >= LIKED_RATING].sum(1), length_U)
    low_share = resamples.share(counts[:, scale <= LOW_RATING].sum(1), length_U)
    rows = tuple(
        (label(value), share.mean, share.low, share.high)
        for value, share in zip(aggregates.scale, shares, strict=True)
    )
    mode = max(range(len(rows)), key=lambda row: shares[row].mean)
    return Finding(
        id="ratings",
        title=f"{percent(liked_share.mean)} of all ratings are 4 stars or more",
        sentence=f"{percent(liked_share.mean)} of the ratings are 4 stars or more and "
        f"{with_interval(low_share, '%')} are 2 or less; the most frequent value is "
        f"{rows[mode][0]} stars. People choose what they watch, and rate what they chose. So low "
        "ratings are rare because disliked movies are not picked, not because there are none.",
        number=liked_share,
        unit="%",
        meaning="of the ratings are 4 stars or more",
        n=aggregates.num_users,
        chart=Chart(
            kind="columns",
            title="Share of all ratings, by stars",
            columns=("stars", "% of ratings", "low", "high"),
            rows=rows,
            interval_columns=(2, 3),
        ),
        action="Do not wait for low stars: ask for dislikes in one tap, and read 3 stars as a "
        "warning. How far stars mislead is known from simulated people only: their true error "
        "over all movies was 0.80 stars where rated movies said 0.57.",
        lever='`kind: "not_interested"` of POST /events; `stars.p_like` on every card',
        how_sure="These are the ratings people chose to give. What they think of the other movies "
        "is not in the data.",
        how_we_will_know="`ece` of P(4 or more) below 0.02, protocol `stars`; "
        "`results/simulated.selection.json` for what choosing does to `rmse`",
        numbers={"mean_stars": aggregates.mean_rating, **with_bounds("low_percent", low_share)},
    )


def label(value: float) -> str:
    """Write a value of the scale: "4", "4.5"."""
    return f"{value:g}"


def movies_by_mean(aggregates: Aggregates) -> Finding:
    """Measure the distribution of movies by their shrunk mean rating."""
    mean_I, num_movies = aggregates.shrunk_mean_I, len(aggregates.movies)
    num_liked = int((mean_I >= LIKED_RATING).sum())
    share = _liked_share(aggregates, num_liked)
    edges = np.arange(np.floor(2 * aggregates.scale[0]) / 2, aggregates.scale[-1] + 0.25, 0.25)
    sizes, _ = np.histogram(mean_I, edges)
    rows = tuple(
        (f"{low:.2f}", 100 * int(size) / num_movies, int(size))
        for low, size in zip(edges, sizes, strict=False)
    )
    nonempty_rows = [row for row, cells in enumerate(rows) if cells[2]]
    is_plain_liked_I = aggregates.rating_sum_I >= LIKED_RATING * aggregates.count_I
    num_few_ratings = int((is_plain_liked_I & (aggregates.count_I < MIN_RATINGS_OF_MEAN)).sum())
    num_plain_liked = int(is_plain_liked_I.sum())
    subject = f"{percent(share.mean)} of the movies average" if num_liked else "No movie averages"
    return Finding(
        id="films-by-mean",
        title=f"{subject} 4 stars or more on more than a few opinions",
        sentence=f"Of {num_movies:,} movies {num_plain_liked:,} have a plain mean of 4 or more, "
        f"{num_few_ratings:,} of them by fewer than {MIN_RATINGS_OF_MEAN} ratings. {num_liked:,} "
        f"keep it when {PRIOR_RATINGS} ratings of {aggregates.mean_rating:.2f} stars, the "
        "mean of all, are added to each movie. So none leads by one opinion alone; the chart shows "
        "these means.",
        number=share,
        unit="%",
        meaning=f"of the movies average 4 stars or more, {PRIOR_RATINGS} ratings at the overall "
        "mean added",
        n=num_movies,
        unit_of_n="movies",
        chart=Chart(
            kind="columns",
            title="Share of movies, by mean stars (from)",
            columns=("mean stars from", "% of movies", "movies"),
            rows=rows[nonempty_rows[0] : nonempty_rows[-1] + 1],
        ),
        action="Sort “top rated” by this mean: a movie then needs several good ratings to lead.",
        lever='`kind: "hidden_gems"` of POST /charts, which sorts by the least stars to expect',
        how_sure="Movies are rated by those who picked them. So a mean says how the movie's own "
        "audience liked it, not how anybody would.",
        how_we_will_know="No movie with fewer than 5 ratings in `hidden_gems` (tests); `rmse` and "
        "`coverage@90/support=…`, protocol `stars`",
        numbers={"films_liked": num_liked, "films_liked_by_plain_mean": num_plain_liked},
    )


def _liked_share(aggregates: Aggregates, num_liked: int) -> Interval:
    """Return the percent of the movies with a shrunk mean of LIKED_RATING or more."""
    num_movies = len(aggregates.movies)
    left_U = num_movies - aggregates.edge_count_UX[:, 0]
    liked_U = num_liked + aggregates.liked_change_U - aggregates.liked_only_U
    without_U = np.where(left_U > 0, liked_U / np.maximum(left_U, 1), 0)
    return jackknife(100 * num_liked / num_movies, 100 * without_U, 0, 100)


@dataclass(frozen=True, kw_only=True)
class RaterIntervals:
    """Intervals of each kind of rater, in the order of RATER_KINDS."""

    shares: list[Interval]
    """Percent of the users."""
    means: list[Interval]
    """Mean rating."""
    num_values: list[Interval]
    """Values of the scale that a user gives."""

    def share(self, kind: str) -> Interval:
        return self.shares[RATER_KINDS.index(kind)]


def rater_intervals(aggregates: Aggregates, resamples: UserResamples) -> RaterIntervals:
    """Measure each kind of rater."""
    kind_U = rater_kinds_of_counts(aggregates.value_count_UV, aggregates.scale)
    is_kind_UX = kind_U[:, None] == np.arange(len(RATER_KINDS))
    rating_sum_U = aggregates.value_count_UV @ np.asarray(aggregates.scale)
    num_values_U = (aggregates.value_count_UV > 0).sum(1)
    return RaterIntervals(
        shares=resamples.percent(is_kind_UX, np.ones(aggregates.num_users)),
        means=resamples.ratio_each(
            is_kind_UX * rating_sum_U[:, None], is_kind_UX * aggregates.length_U[:, None]
        ),
        num_values=resamples.ratio_each(is_kind_UX * num_values_U[:, None], is_kind_UX),
    )


def raters(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Measure how much of the scale the users use."""
    intervals = rater_intervals(aggregates, resamples)
    full_range_share = intervals.share("full-range")
    high_share, harsh_share = intervals.share("high"), intervals.share("harsh")
    title = "Nobody uses both ends of the scale"
    if full_range_share.mean:
        title = (
            f"{percent(full_range_share.mean)} of the people use both ends of the scale, the "
            "others more of one part"
        )
    return Finding(
        id="raters",
        title=title,
        sentence=f"{with_interval(high_share, '%')} of the people give 4 stars or more nine "
        f"times in ten, and {with_interval(harsh_share, '%')} have a mean below 3. Another "
        f"{percent(full_range_share.mean)} give at least every tenth movie "
        f"{_ends(aggregates.scale)}. So 4 stars do not mean the same from everybody.",
        number=full_range_share,
        unit="%",
        meaning="of the people use both ends of the scale",
        n=aggregates.num_users,
        chart=_raters_chart(intervals),
        action="Show stars on the person's own scale and remind them of past ratings while they "
        "rate; expect fewer surprises for those at the ends of the scale.",
        lever="the star model, which has a scale of its own for everybody (`stars` of each item)",
        how_sure="The kinds are defined by the stars themselves, so their means differ by "
        "construction. A kind rater and one who picks well look the same here.",
        how_we_will_know="`rmse/rater=high`, `harsh`, `full-range`, `other`, protocol `stars`",
        numbers={
            f"{prefix}/{name}": float(interval.mean)
            for prefix, values in (
                ("people_percent", intervals.shares),
                ("mean_stars", intervals.means),
                ("values", intervals.num_values),
            )
            for name, interval in zip(RATER_KINDS, values, strict=True)
        },
    )


def _raters_chart(intervals: RaterIntervals) -> Chart:
    shares, means, num_values = intervals.shares, intervals.means, intervals.num_values
    rows = tuple(
        (RATER_NAMES[name], share.mean, share.low, share.high, mean.mean, values.mean)
        for name, share, mean, values in zip(RATER_KINDS, shares, means, num_values, strict=True)
    )
    return Chart(
        kind="bars",
        title="Share of people, by how they use the scale",
        columns=("kind of rater", "% of people", "low", "high", "mean stars", "values used"),
        rows=rows,
        interval_columns=(2, 3),
    )


def _ends(scale: tuple[float, ...]) -> str:
    """Write the two values at each end: "1 or 2 stars, and at least every tenth 4 or 5"."""
    low, high = (f"{label(a)} or {label(b)}" for a, b in (scale[:2], scale[-2:]))
    return f"{low} stars, and at least every tenth {high}"
