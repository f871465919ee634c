"""Under-served groups: hits and star errors on the last movies, by kind of user and movie.

A hit: the list of ten, of all movies not in the history, holds the movie that came last. The star
error is the distance between the rating of that movie and the expected one, where there are
ratings. Each group's value has
its interval. The group with the fewest hits is named only if it is below the average beyond chance.

Local letters: Q groups; U users of the view.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Float64
from marquee.core.bootstrap import Interval
from marquee.evaluation.metrics.rating import RATER_KINDS
from marquee.insights.aggregates import Aggregates
from marquee.insights.finding import Chart, Finding, by_name, texts, unavailable
from marquee.insights.findings.segments import Segments
from marquee.insights.findings.users import RATER_NAMES
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import count, join_names, percent
from marquee.insights.resample import UserResamples, scaled
from marquee.insights.words import Words

ID = "underserved-groups"
MIN_GROUP_SIZE = 50
"""Nothing is said about groups of fewer users, nor about one that holds all of them."""
HISTORY_LENGTHS = {"up to 50": 50, "51 to 150": 150, "151 to 300": 300, "more than 300": np.inf}
MAX_RATINGS_OF_RARE_MOVIE = 20
"""The model knows little about a movie of so few ratings."""
MAX_GROUPS_DRAWN = 15
"""The chart shows the groups with the fewest hits; all are in the numbers."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Group:
    """Users with something in common, or whose last movie has it."""

    name: str
    is_in_U: Bools
    of_movies: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Measurement:
    """The values of one group."""

    name: str
    of_movies: bool
    num_users: int
    hits: Interval
    """Percent of lists that hold the movie rated or played last."""
    ndcg: Interval
    error: Interval | None
    """Mean distance of the expected rating to the rating; None without ratings."""

    @property
    def hits_text(self) -> str:
        start = "If the next movie is one of" if self.of_movies else "For"
        return f"{start} “{self.name}”, the share is {percent(self.hits.mean)}."

    def action(self, with_ratings: bool) -> str:
        if self.of_movies:
            ask = "ask for ratings of them, and " if with_ratings else ""
            return f"Recommend {self.name} more: {ask}raise novelty."
        ask = ", and ask them to rate more movies" if with_ratings else ""
        return f"Look first at the lists of {self.name}. Widen their choice by novelty{ask}."


def underserved_groups(
    view: ModelView, aggregates: Aggregates, taste_groups: Segments | str, resamples: UserResamples
) -> Finding:
    """Name the groups with the fewest hits and the largest errors."""
    words = aggregates.words
    if view.untestable_reason is not None:
        return unavailable(ID, view.untestable_reason, words)
    everyone, *groups = groups_of(view, aggregates, taste_groups)
    groups = [group for group in groups if MIN_GROUP_SIZE <= group.is_in_U.sum() < len(view)]
    if not groups:
        reason = (
            f"The {count(len(view), 'user')} that can be tested on their last movie form no group "
            f"of {MIN_GROUP_SIZE} or more beside all."
        )
        return unavailable(ID, reason, words)
    return summarise(measure(view, [everyone, *groups], resamples), words)


def groups_of(
    view: ModelView, aggregates: Aggregates, taste_groups: Segments | str
) -> Iterable[Group]:
    """Yield all users, then groups by history, rater, taste, and genre of the movie.

    The names are keys of findings.json, which never change.
    """
    words = aggregates.words
    yield Group(name="all users", is_in_U=np.ones(len(view), bool))
    length_U = np.array([len(history) for history in view.histories])
    bucket_U = np.searchsorted(list(HISTORY_LENGTHS.values()), length_U)
    for row, length in enumerate(HISTORY_LENGTHS):
        yield Group(name=f"users with {length} {words.rated} movies", is_in_U=bucket_U == row)
    if words.scale is not None:
        kind_U = aggregates.rater_kind_U[view.user_U]
        rates_U = aggregates.num_rated_U[view.user_U] > 0
        for row, kind in enumerate(RATER_KINDS):
            is_in_U = (kind_U == row) & rates_U
            yield Group(name=f"users who rate {RATER_NAMES[kind]}", is_in_U=is_in_U)
    if not isinstance(taste_groups, str):
        for row, taste in enumerate(taste_groups.names):
            yield Group(name=f"the group “{taste}”", is_in_U=taste_groups.group_U == row)
    has_genre_UG = aggregates.movies.genre_matrix()[view.last_item_U] > 0
    for genre, has_genre_U in zip(aggregates.movies.genre_names, has_genre_UG.T, strict=True):
        yield Group(name=f"{genre} movies", is_in_U=has_genre_U, of_movies=True)
    maximum = MAX_RATINGS_OF_RARE_MOVIE
    yield Group(
        name=f"movies with {maximum} {words.ratings} or fewer",
        is_in_U=aggregates.count_I[view.last_item_U] <= maximum,
        of_movies=True,
    )


def measure(view: ModelView, groups: list[Group], resamples: UserResamples) -> list[Measurement]:
    """Measure each group."""
    is_in_UQ = np.column_stack([group.is_in_U for group in groups])

    def means(value_U: Float64) -> list[Interval]:
        is_known_U = ~np.isnan(value_U)
        weight_UQ = is_in_UQ & is_known_U[:, None]
        return resamples.ratios(np.nan_to_num(value_U)[:, None] * weight_UQ, weight_UQ)

    hits, ndcg = (means(view.ranked.metrics[name]) for name in ("hit_rate@10", "ndcg@10"))
    errors: Sequence[Interval | None] = [None] * len(groups)
    if view.expected_rating_U is not None:
        errors = means(np.abs(view.expected_rating_U - view.last_rating_U))
    return [
        Measurement(
            name=group.name,
            of_movies=group.of_movies,
            num_users=int(group.is_in_U.sum()),
            hits=scaled(hits[q], 100),
            ndcg=ndcg[q],
            error=errors[q],
        )
        for q, group in enumerate(groups)
    ]


def summarise(measurements: list[Measurement], words: Words) -> Finding:
    """Compare the groups with all users, who are the first."""
    everyone = measurements[0]
    by_hits = sorted(measurements[1:], key=lambda group: group.hits.mean)
    worst = [group for group in by_hits if not group.of_movies][:1]
    worst += [group for group in by_hits if group.of_movies][:1]
    below = [group for group in worst if group.hits.high < everyone.hits.low]
    main = (below or worst)[0]
    title = "No group is clearly served worse than the others"
    if below:
        title = f"Least well served: {join_names([group.name for group in below])}"
    action = " ".join(group.action(words.are_ratings) for group in below)
    next_movie = f"the movie {words.rated} next"
    sentences = [
        f"A hit is a list of ten that holds {next_movie}.",
        f"{percent(everyone.hits.mean)} of the lists of all users are hits.",
        *(group.hits_text for group in worst),
        *_error_sentences(measurements, words),
    ]
    return Finding(
        **texts("underserved-groups", words, num_groups=len(measurements)),
        title=title,
        sentence=" ".join(sentences),
        number=main.hits,
        meaning=f"of the lists hold {next_movie} if it is one of the {main.name}"
        if main.of_movies
        else f"of the lists of {main.name} hold {next_movie}",
        n=main.num_users,
        unit_of_n=f"of {everyone.num_users:,} users",
        chart=_chart([everyone, *by_hits[:MAX_GROUPS_DRAWN]], next_movie, words),
        action=action or "No group needs settings of its own. Check again after each training.",
        numbers=_numbers(measurements),
    )


def _error_sentences(measurements: list[Measurement], words: Words) -> list[str]:
    errors = {group.name: error.mean for group in measurements if (error := group.error)}
    if not errors or words.scale is None:
        return []
    largest = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=-1.0))
    unit = words.scale.noun if words.scale.is_stars else "on the scale"
    return [
        f"Predicted {words.scale.noun if words.scale.is_stars else 'ratings'} are off by "
        f"{errors[measurements[0].name]:.2f} on average.",
        f"The error is largest for “{largest}”: {errors[largest]:.2f} {unit}.",
    ]


def _chart(groups: list[Measurement], next_movie: str, words: Words) -> Chart:
    table: dict[str, list[Any]] = {
        "group": [group.name for group in groups],
        "% with the movie in their ten": [group.hits for group in groups],
        "ndcg@10": [group.ndcg.mean for group in groups],
    }
    if words.scale is not None and groups[0].error is not None:
        name = "star error" if words.scale.is_stars else "rating error"
        table[name] = [group.error for group in groups]
    table["users tested"] = [group.num_users for group in groups]
    return Chart.from_table(kind="bars", title=f"Lists of ten that hold {next_movie}", table=table)


def _numbers(measurements: list[Measurement]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {
        "hit_percent": [group.hits for group in measurements],
        "ndcg@10": [group.ndcg for group in measurements],
    }
    if measurements[0].error is not None:
        columns["star_error"] = [group.error for group in measurements]
    return by_name([group.name for group in measurements], columns)
