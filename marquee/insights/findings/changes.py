"""Changes by the recommender: its lists of ten against the movies that the users rated.

Coverage, popularity and genre mix are those of marquee/evaluation/metrics/beyond_accuracy.py, one
value per user.

Here U are the users of the view.
"""

import numpy as np

from marquee.core.arrays import Float64
from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, rarity
from marquee.core.movies import Movies
from marquee.evaluation.metrics.beyond_accuracy import ItemStats, coverage, list_metrics
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, unavailable, with_bounds
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import interval_text, number, percent
from marquee.insights.resample import UserResamples, scaled

MAX_GENRES_DRAWN = 10
"""The chart shows the most rated genres; all are in the numbers."""
GenreRow = tuple[str | float, ...]


def changes(view: ModelView, aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Compare coverage, popularity and genres of the lists with the histories."""
    has_list_U = np.asarray((view.ranked.top >= 0).any(1))
    if not has_list_U.any():
        return unavailable(
            id="changes",
            title="Changes by the recommender: not enough data to tell",
            reason="Everybody has rated every movie, so there is nothing left to list.",
        )
    view = view.with_lists_of(has_list_U)
    resamples = UserResamples(len(view), resamples.seed)
    movies, one_U = aggregates.movies, np.ones(len(view))
    coverage_interval = scaled(coverage([view.ranked.top], len(movies)), 100)
    rated_U, listed_U = popularity(view, aggregates)
    rated_popularity, listed_popularity = (
        resamples.share(values, one_U) for values in (rated_U, listed_U)
    )
    gap = resamples.share(listed_U - rated_U, one_U)
    rows = genre_rows(view, movies, resamples)
    return Finding(
        id="changes",
        title=f"Lists show {percent(coverage_interval.mean)} of the movies, "
        f"{_popularity_text(gap, rated_popularity)}",
        sentence=f"The lists of ten of {len(view):,} people hold "
        f"{percent(coverage_interval.mean)} of all movies. A movie that people rated themselves "
        f"was rated by {percent(rated_popularity.mean)} of everybody, a listed one by "
        f"{percent(listed_popularity.mean)} ({points(gap)}). "
        f"{_largest_changes(rows)}",
        number=coverage_interval,
        unit="%",
        meaning="of the movies are in somebody's list",
        n=len(movies),
        unit_of_n="movies",
        chart=_chart(rows),
        action="Decide how much of the catalog lists should show, then set novelty and "
        "calibration: on ml-1m calibration 0.35 halves what lists miss of people's mix for under "
        "2% of accuracy, novelty 0.35 lists movies that a fifth fewer people know for about 1%.",
        lever="`calibration`, `novelty`, `diversity` of POST /recommend",
        how_sure="Lists are those of the plain request, made from each history without its last "
        "movie. More people would be shown more of the movies. How they would answer is not in "
        "this data.",
        how_we_will_know="`coverage`, `popularity_bias`, `novelty`, `miscalibration` beside "
        "`ndcg@10`, protocol `next` (results/*.next.json)",
        numbers={
            **with_bounds("histories_known_by_percent", rated_popularity),
            **with_bounds("lists_known_by_percent", listed_popularity),
            **_list_metrics(view, aggregates, resamples),
            **{f"genre_points/{row[0]}": float(row[3]) for row in rows},
        },
    )


def _chart(rows: tuple[GenreRow, ...]) -> Chart:
    return Chart(
        kind="bars",
        title="Genre mix of what people rated and of their lists, the most rated genres",
        columns=("genre", "% of what they rated", "% of their lists", "change", "low", "high"),
        rows=rows[:MAX_GENRES_DRAWN],
        drawn_columns=(1, 2),
    )


def popularity(view: ModelView, aggregates: Aggregates) -> tuple[Float64, Float64]:
    """Return the mean popularity of each history and of each list.

    The popularity of a movie is the share of users who rated it.
    """
    share_I = aggregates.count_I / aggregates.num_users
    rated_U = np.array([share_I[history].mean() for history in view.histories])
    listed_U = np.array([share_I[top[top >= 0]].mean() for top in view.ranked.top])
    return rated_U, listed_U


def points(gap: Interval) -> str:
    """Write "1.1 points more, 95% interval: 0.88 to 1.2".

    A negative gap is "fewer", with the bounds reversed.
    """
    direction = "more"
    if gap.mean < 0:
        gap, direction = Interval(-gap.mean, -gap.high, -gap.low), "fewer"
    bounds = interval_text(gap, "points")
    return f"{number(gap.mean)} points {direction}, 95% interval: {bounds}"


def _popularity_text(gap: Interval, rated_popularity: Interval) -> str:
    change = percent(100 * abs(gap.mean) / rated_popularity.mean)
    if gap.low > 0:
        return f"known to {change} more people than what they rate"
    if gap.high < 0:
        return f"known to {change} fewer people than what they rate"
    return "as well known as what people rate"


def genre_rows(view: ModelView, movies: Movies, resamples: UserResamples) -> tuple[GenreRow, ...]:
    """Return a row for each genre, the most rated first.

    A row is genre, percent of histories, percent of lists, their difference and its interval.
    """
    share_IG = genre_shares(movies.genre_matrix())
    rated_UG = np.stack([share_IG[history].mean(0) for history in view.histories])
    listed_UG = np.stack([share_IG[top[top >= 0]].mean(0) for top in view.ranked.top])
    changes_G = resamples.percent(listed_UG - rated_UG, np.ones(len(view)))
    order = np.argsort(-rated_UG.mean(0), kind="stable")
    return tuple(
        (
            movies.genre_names[g],
            100 * float(rated_UG[:, g].mean()),
            100 * float(listed_UG[:, g].mean()),
            changes_G[g].mean,
            changes_G[g].low,
            changes_G[g].high,
        )
        for g in order
    )


def _largest_changes(rows: tuple[GenreRow, ...]) -> str:
    if not rows:
        return "Genres are not known."
    largest_rise, largest_fall = (
        extreme(rows, key=lambda row: float(row[3])) for extreme in (max, min)
    )
    return (
        f"Against what people rated, lists hold {number(float(largest_rise[3]))} points more "
        f"{largest_rise[0]} and {number(-float(largest_fall[3]))} points less {largest_fall[0]}."
    )


def _list_metrics(
    view: ModelView, aggregates: Aggregates, resamples: UserResamples
) -> dict[str, float]:
    """Return the metrics of results files by their names there; none without genres."""
    if not aggregates.movies.genre_names:
        return {}
    novelty_I = rarity(aggregates.count_I, aggregates.num_users) / np.log(2)
    stats = ItemStats(novelty_I, genre_shares(aggregates.movies.genre_matrix()))
    metrics = list_metrics(view.ranked.top, view.histories, stats)
    columns = np.column_stack(list(metrics.values()))
    intervals = resamples.ratios(columns, np.ones(len(view)))
    numbers: dict[str, float] = {}
    for name, interval in zip(metrics, intervals, strict=True):
        numbers |= with_bounds(name, interval)
    return numbers
