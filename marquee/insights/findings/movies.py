"""Films: how many have hardly any ratings, how few take most of them; fame and liking."""

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import HEAD, PRIOR_RATINGS, SUPPORT, Tables, drawn_in
from marquee.insights.finding import Chart, Finding, cannot
from marquee.insights.render.formatting import count, percent
from marquee.insights.resample import Draws, jackknife

BEST = 100
"""Films of a chart by mean stars."""
ENOUGH = 5
"""Ratings below which a plain mean is not shown anywhere."""

LEAST_FILMS = 10
"""Films that have a tenth."""


def few_ratings(tables: Tables, draws: Draws) -> Finding:
    """Films by support, and what drawing means in does to a chart of the best."""
    films, row_I = len(tables.movies), tables.support_I
    shares = support_shares(tables)
    rating_S = 100 * np.bincount(row_I, tables.count_I, len(SUPPORT)) / tables.num_ratings
    rows = tuple(
        (name, one.mean, one.low, one.high, float(rating_S[row]))
        for row, (name, one) in enumerate(zip(SUPPORT, shares, strict=True))
    )
    single, below = shares[0], int((tables.count_I < ENOUGH).sum())
    few = f"{percent(100 * below / films)} of the films have fewer than {ENOUGH} ratings"
    if single.mean > 0:
        few = f"{percent(single.mean)} of the films have a single rating"
    elif below == 0:
        few = f"No film has fewer than {ENOUGH} ratings"
    best = min(BEST, films)
    plain, held = few_among_best(tables, best)
    return Finding(
        "few-ratings",
        few,
        f"{percent(single.mean)} of the {films:,} films have one rating, "
        f"{percent(100 * below / films)} "
        f"fewer than {ENOUGH}. Of the {best} films with the best plain means {plain} have fewer "
        "than "
        f"{ENOUGH} ratings; with {PRIOR_RATINGS} ratings at the overall mean added to each film it "
        f"is {held}.",
        single,
        "%",
        "of the films have one rating",
        films,
        "films",
        Chart(
            "columns",
            "Share of films, by number of ratings",
            ("ratings of a film", "% of films", "low", "high", "% of all ratings"),
            rows,
            band=(2, 3),
        ),
        "Ask for ratings where they are missing, show how many ratings stand behind each film, and "
        "let genres and titles carry the films that have none. In a test with new people of ml-1m "
        "five answers took 190 questions asked this way, 321 asked at random.",
        "POST /rate_next; `support` and the star interval on every card; `filters.min_ratings`",
        "The interval leaves out each person once. A film without any rating is in no count here.",
        "`coverage@90/support=…` within 2 points of 90 in each group, protocol `stars`; "
        "`auc` of protocol `new-movies`",
        numbers={
            f"few_among_best_{best}_by_plain_mean": plain,
            f"few_among_best_{best}_drawn_in": held,
            "films_below_5_percent": 100 * below / films,
        },
    )


def support_shares(tables: Tables) -> list[Interval]:
    """Share of the films in each group of SUPPORT, in percent.

    Without a person the films of that person alone are gone, and those at the lower edge of a group
    (2, 6, 21, 101 ratings) fall into the one below.
    """
    films = len(tables.movies)
    count_S = np.bincount(tables.support_I, minlength=len(SUPPORT))
    into_US = np.column_stack([tables.edge_US[:, 1:], np.zeros(tables.num_people, np.int32)])
    left_U1 = np.maximum(films - tables.edge_US[:, :1], 1)
    without_US = 100 * (count_S - tables.edge_US + into_US) / left_U1
    return [
        jackknife(100 * int(size) / films, without_US[:, row], 0, 100)
        for row, size in enumerate(count_S)
    ]


def few_among_best(tables: Tables, best: int) -> tuple[int, int]:
    """Films with fewer than ENOUGH ratings among the best, by plain and by drawn-in mean."""
    few_I = tables.count_I < ENOUGH
    plain_I = tables.stars_I / tables.count_I
    return tuple(  # type: ignore[return-value]
        int(few_I[np.argsort(-mean_I, kind="stable")[:best]].sum())
        for mean_I in (plain_I, tables.drawn_in_I)
    )


def concentration(tables: Tables, draws: Draws) -> Finding:
    """The share of the most rated tenth."""
    if len(tables.movies) < LEAST_FILMS:
        return cannot(
            "concentration",
            "How much the most rated films take cannot be told",
            f"The data holds {count(len(tables.movies), 'film')}; a tenth needs {LEAST_FILMS}.",
        )
    share = draws.share(tables.head_U, tables.length_U)
    order = np.argsort(-tables.count_I, kind="stable")
    summed = np.append(0, np.cumsum(tables.count_I[order])) / tables.num_ratings
    points = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
    upto = [max(1, round(point * len(order))) for point in points]
    rows = tuple(
        (f"top {percent(100 * point)}", 100 * float(summed[size]), size)
        for point, size in zip(points[:-1], upto, strict=False)
    )
    return Finding(
        "concentration",
        f"A tenth of the films takes {percent(share.mean)} of the ratings",
        f"The {count(upto[2], 'film')} with the most ratings hold {percent(share.mean)} of all "
        f"ratings. The most rated is {tables.movies.label(int(order[0]))} "
        f"({count(int(tables.count_I[order[0]]), 'rating')}).",
        share,
        "%",
        "of the ratings are of the most rated tenth of the films",
        tables.num_people,
        chart=Chart(
            "bars",
            "Share of all ratings that the most rated films take",
            ("films", "% of ratings", "number of films"),
            rows,
        ),
        so_what="Watch how much of the catalogue lists show, and turn novelty up where they show "
        "only the head. On ml-1m 0.35 costs about 1% of accuracy and lists films that a fifth "
        "fewer people know.",
        lever="`novelty` of POST /recommend",
        how_sure="Films are ordered by the same ratings that are then counted, which favours the "
        "head a little. The head is what was offered and known, not only what is good.",
        how_we_will_know="`coverage`, `novelty` and `popularity_bias` beside `ndcg@10`, protocol "
        "`next`",
        numbers={"head_films": upto[2], "head_percent_of_films": 100 * HEAD},
    )


def liking_and_fame(tables: Tables, draws: Draws) -> Finding:
    """That well-rated films have many ratings is seen; that ratings make them liked is not."""
    row_I, mean = tables.support_I, tables.mean_stars
    rows = tuple(
        (name, float(drawn_in(*_sums(tables, row_I == row), mean)), int((row_I == row).sum()))
        for row, name in enumerate(SUPPORT)
        if (row_I == row).any()
    )
    return cannot(
        "liking-and-fame",
        "Whether more ratings make a film better liked cannot be told",
        "Films with many ratings have other means than films with few, but people pick what they "
        "expect to like and what others praised: a film may be rated often because it is good. "
        "Ratings alone do not say which comes first.",
        n=len(tables.movies),
        n_of="films",
        chart=Chart(
            "columns",
            "Mean stars, by number of ratings of the film",
            ("ratings of a film", "mean stars", "films"),
            rows,
        ),
        so_what="Do not buy or push ratings in the hope of better ones. Show some films at random "
        "to some people: only that tells.",
        how_sure="A mean of a group is over all ratings of its films, drawn to the overall mean.",
        how_we_will_know="`rmse_snips/propensity=movie` beside `rmse`, protocol `stars`",
    )


def _sums(tables: Tables, is_in_I: NDArray[np.bool_]) -> tuple[float, float]:
    return float(tables.stars_I[is_in_I].sum()), float(tables.count_I[is_in_I].sum())
