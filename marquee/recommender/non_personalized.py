"""Non-personalized lists: popular, trending, new, hidden gems.

popular       log(1 + training interactions)
trending      excess of the newest ratings over the item's share of all ratings, in standard
              deviations of a Poisson count
new           year of release; of an added item `available_from`, as a year with its fraction
hidden_gems   5% quantile of the rating that the rating model's draws expect from a new user; only
              items with five ratings or more, outside of the most rated ones that hold 80% of all
              ratings

A bundle has the charts that its data allow: `trending` needs times, `new` a known year, and
`hidden_gems` ratings.
"""

import copy
from collections.abc import Callable
from functools import partial

import numpy as np

from marquee.core.arrays import AnyFloat, Bools, Float32, Float64, Int64
from marquee.core.item_stats import release_years
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.rating_model import RatingModel
from marquee.recommender.topk import top_page

POPULAR_SHARE = 0.8  # of all ratings: what the most rated items hold together
MIN_GEM_RATINGS = 5
GEM_QUANTILE = 0.05
SCORES_OF_ADDED = {"popular": 0.0, "trending": 0.0, "hidden_gems": -np.inf}  # items


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
        self._of_bundle, self._num_ratings_I = self, num_ratings_I
        self._added_us_I = np.zeros(len(movies), np.int64)
        year_I = release_years(movies)
        self._formulas: dict[str, Callable[[], AnyFloat]] = {
            "popular": lambda: np.log1p(num_ratings_I)
        }
        if num_recent_I is not None:
            self._formulas["trending"] = lambda: self._trending(num_recent_I)
        if not np.isnan(year_I).all():
            self._formulas["new"] = lambda: newness(year_I)
        if rating_model is not None:
            self._formulas["hidden_gems"] = lambda: self._hidden_gems(rating_model)
        self._orders: dict[str, Int64] = {}
        self._scores: dict[str, Float32] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return the charts that the data allow."""
        return tuple(self._formulas)

    def with_catalog(self, catalog: ItemCatalog) -> "NonPersonalized":
        """Return the charts of a changed catalog, whose last items are added.

        An added item has no interactions: it is last in `popular`, and no hidden gem. In `new` it
        stands by `available_from`, else by its year, else by the time at which it was added; of
        equal ones the later addition comes first.
        """
        charts, bundle = copy.copy(self), self._of_bundle
        num_added = catalog.num_items - len(bundle._num_ratings_I)
        charts._formulas = {
            kind: partial(bundle._padded_scores, kind, num_added) for kind in bundle._formulas
        }
        charts._formulas["new"] = lambda: newness(catalog.release_years())
        charts._num_ratings_I = catalog.num_ratings_I
        charts._added_us_I = catalog.added_us_I
        charts._scores, charts._orders = {}, {}
        return charts

    def _padded_scores(self, kind: str, num_added: int) -> AnyFloat:
        return np.append(self._chart(kind), np.full(num_added, SCORES_OF_ADDED[kind]))

    def _chart(self, kind: str) -> Float32:
        """Return the scores of a chart, (I,), which are computed once."""
        if kind not in self._scores:
            self._scores[kind] = self._formulas[kind]().astype(np.float32)
        return self._scores[kind]

    def _order(self, kind: str) -> Int64:
        """Return the items, (I,), in the order of equal scores."""
        if kind not in self._orders:
            keys = [-self._num_ratings_I, *([-self._added_us_I] if kind == "new" else [])]
            self._orders[kind] = np.lexsort(keys)
        return self._orders[kind]

    def scores(self, kind: str) -> Float32:
        """Return the scores of a chart, (I,); -inf for what it never holds."""
        if kind not in self._formulas:
            message = f"kind: {kind!r}, expected one of {', '.join(self.kinds)}"
            raise RequestError(message, field="kind")
        return self._chart(kind)

    def page(
        self, kind: str, score_I: AnyFloat, mask_I: Bools, k: int, offset: int
    ) -> tuple[Int64, int | None]:
        """Return a page of a chart's items within the mask by scores, and the next offset."""
        order = self._order(kind)
        positions, next_offset = top_page(score_I[order], mask_I[order], k, offset)
        return order[positions], next_offset

    def _trending(self, num_recent_I: Int64) -> AnyFloat:
        recent, total = num_recent_I.sum(), self._num_ratings_I.sum()
        expected_I = self._num_ratings_I * (recent / max(total, 1))
        return (num_recent_I - expected_I) / np.sqrt(np.maximum(expected_I, 1.0))

    def _hidden_gems(self, rating_model: RatingModel) -> AnyFloat:
        order = self._order("popular")
        above = np.cumsum(self._num_ratings_I[order]) - self._num_ratings_I[order]
        is_popular_I = np.zeros(len(order), dtype=bool)
        is_popular_I[order] = above < POPULAR_SHARE * self._num_ratings_I.sum()
        rating_I = np.quantile(rating_model.cold_start_ratings(), GEM_QUANTILE, axis=0)
        is_excluded_I = is_popular_I | (self._num_ratings_I < MIN_GEM_RATINGS)
        return np.where(is_excluded_I, -np.inf, rating_I)


def newness(year_I: Float64) -> Float64:
    return np.where(np.isnan(year_I), -np.inf, year_I)
