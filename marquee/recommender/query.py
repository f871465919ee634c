"""The query for one recommended list, with the defaults of POST /recommend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.recommender.history import HistoryEntry
from marquee.recommender.rerank.controls import Controls


@dataclass(frozen=True, kw_only=True)
class RecommendQuery:
    """A query for one page of one user's list.

    Items are ordered by score, then by movie id, unless a control moves them; the `score` of an
    item stays the network's. The four controls are strengths, 0..1; their formulas are in
    marquee/recommender/rerank/reranker.py.
    """

    history: Iterable[HistoryEntry] = ()
    """Oldest first (marquee/recommender/history.py)."""
    k: int = 10
    offset: int = 0
    """Places to skip: the `next_offset` of a response."""
    filters: Mapping[str, Any] | None = None
    """genres, exclude_genres, year_min, year_max, min_ratings."""
    include_ids: Iterable[int] | None = None
    """The only candidates; seen ones are still left out, unless exclude_seen=False."""
    exclude_ids: Iterable[int] | None = None
    exclude_seen: bool = True
    calibration: float = 0.0
    """Towards the genre mix of the history, or of genre_profile."""
    novelty: float = 0.0
    """Towards movies that fewer users rated."""
    freshness: float = 0.0
    """Towards newer movies."""
    diversity: float = 0.0
    """Away from movies that are similar to those above them."""
    genre_profile: Mapping[str, float] | None = None
    """Genre -> weight: the mix to follow instead of the history's."""
    explain: bool = False
    """True adds `because` to each item (marquee/recommender/explain.py), at the cost of encoding
    the history once per entry."""
    not_interested: Iterable[int] = ()
    """Movies that are never listed; their neighbors are demoted."""

    @property
    def allows_ann(self) -> bool:
        """Return whether approximate candidates suffice.

        They do for an order by score alone, without filters.

        Calibration and diversity choose among the best by score, so they are no obstacle.
        """
        is_adjusted = self.novelty or self.freshness or self.genre_profile is not None
        return not is_adjusted and self.filters is None and self.include_ids is None

    @property
    def controls(self) -> Controls:
        """The re-ranking controls; RequestError for one outside 0..1."""
        return Controls(
            calibration=self.calibration,
            novelty=self.novelty,
            freshness=self.freshness,
            diversity=self.diversity,
            genre_profile=self.genre_profile,
        )
