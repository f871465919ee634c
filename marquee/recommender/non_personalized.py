"""Non-personalized lists: popular, trending, new, hidden gems.

popular       log(1 + training ratings)
trending      excess of the newest ratings over the item's share of all ratings, in standard
              deviations of a Poisson count
new           year of release
hidden_gems   5% quantile of the rating that the rating model's draws expect from a new user; only
              items with five ratings or more, outside of the most rated ones that hold 80% of all
              ratings
"""

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Float32, Int64
from marquee.core.item_stats import release_years
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.topk import top_page

POPULAR_SHARE = 0.8  # of all ratings: what the most rated items hold together
MIN_GEM_RATINGS = 5
GEM_QUANTILE = 0.05


class NonPersonalized:
    """Scores of I items for each chart; num_recent_I: of the newest twentieth."""

    def __init__(
        self, movies: Movies, num_ratings_I: Int64, num_recent_I: Int64, rating_model: RatingModel
    ) -> None:
        self._num_ratings_I, self._num_recent_I = num_ratings_I, num_recent_I
        self._year_I = release_years(movies)
        self._rating_model = rating_model
        self._order: Int64 = np.argsort(-num_ratings_I, kind="stable")  # of equal scores
        self._formulas = {
            "popular": self._popular,
            "trending": self._trending,
            "new": self._new,
            "hidden_gems": self._hidden_gems,
        }
        self._scores: dict[str, Float32] = {}

    def top(self, kind: str, mask_I: Bools, k: int) -> tuple[Int64, Float32]:
        """Return the k items of the mask that lead a chart, and their scores."""
        if kind not in self._formulas:
            message = f"kind: {kind!r}, expected one of {', '.join(self._formulas)}"
            raise RequestError(message, field="kind")
        if kind not in self._scores:
            self._scores[kind] = self._formulas[kind]().astype(np.float32)
        score_I, order = self._scores[kind], self._order
        is_listed_I = mask_I & np.isfinite(score_I)
        positions, _ = top_page(score_I[order], is_listed_I[order], k, 0)
        item_K = order[positions]
        return item_K, score_I[item_K]

    def _popular(self) -> AnyFloat:
        return np.log1p(self._num_ratings_I)

    def _trending(self) -> AnyFloat:
        recent, total = self._num_recent_I.sum(), self._num_ratings_I.sum()
        expected_I = self._num_ratings_I * (recent / max(total, 1))
        return (self._num_recent_I - expected_I) / np.sqrt(np.maximum(expected_I, 1.0))

    def _new(self) -> AnyFloat:
        return np.where(np.isnan(self._year_I), -np.inf, self._year_I)

    def _hidden_gems(self) -> AnyFloat:
        order = self._order
        above = np.cumsum(self._num_ratings_I[order]) - self._num_ratings_I[order]
        is_popular_I = np.zeros(len(order), dtype=bool)
        is_popular_I[order] = above < POPULAR_SHARE * self._num_ratings_I.sum()
        rating_I = np.quantile(self._rating_model.cold_start_ratings(), GEM_QUANTILE, axis=0)
        is_excluded_I = is_popular_I | (self._num_ratings_I < MIN_GEM_RATINGS)
        return np.where(is_excluded_I, -np.inf, rating_I)
