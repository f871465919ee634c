"""What each protocol asks, and the ranking of its movies from one pass of scores.

    next        the next movie among all that are not in the person's history
    ncf-paper   the same among itself and the candidates drawn for it (He et al. 2017: 99)
    time        as next, after one cut through everybody's time
    new-users   all the movies that a person nobody was trained on watched later (Liang et al. 2018)
    new-movies  a movie that nobody was trained on, among all such movies

Scoring is the dear part (a person against the whole catalogue), so each block of persons is scored
once, and where there are candidates ranked both ways. Ranking 6,040 persons and 3,706 movies takes
about .1 s beside the scoring; a block of 256 persons holds some 10 MB at that size. The caller
decides what a history holds: at test of `next` everything before the movie to be found, the
validation movie included.

T persons asked about, B persons in a block, I items, C candidates, N movies to be found, K places.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marquee.evaluation.metrics.beyond_accuracy import top_lists
from marquee.evaluation.metrics.ranking import (
    METRICS,
    METRICS_EACH,
    auc,
    expected_rank,
    rank_counts,
    rank_counts_each,
)

Ints = NDArray[np.int64]
Scores = NDArray[np.float32]
Stars = Sequence[NDArray[np.float32]] | None
Scorer = Callable[[Sequence[Ints], Stars], Scores]
"""scorer(histories, stars) -> (B, I): item rows, oldest first, and their stars (or None)."""

PROTOCOLS: dict[str, tuple[str, ...]] = {
    "next": ("hit_rate@10", "ndcg@10", "mrr", "hit_rate@50"),
    "ncf-paper": ("hit_rate@10", "ndcg@10"),
    "time": ("hit_rate@10", "ndcg@10"),
    "new-users": ("recall@20", "recall@50", "ndcg@100"),
    "new-movies": ("hit_rate@10", "auc"),
}
CHOSEN_BY = {
    "next": "ndcg@10",
    "ncf-paper": "ndcg@10",
    "time": "ndcg@10",
    "new-users": "ndcg@100",
    "new-movies": "auc",
}
"""The figure of validation that settings are chosen by."""
PER_PERSON = ("histories", "found", "stars", "candidates", "watched")
"""What of Asked has an entry for each person."""


class Asked(NamedTuple):
    """Persons, and the movies to be found for each."""

    protocol: str
    """A name of PROTOCOLS; `next` with candidates asks `ncf-paper` too."""
    histories: Sequence[Ints]
    """T arrays of item rows, oldest first."""
    found: Sequence[Ints]
    """T arrays of the item rows to be found, one each but in `new-users`."""
    stars: Stars = None
    """T float32 arrays, as long as the histories, or None."""
    candidates: Ints | None = None
    """Item rows, (T, C), drawn without replacement, or None: then there is no `ncf-paper`."""
    among: Ints | None = None
    """Item rows, (C,): only these are ranked, None for all."""
    watched: Sequence[Ints] | None = None
    """T arrays of item rows that are not ranked either, beside the histories."""

    def part(self, rows: slice) -> "Asked":
        """Some of the persons."""
        return self._replace(**{name: value[rows] for name, value in self.given().items()})

    def given(self) -> dict[str, Any]:
        """What there is of each person, by name."""
        named = {name: getattr(self, name) for name in PER_PERSON}
        return {name: value for name, value in named.items() if value is not None}


class Ranked(NamedTuple):
    """What one protocol says of every person."""

    metrics: dict[str, NDArray[np.float64]]
    """Name -> expected value, (T,)."""
    rank: NDArray[np.float64]
    """Expected position of each movie to be found, 1 is the best, (N,), person by person."""
    top: Ints
    """The ten best unseen movies, (T, K), -1 after the end; no column where nobody asked."""


def evaluate(
    scorer: Scorer, asked: Asked, *, block: int = 256, lists: bool = False
) -> dict[str, Ranked]:
    """Score each person once and rank what is to be found.

    >>> scorer = lambda histories, stars: np.array([[3.0, 2.0, 1.0]])
    >>> ranked = evaluate(scorer, Asked("next", [np.array([0])], [np.array([2])]))
    >>> ranked["next"].rank, ranked["next"].metrics["mrr"]
    (array([2.]), array([0.5]))

    block: persons scored at once. lists: keep the ten best of each person too (not of `ncf-paper`
    or `new-movies`, which rank few). A movie of the history is not ranked, a movie to be found
    always is; a candidate that equals it counts once (the paper's own lists hold 156 such). Nothing
    is drawn here.
    Returns {asked.protocol: Ranked}, and "ncf-paper" where candidates are given.
    Raises ValueError for lengths or shapes that disagree, unknown rows and NaN scores.
    """
    _check(asked)
    blocks = []
    for start in range(0, len(asked.histories), block):
        part = asked.part(slice(start, start + block))
        score_BI = _score(scorer, part)
        blocks.append(_rank(score_BI, part, lists))
    return {name: _joined([ranked[name] for ranked in blocks]) for name in blocks[0]}


def shuffled(asked: Asked, seed: int = 0) -> Asked:
    """The same questions with each history in a seeded random order, stars with their movies.

    What is lost against `asked` is what the order of a history was worth; a model that reads only
    the latest L entries now reads any L of them.
    """
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(history)) for history in asked.histories]
    histories = [history[order] for history, order in zip(asked.histories, orders, strict=True)]
    stars = asked.stars and [each[order] for each, order in zip(asked.stars, orders, strict=True)]
    return asked._replace(histories=histories, stars=stars)


def _rank(score_BI: Scores, asked: Asked, lists: bool) -> dict[str, Ranked]:
    seen_BI = _marked(asked.histories, score_BI.shape)
    if asked.watched is not None:
        seen_BI |= _marked(asked.watched, score_BI.shape)
    if asked.among is not None:
        outside_I = np.ones(score_BI.shape[1], dtype=bool)
        outside_I[asked.among] = False
        seen_BI |= outside_I
    row_N, item_N = _person(asked.found), np.concatenate(asked.found)
    seen_BI[row_N, item_N] = False
    if asked.protocol == "new-users":
        counts = rank_counts_each(score_BI, row_N, item_N, seen_BI)
        metrics = {name: metric(*counts, row_N) for name, metric in METRICS_EACH.items()}
    else:
        counts = rank_counts(score_BI, item_N, seen_BI)
        measures = {name: metric(*counts) for name, metric in METRICS.items()}
        measures["auc"] = auc(*counts, (~seen_BI).sum(1) - 1)
        metrics = {name: measures[name] for name in PROTOCOLS[asked.protocol]}
    top_BK = top_lists(score_BI, seen_BI) if lists else np.empty((len(score_BI), 0), np.int64)
    found = {asked.protocol: Ranked(metrics, expected_rank(*counts), top_BK)}
    if asked.candidates is not None:
        found["ncf-paper"] = _rank_candidates(score_BI, asked.candidates, item_N)
    return found


def _rank_candidates(score_BI: Scores, candidate_BC: Ints, target_B: Ints) -> Ranked:
    listed = np.column_stack([target_B, candidate_BC])
    seen = listed == target_B[:, None]  # the target itself, in column 0, stays all the same
    score = np.take_along_axis(score_BI, listed, axis=1)
    counts = rank_counts(score, np.zeros_like(target_B), seen)
    metrics = {name: METRICS[name](*counts) for name in PROTOCOLS["ncf-paper"]}
    return Ranked(metrics, expected_rank(*counts), np.empty((len(target_B), 0), np.int64))


def _joined(parts: Sequence[Ranked]) -> Ranked:
    names = parts[0].metrics
    metrics = {name: np.concatenate([part.metrics[name] for part in parts]) for name in names}
    rank = np.concatenate([part.rank for part in parts])
    return Ranked(metrics, rank, np.concatenate([part.top for part in parts]))


def _person(items: Sequence[Ints]) -> Ints:
    return np.repeat(np.arange(len(items)), [len(each) for each in items])


def _marked(items: Sequence[Ints], shape: tuple[int, int]) -> NDArray[np.bool_]:
    mask_BI = np.zeros(shape, dtype=bool)
    mask_BI[_person(items), np.concatenate(items)] = True
    return mask_BI


def _score(scorer: Scorer, asked: Asked) -> Scores:
    """The scores of a block; ValueError where they or the movies asked for do not fit."""
    num_users = len(asked.histories)
    score_BI = np.asarray(scorer(asked.histories, asked.stars))
    if score_BI.ndim != 2 or len(score_BI) != num_users:
        raise ValueError(
            f"the scorer gave shape {score_BI.shape} for {num_users} histories, needed "
            f"({num_users}, number of items)."
        )
    _check_rows(np.concatenate(asked.found), score_BI, "target")
    if asked.candidates is not None:
        _check_rows(asked.candidates, score_BI, "candidate")
    return score_BI


def _check_rows(rows: Ints, score_BI: Scores, what: str) -> None:
    if rows.min() < 0 or rows.max() >= score_BI.shape[1]:
        raise ValueError(
            f"{what} rows {rows.min()}..{rows.max()}, needed 0..{score_BI.shape[1] - 1}: the "
            f"scorer knows {score_BI.shape[1]} movies. Was it made on this data set?"
        )


def _check(asked: Asked) -> None:
    lengths = {name: len(value) for name, value in asked.given().items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{lengths}, needed one of each for every person.")
    if len(asked.histories) == 0:
        raise ValueError("no person to evaluate, needed at least one: is the split's part empty?")
    number = {len(found) for found in asked.found}
    if min(number) < 1 or (asked.protocol != "new-users" and max(number) > 1):
        raise ValueError(
            f"{min(number)} to {max(number)} movies to be found for a person; `{asked.protocol}` "
            f"needs {'one or more' if asked.protocol == 'new-users' else 'one'}."
        )
