"""Controls over a list that was scored for accuracy: variety, novelty, freshness, a genre mix.

    shelf = Reranker(movies, num_ratings, num_users=6040, vectors_ID=item_vectors)
    rows, next_offset = shelf.page(score_I, keep_I, history, Controls(calibration=0.4), 10, 0)

Novelty and freshness judge a movie by itself, so they move its score; no list is needed for them.

    novelty n     logit - n * log(share of persons who rated it): at 1 movies stand by how much
                  likelier they are for this person than for anybody
    freshness f   logit - 2 f * log(1 + years behind the newest movie of the catalogue)
    diversity d   logit - 6 d * cosine to the likest movie listed before: the list is made greedily
                  from the best 1,000 (maximal marginal relevance, Carbonell and Goldstein 1998)

`calibration` picks ten movies together (marquee/recommender/calibration.py); with a `genre_profile` a movie
also loses up to 3 logits for genres outside of it. All of them keep pages: the list of 20 begins
with the list of 10.

Shapes: I movies, n of them in a pool, best first, D embedding, G genres.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real

import numpy as np
import numpy.typing as npt

from marquee.core.item_stats import ages, genre_shares, rarity
from marquee.core.movies import Movies
from marquee.recommender.calibration import (
    MOST_PLACES,
    PLACES,
    POOL,
    TEMPERATURE,
    Float64,
    Floats,
    Int64,
    calibrated,
)
from marquee.recommender.errors import RequestError
from marquee.recommender.topk import page

Float32 = npt.NDArray[np.float32]

AGE_WEIGHT = 2.0
"""Of freshness at full strength."""
VARIETY_WEIGHT = 6.0
"""Of diversity at full strength, in logits for a cosine of 1."""
OUTSIDE_WEIGHT = 3.0
"""Logits that a movie loses whose genres are all outside of a `genre_profile`: miscalibration alone
hardly minds a little of what nobody asked for. Of 300 genres of ml-1m that were taken out of a mix
31 stayed on the list as they were with a weight of 1, 17 with 3, 10 with 5."""
REFUSED_WEIGHT = 2.0
"""Logits that a movie loses whose cosine to one that is "not for me" is 1; it falls with the square
of the cosine, so that only near neighbours feel it."""


@dataclass(frozen=True)
class Controls:
    """What a caller asks of a list beside accuracy. RequestError for a number outside 0..1."""

    calibration: float = 0.0
    novelty: float = 0.0
    freshness: float = 0.0
    diversity: float = 0.0
    genre_profile: Mapping[str, float] | None = None
    """Genre -> weight, 0 or more: the mix to follow instead of the history's; without a strength
    of calibration it is followed at full strength."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name != "genre_profile"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 <= float(value) <= 1):
                raise RequestError(f"{name} {value!r}: needed 0 to 1", field=name)


class Reranker:
    """What the controls know of the I movies of a catalogue."""

    def __init__(
        self,
        movies: Movies,
        num_ratings_I: npt.NDArray[np.integer],
        num_users: int,
        vectors_ID: Float32,
    ) -> None:
        """vectors_ID: an embedding of each movie; their cosine is how alike two are."""
        self.rarity_I = rarity(num_ratings_I, num_users)
        self.share_IG = genre_shares(movies.genre_matrix())
        mixes: dict[bytes, int] = {}  # np.unique sorts whole rows: 29 ms for 9,724 movies
        self.mix_I = np.array(
            [mixes.setdefault(row.tobytes(), len(mixes)) for row in self.share_IG]
        )
        self.age_I = ages(movies)
        length_I1 = np.linalg.norm(vectors_ID, axis=1, keepdims=True)
        self.direction_ID: Float32 = vectors_ID / np.maximum(length_I1, np.float32(1e-12))
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
        if controls.genre_profile is not None and profile_G is not None:
            outside_I = self.share_IG[:, profile_G == 0].sum(axis=1)
            moved_I = moved_I - OUTSIDE_WEIGHT * (controls.calibration or 1.0) * outside_I
        if controls.diversity:
            places = MOST_PLACES if profile_G is not None else offset + k
            moved_I = self.varied(moved_I, keep_I, controls.diversity, places)
        rows, next_offset = page(moved_I, keep_I, k, offset)
        if profile_G is None or len(rows) == 0:
            return rows, next_offset
        best, _ = page(moved_I, keep_I, offset + k + PLACES + POOL, 0)
        odds_I = np.exp(np.asarray(moved_I - moved_I[best[0]], np.float64) / TEMPERATURE)
        chance_n = odds_I[best] / odds_I[keep_I].sum()
        strength = controls.calibration or 1.0  # a profile alone is meant
        order = calibrated(
            self.mix_I[best], self.share_IG[best], chance_n, profile_G, strength, offset + k
        )
        return best[order[offset:]], next_offset

    def shifted(self, score_I: Floats, controls: Controls) -> Floats:
        """Scores moved by novelty and freshness, (I,)."""
        if controls.novelty:
            score_I = score_I + controls.novelty * self.rarity_I
        if controls.freshness:
            score_I = score_I - controls.freshness * AGE_WEIGHT * np.log1p(self.age_I)
        return score_I

    def varied(
        self, score_I: Floats, keep_I: npt.NDArray[np.bool_], strength: float, places: int
    ) -> Float64:
        """Scores as the greedy list leaves them, (I,): each of its first `places`, MOST_PLACES at
        most, as it was worth when it was chosen, so strictly descending; everything else below."""
        pool, _ = page(score_I, keep_I, POOL, 0)
        weight, direction_nD = VARIETY_WEIGHT * strength, self.direction_ID[pool]
        out_I = np.asarray(score_I, np.float64) - weight  # as unlike as can be told from outside
        plain_n, near_n = out_I[pool] + weight, np.zeros(len(pool))
        worth_n, last = plain_n.copy(), np.inf
        for _ in range(min(places, MOST_PLACES, len(pool))):
            best = int(worth_n.argmax())
            last = min(worth_n[best], np.nextafter(last, -np.inf))
            out_I[pool[best]], plain_n[best] = last, -np.inf
            near_n = np.maximum(near_n, direction_nD @ direction_nD[best])
            worth_n = plain_n - weight * near_n
        rest = np.isfinite(worth_n)
        out_I[pool[rest]] = np.minimum(worth_n[rest], np.nextafter(last, -np.inf))
        return out_I

    def away_from(self, score_I: Float32, refused: Int64) -> Float32:
        """Scores with the neighbours of movies that are "not for me" (rows) lowered, (I,)."""
        if len(refused) == 0:
            return score_I
        near_I = (self.direction_ID @ self.direction_ID[refused].T).max(axis=1)
        return np.asarray(score_I - REFUSED_WEIGHT * np.maximum(near_I, 0) ** 2, np.float32)

    def profile(self, history: Int64, controls: Controls) -> Float64 | None:
        """Genre shares to follow, (G,), summing to 1: as asked, or those of the history (rows).

        None where nothing is asked for, or where there is no genre to follow. RequestError for an
        unknown genre, a weight below 0, or weights that are all 0.
        """
        if controls.genre_profile is not None:
            return self._asked(controls.genre_profile)
        if controls.calibration == 0:
            return None
        total_G = self.share_IG[history].sum(axis=0)
        if total_G.sum() == 0:
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
            if not (isinstance(weight, Real) and 0 <= weight < np.inf):
                raise RequestError(
                    f"weight {weight!r} of {name}: needed 0 or more", field=f"genre_profile.{name}"
                )
            profile_G[self._column[name]] = weight
        largest = profile_G.max(initial=0)
        if largest == 0:
            raise RequestError("no genre has a weight above 0; give one", field="genre_profile")
        profile_G /= largest  # first, as the sum of large weights could be infinite
        return np.asarray(profile_G / profile_G.sum(), dtype=np.float64)
