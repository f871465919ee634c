"""Why a movie is on a list: what its score loses when an entry of the history is taken away.

    effect_LK = effects(score, history, rows)     # L entries, K movies listed
    because(effect_LK, history, cards)            # [[{movie_id, title, effect}], …]

An effect is exact: the person is encoded again without the entry, as if it had never been watched;
of a history longer than the encoder reads an earlier entry takes its place. So removing a movie
that is named lowers the score, by what is named. Of who has no history the genres that were asked
for carry the list.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from marquee.recommender.history import History
from marquee.recommender.item_catalog import Card, ItemCatalog

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

MOST = 3
"""Reasons given for a movie."""
LEAST = 1e-4
"""Logits below which an effect is rounding."""


def effects(
    score: Callable[[Sequence[History], Int64], Float32],
    history: History,
    rows: Int64,
    history_length: int,
) -> Float32:
    """Score of K movies minus what it is without each of the L entries, (L, K).

    score: (histories, rows) -> (B, K). Entries before the latest `history_length` have no effect,
    and are not asked about.
    """
    L = len(history)
    effect_LK = np.zeros((L, len(rows)), dtype=np.float32)
    if L == 0 or len(rows) == 0:
        return effect_LK
    asked = np.arange(max(0, L - history_length), L)
    without = [
        replace(history, item=np.delete(history.item, n), star=np.delete(history.star, n))
        for n in asked
    ]
    score_BK = score([history, *without], rows)
    effect_LK[asked] = score_BK[0] - score_BK[1:]
    return effect_LK


def because(effect_LK: Float32, history: History, cards: ItemCatalog) -> list[list[Card]]:
    """Of each of K movies, the entries that raise it, at most three, the largest effect first."""
    reasons = []
    for effect_L in effect_LK.T:
        best = np.argsort(-effect_L, kind="stable")[:MOST]
        reasons.append(
            [
                cards.named(int(history.item[n])) | {"effect": float(effect_L[n])}
                for n in best
                if effect_L[n] > LEAST
            ]
        )
    return reasons


def because_of_genres(
    profile_G: npt.NDArray[np.float64], share_KG: npt.NDArray[np.floating], names: Sequence[str]
) -> list[list[Card]]:
    """Of each of K movies, its genres that were asked for, at most three; effect: the genre's share
    of what was asked times its share of the movie."""
    effect_KG = profile_G * share_KG
    reasons = []
    for effect_G in effect_KG:
        best = np.argsort(-effect_G, kind="stable")[:MOST]
        reasons.append(
            [{"genre": names[g], "effect": float(effect_G[g])} for g in best if effect_G[g] > 0]
        )
    return reasons
