"""Genres: the catalog, the ratings (or plays) and the liking have three different tops.

A genre leads alone only if it is ahead of each other genre in 95% of the resamples. The genres that
it does not clearly beat are named beside it.

A movie with two genres counts in both, so shares add up to more than 100%. The mean of a genre is
that of all ratings of its movies, shrunk to the overall mean (item_sums.PRIOR_RATINGS).

Local letters: S draws, F columns of sums.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from marquee.core.arrays import Float64
from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, by_name, texts
from marquee.insights.item_sums import PRIOR_RATINGS
from marquee.insights.render.formatting import join_names, percent
from marquee.insights.resample import AnyArray, UserResamples, divide
from marquee.insights.words import Words

TOP_SIZE = 5
MAX_LEADERS = 3
"""Of more genres that the data does not separate none leads."""


def genres(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Compare the genres by titles, by ratings (or plays) and by mean rating.

    aggregates: the movies have at least two genres.
    """
    names, words = aggregates.movies.genre_names, aggregates.words
    title_share_G = aggregates.movies.genre_matrix().mean(0, dtype=np.float64)
    title_percents = [100 * float(share) for share in title_share_G]
    rating_shares, most_rated = with_leaders(
        resamples,
        np.column_stack([aggregates.genre_count_UG, aggregates.length_U]),
        lambda sum_SF: 100 * divide(sum_SF[:, :-1], sum_SF[:, -1:]),
    )
    means, best_liked = _means(aggregates, resamples) if words.scale is not None else ([], [])
    by_titles = _top(title_percents)
    by_ratings, by_mean = (
        _top([value.mean for value in shares]) for shares in (rating_shares, means)
    )
    top = by_ratings[0]
    drawn = sorted({*by_titles, *by_ratings, *by_mean}, key=lambda g: -rating_shares[g].mean)

    def name_all(genres: Sequence[int]) -> list[str]:
        return [names[g] for g in genres]

    columns: dict[str, Sequence[Any]] = {
        "% of movies": [title_percents[g] for g in drawn],
        f"% of {words.ratings}": [rating_shares[g] for g in drawn],
    }
    numbers: dict[str, Sequence[Any]] = {
        "titles_percent": title_percents,
        f"{words.ratings}_percent": rating_shares,
    }
    liked_text = ""
    if words.scale is not None:
        columns[f"mean {words.scale.noun}"] = [means[g] for g in drawn]
        numbers["mean_stars"] = means
        liked_text = f" Best liked: {join_names(name_all(by_mean))}."
    return Finding(
        **texts("genres", words),
        title=verdict(names[by_titles[0]], name_all(most_rated), name_all(best_liked), words),
        sentence=f"Most titles: {join_names(name_all(by_titles))}. Most {words.ratings}: "
        f"{join_names(name_all(by_ratings))}.{liked_text} "
        f"{names[top]} holds {percent(title_percents[top])} of the movies and "
        f"{percent(rating_shares[top].mean)} of the {words.ratings}. The size of a genre in the "
        "catalog is no measure of demand.",
        number=rating_shares[top],
        meaning=f"of the {words.ratings} go to {names[top]} movies",
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="panels",
            title=f"The leading genres {_orders(words)}",
            table={"genre": name_all(drawn), **columns},
            drawn=tuple(columns),
        ),
        numbers=by_name(names, numbers),
    )


def _orders(words: Words) -> str:
    """Return "by titles, by ratings and by stars", or without the last."""
    orders = ["by titles", f"by {words.ratings}"]
    if words.scale is not None:
        orders.append("by stars" if words.scale.is_stars else "by mean rating")
    return join_names(orders)


def _means(aggregates: Aggregates, resamples: UserResamples) -> tuple[list[Interval], list[int]]:
    """Return the mean rating of each genre, and the genres that may lead."""
    num, prior_sum = len(aggregates.movies.genre_names), PRIOR_RATINGS * aggregates.mean_rating
    return with_leaders(
        resamples,
        np.column_stack([aggregates.genre_rating_sum_UG, aggregates.rated_by_genre_UG]),
        lambda sum_SF: (sum_SF[:, :num] + prior_sum) / (sum_SF[:, num:] + PRIOR_RATINGS),
    )


def with_leaders(
    resamples: UserResamples, column_UF: AnyArray, statistic: Callable[[Float64], Float64]
) -> tuple[list[Interval], list[int]]:
    """Return G intervals, and the rows that the largest value does not clearly exceed."""
    value_G = statistic(np.asarray(column_UF, np.float64).sum(0, keepdims=True))[0]
    top = int(np.argmax(value_G))

    def with_distance(sum_SF: Float64) -> Float64:
        value_SG = statistic(sum_SF)
        return np.column_stack([value_SG, value_SG[:, [top]] - value_SG])

    intervals = resamples.intervals_of_sums(column_UF, with_distance)
    order = np.argsort(-value_G, kind="stable").tolist()
    return intervals[: len(order)], [g for g in order if intervals[len(order) + g].low <= 0]


def _top(values: Sequence[float]) -> list[int]:
    return np.argsort(-np.asarray(values), kind="stable")[:TOP_SIZE].tolist()


def verdict(most_titles: str, most_rated: list[str], best_liked: list[str], words: Words) -> str:
    """Write the title of the finding from the leaders of the three tops.

    best_liked: empty where no rating tells what users like.
    """
    if words.scale is None:
        if most_rated == [most_titles]:
            return f"{most_titles} leads in titles and in {words.ratings}"
        return f"{most_titles} has the most titles; {_led(most_rated, f'{words.rated} most')}"
    if most_rated == best_liked == [most_titles]:
        noun = "stars" if words.scale.is_stars else "mean rating"
        return f"{most_titles} leads in titles, {words.ratings} and {noun}"
    liked_text = _led(best_liked, "liked best")
    if most_rated == [most_titles]:
        return f"{most_titles} has the most titles and the most {words.ratings}; {liked_text}"
    most_text = _led(most_rated, f"{words.rated} most")
    return f"{most_titles} has the most titles; {most_text}; {liked_text}"


def _led(names: list[str], rank: str) -> str:
    if len(names) > MAX_LEADERS:
        return f"no genre is clearly {rank}"
    return f"{join_names(names)} {'is' if len(names) == 1 else 'are'} {rank}"
