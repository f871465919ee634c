"""Movies: support, means, concentration of the ratings, and popularity against mean rating."""

import numpy as np

from marquee.core.bootstrap import Interval
from marquee.core.item_stats import LIKED_RATING
from marquee.insights.aggregates import HEAD_SHARE, PRIOR_RATINGS, SUPPORT, Aggregates, shrunk_mean
from marquee.insights.finding import TEXTS, Chart, Finding, texts, unavailable
from marquee.insights.render.formatting import count, percent
from marquee.insights.resample import UserResamples, jackknife

MEAN_STEP = 0.25
NUM_BEST = 100
"""Movies of a list by mean rating."""
MIN_RATINGS_OF_MEAN = 5
"""The plain mean of fewer ratings is not shown anywhere."""
MIN_MOVIES = 10
"""Fewer movies have no tenth."""
POINTS = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Shares of the movies, the most rated first."""


def few_ratings(aggregates: Aggregates) -> Finding:
    """Count movies by support, and the effect of shrinking on a list of the best."""
    num_movies, shares = len(aggregates.movies), support_shares(aggregates)
    num_few = int((aggregates.count_I < MIN_RATINGS_OF_MEAN).sum())
    few_percent = 100 * num_few / num_movies
    title = f"{percent(few_percent)} of the movies have fewer than {MIN_RATINGS_OF_MEAN} ratings"
    if shares[0].mean > 0:
        title = f"{percent(shares[0].mean)} of the movies have a single rating"
    elif num_few == 0:
        title = f"No movie has fewer than {MIN_RATINGS_OF_MEAN} ratings"
    size = min(NUM_BEST, num_movies)
    by_plain_mean, by_shrunk_mean = few_among_best(aggregates, size)
    rating_count_X = np.bincount(aggregates.support_I, aggregates.count_I, len(SUPPORT))
    return Finding(
        **texts("few-ratings"),
        title=title,
        sentence=f"{percent(few_percent)} of the movies have fewer than {MIN_RATINGS_OF_MEAN} "
        f"ratings. Of the {size} movies with the highest plain means, "
        f"{count(by_plain_mean, 'has', 'have')} so few ratings. The corrected mean adds "
        f"{PRIOR_RATINGS} ratings at the overall mean to each movie. Of the {size} movies with the "
        f"highest corrected means, {count(by_shrunk_mean, 'has', 'have')} so few.",
        number=shares[0],
        n=num_movies,
        chart=Chart.from_table(
            kind="columns",
            title="Share of movies, by number of ratings",
            table={
                "ratings of a movie": list(SUPPORT),
                "% of movies": shares,
                "% of all ratings": (100 * rating_count_X / aggregates.num_ratings).tolist(),
            },
        ),
        numbers={
            f"few_among_best_{size}_by_plain_mean": by_plain_mean,
            f"few_among_best_{size}_by_corrected_mean": by_shrunk_mean,
            f"movies_below_{MIN_RATINGS_OF_MEAN}_percent": few_percent,
        },
    )


def support_shares(aggregates: Aggregates) -> list[Interval]:
    """Return the share of the movies in each group of SUPPORT, in percent.

    Without a user the movies of that user alone are gone, and those at the lower edge of a group
    (2, 6, 21, 101 ratings) fall into the group below.
    """
    num_movies = len(aggregates.movies)
    count_X = np.bincount(aggregates.support_I, minlength=len(SUPPORT))
    edge_UX = aggregates.edge_count_UX
    into_UX = np.column_stack([edge_UX[:, 1:], np.zeros(aggregates.num_users, np.int32)])
    left_U1 = np.maximum(num_movies - edge_UX[:, :1], 1)
    without_UX = 100 * (count_X - edge_UX + into_UX) / left_U1
    return [
        jackknife(100 * int(size) / num_movies, without_UX[:, row], 0, 100)
        for row, size in enumerate(count_X)
    ]


def few_among_best(aggregates: Aggregates, size: int) -> tuple[int, int]:
    """Count movies with few ratings among the best by plain mean, and by shrunk mean."""
    is_few_I = aggregates.count_I < MIN_RATINGS_OF_MEAN
    plain_mean_I = aggregates.rating_sum_I / aggregates.count_I
    by_plain_mean, by_shrunk_mean = (
        int(is_few_I[np.argsort(-mean_I, kind="stable")[:size]].sum())
        for mean_I in (plain_mean_I, aggregates.shrunk_mean_I)
    )
    return by_plain_mean, by_shrunk_mean


def movies_by_mean(aggregates: Aggregates) -> Finding:
    """Measure the distribution of movies by their shrunk mean rating."""
    mean_I, num_movies = aggregates.shrunk_mean_I, len(aggregates.movies)
    num_liked = int((mean_I >= LIKED_RATING).sum())
    share = _liked_share(aggregates, num_liked)
    is_plain_liked_I = aggregates.rating_sum_I >= LIKED_RATING * aggregates.count_I
    num_plain_liked = int(is_plain_liked_I.sum())
    num_few = int((is_plain_liked_I & (aggregates.count_I < MIN_RATINGS_OF_MEAN)).sum())
    subject = f"{percent(share.mean)} of the movies average" if num_liked else "No movie averages"
    return Finding(
        **texts("movies-by-mean"),
        title=f"{subject} 4 stars or more, corrected for few ratings",
        sentence=f"{count(num_plain_liked, 'movie has', 'movies have')} a plain mean of 4 stars or "
        f"more. {count(num_few, 'of them has', 'of them have')} fewer than {MIN_RATINGS_OF_MEAN} "
        f"ratings. The corrected mean adds {PRIOR_RATINGS} ratings of "
        f"{aggregates.mean_rating:.2f} stars, the overall mean, to each movie. "
        f"{count(num_liked, 'movie keeps', 'movies keep')} 4 stars or more, so no movie leads on "
        "one opinion.",
        number=share,
        n=num_movies,
        chart=_means_chart(aggregates),
        numbers={"movies_liked": num_liked, "movies_liked_by_plain_mean": num_plain_liked},
    )


def _means_chart(aggregates: Aggregates) -> Chart:
    lowest = np.floor(2 * aggregates.scale[0]) / 2
    edges = np.arange(lowest, aggregates.scale[-1] + MEAN_STEP, MEAN_STEP)
    sizes, _ = np.histogram(aggregates.shrunk_mean_I, edges)
    filled = np.flatnonzero(sizes)
    drawn = slice(filled[0], filled[-1] + 1)
    return Chart.from_table(
        kind="columns",
        title="Share of movies, by corrected mean",
        table={
            "mean stars from": [f"{edge:.2f}" for edge in edges[drawn]],
            "% of movies": [100 * int(size) / len(aggregates.movies) for size in sizes[drawn]],
            "movies": sizes[drawn].tolist(),
        },
    )


def _liked_share(aggregates: Aggregates, num_liked: int) -> Interval:
    """Return the percent of the movies with a shrunk mean of LIKED_RATING or more."""
    num_movies = len(aggregates.movies)
    left_U = num_movies - aggregates.edge_count_UX[:, 0]
    liked_U = num_liked + aggregates.liked_change_U
    without_U = np.where(left_U > 0, liked_U / np.maximum(left_U, 1), 0)
    return jackknife(100 * num_liked / num_movies, 100 * without_U, 0, 100)


def concentration(
    aggregates: Aggregates, resamples: UserResamples, min_movies: int = MIN_MOVIES
) -> Finding:
    """Measure the share of the ratings that the most rated tenth of the movies takes."""
    num_movies = len(aggregates.movies)
    if num_movies < min_movies:
        reason = f"The data holds {count(num_movies, 'movie')}; this finding needs {min_movies}."
        return unavailable("concentration", reason)
    share = resamples.share(aggregates.head_count_U, aggregates.length_U)
    order = np.argsort(-aggregates.count_I, kind="stable")
    cumulated = np.append(0, np.cumsum(aggregates.count_I[order])) / aggregates.num_ratings
    sizes = [max(1, round(point * num_movies)) for point in POINTS]
    head_size, most_rated = sizes[POINTS.index(HEAD_SHARE)], int(order[0])
    return Finding(
        **texts("concentration"),
        title=f"A tenth of the movies takes {percent(share.mean)} of the ratings",
        sentence=f"The most rated tenth is {count(head_size, 'movie')}. The most rated movie is "
        f"{aggregates.movies.label(most_rated)}, with "
        f"{count(int(aggregates.count_I[most_rated]), 'rating')}.",
        number=share,
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="bars",
            title="Share of all ratings that the most rated movies take",
            table={
                "movies": [f"top {percent(100 * point)}" for point in POINTS],
                "% of ratings": [100 * float(cumulated[size]) for size in sizes],
                "number of movies": sizes,
            },
        ),
        numbers={"head_movies": head_size, "head_percent_of_movies": 100 * HEAD_SHARE},
    )


def mean_and_popularity(aggregates: Aggregates) -> Finding:
    """Show mean rating by number of ratings; the cause is not in the data."""
    count_X = np.bincount(aggregates.support_I, minlength=len(SUPPORT))
    num_ratings_X, sum_X = (
        np.bincount(aggregates.support_I, column_I, len(SUPPORT))
        for column_I in (aggregates.count_I, aggregates.rating_sum_I)
    )
    mean_X = shrunk_mean(sum_X, num_ratings_X, aggregates.mean_rating)
    groups = [row for row in range(len(SUPPORT)) if count_X[row]]
    return unavailable(
        "mean-and-popularity",
        TEXTS["mean-and-popularity"]["reason"],
        n=len(aggregates.movies),
        chart=Chart.from_table(
            kind="columns",
            title="Mean stars, by number of ratings of the movie",
            table={
                "ratings of a movie": [list(SUPPORT)[row] for row in groups],
                "mean stars": [float(mean_X[row]) for row in groups],
                "movies": [int(count_X[row]) for row in groups],
            },
        ),
    )
