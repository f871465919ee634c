"""Changes by the recommender: its lists of ten against the histories of the users.

Coverage, popularity and genre mix are those of marquee/evaluation/metrics/beyond_accuracy.py, one
value per user.

Here U are the users of the view.
"""

from typing import Any

import numpy as np

from marquee.core.arrays import Float64
from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, rarity
from marquee.evaluation.metrics.beyond_accuracy import ItemStats, coverage, list_metrics
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, by_name, texts, unavailable
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import number, percent
from marquee.insights.resample import UserResamples, scaled

MAX_GENRES_DRAWN = 10
"""The chart shows the most rated genres; all are in the numbers."""


def changes(view: ModelView, aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Compare coverage, popularity and genres of the lists with the histories."""
    words = aggregates.words
    has_list_U = np.asarray((view.ranked.top >= 0).any(1))
    if not has_list_U.any():
        reason = f"All users {words.rated} every movie, so no movie is left to list."
        return unavailable("changes", reason, words)
    view = view.with_lists_of(has_list_U)
    resamples = UserResamples(len(view), resamples.seed)
    movies, one_U = aggregates.movies, np.ones(len(view))
    coverage_interval = scaled(coverage([view.ranked.top], len(movies)), 100)
    rated_U, listed_U = item_means(view, aggregates.count_I / aggregates.num_users)
    rated, listed, gap = (
        resamples.share(value_U, one_U) for value_U in (rated_U, listed_U, listed_U - rated_U)
    )
    share_IG = genre_shares(movies.genre_matrix())
    mix = genre_mix(view, share_IG, movies.genre_names, resamples)
    genres, genre_changes = mix["genre"], mix["change"]
    return Finding(
        **texts("changes", words),
        title=f"Lists show {percent(coverage_interval.mean)} of the catalog; listed movies are "
        f"{compare_popularity(gap, rated)} {words.rated} ones",
        sentence=f"This finding compares the lists of ten of {len(view):,} users with their "
        f"histories. On average, {percent(rated.mean)} of all users have {words.rated} a movie "
        f"from the histories, and {percent(listed.mean)} a movie from the lists. "
        f"{_largest_changes(genres, genre_changes)}".strip(),
        number=coverage_interval,
        n=len(movies),
        chart=None
        if not genres
        else Chart.from_table(
            kind="bars",
            title=f"Genre mix of histories and of lists, the most {words.rated} genres",
            table={name: cells[:MAX_GENRES_DRAWN] for name, cells in mix.items()},
            drawn=("% of histories", "% of lists"),
        ),
        numbers={
            "histories_known_by_percent": rated,
            "lists_known_by_percent": listed,
            "lists_known_by_more_points": gap,
            **_list_metrics(view, aggregates, share_IG, resamples),
            **by_name(genres, {"genre_points": [change.mean for change in genre_changes]}),
        },
    )


def compare_popularity(gap: Interval, rated: Interval) -> str:
    """Write "12% better known than", "12% less known than" or "as well known as"."""
    change = percent(100 * abs(gap.mean) / rated.mean)
    if gap.low > 0:
        return f"{change} better known than"
    return f"{change} less known than" if gap.high < 0 else "as well known as"


def genre_mix(
    view: ModelView, share_IG: Float64, genres: tuple[str, ...], resamples: UserResamples
) -> dict[str, list[Any]]:
    """Return columns of genres, the most rated first; each user counts alike."""
    rated_UG, listed_UG = item_means(view, share_IG)
    changes = resamples.percent(listed_UG - rated_UG, np.ones(len(view)))
    order = np.argsort(-rated_UG.mean(0), kind="stable")
    return {
        "genre": [genres[g] for g in order],
        "% of histories": (100 * rated_UG.mean(0)[order]).tolist(),
        "% of lists": (100 * listed_UG.mean(0)[order]).tolist(),
        "change": [changes[g] for g in order],
    }


def item_means(view: ModelView, value_I: Float64) -> tuple[Float64, Float64]:
    """Return an item value's mean over each user's history, and over each list."""
    rated = np.stack([value_I[history].mean(0) for history in view.histories])
    return rated, np.stack([value_I[top[top >= 0]].mean(0) for top in view.ranked.top])


def _largest_changes(names: list[str], changes: list[Interval]) -> str:
    if not names:
        return ""
    points = [change.mean for change in changes]
    most, least = points.index(max(points)), points.index(min(points))
    return (
        f"Lists hold {number(points[most])} points more {names[most]} and "
        f"{number(-points[least])} points less {names[least]} than the histories."
    )


def _list_metrics(
    view: ModelView, aggregates: Aggregates, share_IG: Float64, resamples: UserResamples
) -> dict[str, Interval]:
    """Return the metrics of results files by their names there; none without genres."""
    if not share_IG.any():
        return {}
    stats = ItemStats(rarity(aggregates.count_I, aggregates.num_users) / np.log(2), share_IG)
    metrics = list_metrics(view.ranked.top, view.histories, stats)
    columns = np.column_stack(list(metrics.values()))
    return dict(zip(metrics, resamples.ratios(columns, np.ones(len(view))), strict=True))
