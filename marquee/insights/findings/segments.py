"""Groups of people with a like taste: k-means on what the network learned of them, named in words.

    segments = segments_of(view, dataset, seed=0)      # or a sentence why there are none
    segments.names                                     # ["Horror and Sci-Fi", ...]

How many groups there are is decided by stability (Ben-Hur et al. 2002): the people are halved, each
half finds its groups, both place everybody, and the adjusted Rand index says how far they agree: 1
for the same groups, 0 for what chance gives. Of 2 to MOST groups the most are taken whose index is
STABLE or more on average over the halvings; where there are none, none are reported.

P people, D embedding, G genres, I films, S segments.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from marquee.core.item_stats import genre_shares, release_years
from marquee.core.movies import Movies
from marquee.insights.finding import Chart, Finding, cannot
from marquee.insights.model_view import View
from marquee.insights.render.formatting import count, listed, number, percent
from marquee.insights.resample import Draws

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MOST = 8
"""Groups at most: more cannot be told apart in a meeting."""
HALVINGS = 8
STABLE = 0.7
LEAST_PEOPLE = 100
"""In all; halves of fewer find groups of ten."""
OVER = 1.15
"""A genre names a group that has so many times everybody's share of it."""
COMMON = 0.02
"""A genre names a group if everybody has so much of it."""
KNOWN = 0.1
"""A film names a group if so many of its people rated it."""


@dataclass(frozen=True, eq=False)
class Segments:
    """Groups of the people of a view, the largest first."""

    of_P: Ints
    names: list[str]
    films: list[list[str]]
    """Three films that each group knows and others do not."""
    lift_SG: Floats
    """A group's share of each genre over everybody's."""
    seen_SI: NDArray[np.float64]
    """Share of each group's people who rated each film."""
    agreement: dict[int, float]
    """By number of groups, the mean adjusted Rand index of the halves."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_PS(self) -> NDArray[np.bool_]:
        return self.of_P[:, None] == np.arange(len(self))


def segments_of(view: View, movies: Movies, seed: int = 0) -> Segments | str:
    """The groups, or the sentence why there are none."""
    if len(view.people) < LEAST_PEOPLE:
        return (
            f"There are {count(len(view.people), 'person', 'people')}; groups need at least "
            f"{LEAST_PEOPLE}."
        )
    place_PD = centred(view.vector_PD)
    agreement = {size: stability(place_PD, size, seed) for size in range(2, MOST + 1)}
    stable = [size for size, agreed in agreement.items() if agreed >= STABLE]
    if not stable:
        return (
            "No number of groups holds when the people are halved: the halves place at best "
            f"{number(max(agreement.values()))} alike (1: the same groups, 0: chance), and "
            f"{STABLE} is asked for. Tastes here change by degrees, not by groups."
        )
    label_P = _fit(place_PD, max(stable), seed).labels_
    order = np.argsort(-np.bincount(label_P), kind="stable")
    of_P = np.argsort(order)[label_P]
    seen_PI = seen_matrix(view.items, len(movies))
    return _named(of_P, seen_PI, movies, agreement)


def centred(vector_PD: NDArray[np.float32]) -> NDArray[np.float64]:
    """Directions from the middle of all people: what everybody shares tells nobody apart."""
    off_PD = vector_PD.astype(np.float64) - vector_PD.mean(0, dtype=np.float64)
    return off_PD / np.maximum(np.linalg.norm(off_PD, axis=1, keepdims=True), 1e-12)


def stability(place_PD: Floats, size: int, seed: int) -> float:
    """Mean adjusted Rand index of two halves' groups over everybody."""
    from sklearn.metrics import adjusted_rand_score

    found = []
    for halving in range(HALVINGS):
        order = np.random.default_rng([seed, halving]).permutation(len(place_PD))
        one, other = (
            _fit(place_PD[half], size, seed).predict(place_PD) for half in np.array_split(order, 2)
        )
        found.append(adjusted_rand_score(one, other))
    return float(np.mean(found))


def _fit(place_PD: Floats, size: int, seed: int) -> Any:
    from sklearn.cluster import KMeans

    return KMeans(size, n_init=4, random_state=seed).fit(place_PD)


def seen_matrix(items: list[Ints], num_items: int) -> csr_matrix:
    """(P, I) 1 where a person rated a film."""
    indptr = np.concatenate([[0], np.cumsum([len(each) for each in items])])
    item = np.concatenate(items)
    return csr_matrix((np.ones(len(item)), item, indptr), shape=(len(items), num_items))


def _named(
    of_P: Ints, seen_PI: csr_matrix, movies: Movies, agreement: dict[int, float]
) -> Segments:
    size = int(of_P.max()) + 1
    is_PS = (of_P[:, None] == np.arange(size)).astype(np.float64)
    mix_PG = seen_PI @ genre_shares(movies.genre_matrix())
    mix_PG = mix_PG / np.maximum(mix_PG.sum(1, keepdims=True), 1e-12)
    people_S1 = is_PS.sum(0)[:, None]
    lift_SG = (is_PS.T @ mix_PG / people_S1) / np.maximum(mix_PG.mean(0), 1e-12)
    seen_SI = np.asarray((seen_PI.T @ is_PS).T) / people_S1
    names = _names(lift_SG, mix_PG.mean(0), movies.genre_names, _eras(is_PS, seen_PI, movies))
    films = [_films(seen_SI, people_S1[:, 0], segment, movies) for segment in range(size)]
    return Segments(of_P, names, films, lift_SG, seen_SI, agreement)


def _eras(is_PS: Floats, seen_PI: csr_matrix, movies: Movies) -> list[str]:
    """Whether a group's films are older or newer than everybody's by a quarter of their spread."""
    year_I = release_years(movies)
    known_I = ~np.isnan(year_I)
    count_S1 = is_PS.T @ (seen_PI @ known_I.astype(np.float64)[:, None])
    year_S = ((is_PS.T @ (seen_PI @ np.where(known_I, year_I, 0)[:, None])) / count_S1)[:, 0]
    weight_I = np.asarray(seen_PI.sum(0)).ravel() * known_I
    if not weight_I.sum():
        return [""] * len(year_S)
    mean = np.average(np.where(known_I, year_I, 0), weights=weight_I)
    spread = np.sqrt(np.average(np.where(known_I, year_I - mean, 0) ** 2, weights=weight_I))
    return [
        "older films" if off < -spread / 4 else "newer films" if off > spread / 4 else ""
        for off in year_S - mean
    ]


def _names(lift_SG: Floats, mix_G: Floats, genres: tuple[str, ...], eras: list[str]) -> list[str]:
    """Two genres each; a third, then a number, where two groups would bear one name."""
    names: list[str] = []
    taken: list[tuple[str, set[str]]] = []
    for lift_G, era in zip(lift_SG, eras, strict=True):
        stands_out_G = (lift_G - 1) * np.sqrt(mix_G)  # how far above chance, as in a chi-square
        order = [g for g in np.argsort(-stands_out_G, kind="stable") if mix_G[g] >= COMMON]
        over = [genres[g] for g in order if lift_G[g] >= OVER]
        size = 3 if (era, set(over[:2])) in taken else 2
        taken.append((era, set(over[:2])))
        name = ", ".join(filter(None, (era, listed(over[:size])))) or "films of all kinds"
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _films(seen_SI: Floats, people_S: Floats, segment: int, movies: Movies) -> list[str]:
    """Films known in this group and least elsewhere."""
    weight_S = np.where(np.arange(len(people_S)) == segment, 0, people_S)
    elsewhere_I = weight_S @ seen_SI / max(weight_S.sum(), 1)
    over_I = np.where(seen_SI[segment] >= KNOWN, seen_SI[segment] - elsewhere_I, -1)
    return [movies.label(int(row)) for row in np.argsort(-over_I, kind="stable")[:3]]


def segments(view: View, found: Segments | str, draws: Draws, genres: tuple[str, ...]) -> Finding:
    """Who there is. draws: of the people of the view."""
    if isinstance(found, str):
        return cannot("segments", "Groups of like taste cannot be told", found)
    shares = draws.percent(found.is_PS, np.ones(len(view.people)))
    shown = 3 if len(found) <= 3 else 1  # seven groups of three films are a wall; all are in rows
    rows = tuple(
        (
            found.names[s],
            shares[s].mean,
            shares[s].low,
            shares[s].high,
            "; ".join(found.films[s]),
            _over(found.lift_SG[s], genres),
        )
        for s in range(len(found))
    )
    return Finding(
        "segments",
        f"Tastes fall into {len(found)} groups, “{found.names[0]}” the largest",
        "What each group knows and others know less: "
        + "; ".join(
            f"“{found.names[s]}” ({percent(shares[s].mean)}) {listed(found.films[s][:shown])}"
            for s in range(len(found))
        )
        + ".",
        shares[0],
        "%",
        f"of the people are “{found.names[0]}”",
        len(view.people),
        chart=Chart(
            "bars",
            "Share of people, by group",
            ("group", "% of people", "low", "high", "films", "share of a genre, times everybody's"),
            rows,
            band=(2, 3),
        ),
        so_what="Give each group a shelf of its own and a face in the first questions. What that "
        "gains has to be tried: no figure here says.",
        lever="`genre_profile` of POST /recommend; the taste groups of the app's first page",
        how_sure="Groups are cuts through tastes that pass into each other: two halves of the "
        f"people agree on them to {number(found.agreement[len(found)])} (1: fully, 0: by chance). "
        "The names are ours, from genres and films that stand out.",
        how_we_will_know="`hit_rate@10` by group below; adjusted Rand index by number of groups in "
        "findings.json; `miscalibration` with a group's profile",
        numbers={f"agreement/groups={size}": value for size, value in found.agreement.items()},
    )


def _over(lift_G: Floats, genres: tuple[str, ...]) -> str:
    best = np.argsort(-lift_G, kind="stable")[:3]
    return ", ".join(f"{genres[g]} {lift_G[g]:.1f}" for g in best)
