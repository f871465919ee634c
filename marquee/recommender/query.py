"""What can be asked of a list, with the defaults of POST /recommend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from marquee.recommender.history import Entry
from marquee.recommender.rerank import Controls


@dataclass(frozen=True, kw_only=True)
class Question:
    """One list asked for.

    Order: score, then movie id, unless a control moves it; `score` stays the network's.
    """

    history: Iterable[Entry] = ()
    """Oldest first (marquee/recommender/history.py)."""
    k: int = 10
    offset: int = 0
    """Places to leave out: an answer's `next_offset`."""
    exclude_seen: bool = True
    filters: Mapping[str, Any] | None = None
    """genres, exclude_genres, year_min, year_max, min_ratings."""
    include_ids: Iterable[int] | None = None
    """Only these are candidates; seen ones still leave, unless exclude_seen=False."""
    exclude_ids: Iterable[int] | None = None
    calibration: float = 0.0
    """Towards the genre mix of the history, or of genre_profile. All controls are 0..1, and
    marquee/recommender/rerank.py says what they do."""
    novelty: float = 0.0
    freshness: float = 0.0
    diversity: float = 0.0
    genre_profile: Mapping[str, float] | None = None
    """Genre -> weight."""
    explain: bool = False
    """Whether each item says what it is there because of (marquee/recommender/explain.py), at the cost of
    encoding the history once an entry."""
    not_interested: Iterable[int] = ()
    """Movies that never come, and lower their neighbours."""

    @property
    def is_plain(self) -> bool:
        """Whether only the score decides, and every movie may come: the best ones are enough."""
        moved = self.novelty or self.freshness or self.genre_profile is not None
        return not moved and self.filters is None and self.include_ids is None

    @property
    def controls(self) -> Controls:
        """RequestError for a control outside 0..1."""
        return Controls(
            self.calibration, self.novelty, self.freshness, self.diversity, self.genre_profile
        )
