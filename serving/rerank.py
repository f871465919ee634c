"""Controls over a list that was scored for accuracy: novelty, freshness, and a person's genre mix.

    shelf = Shelf(movies, num_ratings, num_persons=6040)
    rows, next_offset = shelf.page(score_I, keep_I, history, Controls(calibration=0.4), 10, 0)

Novelty and freshness judge a movie by itself, so they move its score; no list is needed for them.

    novelty n     logit - n * log(share of persons who rated it): at 1 movies stand by how much
                  likelier they are for this person than for anybody
    freshness f   logit - 2 f * log(1 + years behind the newest movie of the catalogue)

A genre mix is a property of a list, so calibration (Steck 2018, "Calibrated recommendations") picks
ten movies together, out of the best 1,000:

    expected gain of the ten  -  strength^2 / 10 * miscalibration(profile, the ten)

where the gain is sum of p_i / log2(place + 1), p a softmax of the scores, places by score. From
the plain ten on, one movie is exchanged for another as long as that helps; the next ten likewise
among what is left, so that longer lists and later pages begin as shorter ones do. Within the ten
the order is that of the scores: a list of fewer than ten shows less of the mix. Steck's greedy
choice loses more ndcg for the same mix (docs/decisions.md).

Shapes: I movies, n of them in a pool, best first, K places, G genres.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalogue.movies import Movies
from serving.errors import RequestError
from serving.ranking import page

Floats = npt.NDArray[np.floating]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

ALPHA = 0.01
"""Share of the profile mixed into a list's shares: without it one genre missing from a list would
cost infinitely much."""
PLACES = 10
"""Movies chosen together."""
POOL = 1_000
"""Movies that ten are chosen from. 300 lose .003 of ndcg@10 at the same mix (validation, ml-1m)."""
TEMPERATURE = 1.3
"""Of the softmax. At 1 it says that a list of ten holds the next movie 48 times in 100, at 1.3 33
times; on ml-1m's validation it does 34 times, and the likelihood is best there, too."""
WEIGHT = 0.1
"""Of miscalibration at full strength, against expected gain."""
AGE_WEIGHT = 2.0
"""Of freshness at full strength."""
MAX_EXCHANGES = 30
MOST_PLACES = 200
"""Places that follow the mix; what comes after them stands by score, so that a far page costs no
more than some 100 ms."""


@dataclass(frozen=True)
class Controls:
    """What a caller asks of a list beside accuracy. RequestError for a number outside 0..1."""

    calibration: float = 0.0
    novelty: float = 0.0
    freshness: float = 0.0
    genre_profile: Mapping[str, float] | None = None
    """Genre -> weight, 0 or more: the mix to follow instead of the history's; without a strength
    of calibration it is followed at full strength."""

    def __post_init__(self) -> None:
        for name in ("calibration", "novelty", "freshness"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value <= 1):
                raise RequestError(f"{name} {value!r}: needed 0 to 1", field=name)


class Shelf:
    """What the controls know of the I movies of a catalogue."""

    def __init__(
        self, movies: Movies, num_ratings_I: npt.NDArray[np.integer], num_persons: int
    ) -> None:
        self.rarity_I = rarity(num_ratings_I, num_persons)
        self.share_IG = genre_shares(movies.genre_matrix())
        self.mix_I = np.unique(self.share_IG, axis=0, return_inverse=True)[1].ravel()
        self.age_I = ages(movies)
        self._column = {name: g for g, name in enumerate(movies.genre_names)}

    def page(
        self,
        score_I: Floats,
        keep_I: npt.NDArray[np.bool_],
        history: Int64,
        controls: Controls,
        k: int,
        offset: int,
    ) -> tuple[Int64, int | None]:
        """Rows of one page and the next offset (None at the end), as the controls ask for.

        score_I: of the network; keep_I: candidates; history: rows whose genre mix is followed.
        """
        moved_I = self.shifted(score_I, controls)
        profile_G = self.profile(history, controls)
        rows, next_offset = page(moved_I, keep_I, k, offset)
        if profile_G is None or len(rows) == 0:
            return rows, next_offset
        best, _ = page(moved_I, keep_I, offset + k + PLACES + POOL, 0)
        odds_I = np.exp(np.asarray(moved_I - moved_I[best[0]], np.float64) / TEMPERATURE)
        chance_n = odds_I[best] / odds_I[keep_I].sum()
        strength = controls.calibration or 1.0  # a profile alone is meant
        return self.calibrated(best, chance_n, profile_G, strength, offset + k)[
            offset:
        ], next_offset

    def shifted(self, score_I: Floats, controls: Controls) -> Floats:
        """Scores moved by novelty and freshness, (I,)."""
        if controls.novelty:
            score_I = score_I + controls.novelty * self.rarity_I
        if controls.freshness:
            score_I = score_I - controls.freshness * AGE_WEIGHT * np.log1p(self.age_I)
        return score_I

    def profile(self, history: Int64, controls: Controls) -> Float64 | None:
        """Genre shares to follow, (G,), summing to 1: as asked, or those of the history (rows).

        None where nothing is asked for, or where there is no genre to follow. RequestError for an
        unknown genre, a weight below 0, or weights that are all 0.
        """
        if controls.genre_profile is not None:
            return self._asked(controls.genre_profile)
        total_G = self.share_IG[history].sum(axis=0)
        if controls.calibration == 0 or total_G.sum() == 0:
            return None
        return np.asarray(total_G / total_G.sum(), dtype=np.float64)

    def _asked(self, weights: Mapping[str, float]) -> Float64:
        profile_G = np.zeros(len(self._column))
        for name, weight in weights.items():
            if name not in self._column:
                raise RequestError(
                    f"genre {name!r} is none of {', '.join(self._column)}",
                    code="unknown_genre",
                    field=f"genre_profile.{name}",
                )
            if not (np.isfinite(weight) and weight >= 0):
                raise RequestError(
                    f"weight {weight!r} of {name}: needed 0 or more", field=f"genre_profile.{name}"
                )
            profile_G[self._column[name]] = weight
        largest = profile_G.max(initial=0)
        if largest == 0:
            raise RequestError("no genre has a weight above 0; give one", field="genre_profile")
        profile_G /= largest  # first, as the sum of large weights could be infinite
        return np.asarray(profile_G / profile_G.sum(), dtype=np.float64)

    def calibrated(
        self, rows: Int64, chance_n: Float64, profile_G: Float64, strength: float, places: int
    ) -> Int64:
        """The first `places` of these movies, MOST_PLACES of them in an order that follows a genre
        mix.

        rows: the best candidates, best first, POOL + PLACES more than places where there are so
        many. chance_n: of being watched next, over all candidates. strength: 0..1.
        """
        weight, left = WEIGHT * strength**2, np.arange(len(rows))
        chosen: list[Int64] = []
        while len(left) and PLACES * len(chosen) < min(places, MOST_PLACES):
            pool, rest = left[:POOL], 1 - chance_n[np.concatenate([left[:0], *chosen])].sum()
            # Of movies with the same genres only the ten best can be among the ten.
            pool = pool[earlier(self.mix_I[rows[pool]]) < PLACES]
            chance = chance_n[pool] / max(rest, chance_n[pool].sum(), 1e-300)
            chosen.append(pool[exchanged(chance, self.share_IG[rows[pool]], profile_G, weight)])
            left = left[~np.isin(left, chosen[-1])]
        return rows[np.concatenate([left[:0], *chosen, left])][:places]


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
        mixed_G = (1 - ALPHA) * sum_G / np.maximum(mass, 1e-9)[..., None] + ALPHA * target_G
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


def rarity(num_ratings_I: npt.NDArray[np.integer], num_persons: int) -> Float64:
    """-log(share of persons who rated a movie), (I,), in nats; none counts as one."""
    return np.asarray(-np.log(np.maximum(num_ratings_I, 1) / max(num_persons, 1)))


def release_years(movies: Movies) -> Float64:
    """(I,), nan where unknown."""
    return np.array([np.nan if year is None else year for year in movies.year], np.float64)


def ages(movies: Movies) -> Float64:
    """Years behind the newest movie, (I,); a movie of unknown year is as old as the median."""
    years = release_years(movies)
    if np.isnan(years).all():
        return np.zeros(len(years))
    age_I = np.nanmax(years) - years
    return np.where(np.isnan(age_I), np.nanmedian(age_I), age_I)


def genre_shares(genre_IG: Floats) -> Float64:
    """A movie's one unit shared among its genres, (I, G); all 0 where it has none."""
    return np.asarray(genre_IG / np.maximum(genre_IG.sum(1, keepdims=True), 1), np.float64)


def miscalibration(profile_BG: Floats, listed_BG: Floats) -> Float64:
    """KL divergence of lists' genre shares from profiles, (B,); Steck 2018. Each row is scaled to
    sum 1; a profile without any genre has no taste to miss: 0."""
    p_BG, q_BG = (
        share / np.maximum(share.sum(1, keepdims=True), 1e-12) for share in (profile_BG, listed_BG)
    )
    mixed_BG = (1 - ALPHA) * q_BG + ALPHA * p_BG
    ratio_BG = np.divide(p_BG, mixed_BG, out=np.ones_like(p_BG), where=p_BG > 0)
    return np.asarray((p_BG * np.log(ratio_BG)).sum(1))
