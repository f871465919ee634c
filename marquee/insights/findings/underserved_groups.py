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


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurements:
    """The values of Q groups of users; the first group is all users."""

    groups: list[Group]
    hits: list[Interval]
    """Percent of lists that hold the movie rated last."""
    ndcg: list[Interval]
    errors: list[Interval]
    """Mean distance of the expected rating to the rating, in stars."""
    order: list[int]
    """Groups by hits, the fewest first, without all users."""

    def worst(self, of_movies: bool) -> int:
        """Return the group of users, or of movies, with the fewest hits.

        It is 0 if there is none.
        """
        return next((q for q in self.order if self.groups[q].of_movies == of_movies), 0)


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
    return _finding(measure(view, groups, resamples))


def measure(view: ModelView, groups: list[Group], resamples: UserResamples) -> Measurements:
    """Measure each group; the first one is all users."""
    is_in_UQ = np.column_stack([group.is_in_U for group in groups])
    hit_U, ndcg_U = (view.ranked.metrics[name] for name in ("hit_rate@10", "ndcg@10"))
    error_U = np.abs(view.expected_rating_U - view.last_rating_U)
    hits = [scaled(hit_rate, 100) for hit_rate in group_means(hit_U, is_in_UQ, resamples)]
    return Measurements(
        groups=groups,
        hits=hits,
        ndcg=group_means(ndcg_U, is_in_UQ, resamples),
        errors=group_means(error_U, is_in_UQ, resamples),
        order=sorted(range(1, len(groups)), key=lambda q: hits[q].mean),
    )


def _finding(measurements: Measurements) -> Finding:
    groups, hits, errors = measurements.groups, measurements.hits, measurements.errors
    num_users = len(groups[0].is_in_U)
    worst_users, worst_movies = measurements.worst(False), measurements.worst(True)
    largest_error = max(range(len(groups)), key=lambda q: errors[q].mean)
    worst_groups = [q for q in (worst_users, worst_movies) if hits[q].high < hits[0].low]
    worst_group = (worst_groups or [worst_users])[0]
    name = groups[worst_group].name
    title = "No group is clearly served worse than the others"
    if worst_groups:
        title = f"Least well served: {' and '.join(groups[q].name for q in worst_groups)}"
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
        number=hits[worst_group],
        unit="%",
        meaning=f"of the lists hold the movie rated next where it is one of the {name}"
        if groups[worst_group].of_movies
        else f"of the lists of {name} hold the movie rated next",
        n=int(groups[worst_group].is_in_U.sum()),
        unit_of_n=f"people of {num_users:,}",
        chart=_chart(measurements),
        action=action_for([groups[q] for q in worst_groups]),
        lever="`genre_profile`, `novelty` of POST /recommend; POST /rate_next",
        how_sure="Each person is tested on one movie, so small groups vary; "
        f"{len(groups)} groups were compared, and the worst of many is partly chance. People who "
        "have rated most have the fewest well-known movies left, which makes the next one harder "
        "to guess. A movie that was not rated next may still have pleased.",
        how_we_will_know="`hit_rate@10` and `ndcg@10` of protocol `next`, `rmse/rater=…` of "
        "protocol `stars`, by these groups, before and after",
        numbers=_numbers(measurements),
    )


def action_for(worst_groups: list[Group]) -> str:
    """Write the action for groups of users and for groups of movies."""
    sentences = [
        f"Help {group.name} into lists: ask for ratings of them, and turn novelty up."
        if group.of_movies
        else f"Look first at the lists of {group.name}: widen their choice by genre or novelty, "
        "and ask them for more movies."
        for group in worst_groups
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


def _chart(measurements: Measurements) -> Chart:
    groups, hits, errors = measurements.groups, measurements.hits, measurements.errors
    rows = tuple(
        (
            groups[q].name,
            hits[q].mean,
            hits[q].low,
            hits[q].high,
            measurements.ndcg[q].mean,
            errors[q].mean,
            errors[q].low,
            errors[q].high,
            int(groups[q].is_in_U.sum()),
        )
        for q in [0, *measurements.order[:MAX_GROUPS_DRAWN]]
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


def _numbers(measurements: Measurements) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for q, group in enumerate(measurements.groups):
        numbers |= with_bounds(f"hit_percent/{group.key}", measurements.hits[q])
        numbers |= with_bounds(f"ndcg@10/{group.key}", measurements.ndcg[q])
        numbers |= with_bounds(f"star_error/{group.key}", measurements.errors[q])
    return numbers
