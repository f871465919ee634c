"""What the recommender changes: its lists of ten beside what people rated themselves.

Coverage, popularity and genre mix are those of marquee/evaluation/metrics/beyond_accuracy.py, person by person.

P people, G genres.
"""

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, rarity
from marquee.core.movies import Movies
from marquee.evaluation.metrics.beyond_accuracy import Catalogue, coverage, of_lists
from marquee.insights.aggregates import Tables
from marquee.insights.finding import Chart, Finding, cannot, with_bounds
from marquee.insights.model_view import View
from marquee.insights.render.formatting import number, percent, span
from marquee.insights.resample import Draws, scaled

Floats = NDArray[np.float64]
SHOWN = 10
"""Genres drawn; all are in the numbers."""


def changes(view: View, tables: Tables, draws: Draws) -> Finding:
    """Coverage, popularity and genres of the lists against the histories."""
    has_list_P = np.asarray((view.ranked.top >= 0).any(1))
    if not has_list_P.any():
        return cannot(
            "changes",
            "What the recommender changes cannot be told",
            "Everybody has rated every film, so there is nothing left to list.",
        )
    view, draws = view.part(has_list_P), Draws(int(has_list_P.sum()), draws.seed)
    movies, top_PK = tables.movies, view.ranked.top
    covered = scaled(coverage([top_PK], len(movies)), 100)
    known_P, listed_P = fame(view, tables)
    one_P = np.ones(len(view.people))
    known, listed = (draws.share(each, one_P) for each in (known_P, listed_P))
    gap = draws.share(listed_P - known_P, one_P)
    bias = _beyond(view, tables, draws)
    rows = genre_rows(view, movies, draws)
    return Finding(
        "changes",
        f"Lists show {percent(covered.mean)} of the films, {_fame(gap, known)}",
        f"The lists of ten of {len(view.people):,} people hold {percent(covered.mean)} of all "
        f"films. A film that people rated themselves was rated by {percent(known.mean)} of "
        "everybody, a "
        f"listed one by {percent(listed.mean)} ({points(gap)}). {_most_moved(rows)}",
        covered,
        "%",
        "of the films are in somebody's list",
        len(movies),
        "films",
        Chart(
            "bars",
            "Genre mix of what people rated and of their lists, the most rated genres",
            ("genre", "% of what they rated", "% of their lists", "change", "low", "high"),
            rows[:SHOWN],
            drawn=(1, 2),
        ),
        "Decide how much of the catalogue lists should show, then set novelty and calibration: on "
        "ml-1m calibration 0.35 halves what lists miss of people's mix for under 2% of accuracy, "
        "novelty 0.35 lists films that a fifth fewer people know for about 1%.",
        "`calibration`, `novelty`, `diversity` of POST /recommend",
        "Lists are those of the plain request, made from each history without its last film. More "
        "people would be shown more of the films. How they would answer is not in this data.",
        "`coverage`, `popularity_bias`, `novelty`, `miscalibration` beside `ndcg@10`, protocol "
        "`next` (results/*.next.json)",
        numbers={
            **with_bounds("histories_known_by_percent", known),
            **with_bounds("lists_known_by_percent", listed),
            **bias,
            **{f"genre_points/{row[0]}": float(row[3]) for row in rows},
        },
    )


def fame(view: View, tables: Tables) -> tuple[Floats, Floats]:
    """Mean share of people who rated a film, over each history and over each list."""
    share_I = tables.count_I / tables.num_people
    known_P = np.array([share_I[rows].mean() for rows in view.items])
    listed_P = np.array([share_I[top[top >= 0]].mean() for top in view.ranked.top])
    return known_P, listed_P


def points(gap: Interval) -> str:
    """ "1.1 points more, 95% sure: 0.88 to 1.2"; "fewer" with the bounds turned round."""
    if gap.mean < 0:
        gap = Interval(-gap.mean, -gap.high, -gap.low)
        return f"{number(gap.mean)} points fewer, 95% sure: {span(gap, 'points')}"
    return f"{number(gap.mean)} points more, 95% sure: {span(gap, 'points')}"


def _fame(gap: Interval, known: Interval) -> str:
    """Beside what the same people rated themselves."""
    moved = percent(100 * abs(gap.mean) / known.mean)
    if gap.low > 0:
        return f"known to {moved} more people than what they rate"
    if gap.high < 0:
        return f"known to {moved} fewer people than what they rate"
    return "as well known as what people rate"


def genre_rows(view: View, movies: Movies, draws: Draws) -> tuple[tuple[str | float, ...], ...]:
    """Genre, percent of the histories, percent of the lists, their difference with its interval."""
    share_IG = genre_shares(movies.genre_matrix())
    own_PG = np.stack([share_IG[rows].mean(0) for rows in view.items])
    list_PG = np.stack([share_IG[top[top >= 0]].mean(0) for top in view.ranked.top])
    moved = draws.percent(list_PG - own_PG, np.ones(len(view.people)))
    order = np.argsort(-own_PG.mean(0), kind="stable")
    return tuple(
        (
            movies.genre_names[g],
            100 * float(own_PG[:, g].mean()),
            100 * float(list_PG[:, g].mean()),
            moved[g].mean,
            moved[g].low,
            moved[g].high,
        )
        for g in order
    )


def _most_moved(rows: tuple[tuple[str | float, ...], ...]) -> str:
    if not rows:
        return "Genres are not known."
    up, down = (pick(rows, key=lambda row: float(row[3])) for pick in (max, min))
    return (
        f"Against what people rated, lists hold {number(float(up[3]))} points more {up[0]} and "
        f"{number(-float(down[3]))} points less {down[0]}."
    )


def _beyond(view: View, tables: Tables, draws: Draws) -> dict[str, float]:
    """The figures of results files, by their names there; without genres there are none."""
    if not tables.movies.genre_names:
        return {}
    novelty_I = rarity(tables.count_I, tables.num_people) / np.log(2)
    catalogue = Catalogue(novelty_I, genre_shares(tables.movies.genre_matrix()))
    found = of_lists(view.ranked.top, view.items, catalogue)
    names = list(found)
    each = draws.ratios(np.column_stack([found[name] for name in names]), np.ones(len(view.people)))
    numbers: dict[str, float] = {}
    for name, one in zip(names, each, strict=True):
        numbers |= with_bounds(name, one)
    return numbers
