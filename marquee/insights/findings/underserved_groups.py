"""Under-served groups: hits and star errors on the last movies, by kind of user and movie.

A hit: the list of ten, of all movies not yet rated, holds the movie that was rated last. The star
error is the distance between the rating of that movie and the expected one. Each group's value has
its interval. The group with the fewest hits is named only if it is below the average beyond chance.

Local letters: Q groups; U users of the view.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from marquee.core.arrays import Bools, Float64
from marquee.core.bootstrap import Interval
from marquee.evaluation.metrics.rating import RATER_KINDS, rater_kinds_of_counts
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, unavailable, with_bounds
from marquee.insights.findings.rating_scale import RATER_NAMES
from marquee.insights.findings.segments import Segments
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import (
    interval_text,
    percent,
    two_decimals,
    with_interval,
)
from marquee.insights.resample import UserResamples, scaled

MIN_GROUP_SIZE = 50
"""Nothing is said about groups of fewer users."""
HISTORY_LENGTHS = {"up to 50": 50, "51 to 150": 150, "151 to 300": 300, "more than 300": np.inf}
MAX_RATINGS_OF_RARE_MOVIE = 20
"""The model knows little about a movie of so few ratings."""
MAX_GROUPS_DRAWN = 15
"""The chart shows the groups with the fewest hits; all are in the numbers."""
ALL_USERS = "all people"
UNAVAILABLE_TITLE = "Under-served groups: not enough data to tell"


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Users with something in common, or whose last movie has it."""

    key: str
    """The name under `numbers` of findings.json, which never changes."""
    name: str
    is_in_U: Bools
    of_movies: bool = False


def underserved_groups(
    view: ModelView, aggregates: Aggregates, taste_groups: Segments | str, resamples: UserResamples
) -> Finding:
    """Name the groups with the fewest hits and the largest errors."""
    if view.untestable_reason is not None:
        return unavailable(id="served", title=UNAVAILABLE_TITLE, reason=view.untestable_reason)
    groups = [
        group
        for group in groups_of(view, aggregates, taste_groups)
        if group.is_in_U.sum() >= MIN_GROUP_SIZE
    ]
    if len(groups) < 2:
        return unavailable(
            id="served",
            title=UNAVAILABLE_TITLE,
            reason=f"Only {len(view)} people can be tested on their last movie; a group needs "
            f"{MIN_GROUP_SIZE}.",
        )
    is_in_UQ = np.column_stack([group.is_in_U for group in groups])
    hit_U, ndcg_U = (view.ranked.metrics[name] for name in ("hit_rate@10", "ndcg@10"))
    hits = [scaled(hit_rate, 100) for hit_rate in group_means(hit_U, is_in_UQ, resamples)]
    ndcg = group_means(ndcg_U, is_in_UQ, resamples)
    error_U = np.abs(view.expected_rating_U - view.last_rating_U)
    errors = group_means(error_U, is_in_UQ, resamples)
    order = sorted(range(1, len(groups)), key=lambda q: hits[q].mean)
    worst_users, worst_movies = (
        next((q for q in order if groups[q].of_movies == of_movies), 0)
        for of_movies in (False, True)
    )
    largest_error = max(range(len(groups)), key=lambda q: errors[q].mean)
    behind = [q for q in (worst_users, worst_movies) if hits[q].high < hits[0].low]
    lead = (behind or [worst_users])[0]
    title = "No group is clearly served worse than the others"
    if behind:
        title = f"Least well served: {' and '.join(groups[q].name for q in behind)}"
    return Finding(
        id="served",
        title=title,
        sentence="The list of ten holds the movie rated next for "
        f"{percent(hits[0].mean)} of all people (95% interval: {interval_text(hits[0], '%')}); for "
        f"{groups[worst_users].name} it is {with_interval(hits[worst_users], '%')}. Where that "
        f"movie is one of the {groups[worst_movies].name} it is "
        f"{with_interval(hits[worst_movies], '%')}. Expected stars are off by "
        f"{two_decimals(errors[0].mean)} on average, most for {groups[largest_error].name}: "
        f"{with_interval(errors[largest_error], 'stars')}.",
        number=hits[lead],
        unit="%",
        meaning=f"of the lists hold the movie rated next where it is one of the {groups[lead].name}"
        if groups[lead].of_movies
        else f"of the lists of {groups[lead].name} hold the movie rated next",
        n=int(is_in_UQ[:, lead].sum()),
        unit_of_n=f"people of {len(view):,}",
        chart=_chart(groups, [0, *order[:MAX_GROUPS_DRAWN]], hits, ndcg, errors),
        action=action_for([groups[q] for q in behind]),
        lever="`genre_profile`, `novelty` of POST /recommend; POST /rate_next",
        how_sure="Each person is tested on one movie, so small groups vary; "
        f"{len(groups)} groups were compared, and the worst of many is partly chance. People who "
        "have rated most have the fewest well-known movies left, which makes the next one harder "
        "to guess. A movie that was not rated next may still have pleased.",
        how_we_will_know="`hit_rate@10` and `ndcg@10` of protocol `next`, `rmse/rater=…` of "
        "protocol `stars`, by these groups, before and after",
        numbers=_numbers(groups, hits, ndcg, errors),
    )


def action_for(behind: list[Group]) -> str:
    """Write the action for groups of users and for groups of movies."""
    sentences = [
        f"Help {group.name} into lists: ask for ratings of them, and turn novelty up."
        if group.of_movies
        else f"Look first at the lists of {group.name}: widen their choice by genre or novelty, "
        "and ask them for more movies."
        for group in behind
    ]
    return " ".join(
        sentences or ["No group needs settings of its own; check again after each training."]
    )


def groups_of(
    view: ModelView, aggregates: Aggregates, taste_groups: Segments | str
) -> Iterable[Group]:
    """Yield all users, then groups by history, rater, taste, and genre of the movie."""
    yield Group(key=ALL_USERS, name=ALL_USERS, is_in_U=np.ones(len(view), bool))
    length_U = np.array([len(history) for history in view.histories])
    bucket_U = np.searchsorted(list(HISTORY_LENGTHS.values()), length_U)
    for row, length in enumerate(HISTORY_LENGTHS):
        yield Group(
            key=f"people with {length} films rated",
            name=f"people with {length} movies rated",
            is_in_U=bucket_U == row,
        )
    kind_U = rater_kinds_of_counts(aggregates.value_count_UV[view.user_U], aggregates.scale)
    for row, kind in enumerate(RATER_KINDS):
        name = f"people who rate {RATER_NAMES[kind]}"
        yield Group(key=name, name=name, is_in_U=kind_U == row)
    if not isinstance(taste_groups, str):
        for row, taste in enumerate(taste_groups.names):
            name = f"the group “{taste}”"
            yield Group(key=name, name=name, is_in_U=taste_groups.group_U == row)
    has_genre_UG = aggregates.movies.genre_matrix()[view.last_item_U] > 0
    for row, genre in enumerate(aggregates.movies.genre_names):
        yield Group(
            key=f"{genre} films",
            name=f"{genre} movies",
            is_in_U=has_genre_UG[:, row],
            of_movies=True,
        )
    maximum = MAX_RATINGS_OF_RARE_MOVIE
    yield Group(
        key=f"films with {maximum} ratings or fewer",
        name=f"movies with {maximum} ratings or fewer",
        is_in_U=aggregates.count_I[view.last_item_U] <= maximum,
        of_movies=True,
    )


def group_means(value_U: Float64, is_in_UQ: Bools, resamples: UserResamples) -> list[Interval]:
    return resamples.ratio_each(value_U[:, None] * is_in_UQ, is_in_UQ)


def _chart(
    groups: list[Group],
    order: list[int],
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
            int(groups[q].is_in_U.sum()),
        )
        for q in order
    )
    return Chart(
        kind="bars",
        title="Lists of ten that hold the movie rated next",
        columns=(
            "people",
            "% with the movie in their ten",
            "low",
            "high",
            "ndcg@10",
            "star error",
            "star error, low",
            "star error, high",
            "people tested",
        ),
        rows=rows,
        interval_columns=(2, 3),
    )


def _numbers(
    groups: list[Group], hits: list[Interval], ndcg: list[Interval], errors: list[Interval]
) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for group, hit, gain, error in zip(groups, hits, ndcg, errors, strict=True):
        numbers |= with_bounds(f"hit_percent/{group.key}", hit)
        numbers |= with_bounds(f"ndcg@10/{group.key}", gain)
        numbers |= with_bounds(f"star_error/{group.key}", error)
    return numbers
