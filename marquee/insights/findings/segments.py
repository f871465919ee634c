"""Taste groups: k-means on the users' vectors in the network, named by genres and movies.

    segments = segments_of(view, movies, seed=0)       # or a sentence why there are none
    segments.names                                     # ["Horror and Sci-Fi", ...]

Stability decides the number of groups (Ben-Hur et al. 2002). The users are halved, each half finds
its groups, and both place all users. The adjusted Rand index says how far they agree: 1 for the
same groups, 0 for chance. The result is the largest number of groups, from 2 to MAX_GROUPS, whose
mean index over the halvings is MIN_AGREEMENT or more. Where there is none, no groups are reported.

Local letters: T taste groups; U users of the view.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from marquee.core.arrays import AnyInt, Bools, Float32, Float64, Int64
from marquee.core.bootstrap import Interval
from marquee.core.item_stats import genre_shares, release_years
from marquee.core.movies import Movies
from marquee.insights.finding import Chart, Finding, texts, unavailable
from marquee.insights.model_view import ModelView
from marquee.insights.render.formatting import count, join_names, number
from marquee.insights.resample import UserResamples
from marquee.insights.words import Words

MAX_GROUPS = 8
"""More groups cannot be told apart in a meeting."""
NUM_HALVINGS = 8
MIN_AGREEMENT = 0.7
MIN_USERS = 100
"""In all; halves of fewer have groups of ten."""
MIN_LIFT = 1.15
"""A genre names a group whose share of it is so many times the share of all users."""
MIN_GENRE_SHARE = 0.02
"""A genre names a group only if its share over all users is at least so large."""
MIN_KNOWN_SHARE = 0.1
"""A movie names a group if so large a share of its users rated or played it."""
ERA_DISTANCE = 0.25
"""A group has older or newer movies if their mean year is so many standard deviations off."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Segments:
    """Taste groups of the users of a view, the largest first."""

    group_U: Int64
    names: list[str]
    movies: list[list[str]]
    """Three movies that each group knows and others do not."""
    lift_TG: Float64
    """A group's share of each genre over the share of all users."""
    agreement: dict[int, float]
    """Mean adjusted Rand index of the halves, by number of groups."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_member_UT(self) -> Bools:
        return self.group_U[:, None] == np.arange(len(self))


def segments_of(view: ModelView, movies: Movies, seed: int = 0) -> Segments | str:
    """Return the groups, or the sentence why there are none."""
    if len(view) < MIN_USERS:
        return f"The data holds {count(len(view), 'user')}; taste groups need {MIN_USERS}."
    direction_UD = centered(view.vector_UD)
    agreement = {size: stability(direction_UD, size, seed) for size in range(2, MAX_GROUPS + 1)}
    stable_sizes = [size for size, index in agreement.items() if index >= MIN_AGREEMENT]
    if not stable_sizes:
        return (
            "No number of groups is stable when the users are split into halves. The halves agree "
            f"to {number(max(agreement.values()))} at best; stable groups need {MIN_AGREEMENT}. "
            "Tastes here change by degrees, not by groups."
        )
    label_U = _fit(direction_UD, max(stable_sizes), seed).labels_
    order = np.argsort(-np.bincount(label_U), kind="stable")
    group_U = np.argsort(order)[label_U]
    return _named(group_U, seen_matrix(view.histories, len(movies)), movies, agreement)


def centered(vector_UD: Float32) -> Float64:
    """Subtract the mean user vector, which distinguishes no group, and normalize."""
    offset_UD = vector_UD.astype(np.float64) - vector_UD.mean(0, dtype=np.float64)
    return offset_UD / np.maximum(np.linalg.norm(offset_UD, axis=1, keepdims=True), 1e-12)


def stability(direction_UD: Float64, size: int, seed: int) -> float:
    """Return the mean adjusted Rand index of two halves' groups over all users."""
    from sklearn.metrics import adjusted_rand_score

    indices = []
    for halving in range(NUM_HALVINGS):
        order = np.random.default_rng([seed, halving]).permutation(len(direction_UD))
        models = [_fit(direction_UD[half], size, seed) for half in np.array_split(order, 2)]
        indices.append(adjusted_rand_score(*(model.predict(direction_UD) for model in models)))
    return float(np.mean(indices))


def _fit(direction_UD: Float64, size: int, seed: int) -> Any:
    from sklearn.cluster import KMeans

    return KMeans(size, n_init=4, random_state=seed).fit(direction_UD)


def seen_matrix(histories: Sequence[AnyInt], num_items: int) -> csr_matrix:
    """Return (U, I), how often an item is in a user's history."""
    indptr = np.concatenate([[0], np.cumsum([len(history) for history in histories])])
    item = np.concatenate(histories)
    return csr_matrix((np.ones(len(item)), item, indptr), shape=(len(histories), num_items))


def _named(
    group_U: Int64, seen_UI: csr_matrix, movies: Movies, agreement: dict[int, float]
) -> Segments:
    is_member_UT = (group_U[:, None] == np.arange(group_U.max() + 1)).astype(np.float64)
    num_users_T = is_member_UT.sum(0)
    mix_UG = seen_UI @ genre_shares(movies.genre_matrix())
    mix_UG = mix_UG / np.maximum(mix_UG.sum(1, keepdims=True), 1e-12)
    mix_TG = is_member_UT.T @ mix_UG / num_users_T[:, None]
    lift_TG = mix_TG / np.maximum(mix_UG.mean(0), 1e-12)
    seen_TI = np.asarray((seen_UI.T @ is_member_UT).T) / num_users_T[:, None]
    eras = _eras(seen_TI, num_users_T, movies)
    known_T = [_movies(seen_TI, num_users_T, t, movies) for t in range(len(seen_TI))]
    others = [
        "movies of all kinds" if movies.genre_names else f"fans of {known[0]}" for known in known_T
    ]
    return Segments(
        group_U=group_U,
        names=_names(lift_TG, mix_UG.mean(0), movies.genre_names, eras, others),
        movies=known_T,
        lift_TG=lift_TG,
        agreement=agreement,
    )


def _eras(seen_TI: Float64, num_users_T: Float64, movies: Movies) -> list[str]:
    """Return "older movies", "newer movies" or "" for each group."""
    year_I = release_years(movies)
    is_known_I = ~np.isnan(year_I)
    weight_TI, year_I = seen_TI[:, is_known_I], year_I[is_known_I]
    weight_I = num_users_T @ weight_TI
    if not weight_I.sum():
        return [""] * len(seen_TI)
    mean = np.average(year_I, weights=weight_I)
    limit = ERA_DISTANCE * np.sqrt(np.average((year_I - mean) ** 2, weights=weight_I))
    return [
        "older movies" if offset < -limit else "newer movies" if offset > limit else ""
        for offset in weight_TI @ year_I / weight_TI.sum(1) - mean
    ]


def _names(
    lift_TG: Float64, mix_G: Float64, genres: tuple[str, ...], eras: list[str], others: list[str]
) -> list[str]:
    """Name groups by two genres each; by a third, then a number, where two names are equal.

    others: names of groups that no genre stands out in.
    """
    names: list[str] = []
    used: list[tuple[str, set[str]]] = []
    for lift_G, era, other in zip(lift_TG, eras, others, strict=True):
        distance_G = (lift_G - 1) * np.sqrt(mix_G)  # above chance, as in a chi-square
        order = [g for g in np.argsort(-distance_G, kind="stable") if mix_G[g] >= MIN_GENRE_SHARE]
        top_genres = [genres[g] for g in order if lift_G[g] >= MIN_LIFT]
        size = 3 if (era, set(top_genres[:2])) in used else 2
        used.append((era, set(top_genres[:2])))
        parts = filter(None, (era, join_names(top_genres[:size])))
        name = ", ".join(parts) or other
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _movies(seen_TI: Float64, num_users_T: Float64, group: int, movies: Movies) -> list[str]:
    """Return the three movies most specific to a group: known in it, and least in the others."""
    weight_T = np.where(np.arange(len(num_users_T)) == group, 0, num_users_T)
    elsewhere_I = weight_T @ seen_TI / max(weight_T.sum(), 1)
    distance_I = np.where(seen_TI[group] >= MIN_KNOWN_SHARE, seen_TI[group] - elsewhere_I, -1)
    return [movies.label(int(row)) for row in np.argsort(-distance_I, kind="stable")[:3]]


def segments(
    view: ModelView,
    groups: Segments | str,
    resamples: UserResamples,
    genres: tuple[str, ...],
    words: Words,
) -> Finding:
    """Describe the taste groups. resamples: of the users of the view."""
    if isinstance(groups, str):
        return unavailable("segments", groups, words)
    shares = resamples.percent(groups.is_member_UT, np.ones(len(view)))
    num_movies = 3 if len(groups) <= 3 else 1  # three movies of seven groups are too much to read
    descriptions = [
        f"“{name}”: {join_names(movies[:num_movies])}."
        for name, movies in zip(groups.names, groups.movies, strict=True)
    ]
    return Finding(
        **texts("segments", words, agreement=number(groups.agreement[len(groups)])),
        title=f"Tastes form {len(groups)} groups; “{groups.names[0]}” is the largest",
        sentence="Each group knows some movies better than the others do. "
        f"{' '.join(descriptions)}",
        number=shares[0],
        meaning=f"of users are in “{groups.names[0]}”",
        n=len(view),
        chart=_chart(groups, shares, genres),
        numbers={f"agreement/groups={size}": value for size, value in groups.agreement.items()},
    )


def _chart(groups: Segments, shares: list[Interval], genres: tuple[str, ...]) -> Chart:
    table: dict[str, list[Any]] = {
        "group": groups.names,
        "% of users": shares,
        "movies": ["; ".join(movies) for movies in groups.movies],
    }
    if genres:
        lifts = [_top_lifts(lift_G, genres) for lift_G in groups.lift_TG]
        table["genre shares, relative to all users"] = lifts
    return Chart.from_table(kind="bars", title="Share of users, by group", table=table)


def _top_lifts(lift_G: Float64, genres: tuple[str, ...]) -> str:
    order = np.argsort(-lift_G, kind="stable")[:3]
    return ", ".join(f"{genres[g]} {lift_G[g]:.1f}" for g in order)
