"""Movies: support, concentration of the ratings, and popularity against mean rating."""

import numpy as np

from marquee.core.arrays import Bools
from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import (
    HEAD_SHARE,
    PRIOR_RATINGS,
    SUPPORT,
    Aggregates,
    shrunk_mean,
)
from marquee.insights.finding import Chart, Finding, unavailable
from marquee.insights.render.formatting import count, percent
from marquee.insights.resample import UserResamples, jackknife

NUM_BEST = 100
"""Movies of a list by mean rating."""
MIN_RATINGS_OF_MEAN = 5
"""The plain mean of fewer ratings is not shown anywhere."""
MIN_MOVIES = 10
"""Fewer movies have no tenth."""
POINTS = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Shares of the movies, the most rated first."""


def few_ratings(aggregates: Aggregates) -> Finding:
    """Count movies by support, and the effect of shrinking on a list of the best."""
    num_movies = len(aggregates.movies)
    shares = support_shares(aggregates)
    single_rating_share, num_below_minimum = (
        shares[0],
        int((aggregates.count_I < MIN_RATINGS_OF_MEAN).sum()),
    )
    below_percent = 100 * num_below_minimum / num_movies
    title = f"{percent(below_percent)} of the movies have fewer than {MIN_RATINGS_OF_MEAN} ratings"
    if single_rating_share.mean > 0:
        title = f"{percent(single_rating_share.mean)} of the movies have a single rating"
    elif num_below_minimum == 0:
        title = f"No movie has fewer than {MIN_RATINGS_OF_MEAN} ratings"
    size = min(NUM_BEST, num_movies)
    by_plain_mean, by_shrunk_mean = few_among_best(aggregates, size)
    return Finding(
        id="few-ratings",
        title=title,
        sentence=f"{percent(single_rating_share.mean)} of the {num_movies:,} movies have one "
        f"rating, {percent(below_percent)} fewer than {MIN_RATINGS_OF_MEAN}. Of the {size} movies "
        f"with the best plain means {by_plain_mean} have fewer than {MIN_RATINGS_OF_MEAN} ratings. "
        f"With {PRIOR_RATINGS} ratings at the overall mean added to each movie it is "
        f"{by_shrunk_mean}.",
        number=single_rating_share,
        unit="%",
        meaning="of the movies have one rating",
        n=num_movies,
        unit_of_n="movies",
        chart=_support_chart(aggregates, shares),
        action="Ask for ratings where they are missing, show the number of ratings of each movie, "
        "and let genres and titles carry the movies that have none. In a test with new people of "
        "ml-1m five answers took 190 questions asked this way, 321 asked at random.",
        lever="POST /rate_next; `num_ratings` and the star interval on every card; "
        "`filters.min_ratings`",
        how_sure="The interval leaves out each person once. A movie without any rating is in no "
        "count here.",
        how_we_will_know="`coverage@90/support=…` within 2 points of 90 in each group, protocol "
        "`stars`; `auc` of protocol `new-movies`",
        numbers={
            f"few_among_best_{size}_by_plain_mean": by_plain_mean,
            f"few_among_best_{size}_drawn_in": by_shrunk_mean,
            "films_below_5_percent": below_percent,
        },
    )


def _support_chart(aggregates: Aggregates, shares: list[Interval]) -> Chart:
    rating_count_X = np.bincount(aggregates.support_I, aggregates.count_I, len(SUPPORT))
    rating_percent_X = 100 * rating_count_X / aggregates.num_ratings
    rows = tuple(
        (name, share.mean, share.low, share.high, float(rating_percent_X[row]))
        for row, (name, share) in enumerate(zip(SUPPORT, shares, strict=True))
    )
    return Chart(
        kind="columns",
        title="Share of movies, by number of ratings",
        columns=("ratings of a movie", "% of movies", "low", "high", "% of all ratings"),
        rows=rows,
        interval_columns=(2, 3),
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


def concentration(aggregates: Aggregates, resamples: UserResamples) -> Finding:
    """Measure the share of the ratings that the most rated tenth of the movies takes."""
    num_movies = len(aggregates.movies)
    if num_movies < MIN_MOVIES:
        return unavailable(
            id="concentration",
            title="Share of the most rated movies: not enough data to tell",
            reason=f"The data holds {count(num_movies, 'movie')}; a tenth needs {MIN_MOVIES}.",
        )
    share = resamples.share(aggregates.head_count_U, aggregates.length_U)
    order = np.argsort(-aggregates.count_I, kind="stable")
    cumulated = np.append(0, np.cumsum(aggregates.count_I[order])) / aggregates.num_ratings
    sizes = [max(1, round(point * len(order))) for point in POINTS]
    rows = tuple(
        (f"top {percent(100 * point)}", 100 * float(cumulated[size]), size)
        for point, size in zip(POINTS[:-1], sizes, strict=False)
    )
    head_size, most_rated = sizes[2], int(order[0])
    return Finding(
        id="concentration",
        title=f"A tenth of the movies takes {percent(share.mean)} of the ratings",
        sentence=f"The {count(head_size, 'movie')} with the most ratings hold "
        f"{percent(share.mean)} of all ratings. The most rated is "
        f"{aggregates.movies.label(most_rated)} "
        f"({count(int(aggregates.count_I[most_rated]), 'rating')}).",
        number=share,
        unit="%",
        meaning="of the ratings are of the most rated tenth of the movies",
        n=aggregates.num_users,
        chart=Chart(
            kind="bars",
            title="Share of all ratings that the most rated movies take",
            columns=("movies", "% of ratings", "number of movies"),
            rows=rows,
        ),
        action="Watch how much of the catalog lists show, and turn novelty up where they show "
        "only the head. On ml-1m 0.35 costs about 1% of accuracy and lists movies that a fifth "
        "fewer people know.",
        lever="`novelty` of POST /recommend",
        how_sure="Movies are ordered by the same ratings that are then counted, which favors the "
        "head a little. The head is what was offered and known, not only what is good.",
        how_we_will_know="`coverage`, `novelty` and `popularity_bias` beside `ndcg@10`, protocol "
        "`next`",
        numbers={"head_films": head_size, "head_percent_of_films": 100 * HEAD_SHARE},
    )


def liking_and_popularity(aggregates: Aggregates) -> Finding:
    """Show mean rating by number of ratings.

    State that the cause is not in the data.
    """
    support_I, mean = aggregates.support_I, aggregates.mean_rating
    rows = tuple(
        (name, _group_mean(aggregates, support_I == row, mean), int((support_I == row).sum()))
        for row, name in enumerate(SUPPORT)
        if (support_I == row).any()
    )
    return unavailable(
        id="liking-and-fame",
        title="Do more ratings make a movie better liked? Not enough data to tell",
        reason="Movies with many ratings have other means than movies with few. But people pick "
        "what they expect to like and what others praised: a movie may be rated often because it "
        "is good. Ratings alone do not say which comes first.",
        n=len(aggregates.movies),
        unit_of_n="movies",
        chart=Chart(
            kind="columns",
            title="Mean stars, by number of ratings of the movie",
            columns=("ratings of a movie", "mean stars", "movies"),
            rows=rows,
        ),
        action="Do not buy or push ratings in the hope of better ones. Show some movies at random "
        "to some people: only that tells.",
        how_sure="A mean of a group is over all ratings of its movies, shrunk to the overall mean.",
        how_we_will_know="`rmse_snips/propensity=movie` beside `rmse`, protocol `stars`",
    )


def _group_mean(aggregates: Aggregates, mask_I: Bools, mean: float) -> float:
    total, size = aggregates.rating_sum_I[mask_I].sum(), aggregates.count_I[mask_I].sum()
    return float(shrunk_mean(float(total), float(size), mean))
