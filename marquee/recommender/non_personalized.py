"""Non-personalized lists: popular, trending, new, hidden gems.

popular       log(1 + training interactions)
trending      excess of the newest ratings over the item's share of all ratings, in standard
              deviations of a Poisson count
new           year of release
hidden_gems   5% quantile of the rating that the rating model's draws expect from a new user; only
              items with five ratings or more, outside of the most rated ones that hold 80% of all
              ratings

A bundle has the charts that its data allow: `trending` needs times, `new` a known year, and
`hidden_gems` ratings.
"""

from collections.abc import Callable

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
    """Scores of I items for each chart.

    num_recent_I: interactions of the newest twentieth; None without times.
    """

    def __init__(
        self,
        movies: Movies,
        num_ratings_I: Int64,
        num_recent_I: Int64 | None,
        rating_model: RatingModel | None,
    ) -> None:
        self._num_ratings_I = num_ratings_I
        self._order: Int64 = np.argsort(-num_ratings_I, kind="stable")  # of equal scores
        year_I = release_years(movies)
        self._formulas: dict[str, Callable[[], AnyFloat]] = {
            "popular": lambda: np.log1p(num_ratings_I)
        }
        if num_recent_I is not None:
            self._formulas["trending"] = lambda: self._trending(num_recent_I)
        if not np.isnan(year_I).all():
            self._formulas["new"] = lambda: np.where(np.isnan(year_I), -np.inf, year_I)
        if rating_model is not None:
            self._formulas["hidden_gems"] = lambda: self._hidden_gems(rating_model)
        self.kinds = tuple(self._formulas)
        self._scores: dict[str, Float32] = {}

    def top(
        self, kind: str, mask_I: Bools, k: int, offset: int = 0
    ) -> tuple[Int64, Float32, int | None]:
        """Return a page of a chart's items within the mask, their scores, the next offset."""
        if kind not in self._formulas:
            message = f"kind: {kind!r}, expected one of {', '.join(self.kinds)}"
            raise RequestError(message, field="kind")
        if kind not in self._scores:
            self._scores[kind] = self._formulas[kind]().astype(np.float32)
        score_I, order = self._scores[kind], self._order
        is_listed_I = mask_I & np.isfinite(score_I)
        positions, next_offset = top_page(score_I[order], is_listed_I[order], k, offset)
        item_K = order[positions]
        return item_K, score_I[item_K], next_offset

    def _trending(self, num_recent_I: Int64) -> AnyFloat:
        recent, total = num_recent_I.sum(), self._num_ratings_I.sum()
        expected_I = self._num_ratings_I * (recent / max(total, 1))
        return (num_recent_I - expected_I) / np.sqrt(np.maximum(expected_I, 1.0))

    def _hidden_gems(self, rating_model: RatingModel) -> AnyFloat:
        order = self._order
        above = np.cumsum(self._num_ratings_I[order]) - self._num_ratings_I[order]
        is_popular_I = np.zeros(len(order), dtype=bool)
        is_popular_I[order] = above < POPULAR_SHARE * self._num_ratings_I.sum()
        rating_I = np.quantile(rating_model.cold_start_ratings(), GEM_QUANTILE, axis=0)
        is_excluded_I = is_popular_I | (self._num_ratings_I < MIN_GEM_RATINGS)
        return np.where(is_excluded_I, -np.inf, rating_I)
