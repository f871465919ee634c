"""Lists that show a person's genre mix: calibration (Steck 2018, "Calibrated recommendations").

    order = calibrated(mix_n, share_nG, chance_n, profile_G, strength=0.4, places=10)

A genre mix is a property of a list, so ten movies are picked together, out of the best 1,000:

    expected gain of the ten  -  strength^2 / 10 * miscalibration(profile, the ten)

where the gain is sum of p_i / log2(place + 1), p a softmax of the scores, places by score. From
the plain ten on, one movie is exchanged for another as long as that helps; the next ten likewise
among what is left, so that longer lists and later pages begin as shorter ones do. Within the ten
the order is that of the scores: a list of fewer than ten shows less of the mix. Steck's greedy
choice loses more ndcg for the same mix (docs/decisions.md).

Shapes: n movies of a pool, best first, K places, G genres.
"""

import numpy as np
import numpy.typing as npt

from marquee.core.item_stats import SMOOTHING

Floats = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

PLACES = 10
"""Movies chosen together."""
POOL = 1_000
"""Movies that ten are chosen from. 300 lose .003 of ndcg@10 at the same mix (validation, ml-1m)."""
TEMPERATURE = 1.3
"""Of the softmax. At 1 it says that a list of ten holds the next movie 48 times in 100, at 1.3 33
times; on ml-1m's validation it does 34 times, and the likelihood is best there, too."""
WEIGHT = 0.1
"""Of miscalibration at full strength, against expected gain."""
MAX_EXCHANGES = 30
MOST_PLACES = 200
"""Places that follow the mix; what comes after them stands by score, so that a far page costs no
more than some 100 ms."""


def calibrated(
    mix_n: Int64,
    share_nG: Floats,
    chance_n: Float64,
    profile_G: Float64,
    strength: float,
    places: int,
) -> Int64:
    """The first `places` of n movies, as places in the pool, MOST_PLACES of them in an order that
    follows a genre mix.

    mix_n: equal numbers for movies of equal genres. share_nG: a movie's unit among its genres.
    chance_n: of being watched next, over all candidates, descending; POOL + PLACES more movies than
    places where there are so many. strength: 0..1.
    """
    weight, left = WEIGHT * strength**2, np.arange(len(chance_n))
    chosen: list[Int64] = []
    while len(left) and PLACES * len(chosen) < min(places, MOST_PLACES):
        pool, rest = left[:POOL], 1 - chance_n[np.concatenate([left[:0], *chosen])].sum()
        # Of movies with the same genres only the ten best can be among the ten.
        pool = pool[earlier(mix_n[pool]) < PLACES]
        chance = chance_n[pool] / max(rest, chance_n[pool].sum(), 1e-300)
        chosen.append(pool[exchanged(chance, share_nG[pool], profile_G, weight)])
        left = left[~np.isin(left, chosen[-1])]
    return np.concatenate([left[:0], *chosen, left])[:places]


def exchanged(
    chance_n: Float64, share_nG: Floats, profile_G: Float64, weight: float
) -> npt.NDArray[np.int64]:
    """Places in the pool of the ten that together gain most; ascending, so best first.

    chance_n: descending. One step tries every exchange of one of the ten for one of the others.
    """
    num = min(PLACES, len(chance_n))
    discount_K, wanted_G = 1 / np.log2(np.arange(num) + 2), profile_G > 0
    target_G, genre_nG, mass_n = profile_G[wanted_G], share_nG[:, wanted_G], share_nG.sum(1)

    def cost(sum_G: Floats, mass: Floats) -> Float64:
        """Miscalibration but for a constant, of summed genre shares of lists."""
        mixed_G = (1 - SMOOTHING) * sum_G / np.maximum(mass, 1e-9)[..., None] + SMOOTHING * target_G
        return np.asarray(-(np.log(mixed_G) @ target_G))

    ten = np.arange(num)
    value = chance_n[ten] @ discount_K - weight * cost(genre_nG[ten].sum(0), mass_n[ten].sum())
    for _ in range(MAX_EXCHANGES):
        rest_KG = genre_nG[ten].sum(0) - genre_nG[ten]
        rest_K = mass_n[ten].sum() - mass_n[ten]
        value_Kn = gains(chance_n, ten, discount_K) - weight * cost(
            rest_KG[:, None] + genre_nG, rest_K[:, None] + mass_n
        )
        value_Kn[:, ten] = -np.inf
        out, new = np.unravel_index(value_Kn.argmax(), value_Kn.shape)
        if value_Kn[out, new] <= value + 1e-12:
            break
        value, ten[out] = value_Kn[out, new], new
        ten.sort()
    return ten


def gains(chance_n: Float64, ten: Int64, discount_K: Float64) -> Float64:
    """(K, n) expected gain after the movie at each place of `ten` left for each of the pool."""
    num, pool_n = len(ten), np.arange(len(chance_n))
    rest_KJ = ten[np.nonzero(~np.eye(num, dtype=bool))[1].reshape(num, num - 1)]
    chance_KJ = chance_n[rest_KJ]
    before_Kn = (rest_KJ[:, :, None] < pool_n).sum(1)  # of those that stay: they keep their places
    nothing_K1 = np.zeros((num, 1))
    kept_KJ = np.hstack([nothing_K1, (chance_KJ * discount_K[:-1]).cumsum(1)])
    moved_KJ = np.hstack([nothing_K1, (chance_KJ * discount_K[1:]).cumsum(1)])
    ahead_Kn = np.take_along_axis(kept_KJ, before_Kn, 1)
    behind_Kn = moved_KJ[:, -1:] - np.take_along_axis(moved_KJ, before_Kn, 1)
    return np.asarray(ahead_Kn + chance_n * discount_K[before_Kn] + behind_Kn)


def earlier(mix_n: Int64) -> Int64:
    """How many equal values stand before each, (n,)."""
    order = np.argsort(mix_n, kind="stable")
    ordered = mix_n[order]
    first = np.searchsorted(ordered, ordered)
    found_n = np.empty(len(mix_n), np.int64)
    found_n[order] = np.arange(len(mix_n)) - first
    return found_n
