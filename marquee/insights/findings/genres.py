"""Genres: the catalog, the ratings and the liking have three different tops.

A genre leads alone only if it is ahead of each other genre in 95% of the resamples. The genres that
it does not clearly beat are named beside it.

A movie with two genres counts in both, so shares add up to more than 100%. The mean of a genre is
that of all ratings of its movies, shrunk to the overall mean (aggregates.PRIOR_RATINGS).

Local letters: S draws, F columns of sums.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float64
from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import PRIOR_RATINGS, Aggregates
from marquee.insights.finding import Chart, Finding, unavailable, with_bounds
from marquee.insights.render.formatting import join_names, number, percent
from marquee.insights.resample import UserResamples, divide

TOP_SIZE = 5
MAX_LEADERS = 3
"""Of more genres that cannot be told apart none leads."""
ID = "genres"


def genres(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Compare the genres by titles, by ratings and by mean rating."""
    names = aggregates.movies.genre_names
    if not names:
        return unavailable(
            id=ID,
            title="Leading genres: not enough data to tell",
            reason="None of the movies has a genre in the movie file, so nothing can be said by "
            "genre.",
        )
    title_percent_G = 100 * aggregates.movies.genre_matrix().mean(0, dtype=np.float64)
    rating_shares, most_rated = rated_shares(aggregates, resamples)
    mean_ratings, best_liked = genre_means(aggregates, resamples)
    tops = {
        "titles": _top(names, title_percent_G),
        "ratings": _top(names, np.array([interval.mean for interval in rating_shares])),
        "stars": _top(names, np.array([interval.mean for interval in mean_ratings])),
    }
    top_genre = names.index(tops["ratings"][0])
    return Finding(
        id=ID,
        title=verdict(
            tops["titles"][0], [names[g] for g in most_rated], [names[g] for g in best_liked]
        ),
        sentence=f"Most titles: {join_names(tops['titles'])}. Most ratings: "
        f"{join_names(tops['ratings'])}. Best liked: {join_names(tops['stars'])}. "
        f"{names[top_genre]} is on {number(title_percent_G[top_genre])}% of the movies and takes "
        f"{percent(rating_shares[top_genre].mean)} of the ratings. So the number of movies of a "
        "genre says nothing about how much it is watched.",
        number=rating_shares[top_genre],
        unit="%",
        meaning=f"of the ratings are of {names[top_genre]} movies",
        n=aggregates.num_users,
        chart=_chart(aggregates, title_percent_G, rating_shares, mean_ratings, tops),
        action="Order the rows of the app by what is rated, not by what is in the catalog, and "
        "show each person their own mix. On ml-1m lists that follow it miss half as much of the "
        "mix and lose under 2% of their accuracy.",
        lever="`calibration` and `genre_profile` of POST /recommend (0.35 halves what is missed)",
        how_sure="Genres are those of the movie file, which does not say how strongly a movie "
        "belongs to one. A rating is not a viewing: movies watched and not rated are not here.",
        how_we_will_know="`miscalibration_ratio` at most 0.5 at `ndcg@10_ratio` at least 0.98, "
        "protocol `next` (results/controls-*.json, `marquee controls`)",
        numbers=_numbers(names, title_percent_G, rating_shares, mean_ratings),
    )


def rated_shares(
    aggregates: Aggregates, resamples: UserResamples
) -> tuple[list[Interval], list[int]]:
    """Return the percent of the ratings of each genre, and the leading genres."""
    columns = np.column_stack([aggregates.genre_count_UG, aggregates.length_U])
    return with_leaders(
        resamples, columns, lambda sum_SF: 100 * divide(sum_SF[:, :-1], sum_SF[:, -1:])
    )


def genre_means(
    aggregates: Aggregates, resamples: UserResamples
) -> tuple[list[Interval], list[int]]:
    """Return the shrunk mean rating of each genre, and the leading genres."""
    num, mean = len(aggregates.movies.genre_names), aggregates.mean_rating
    columns = np.column_stack([aggregates.genre_rating_sum_UG, aggregates.genre_count_UG])
    return with_leaders(
        resamples,
        columns,
        lambda sum_SF: divide(
            sum_SF[:, :num] + PRIOR_RATINGS * mean, sum_SF[:, num:] + PRIOR_RATINGS
        ),
    )


def with_leaders(
    resamples: UserResamples,
    column_UF: npt.NDArray[Any],
    statistic: Callable[[Float64], Float64],
) -> tuple[list[Interval], list[int]]:
    """Return G intervals, and the rows that the largest value does not clearly exceed."""
    value_G = statistic(np.asarray(column_UF, np.float64).sum(0, keepdims=True))[0]
    top_genre = int(np.argmax(value_G))

    def with_distance(sum_SF: Float64) -> Float64:
        value_SG = statistic(sum_SF)
        return np.column_stack([value_SG, value_SG[:, [top_genre]] - value_SG])

    intervals = resamples.intervals_of_sums(column_UF, with_distance)
    order = np.argsort(-value_G, kind="stable").tolist()
    return intervals[: len(order)], [g for g in order if intervals[len(order) + g].low <= 0]


def _top(names: tuple[str, ...], value_G: Float64) -> list[str]:
    return [names[g] for g in np.argsort(-value_G, kind="stable")[:TOP_SIZE]]


def verdict(most_titles: str, most_rated: list[str], best_liked: list[str]) -> str:
    """Write the title of the finding from the leaders of the three tops."""
    if most_rated == best_liked == [most_titles]:
        return f"{most_titles} leads in titles, in ratings and in stars"
    liked_text = _led(best_liked, "liked best")
    if most_rated == [most_titles]:
        return f"{most_titles} has the most titles and the most ratings; {liked_text}"
    parts = [f"{most_titles} fills the catalog", _led(most_rated, "rated most"), liked_text]
    return ("; " if len(most_rated) > 1 or len(best_liked) > 1 else ", ").join(parts)


def _led(names: list[str], rank: str) -> str:
    if len(names) > MAX_LEADERS:
        return f"no genre is clearly {rank}"
    return f"{join_names(names)} {'is' if len(names) == 1 else 'are'} {rank}"


def _chart(
    aggregates: Aggregates,
    title_percent_G: Float64,
    rating_shares: list[Interval],
    mean_ratings: list[Interval],
    tops: dict[str, list[str]],
) -> Chart:
    names = aggregates.movies.genre_names
    top_names = {name for top in tops.values() for name in top}
    order = sorted(
        (g for g in range(len(names)) if names[g] in top_names),
        key=lambda g: -rating_shares[g].mean,
    )
    rows = tuple(
        (
            names[g],
            title_percent_G[g],
            rating_shares[g].mean,
            mean_ratings[g].mean,
            *(
                bound
                for interval in (rating_shares[g], mean_ratings[g])
                for bound in (interval.low, interval.high)
            ),
        )
        for g in order
    )
    return Chart(
        kind="panels",
        title="The top five of each kind, by ratings",
        columns=(
            "genre",
            "% of movies",
            "% of ratings",
            "mean stars",
            "% of ratings, low",
            "% of ratings, high",
            "mean stars, low",
            "mean stars, high",
        ),
        rows=rows,
        drawn_columns=(1, 2, 3),
    )


def _numbers(
    names: tuple[str, ...],
    title_percent_G: Float64,
    rating_shares: list[Interval],
    mean_ratings: list[Interval],
) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for g, name in enumerate(names):
        numbers[f"titles_percent/{name}"] = float(title_percent_G[g])
        numbers |= with_bounds(f"ratings_percent/{name}", rating_shares[g])
        numbers |= with_bounds(f"mean_stars/{name}", mean_ratings[g])
    return numbers
