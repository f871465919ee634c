"""The trade-off of the re-ranking controls: the lists of all users at each strength.

The service's own code makes the lists. Accuracy is that of the list as shown: a target that left it
counts nothing, so hit_rate@10 and ndcg@10 of the uncontrolled list are those of protocol `next`
(exact ties aside). What this does not say: whether users like a controlled list better.

    fresh                   share of the list that is at most 2 years old at the time of the query
    alike                   mean cosine of two items of the list, by the network's embeddings
    ndcg@10_ratio, miscalibration_ratio    of the uncontrolled list's mean

Local letters: K places of a list, -1 after the end of a short one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any

import numpy as np

from marquee.core.arrays import AnyFloat, AnyInt, Float64, Int64
from marquee.core.bootstrap import Section, ratio, summarise
from marquee.core.eval_queries import EvalQueries
from marquee.evaluation.metrics.beyond_accuracy import ItemStats, list_metrics
from marquee.evaluation.metrics.ranking import hit_rate, ndcg
from marquee.recommender.query import Controls
from marquee.recommender.rerank.reranker import Reranker

LIST_LENGTH = 10
FRESH_YEARS = 2
RAISED_SHARE = 0.3  # of a genre mix, which an edit gives to one genre
CONTROLS = ("calibration", "novelty", "freshness", "diversity")
STRENGTHS = (0.1, 0.2, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0)


def sweep() -> dict[str, Controls]:
    """Return every control at every strength, by name: `plain`, `calibration=0.1`, …"""
    controls = {"plain": Controls()}
    for strength, name in product(STRENGTHS, CONTROLS):
        setting: dict[str, Any] = {name: strength}
        controls[f"{name}={strength:g}"] = Controls(**setting)
    return controls


def top_ten(
    score_BI: AnyFloat, contexts: Sequence[AnyInt], reranker: Reranker, controls: Controls
) -> Int64:
    """List ten unseen items a user as the service does: (B, 10), -1 at the end.

    An item that scores -inf is not listed.
    """
    top_BK = np.full((len(score_BI), LIST_LENGTH), -1)
    for score_I, context, top_K in zip(score_BI, contexts, top_BK, strict=True):
        keep_I = score_I > -np.inf
        keep_I[context] = False
        rows, _ = reranker.rank_page(
            score_I, keep_I, context.astype(np.int64), controls, k=LIST_LENGTH, offset=0
        )
        top_K[: len(rows)] = rows
    return top_BK


def control_metrics(
    top_UK: Int64,
    queries: EvalQueries,
    *,
    stats: ItemStats,
    reranker: Reranker,
    year_I: Float64,
    query_year_U: Int64,
) -> dict[str, Float64]:
    """Return accuracy, beyond accuracy, `fresh` and `alike` of each list, (U,).

    queries: the users of the lists, with one target each. year_I: of release, nan if unknown.
    """
    is_target_UK = top_UK == queries.target_pairs()[1][:, None]
    num_better_U = np.where(is_target_UK.any(1), is_target_UK.argmax(1), LIST_LENGTH)
    no_ties_U = np.zeros_like(num_better_U)
    fresh_UK = (query_year_U[:, None] - year_I[top_UK] <= FRESH_YEARS) & (top_UK >= 0)
    vectors = (reranker.unit_vector_ID[top_K[top_K >= 0]] for top_K in top_UK)
    return {
        "hit_rate@10": hit_rate(num_better_U, no_ties_U, LIST_LENGTH),
        "ndcg@10": ndcg(num_better_U, no_ties_U, LIST_LENGTH),
        **list_metrics(top_UK, queries.contexts(), stats),
        "fresh": fresh_UK.sum(1) / np.maximum((top_UK >= 0).sum(1), 1),
        "alike": np.array([mean_cosine(vector_KD) for vector_KD in vectors]),
    }


def mean_cosine(direction_KD: AnyFloat) -> float:
    """Return the mean cosine of two of K unit vectors; 1 if there are no two."""
    num = len(direction_KD)
    if num < 2:
        return 1.0
    total_D = direction_KD.sum(0)
    return float((total_D @ total_D - (direction_KD**2).sum()) / (num * (num - 1)))


def edits_followed(
    score_I: AnyFloat, context: AnyInt, reranker: Reranker, names: Sequence[str], seed: int
) -> list[bool]:
    """Return whether a list follows two edits of the genre mix that the app offers.

    One drawn genre gets RAISED_SHARE of the mix: its share of the ten must grow. One drawn genre of
    the list is taken out: its share must fall. A list without genres allows no second edit.
    """
    rng = np.random.default_rng(seed)
    mix_G = reranker.share_IG[context].sum(0)
    if mix_G.sum() == 0:
        return []
    mix_G /= mix_G.sum()

    def shares(profile_G: Float64) -> Float64:
        weights = {name: float(w) for name, w in zip(names, profile_G, strict=True) if w > 0}
        (top_K,) = top_ten(score_I[None], [context], reranker, Controls(genre_profile=weights))
        return np.asarray(reranker.share_IG[top_K[top_K >= 0]].sum(0))

    before_G = shares(mix_G)
    raised_genre = int(rng.integers(len(mix_G)))
    raised_mix_G = (1 - RAISED_SHARE) * mix_G
    raised_mix_G[raised_genre] += RAISED_SHARE
    follows = [bool(shares(raised_mix_G)[raised_genre] > before_G[raised_genre])]
    listed_genres = np.flatnonzero(before_G)
    if len(listed_genres) and (mix_G > 0).sum() > 1:
        removed_genre = int(rng.choice(listed_genres))
        mix_G[removed_genre] = 0
        follows.append(bool(shares(mix_G)[removed_genre] < before_G[removed_genre]))
    return follows


def against_plain(metrics: Mapping[str, Float64], plain: Mapping[str, Float64]) -> Section:
    """Return the metrics of one strength, and two as shares of the plain list's."""
    names = ("ndcg@10", "miscalibration")
    ratios = {f"{name}_ratio": asdict(ratio(metrics[name], plain[name])) for name in names}
    return summarise(metrics) | ratios


def weakest_that_halves(rows: Iterable[tuple[float, float]]) -> float | None:
    """Return the smallest strength of (strength, ratio) with a ratio up to .5."""
    return min((strength for strength, share in rows if share <= 0.5), default=None)
