"""Movies: support, means, concentration of the interactions, and popularity against mean rating."""

import numpy as np

from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import TEXTS, Chart, Finding, texts, unavailable
from marquee.insights.item_sums import HEAD_SHARE, PRIOR_RATINGS, SUPPORT, shrunk_mean
from marquee.insights.render.formatting import count, percent
from marquee.insights.resample import UserResamples, jackknife
from marquee.insights.words import Scale

MAX_STEPS = 20
"""Steps of a mean over the scale: a quarter of a star of 5."""
NUM_BEST = 100
"""Movies of a list by mean rating."""
MIN_RATINGS_OF_MEAN = 5
"""The plain mean of fewer ratings is not shown anywhere."""
MIN_MOVIES = 10
"""Fewer movies have no tenth."""
POINTS = (0.01, 0.05, 0.1, 0.2, 0.5)
"""Shares of the movies, the most popular first."""


def few_ratings(aggregates: Aggregates) -> Finding:
    """Count movies by support, and the effect of shrinking on a list of the best."""
    num_movies, shares, words = len(aggregates.movies), support_shares(aggregates), aggregates.words
    fixed = texts("few-ratings", words)
    num_few = int((aggregates.count_I < MIN_RATINGS_OF_MEAN).sum())
    few_percent = 100 * num_few / num_movies
    fewer = f"fewer than {MIN_RATINGS_OF_MEAN} {words.ratings}"
    title = f"{percent(few_percent)} of the movies have {fewer}"
    if shares[0].mean > 0:
        title = f"{percent(shares[0].mean)} of the movies have a single {words.rating}"
    elif num_few == 0:
        title = f"No movie has {fewer}"
        fixed["action"] = "No movie needs more. Check again when movies are added."
    sentence, numbers = _effect_of_shrinking(aggregates)
    rating_count_X = np.bincount(aggregates.support_I, aggregates.count_I, len(SUPPORT))
    return Finding(
        **fixed,
        title=title,
        sentence=f"{percent(few_percent)} of the movies have {fewer}. {sentence}".strip(),
        number=shares[0],
        n=num_movies,
        chart=Chart.from_table(
            kind="columns",
            title=f"Share of movies, by number of {words.ratings}",
            table={
                f"{words.ratings} of a movie": list(SUPPORT),
                "% of movies": shares,
                f"% of all {words.ratings}": (
                    100 * rating_count_X / aggregates.num_interactions
                ).tolist(),
            },
        ),
        numbers=numbers | {f"movies_below_{MIN_RATINGS_OF_MEAN}_percent": few_percent},
    )


def _effect_of_shrinking(aggregates: Aggregates) -> tuple[str, dict[str, float]]:
    """Return the sentences and numbers about lists of the best, where ratings make them."""
    if not aggregates.words.are_ratings or aggregates.words.scale is None:
        return "", {}
    size = min(NUM_BEST, len(aggregates.movies))
    by_plain_mean, by_shrunk_mean = few_among_best(aggregates, size)
    sentence = (
        f"Of the {size} movies with the highest plain means, "
        f"{count(by_plain_mean, 'has', 'have')} so few ratings. The corrected mean adds "
        f"{PRIOR_RATINGS} ratings at the overall mean to each movie. Of the {size} movies with the "
        f"highest corrected means, {count(by_shrunk_mean, 'has', 'have')} so few."
    )
    return sentence, {
        f"few_among_best_{size}_by_plain_mean": by_plain_mean,
        f"few_among_best_{size}_by_corrected_mean": by_shrunk_mean,
    }


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
    plain_mean_I = aggregates.rating_sum_I / np.maximum(aggregates.rated_count_I, 1)
    by_plain_mean, by_shrunk_mean = (
        int(is_few_I[np.argsort(-mean_I, kind="stable")[:size]].sum())
        for mean_I in (plain_mean_I, aggregates.shrunk_mean_I)
    )
    return by_plain_mean, by_shrunk_mean


def movies_by_mean(aggregates: Aggregates, scale: Scale) -> Finding:
    """Measure the distribution of rated movies by their shrunk mean rating."""
    is_rated_I = aggregates.rated_count_I > 0
    num_liked = int((is_rated_I & (aggregates.shrunk_mean_I >= scale.liked)).sum())
    share, at_least = _liked_share(aggregates, num_liked), scale.at_least(scale.liked)
    is_plain_liked_I = aggregates.rating_sum_I >= scale.liked * aggregates.rated_count_I
    is_plain_liked_I &= is_rated_I
    num_plain_liked = int(is_plain_liked_I.sum())
    num_few = int((is_plain_liked_I & (aggregates.rated_count_I < MIN_RATINGS_OF_MEAN)).sum())
    subject = f"{percent(share.mean)} of the movies average" if num_liked else "No movie averages"
    return Finding(
        **texts("movies-by-mean", aggregates.words),
        title=f"{subject} {at_least}, corrected for few ratings",
        sentence=f"{count(num_plain_liked, 'movie has', 'movies have')} a plain mean of "
        f"{at_least}. {count(num_few, 'of them has', 'of them have')} fewer than "
        f"{MIN_RATINGS_OF_MEAN} ratings. The corrected mean adds {PRIOR_RATINGS} ratings of "
        f"{scale.mean_text(aggregates.mean_rating)}, the overall mean, to each movie. "
        f"{count(num_liked, 'movie keeps', 'movies keep')} {at_least}, so no movie leads on "
        "one opinion."
        if num_plain_liked
        else f"No movie has a plain mean of {at_least}, either.",
        number=share,
        n=int(is_rated_I.sum()),
        chart=_means_chart(aggregates, scale),
        numbers={"movies_liked": num_liked, "movies_liked_by_plain_mean": num_plain_liked},
    )


def _means_chart(aggregates: Aggregates, scale: Scale) -> Chart:
    edges = scale.edges(scale.step(MAX_STEPS))
    mean_I = aggregates.shrunk_mean_I[aggregates.rated_count_I > 0]
    sizes, _ = np.histogram(np.clip(mean_I, edges[0], edges[-1]), edges)
    filled = np.flatnonzero(sizes)
    drawn = slice(filled[0], filled[-1] + 1)
    return Chart.from_table(
        kind="columns",
        title="Share of movies, by corrected mean",
        table={
            f"mean {scale.noun} from": [
                f"{edge:.2f}" if scale.is_stars else f"{edge:g}" for edge in edges[drawn]
            ],
            "% of movies": [100 * int(size) / len(mean_I) for size in sizes[drawn]],
            "movies": sizes[drawn].tolist(),
        },
    )


def _liked_share(aggregates: Aggregates, num_liked: int) -> Interval:
    """Return the percent of the rated movies with a shrunk mean of `liked` or more."""
    num_movies = int((aggregates.rated_count_I > 0).sum())
    left_U = num_movies - aggregates.rated_only_U
    liked_U = num_liked + aggregates.liked_change_U
    without_U = np.where(left_U > 0, liked_U / np.maximum(left_U, 1), 0)
    return jackknife(100 * num_liked / num_movies, 100 * without_U, 0, 100)


def concentration(
    aggregates: Aggregates, resamples: UserResamples, min_movies: int = MIN_MOVIES
) -> Finding:
    """Measure the share of the ratings that the most rated tenth of the movies takes."""
    num_movies, words = len(aggregates.movies), aggregates.words
    if num_movies < min_movies:
        reason = f"The data holds {count(num_movies, 'movie')}; this finding needs {min_movies}."
        return unavailable("concentration", reason, words)
    share = resamples.share(aggregates.head_count_U, aggregates.length_U)
    order = np.argsort(-aggregates.count_I, kind="stable")
    cumulated = np.append(0, np.cumsum(aggregates.count_I[order])) / aggregates.num_interactions
    sizes = [max(1, round(point * num_movies)) for point in POINTS]
    head_size, most_rated = sizes[POINTS.index(HEAD_SHARE)], int(order[0])
    return Finding(
        **texts("concentration", words),
        title=f"A tenth of the movies takes {percent(share.mean)} of the {words.ratings}",
        sentence=f"The most {words.rated} tenth is {count(head_size, 'movie')}. The most "
        f"{words.rated} movie is {aggregates.movies.label(most_rated)}, with "
        f"{count(int(aggregates.count_I[most_rated]), words.rating)}.",
        number=share,
        n=aggregates.num_users,
        chart=Chart.from_table(
            kind="bars",
            title=f"Share of all {words.ratings} that the most {words.rated} movies take",
            table={
                "movies": [f"top {percent(100 * point)}" for point in POINTS],
                f"% of {words.ratings}": [100 * float(cumulated[size]) for size in sizes],
                "number of movies": sizes,
            },
        ),
        numbers={"head_movies": head_size, "head_percent_of_movies": 100 * HEAD_SHARE},
    )


def mean_and_popularity(aggregates: Aggregates, scale: Scale) -> Finding:
    """Show mean rating by number of ratings; the cause is not in the data."""
    is_rated_I = aggregates.rated_count_I > 0
    support_I = np.searchsorted(list(SUPPORT.values()), aggregates.rated_count_I)
    count_X = np.bincount(support_I, is_rated_I, len(SUPPORT)).astype(np.int64)
    num_ratings_X, sum_X = (
        np.bincount(support_I, column_I, len(SUPPORT))
        for column_I in (aggregates.rated_count_I, aggregates.rating_sum_I)
    )
    mean_X = shrunk_mean(sum_X, num_ratings_X, aggregates.mean_rating)
    groups = [row for row in range(len(SUPPORT)) if count_X[row]]
    return unavailable(
        "mean-and-popularity",
        TEXTS["mean-and-popularity"]["reason"],
        aggregates.words,
        n=int(is_rated_I.sum()),
        chart=Chart.from_table(
            kind="columns",
            title=f"Mean {scale.noun}, by number of ratings of the movie",
            table={
                "ratings of a movie": [list(SUPPORT)[row] for row in groups],
                f"mean {scale.noun}": [float(mean_X[row]) for row in groups],
                "movies": [int(count_X[row]) for row in groups],
            },
        ),
    )
