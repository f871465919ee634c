"""Rerank a scored list: diversity (MMR), novelty, freshness, calibration.

    novelty n     logit - n * log(share of users who rated it): with 1 the order is that of how much
                  likelier an item is for this user than for any user
    freshness f   logit - 2 f * log(1 + years behind the newest item of the catalog)
    diversity d   logit - 6 d * cosine to the most similar item listed before: the list is built
                  greedily from the best 1,000 (maximal marginal relevance, Carbonell and
                  Goldstein 1998)

With a `genre_profile` an item also loses up to 3 logits for genres outside of it. All controls keep
pages: the list of 20 begins with the list of 10.
"""

import copy
from collections.abc import Iterable, Mapping
from numbers import Real

import numpy as np

from marquee.core.arrays import AnyFloat, AnyInt, Bools, Float32, Float64, Int64
from marquee.core.item_stats import ages, genre_shares, rarity, release_years
from marquee.core.movies import NO_GENRES, Movies
from marquee.recommender.catalog.added_items import AddedItems
from marquee.recommender.catalog.split_rows import RowBuffer, SplitRows
from marquee.recommender.catalog.title import Title
from marquee.recommender.errors import RequestError, unknown_genre
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.query import Controls
from marquee.recommender.rerank import calibration
from marquee.recommender.topk import top_page

FRESHNESS_WEIGHT = 2.0  # logits per unit of log(1 + years), at full strength
DIVERSITY_WEIGHT = 6.0  # logits lost at full strength for a cosine of 1
# Logits lost by an item whose genres are all outside of a `genre_profile`. Of 300 genres taken out
# of a mix (ml-1m) 31 stayed on the list with a weight of 1, 17 with 3, 10 with 5.
OUTSIDE_PROFILE_WEIGHT = 3.0
NOT_INTERESTED_WEIGHT = 2.0  # logits lost for a cosine of 1; its square, so only near neighbors do
MAX_DEMOTING = 100  # latest `not_interested` items: each costs .2 ms over 62,000 movies
MIN_NORM = np.float32(1e-12)


class Reranker:
    """The attributes of I items that the controls need; similarity is cosine."""

    def __init__(
        self, movies: Movies, num_ratings_I: AnyInt, num_users: int, item_vector_ID: Float32
    ) -> None:
        self.num_users = num_users
        self._rarity = RowBuffer(rarity(num_ratings_I, num_users))
        self._shares = RowBuffer(genre_shares(movies.genre_matrix()))
        self._genre_column = {name: g for g, name in enumerate(movies.genre_names)}
        self._genre_sets: dict[frozenset[str], int] = {}
        genre_set_id_I = np.array([self._genre_set_id(genres) for genres in movies.genres])
        self._genre_set_ids = RowBuffer(genre_set_id_I)
        self._year_I, self._age_I = release_years(movies), np.zeros(0)
        self.unit_vector_ID = SplitRows(unit_rows(item_vector_ID))
        self._added_vectors = RowBuffer(self.unit_vector_ID.added_AD)

    @property
    def rarity_I(self) -> Float64:
        return self._rarity.rows

    @property
    def share_IG(self) -> Float64:
        """Return each item's unit, shared among its genres, (I, G)."""
        return self._shares.rows

    @property
    def genre_set_id_I(self) -> Int64:
        """Return equal numbers for items of equal genres, (I,)."""
        return self._genre_set_ids.rows

    @property
    def age_I(self) -> Float64:
        """Return years behind the newest item, (I,)."""
        if len(self._age_I) != len(self._year_I):
            self._age_I = ages(self._year_I)
        return self._age_I

    def with_titles(
        self, catalog: ItemCatalog, titles: Mapping[int, Title], added: AddedItems
    ) -> "Reranker":
        """Return the reranker of a changed catalog; titles: those that changed, by item."""
        reranker, items = copy.copy(self), np.array(list(titles), np.int64)
        is_added_N = items >= len(self._rarity.rows)
        reranker._genre_column = {name: g for g, name in enumerate(catalog.genre_names)}
        if num_genres := len(reranker._genre_column) - len(self._genre_column):
            reranker._shares = RowBuffer(np.pad(self.share_IG, ((0, 0), (0, num_genres))))
        share_NG = np.array([reranker._genre_shares(title.genres) for title in titles.values()])
        id_N = np.array([self._genre_set_id(title.genres) for title in titles.values()])
        reranker._shares = changed_rows(reranker._shares, items, share_NG)
        reranker._genre_set_ids = changed_rows(self._genre_set_ids, items, id_N)
        unrated_N = np.zeros(np.count_nonzero(is_added_N), np.int64)
        reranker._rarity = self._rarity.appended(rarity(unrated_N, self.num_users))
        reranker._year_I, reranker._age_I = catalog.year_I, np.zeros(0)
        reranker._take_vectors(items, added)
        return reranker

    def _take_vectors(self, items: Int64, added: AddedItems) -> None:
        """Take the vectors of added items, of which some may be changed."""
        base_ID, size = self.unit_vector_ID.base_ID, len(self._added_vectors.rows)
        place_N = items[items >= len(base_ID)] - len(base_ID)
        replaced = place_N[place_N < size]
        vectors = self._added_vectors.replaced(replaced, unit_rows(added.vector_AD[replaced]))
        self._added_vectors = vectors.appended(unit_rows(added.vector_AD[size:]))
        self.unit_vector_ID = SplitRows(base_ID, self._added_vectors.rows)

    def _genre_set_id(self, genres: Iterable[str]) -> int:
        names = frozenset(genres) - {NO_GENRES}
        return self._genre_sets.setdefault(names, len(self._genre_sets))

    def _genre_shares(self, genres: Iterable[str]) -> Float64:
        columns = [self._genre_column[name] for name in set(genres) if name in self._genre_column]
        share_G = np.zeros(len(self._genre_column))
        share_G[columns] = 1 / max(1, len(columns))
        return share_G

    def rank_page(
        self,
        score_I: AnyFloat,
        mask_I: Bools,
        history_L: Int64,
        controls: Controls,
        k: int,
        offset: int,
    ) -> tuple[Int64, int | None]:
        """Return one page under the controls, and the next offset (None at the end).

        mask_I: candidates. history_L: items whose genre mix calibration follows.
        """
        adjusted_I = self.adjust_scores(score_I, controls)
        profile_G = self.genre_profile(history_L, controls)
        strength = controls.calibration or 1.0  # a profile alone is followed fully
        if controls.genre_profile is not None and profile_G is not None:
            outside_I = self.share_IG[:, profile_G == 0].sum(axis=1)
            adjusted_I = adjusted_I - OUTSIDE_PROFILE_WEIGHT * strength * outside_I
        if controls.diversity:
            num_places = calibration.MAX_RERANKED if profile_G is not None else offset + k
            adjusted_I = self.apply_mmr(adjusted_I, mask_I, controls.diversity, num_places)
        items, next_offset = top_page(adjusted_I, mask_I, k, offset)
        if profile_G is None or len(items) == 0:
            return items, next_offset
        pool_size = offset + k + calibration.ITEMS_PER_GROUP + calibration.POOL_SIZE
        pool_C, _ = top_page(adjusted_I, mask_I, pool_size, 0)
        relative_I = np.asarray(adjusted_I - adjusted_I[pool_C[0]], np.float64)
        odds_I = np.exp(relative_I / calibration.TEMPERATURE)
        order = calibration.calibrate(
            self.genre_set_id_I[pool_C],
            self.share_IG[pool_C],
            odds_I[pool_C] / odds_I[mask_I].sum(),
            profile_G,
            strength,
            offset + k,
        )
        return pool_C[order[offset:]], next_offset

    def cosines(self, items: Int64) -> Float32:
        """Return the cosine of each item to the mean of `items`, (I,)."""
        mean_D = self.unit_vector_ID[np.unique(items)].mean(axis=0)
        return self.unit_vector_ID @ (mean_D / max(float(np.linalg.norm(mean_D)), MIN_NORM))

    def adjust_scores(self, score_I: AnyFloat, controls: Controls) -> AnyFloat:
        """Return (I,) scores after novelty and freshness."""
        if controls.novelty:
            score_I = score_I + controls.novelty * self.rarity_I
        if controls.freshness:
            score_I = score_I - controls.freshness * FRESHNESS_WEIGHT * np.log1p(self.age_I)
        return score_I

    def apply_mmr(
        self, score_I: AnyFloat, mask_I: Bools, strength: float, num_places: int
    ) -> Float64:
        """Return (I,) scores whose order is that of the greedy list.

        Each of the first `num_places` items, at most MAX_RERANKED, gets its marginal relevance when
        chosen, strictly descending. All other items are below them.
        """
        pool_C, _ = top_page(score_I, mask_I, calibration.POOL_SIZE, 0)
        weight, vector_CD = DIVERSITY_WEIGHT * strength, self.unit_vector_ID[pool_C]
        out_I = np.asarray(score_I, np.float64) - weight  # outside the pool: as for a cosine of 1
        relevance_C, similarity_C = out_I[pool_C] + weight, np.zeros(len(pool_C))
        marginal_C, last = relevance_C.copy(), np.inf
        for _ in range(min(num_places, calibration.MAX_RERANKED, len(pool_C))):
            best = int(marginal_C.argmax())
            last = min(marginal_C[best], np.nextafter(last, -np.inf))
            out_I[pool_C[best]], relevance_C[best] = last, -np.inf
            similarity_C = np.maximum(similarity_C, vector_CD @ vector_CD[best])
            marginal_C = relevance_C - weight * similarity_C
        is_left = np.isfinite(marginal_C)
        out_I[pool_C[is_left]] = np.minimum(marginal_C[is_left], np.nextafter(last, -np.inf))
        return out_I

    def demote_similar(self, score_I: Float32, items: Int64) -> Float32:
        """Return (I,) scores, lower near the latest `not_interested` items."""
        if len(items) == 0:
            return score_I
        latest_JD = self.unit_vector_ID[items[-MAX_DEMOTING:]]
        cosine_I = (self.unit_vector_ID @ latest_JD.T).max(axis=1)
        loss_I = NOT_INTERESTED_WEIGHT * np.maximum(cosine_I, 0) ** 2
        return np.asarray(score_I - loss_I, np.float32)

    def genre_profile(self, history_L: Int64, controls: Controls) -> Float64 | None:
        """Return the genre shares to follow, (G,), sum 1: of the query, or the history.

        None without calibration and profile, or where the history has no genres. RequestError for
        an unknown genre, a weight below 0, or weights that are all 0.
        """
        if controls.genre_profile is not None:
            return self._normalize(controls.genre_profile)
        if controls.calibration == 0:
            return None
        total_G = self.share_IG[history_L].sum(axis=0)
        if total_G.sum() == 0:
            return None
        return np.asarray(total_G / total_G.sum(), dtype=np.float64)

    def _normalize(self, weights: Mapping[str, float]) -> Float64:
        profile_G = np.zeros(len(self._genre_column))
        for name, weight in weights.items():
            if name not in self._genre_column:
                raise unknown_genre(name, self._genre_column, f"genre_profile.{name}")
            if not (isinstance(weight, Real) and 0 <= weight < np.inf):
                message = f"weight of {name}: {weight!r}, expected 0 or more"
                raise RequestError(message, field=f"genre_profile.{name}")
            profile_G[self._genre_column[name]] = weight
        largest = profile_G.max(initial=0)
        if largest == 0:
            message = "genre_profile: no weight above 0, expected one or more"
            raise RequestError(message, field="genre_profile")
        profile_G /= largest  # first, as the sum of large weights could be infinite
        return np.asarray(profile_G / profile_G.sum(), dtype=np.float64)


def changed_rows(buffer: RowBuffer, items: Int64, rows: np.ndarray) -> RowBuffer:
    """Return rows by item with some of them changed, and the last ones added."""
    is_added_N = items >= len(buffer.rows)
    order = np.argsort(items[is_added_N], kind="stable")
    changed = buffer.replaced(items[~is_added_N], rows[~is_added_N])
    return changed.appended(rows[is_added_N][order])


def unit_rows(vector_ID: Float32) -> Float32:
    """Return vectors of length 1, in their directions; a zero vector stays."""
    norm_I1 = np.linalg.norm(vector_ID, axis=1, keepdims=True)
    return np.asarray(vector_ID / np.maximum(norm_I1, MIN_NORM))
