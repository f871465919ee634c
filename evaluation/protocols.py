"""The protocols `next` and `ncf-paper`, from one pass of scores.

    next        the target among all movies that are not in the person's history
    ncf-paper   the target among itself and the candidates drawn for it (He et al. 2017: 99)

Scoring is the dear part (a person against the whole catalogue), so each block of persons is scored
once and ranked both ways. Ranking 6,040 persons and 3,706 movies takes about .1 s beside the
scoring; a block of 256 persons holds some 10 MB at that size. The caller decides what a history
holds: at test everything before the target, the validation movie included.

T persons asked about, B persons in a block, I items, C candidates.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import METRICS, expected_rank, rank_counts

Ints = NDArray[np.int64]
Scores = NDArray[np.float32]
Stars = Sequence[NDArray[np.float32]] | None
Scorer = Callable[[Sequence[Ints], Stars], Scores]
"""scorer(histories, stars) -> (B, I): item rows, oldest first, and their stars (or None)."""

PROTOCOLS: dict[str, tuple[str, ...]] = {
    "next": ("hit_rate@10", "ndcg@10", "mrr", "hit_rate@50"),
    "ncf-paper": ("hit_rate@10", "ndcg@10"),
}


class Asked(NamedTuple):
    """Persons and the movie to be found for each; `evaluate(scorer, *asked)`."""

    histories: Sequence[Ints]
    """T arrays of item rows, oldest first."""
    targets: Ints
    """Item rows, (T,)."""
    candidates: Ints | None = None
    """Item rows, (T, C), drawn without replacement, or None: then there is no `ncf-paper`."""
    stars: Stars = None
    """T float32 arrays, as long as the histories, or None."""


class Ranked(NamedTuple):
    """What one protocol says of every person."""

    metrics: dict[str, NDArray[np.float64]]
    """Name -> expected value, (T,)."""
    rank: NDArray[np.float64]
    """Expected position of the target, 1 is the best, (T,)."""


def evaluate(
    scorer: Scorer,
    histories: Sequence[Ints],
    targets: Ints,
    candidates: Ints | None = None,
    stars: Stars = None,
    *,
    block: int = 256,
) -> dict[str, Ranked]:
    """Score each person once and rank the target under both protocols.

    >>> scorer = lambda histories, stars: np.array([[3.0, 2.0, 1.0]])
    >>> ranked = evaluate(scorer, [np.array([0])], np.array([2]))
    >>> ranked["next"].rank, ranked["next"].metrics["mrr"]
    (array([2.]), array([0.5]))

    For the arguments see Asked; block is the number of persons scored at once. A movie of the
    history is left out of `next`, the target stays even if the history holds it; a candidate that
    equals its target counts once (the paper's own lists hold 156 such). Nothing is drawn here.
    Returns {"next": Ranked}, and "ncf-paper" where candidates are given.
    Raises ValueError for lengths or shapes that disagree, unknown rows and NaN scores.
    """
    _check(histories, targets, candidates, stars)
    counts: dict[str, list[NDArray[np.int64]]] = {"next": []}
    for start in range(0, len(targets), block):
        part = slice(start, start + block)
        score_BI = _score(scorer, histories[part], None if stars is None else stars[part])
        _check_rows(targets[part], score_BI, "target")
        counts["next"].append(rank_all(score_BI, histories[part], targets[part]))
        if candidates is not None:
            _check_rows(candidates[part], score_BI, "candidate")
            counts.setdefault("ncf-paper", []).append(
                rank_candidates(score_BI, candidates[part], targets[part])
            )
    return {name: _ranked(name, np.concatenate(parts, axis=1)) for name, parts in counts.items()}


def rank_all(score_BI: Scores, histories: Sequence[Ints], target_B: Ints) -> Ints:
    """(greater, ties) of each target among all movies not in its history: int64 (2, B)."""
    seen_BI = np.zeros(score_BI.shape, dtype=bool)
    person = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    seen_BI[person, np.concatenate(histories)] = True
    return np.stack(rank_counts(score_BI, target_B, seen_BI))


def rank_candidates(score_BI: Scores, candidate_BC: Ints, target_B: Ints) -> Ints:
    """(greater, ties) of each target among its candidates: int64 (2, B)."""
    listed = np.column_stack([target_B, candidate_BC])
    seen = listed == target_B[:, None]  # the target itself, in column 0, stays all the same
    score = np.take_along_axis(score_BI, listed, axis=1)
    return np.stack(rank_counts(score, np.zeros_like(target_B), seen))


def _ranked(protocol: str, counts: Ints) -> Ranked:
    greater, ties = counts
    metrics = {name: METRICS[name](greater, ties) for name in PROTOCOLS[protocol]}
    return Ranked(metrics, expected_rank(greater, ties))


def _score(scorer: Scorer, histories: Sequence[Ints], stars: Stars) -> Scores:
    score_BI = np.asarray(scorer(histories, stars))
    if score_BI.ndim != 2 or len(score_BI) != len(histories):
        raise ValueError(
            f"the scorer gave shape {score_BI.shape} for {len(histories)} histories, needed "
            f"({len(histories)}, number of items)."
        )
    return score_BI


def _check_rows(rows: Ints, score_BI: Scores, what: str) -> None:
    if rows.min() < 0 or rows.max() >= score_BI.shape[1]:
        raise ValueError(
            f"{what} rows {rows.min()}..{rows.max()}, needed 0..{score_BI.shape[1] - 1}: the "
            f"scorer knows {score_BI.shape[1]} movies. Was it made on this data set?"
        )


def _check(histories: Sequence[Ints], targets: Ints, candidates: Ints | None, stars: Stars) -> None:
    lengths = {"histories": len(histories), "targets": len(targets)}
    if candidates is not None:
        lengths["candidates"] = len(candidates)
    if stars is not None:
        lengths["stars"] = len(stars)
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{lengths}, needed one of each for every person.")
    if len(targets) == 0:
        raise ValueError("no person to evaluate, needed at least one: is the split's part empty?")
