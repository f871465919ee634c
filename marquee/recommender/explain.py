"""Explain a listed item by the entries of the history that raise its score.

    effect_LK = leave_one_out_effects(scorer, history, item_K)   # L entries, K listed items
    explain_by_history(effect_LK, history, catalog)              # [[{movie_id, title, effect}], …]

An effect is exact: the history is encoded again without the entry. Where the history is longer
than the encoder reads, an earlier entry takes its place. So removing a named entry lowers the score
by the named effect. Without a history, the genres of the query's profile explain the list.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from marquee.core.arrays import AnyFloat, Float32, Float64, Int64
from marquee.recommender.history import History
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.responses import Explanation
from marquee.recommender.scoring import Scorer

MAX_REASONS = 3
MIN_EFFECT = 1e-4
"""In logits; a smaller effect is rounding."""


def leave_one_out_effects(scorer: Scorer, history: History, item_K: Int64) -> Float32:
    """Return (L, K): scores of K items minus those without each of the L entries.

    Entries that the encoder does not read have no effect, and cost nothing.
    """
    L = len(history)
    effect_LK = np.zeros((L, len(item_K)), dtype=np.float32)
    if L == 0 or len(item_K) == 0:
        return effect_LK
    entries = np.arange(max(0, L - scorer.history_length), L)
    shorter_histories = [
        replace(
            history,
            item_L=np.delete(history.item_L, n),
            rating_bin_L=np.delete(history.rating_bin_L, n),
        )
        for n in entries
    ]
    score_BK = scorer.score([history, *shorter_histories], item_K)
    effect_LK[entries] = score_BK[0] - score_BK[1:]
    return effect_LK


def explain_by_history(
    effect_LK: Float32, history: History, catalog: ItemCatalog
) -> list[list[Explanation]]:
    """Return for each of K items at most three entries, largest effect first."""
    movies = catalog.movies
    return [
        [
            {
                "movie_id": int(movies.movie_id[history.item_L[n]]),
                "title": movies.title[history.item_L[n]],
                "effect": float(effect_L[n]),
            }
            for n in np.argsort(-effect_L, kind="stable")[:MAX_REASONS]
            if effect_L[n] > MIN_EFFECT
        ]
        for effect_L in effect_LK.T
    ]


def explain_by_genres(
    profile_G: Float64, share_KG: AnyFloat, genre_names: Sequence[str]
) -> list[list[Explanation]]:
    """Return, for each of K items, at most three of its genres that the profile holds.

    The effect is the genre's share of the profile times its share of the item.
    """
    return [
        [
            {"genre": genre_names[g], "effect": float(effect_G[g])}
            for g in np.argsort(-effect_G, kind="stable")[:MAX_REASONS]
            if effect_G[g] > 0
        ]
        for effect_G in profile_G * share_KG
    ]
