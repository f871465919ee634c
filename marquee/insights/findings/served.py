"""Who is served badly: hits and star errors on everybody's last film, by kind of person and film.

A hit: the list of ten, of all films not yet rated, holds the film that was rated last. The star
error is the distance of the stars given to it from those expected. Each group's figure has its
interval; the group with the fewest hits is named only if it is below the average beyond chance.

P people, Q groups.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import Interval
from marquee.evaluation.metrics.rating import RATERS, kinds_of_counts
from marquee.insights.aggregates import Tables
from marquee.insights.finding import Chart, Finding, cannot, with_bounds
from marquee.insights.findings.rating_scale import KINDS
from marquee.insights.findings.segments import Segments
from marquee.insights.model_view import View
from marquee.insights.render.formatting import about, percent, span, stars
from marquee.insights.resample import Draws, scaled

LEAST = 50
"""People of a group; of fewer nothing is said."""
LENGTHS = {"up to 50": 50, "51 to 150": 150, "151 to 300": 300, "more than 300": np.inf}
FEW = 20
"""Ratings of a film that the model knows little of."""
SHOWN = 15
"""Groups drawn, those with the fewest hits; all are in the numbers."""
EVERYBODY = "all people"


class Group(NamedTuple):
    """People with something in common, or whose last film has it."""

    name: str
    is_in_P: NDArray[np.bool_]
    of_films: bool = False


def served(view: View, tables: Tables, found: Segments | str, draws: Draws) -> Finding:
    """The groups with the fewest hits and the largest errors."""
    if view.why_not_tested is not None:
        return cannot("served", "Who is served badly cannot be told", view.why_not_tested)
    groups = [group for group in groups_of(view, tables, found) if group.is_in_P.sum() >= LEAST]
    if len(groups) < 2:
        return cannot(
            "served",
            "Who is served badly cannot be told",
            f"Only {len(view.people)} people can be asked about their last film; a group needs "
            f"{LEAST}.",
        )
    is_PQ = np.column_stack([group.is_in_P for group in groups])
    hits = [scaled(one, 100) for one in means(view.ranked.metrics["hit_rate@10"], is_PQ, draws)]
    ndcg = means(view.ranked.metrics["ndcg@10"], is_PQ, draws)
    errors = means(np.abs(view.expected_P - view.stars_P), is_PQ, draws)
    order = sorted(range(1, len(groups)), key=lambda q: hits[q].mean)
    worst, film = (
        next((q for q in order if groups[q].of_films == of_films), 0) for of_films in (False, True)
    )
    off = max(range(len(groups)), key=lambda q: errors[q].mean)
    behind = [q for q in (worst, film) if hits[q].high < hits[0].low]
    first = (behind or [worst])[0]
    return Finding(
        "served",
        f"Least well served: {' and '.join(groups[q].name for q in behind)}"
        if behind
        else "Nobody is served clearly worse than the others",
        f"The list of ten holds the film rated next for {percent(hits[0].mean)} of all people (95% "
        f"sure: {span(hits[0], '%')}); for {groups[worst].name} it is {about(hits[worst], '%')}. "
        f"Where that film is one of the {groups[film].name} it is {about(hits[film], '%')}. "
        f"Expected stars are off by {stars(errors[0].mean)} on average, most for "
        f"{groups[off].name}: {about(errors[off], 'stars')}.",
        hits[first],
        "%",
        f"of the lists hold the film rated next where it is one of the {groups[first].name}"
        if groups[first].of_films
        else f"of the lists of {groups[first].name} hold the film rated next",
        int(is_PQ[:, first].sum()),
        f"people of {len(view.people):,}",
        _chart(groups, [0, *order[:SHOWN]], is_PQ, hits, ndcg, errors),
        so_what([groups[q] for q in behind]),
        "`genre_profile`, `novelty` of POST /recommend; POST /rate_next",
        "One film a person is asked for, so small groups vary; "
        f"{len(groups)} groups were compared, and the worst of many is partly chance. Whoever has "
        "rated most has fewest well-known films left, which makes the next one harder to guess. A "
        "film that was not rated next may still have pleased.",
        "`hit_rate@10` and `ndcg@10` of protocol `next`, `rmse/rater=…` of protocol `stars`, by "
        "these groups, before and after",
        numbers=_numbers(groups, hits, ndcg, errors),
    )


def so_what(behind: list[Group]) -> str:
    """What to do for people, and what for films."""
    said = [
        f"Help {group.name} into lists: ask for ratings of them, and turn novelty up."
        if group.of_films
        else f"Look first at the lists of {group.name}: widen their choice by genre or novelty, "
        "and ask them for more films."
        for group in behind
    ]
    return " ".join(said or ["No group needs settings of its own; ask again after each training."])


def groups_of(view: View, tables: Tables, found: Segments | str) -> Iterable[Group]:
    """Everybody, then by history, by kind of rater, by taste group, by genre of the film."""
    yield Group(EVERYBODY, np.ones(len(view.people), bool))
    length_P = np.array([len(each) for each in view.items])
    bucket_P = np.searchsorted(list(LENGTHS.values()), length_P)
    for row, name in enumerate(LENGTHS):
        yield Group(f"people with {name} films rated", bucket_P == row)
    kind_P = kinds_of_counts(tables.star_UK[view.people], tables.scale)
    for row, kind in enumerate(RATERS):
        yield Group(f"people who rate {KINDS[kind]}", kind_P == row)
    if not isinstance(found, str):
        for row, name in enumerate(found.names):
            yield Group(f"the group “{name}”", found.of_P == row)
    genre_PG = tables.movies.genre_matrix()[view.last_P] > 0
    for row, name in enumerate(tables.movies.genre_names):
        yield Group(f"{name} films", genre_PG[:, row], of_films=True)
    few_P = tables.count_I[view.last_P] <= FEW
    yield Group(f"films with {FEW} ratings or fewer", few_P, of_films=True)


def means(value_P: NDArray[np.float64], is_PQ: NDArray[np.bool_], draws: Draws) -> list[Interval]:
    return draws.ratio_each(value_P[:, None] * is_PQ, is_PQ)


def _chart(
    groups: list[Group],
    order: list[int],
    is_PQ: NDArray[np.bool_],
    hits: list[Interval],
    ndcg: list[Interval],
    errors: list[Interval],
) -> Chart:
    rows = tuple(
        (
            groups[q].name,
            hits[q].mean,
            hits[q].low,
            hits[q].high,
            ndcg[q].mean,
            errors[q].mean,
            errors[q].low,
            errors[q].high,
            int(is_PQ[:, q].sum()),
        )
        for q in order
    )
    columns = (
        "people",
        "% with the film in their ten",
        "low",
        "high",
        "ndcg@10",
        "star error",
        "star error, low",
        "star error, high",
        "people asked",
    )
    return Chart("bars", "Lists of ten that hold the film rated next", columns, rows, band=(2, 3))


def _numbers(
    groups: list[Group], hits: list[Interval], ndcg: list[Interval], errors: list[Interval]
) -> dict[str, float]:
    found: dict[str, float] = {}
    for group, hit, gain, error in zip(groups, hits, ndcg, errors, strict=True):
        found |= with_bounds(f"hit_percent/{group.name}", hit)
        found |= with_bounds(f"ndcg@10/{group.name}", gain)
        found |= with_bounds(f"star_error/{group.name}", error)
    return found
