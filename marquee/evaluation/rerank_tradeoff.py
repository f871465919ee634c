"""What a control costs and gives: everybody's lists at each strength, by the service's own code.

    top_TK = listed(score_BI, histories, shelf, Controls(calibration=0.4))
    of_controlled(top_TK, asked, catalogue, fresh_TI)

Accuracy is that of the list as shown: a movie that left it counts nothing, so hit_rate@10 and
ndcg@10 of the uncontrolled list are those of protocol `next` (exact ties aside).

    fresh                   share of the list that is at most 2 years old at the time of asking
    alike                   mean cosine of two of the list, by the network's embeddings
    ndcg@10_ratio           of the uncontrolled list's mean
    miscalibration_ratio    of the uncontrolled list's mean

What this does not say: whether people like a controlled list better. Nobody was asked.

T persons, B of a block, I movies, K places.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from marquee.core.bootstrap import ratio, summarise
from marquee.evaluation.metrics.beyond_accuracy import Catalogue, Floats, Ints, of_lists
from marquee.recommender.rerank import Controls, Reranker

FRESH_YEARS = 2
RAISED = 0.3
"""Of a mix, given to one genre."""
STRENGTHS = (0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0)


def sweep() -> dict[str, Controls]:
    """Every control at every strength, by name: `plain`, `calibration=0.1`, …"""
    named = {"plain": Controls()}
    for x in STRENGTHS:
        named[f"calibration={x:g}"] = Controls(calibration=x)
        named[f"novelty={x:g}"] = Controls(novelty=x)
        named[f"freshness={x:g}"] = Controls(freshness=x)
        named[f"diversity={x:g}"] = Controls(diversity=x)
    return named


def listed(
    score_BI: NDArray[np.floating], histories: Sequence[Ints], shelf: Reranker, controls: Controls
) -> Ints:
    """Ten unseen movies of each person, as the service lists them; int64 (B, 10), -1 at the end."""
    top_BK = np.full((len(score_BI), 10), -1)
    for score_I, history, top_K in zip(score_BI, histories, top_BK, strict=True):
        keep_I = np.ones(len(score_I), dtype=bool)
        keep_I[history] = False
        rows, _ = shelf.page(score_I, keep_I, history, controls, 10, 0)
        top_K[: len(rows)] = rows
    return top_BK


def figures(
    top_TK: Ints,
    target_T: Ints,
    histories: Sequence[Ints],
    catalogue: Catalogue,
    shelf: Reranker,
    year_I: Floats,
    asked_T: Ints,
) -> dict[str, Floats]:
    """hit_rate@10, ndcg@10, what marquee/evaluation/metrics/beyond_accuracy.py says, `fresh` and `alike`; (T,) each.

    target_T: the movie that was watched next. year_I: of release, nan where unknown. asked_T: the
    year of asking.
    """
    hit_TK = top_TK == target_T[:, None]
    fresh_TK = (asked_T[:, None] - year_I[top_TK] <= FRESH_YEARS) & (top_TK >= 0)
    return {
        "hit_rate@10": hit_TK.any(1).astype(np.float64),
        "ndcg@10": hit_TK @ (1 / np.log2(np.arange(10) + 2)),
        **of_lists(top_TK, histories, catalogue),
        "fresh": fresh_TK.sum(1) / np.maximum((top_TK >= 0).sum(1), 1),
        "alike": np.array([alike(shelf.direction_ID[top_K[top_K >= 0]]) for top_K in top_TK]),
    }


def alike(direction_KD: NDArray[np.floating]) -> float:
    """Mean cosine of two of K movies; 1 where there are no two."""
    num = len(direction_KD)
    if num < 2:
        return 1.0
    total_D = direction_KD.sum(0)
    return float((total_D @ total_D - (direction_KD**2).sum()) / (num * (num - 1)))


def followed(
    score_I: NDArray[np.floating],
    history: Ints,
    shelf: Reranker,
    names: Sequence[str],
    seed: int,
) -> list[bool]:
    """Whether a person's list follows two edits of their genre mix, as the app offers them.

    One genre, drawn, gets RAISED of the mix: its share of the ten must grow. One that the list
    shows, drawn, is taken out: its share must fall. A list without genres allows no second edit.
    """
    rng = np.random.default_rng(seed)
    mix_G = shelf.share_IG[history].sum(0)
    if mix_G.sum() == 0:
        return []
    mix_G /= mix_G.sum()

    def shares(profile_G: Floats) -> Floats:
        weights = {name: float(w) for name, w in zip(names, profile_G, strict=True) if w > 0}
        top_BK = listed(score_I[None], [history], shelf, Controls(genre_profile=weights))
        return np.asarray(shelf.share_IG[top_BK[0][top_BK[0] >= 0]].sum(0))

    before_G = shares(mix_G)
    raised = int(rng.integers(len(mix_G)))
    more_G = (1 - RAISED) * mix_G
    more_G[raised] += RAISED
    moved = [bool(shares(more_G)[raised] > before_G[raised])]
    shown = np.flatnonzero(before_G)
    if len(shown) and (mix_G > 0).sum() > 1:
        out = int(rng.choice(shown))
        mix_G[out] = 0
        moved.append(bool(shares(mix_G)[out] < before_G[out]))
    return moved


def against_plain(
    found: Mapping[str, Floats], plain: Mapping[str, Floats]
) -> dict[str, dict[str, float]]:
    """The figures of one strength, and two of them as a share of the uncontrolled list's."""
    names = {"ndcg@10_ratio": "ndcg@10", "miscalibration_ratio": "miscalibration"}
    shares = {name: ratio(found[figure], plain[figure]) for name, figure in names.items()}
    return summarise(found) | {
        name: {"mean": each.mean, "low": each.low, "high": each.high}
        for name, each in shares.items()
    }


def least_that_halves(rows: Iterable[tuple[float, float]]) -> float | None:
    """The smallest strength whose miscalibration is at most half of the plain list's.

    rows: (strength, ratio of miscalibrations).
    """
    return min((strength for strength, share in rows if share <= 0.5), default=None)
