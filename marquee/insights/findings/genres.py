"""Genres: what the catalogue holds, what is rated, and what is liked are three different tops.

A genre leads alone only if it is ahead of each other one in 95% of the draws of people; those that
it is not ahead of are named beside it.

A film with two genres counts in both, so shares add up to more than 100%. A genre's mean is that of
all ratings of its films, drawn to the overall mean (tables.PRIOR_RATINGS).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import Interval
from marquee.insights.aggregates import PRIOR_RATINGS, Tables
from marquee.insights.finding import Chart, Finding, cannot, with_bounds
from marquee.insights.render.formatting import listed, number, percent
from marquee.insights.resample import Draws, over

Floats = NDArray[np.float64]
TOP = 5
MOST_LEADERS = 3
"""More that cannot be told apart are no lead."""
ID = "genres"


def genres(tables: Tables, draws: Draws) -> Finding:
    """The three tops of the genres, told apart."""
    names = tables.movies.genre_names
    if not names:
        return cannot(
            ID,
            "Which genres lead cannot be told",
            "None of the films has a genre in the movie file, so nothing can be said by genre.",
        )
    title_G = 100 * tables.movies.genre_matrix().mean(0, dtype=np.float64)
    rated, most_rated = rated_shares(tables, draws)
    liked, best_liked = genre_means(tables, draws)
    tops = {
        "titles": _top(names, title_G),
        "ratings": _top(names, np.array([one.mean for one in rated])),
        "stars": _top(names, np.array([one.mean for one in liked])),
    }
    lead = names.index(tops["ratings"][0])
    return Finding(
        ID,
        title_of(tops["titles"][0], [names[g] for g in most_rated], [names[g] for g in best_liked]),
        f"Most titles: {listed(tops['titles'])}. Most ratings: {listed(tops['ratings'])}. Best "
        f"liked: {listed(tops['stars'])}. {names[lead]} is on {number(title_G[lead])}% of the "
        "films "
        f"and takes {percent(rated[lead].mean)} of the ratings: how many films a genre has says "
        "nothing about how much it is watched.",
        rated[lead],
        "%",
        f"of the ratings are of {names[lead]} films",
        tables.num_people,
        chart=_chart(tables, title_G, rated, liked, tops),
        so_what="Fill shelves by what is rated, not by what is in the catalogue, and show each "
        "person their own mix. On ml-1m lists that follow it miss half as much of the mix and lose "
        "under 2% of their accuracy.",
        lever="`calibration` and `genre_profile` of POST /recommend (0.35 halves what is missed)",
        how_sure="Genres are those of the movie file, which says nothing about how strongly a film "
        "belongs to one. A rating is not a viewing: films watched and not rated are not here.",
        how_we_will_know="`miscalibration_ratio` at most 0.5 at `ndcg@10_ratio` at least 0.98, "
        "protocol `next` (results/controls-*.json, `marquee controls`)",
        numbers=_numbers(names, title_G, rated, liked),
    )


def rated_shares(tables: Tables, draws: Draws) -> tuple[list[Interval], list[int]]:
    """Percent of the ratings that each genre takes, and the genres in the lead."""
    columns = np.column_stack([tables.genre_UG, tables.length_U])
    return with_leaders(draws, columns, lambda sum_RM: 100 * over(sum_RM[:, :-1], sum_RM[:, -1:]))


def genre_means(tables: Tables, draws: Draws) -> tuple[list[Interval], list[int]]:
    """Mean stars of each genre's ratings, drawn to the mean of all, and the genres in the lead."""
    num, mean = len(tables.movies.genre_names), tables.mean_stars
    columns = np.column_stack([tables.genre_stars_UG, tables.genre_UG])
    return with_leaders(
        draws,
        columns,
        lambda sum_RM: over(
            sum_RM[:, :num] + PRIOR_RATINGS * mean, sum_RM[:, num:] + PRIOR_RATINGS
        ),
    )


def with_leaders(
    draws: Draws, column_UM: NDArray[np.generic], figure: Callable[[Floats], Floats]
) -> tuple[list[Interval], list[int]]:
    """Figures (G) with their intervals, and the rows that the largest is not clearly ahead of."""
    whole_G = figure(np.asarray(column_UM, np.float64).sum(0, keepdims=True))[0]
    lead = int(np.argmax(whole_G))

    def with_distance(sum_RM: Floats) -> Floats:
        value_RG = figure(sum_RM)
        return np.column_stack([value_RG, value_RG[:, [lead]] - value_RG])

    found = draws.of_sums(column_UM, with_distance)
    order = np.argsort(-whole_G, kind="stable").tolist()
    return found[: len(order)], [g for g in order if found[len(order) + g].low <= 0]


def _top(names: tuple[str, ...], value_G: np.ndarray) -> list[str]:
    return [names[g] for g in np.argsort(-value_G, kind="stable")[:TOP]]


def title_of(titles: str, rated: list[str], liked: list[str]) -> str:
    if rated == liked == [titles]:
        return f"{titles} leads in titles, in ratings and in stars"
    if rated == [titles]:
        return f"{titles} has the most titles and the most ratings; {_led(liked, 'liked best')}"
    parts = [f"{titles} fills the catalogue", _led(rated, "rated most"), _led(liked, "liked best")]
    return ("; " if len(rated) > 1 or len(liked) > 1 else ", ").join(parts)


def _led(names: list[str], what: str) -> str:
    if len(names) > MOST_LEADERS:
        return f"no genre is clearly {what}"
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _chart(
    tables: Tables,
    title_G: np.ndarray,
    rated: list[Interval],
    liked: list[Interval],
    tops: dict[str, list[str]],
) -> Chart:
    names = tables.movies.genre_names
    shown = {name for top in tops.values() for name in top}
    order = sorted(
        (g for g in range(len(names)) if names[g] in shown), key=lambda g: -rated[g].mean
    )
    rows = tuple(
        (
            names[g],
            title_G[g],
            rated[g].mean,
            liked[g].mean,
            *(bound for one in (rated[g], liked[g]) for bound in (one.low, one.high)),
        )
        for g in order
    )
    columns = (
        "genre",
        "% of films",
        "% of ratings",
        "mean stars",
        "% of ratings, low",
        "% of ratings, high",
        "mean stars, low",
        "mean stars, high",
    )
    return Chart("panels", "The top five of each kind, by ratings", columns, rows, drawn=(1, 2, 3))


def _numbers(
    names: tuple[str, ...], title_G: np.ndarray, rated: list[Interval], liked: list[Interval]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for g, name in enumerate(names):
        found[f"titles_percent/{name}"] = float(title_G[g])
        found |= with_bounds(f"ratings_percent/{name}", rated[g])
        found |= with_bounds(f"mean_stars/{name}", liked[g])
    return found
