"""Calibration: lists that follow a genre mix (Steck 2018, "Calibrated recommendations").

A genre mix is a property of a list, so ten items are chosen together, out of the best 1,000:

    expected gain of the ten  -  strength^2 / 10 * miscalibration(profile, the ten)

The gain is sum of p_i / log2(place + 1), with p a softmax of the scores, and places by score. The
search starts from the plain ten and exchanges one item for another as long as that helps. The next
ten come likewise from the remaining candidates, so pages join. Within the ten the order is that of
the scores. Steck's greedy choice loses more ndcg for the same mix.

C candidates, best first; local letter: J = K - 1 places after one item has left.
"""

import numpy as np

from marquee.core.arrays import AnyFloat, Float64, Int64
from marquee.core.item_stats import SMOOTHING

ITEMS_PER_GROUP = 10  # items chosen together
POOL_SIZE = 1_000  # that ten are chosen from; 300 lose .003 of ndcg@10 at the same mix (ml-1m)
# Of the softmax: a list of ten then holds the next item 33 times in 100 by the softmax, and 34
# times on ml-1m's validation; the likelihood is best there, too.
TEMPERATURE = 1.3
MISCALIBRATION_WEIGHT = 0.1  # at full strength, against expected gain
MAX_EXCHANGES = 30
MAX_RERANKED = 200  # later places are by score, so that a far page costs at most 100 ms


def calibrate(
    genre_set_id_C: Int64,
    share_CG: AnyFloat,
    probability_C: Float64,
    profile_G: Float64,
    strength: float,
    num_places: int,
) -> Int64:
    """Order C candidates to follow a genre mix; return the first positions.

    genre_set_id_C: equal numbers for items of equal genres. share_CG: an item's unit, shared among
    its genres. probability_C: of being watched next, over all candidates, descending; POOL_SIZE +
    ITEMS_PER_GROUP more items than places, where there are so many. profile_G: sums to 1.
    """
    weight, remaining = MISCALIBRATION_WEIGHT * strength**2, np.arange(len(probability_C))
    ordered = remaining[:0]
    while len(remaining) and len(ordered) < min(num_places, MAX_RERANKED):
        pool = remaining[:POOL_SIZE]
        mass = 1 - probability_C[ordered].sum()
        # Of items with the same genres only the ten best can be among the ten.
        pool = pool[count_earlier(genre_set_id_C[pool]) < ITEMS_PER_GROUP]
        probability = probability_C[pool] / max(mass, probability_C[pool].sum(), 1e-300)
        group = pool[exchange_items(probability, share_CG[pool], profile_G, weight)]
        ordered = np.concatenate([ordered, group])
        remaining = remaining[~np.isin(remaining, group)]
    return np.concatenate([ordered, remaining])[:num_places]


def exchange_items(
    probability_C: Float64, share_CG: AnyFloat, profile_G: Float64, weight: float
) -> Int64:
    """Return the positions of the ten that gain most; ascending, so best first.

    probability_C: descending. One step tries every exchange of one of the ten for a candidate.
    """
    num = min(ITEMS_PER_GROUP, len(probability_C))
    discount_K, in_profile_G = 1 / np.log2(np.arange(num) + 2), profile_G > 0
    target_G, genre_CG = profile_G[in_profile_G], share_CG[:, in_profile_G]
    mass_C = share_CG.sum(1)

    def cost(sum_G: AnyFloat, mass: AnyFloat) -> Float64:
        """Return miscalibration but for a constant, of summed genre shares of lists."""
        mixed_G = (1 - SMOOTHING) * sum_G / np.maximum(mass, 1e-9)[..., None] + SMOOTHING * target_G
        return np.asarray(-(np.log(mixed_G) @ target_G))

    group_K = np.arange(num)
    value = probability_C[group_K] @ discount_K
    value = value - weight * cost(genre_CG[group_K].sum(0), mass_C[group_K].sum())
    for _ in range(MAX_EXCHANGES):
        other_KG = genre_CG[group_K].sum(0) - genre_CG[group_K]
        other_mass_K = mass_C[group_K].sum() - mass_C[group_K]
        value_KC = expected_gains(probability_C, group_K, discount_K) - weight * cost(
            other_KG[:, None] + genre_CG, other_mass_K[:, None] + mass_C
        )
        value_KC[:, group_K] = -np.inf
        out, new = np.unravel_index(value_KC.argmax(), value_KC.shape)
        if value_KC[out, new] <= value + 1e-12:
            break
        value, group_K[out] = value_KC[out, new], new
        group_K.sort()
    return group_K


def expected_gains(probability_C: Float64, group_K: Int64, discount_K: Float64) -> Float64:
    """Return (K, C): the expected gain after candidate c replaces the item at place k."""
    num, position_C = len(group_K), np.arange(len(probability_C))
    other_KJ = group_K[np.nonzero(~np.eye(num, dtype=bool))[1].reshape(num, num - 1)]
    probability_KJ = probability_C[other_KJ]
    before_KC = (other_KJ[:, :, None] < position_C).sum(1)  # of the others: they keep their places
    zero_K1 = np.zeros((num, 1))
    unmoved_KJ = np.hstack([zero_K1, (probability_KJ * discount_K[:-1]).cumsum(1)])
    moved_KJ = np.hstack([zero_K1, (probability_KJ * discount_K[1:]).cumsum(1)])
    ahead_KC = np.take_along_axis(unmoved_KJ, before_KC, 1)
    behind_KC = moved_KJ[:, -1:] - np.take_along_axis(moved_KJ, before_KC, 1)
    return np.asarray(ahead_KC + probability_C * discount_K[before_KC] + behind_KC)


def count_earlier(genre_set_id_C: Int64) -> Int64:
    """Return (C,): how many equal values come before each."""
    order = np.argsort(genre_set_id_C, kind="stable")
    ordered = genre_set_id_C[order]
    first = np.searchsorted(ordered, ordered)
    count_C = np.empty(len(genre_set_id_C), np.int64)
    count_C[order] = np.arange(len(genre_set_id_C)) - first
    return count_C
