"""Lists that are the same for everybody: popular, trending, new, hidden gems.

    charts = Charts(movies, num_ratings, num_recent, stars)
    charts.scores("trending")       # (I,), the larger the higher; -inf: not on this chart

popular       log(1 + training ratings)
trending      how many more of the newest ratings a movie got than its share of all would give it,
              in standard deviations of a Poisson count
new           the year of release
hidden_gems   the stars that a stranger would give at the least (a twentieth of the star model's
              draws lies lower), of movies outside of the most rated that have 80% of all ratings,
              and with five ratings or more

All is counted when the bundle is made: an empty event store answers them too.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from marquee.core.item_stats import release_years
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError

Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]

KINDS = ("popular", "trending", "new", "hidden_gems")
HEAD_SHARE = 0.8
"""Of all ratings: what the best-known movies hold together."""
GEM_RATINGS = 5
SURE = 0.05


class Charts:
    """Scores of the I movies of a bundle, each made when it is first asked for."""

    def __init__(
        self,
        movies: Movies,
        num_ratings_I: Int64,
        num_recent_I: Int64,
        strangers_stars_SI: Callable[[], Float32],
    ) -> None:
        """num_recent_I: of the newest twentieth of all ratings. strangers_stars_SI: the stars
        that each draw of the star model expects of who has no history; asked once."""
        self._num_ratings_I, self._num_recent_I = num_ratings_I, num_recent_I
        self._year_I = release_years(movies)
        self._strangers_stars_SI = strangers_stars_SI
        self._made: dict[str, Float32] = {}
        self.best_known: Int64 = np.argsort(-num_ratings_I, kind="stable")
        """(I,) rows by number of ratings: which of equal ones comes first."""

    def scores(self, kind: str) -> Float32:
        """(I,) float32, or RequestError for a kind that is none of KINDS."""
        if kind not in KINDS:
            raise RequestError(f"kind {kind!r} is none of {', '.join(KINDS)}", field="kind")
        if kind not in self._made:
            self._made[kind] = getattr(self, f"_{kind}")().astype(np.float32)
        return self._made[kind]

    def _popular(self) -> npt.NDArray[np.floating]:
        return np.log1p(self._num_ratings_I)

    def _trending(self) -> npt.NDArray[np.floating]:
        recent, total = self._num_recent_I.sum(), self._num_ratings_I.sum()
        expected_I = self._num_ratings_I * (recent / max(total, 1))
        return (self._num_recent_I - expected_I) / np.sqrt(np.maximum(expected_I, 1.0))

    def _new(self) -> npt.NDArray[np.floating]:
        return np.where(np.isnan(self._year_I), -np.inf, self._year_I)

    def _hidden_gems(self) -> npt.NDArray[np.floating]:
        order = self.best_known
        before = np.cumsum(self._num_ratings_I[order]) - self._num_ratings_I[order]
        known = np.zeros(len(order), dtype=bool)
        known[order] = before < HEAD_SHARE * self._num_ratings_I.sum()
        stars_I = np.quantile(self._strangers_stars_SI(), SURE, axis=0)
        return np.where(known | (self._num_ratings_I < GEM_RATINGS), -np.inf, stars_I)
