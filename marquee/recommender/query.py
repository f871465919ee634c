"""The query for one recommended list, with the defaults of POST /recommend."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from marquee.core.ids import Id
from marquee.recommender.errors import RequestError
from marquee.recommender.history import HistoryEntry


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Strengths of reranking, 0..1 each; rerank/reranker.py has the formulas."""

    calibration: float = 0.0
    novelty: float = 0.0
    freshness: float = 0.0
    diversity: float = 0.0
    genre_profile: Mapping[str, float] | None = None
    """Genre -> weight, 0 or more: the mix to follow instead of the history's. Without a strength of
    calibration it is followed at full strength."""

    def check_strengths(self) -> None:
        """Raise RequestError for a strength outside 0..1."""
        for name in ("calibration", "novelty", "freshness", "diversity"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 <= float(value) <= 1):
                raise RequestError(f"{name}: {value!r}, expected 0 to 1", field=name)


@dataclass(frozen=True, kw_only=True)
class RecommendQuery(Controls):
    """A query for one page of a list: the parameters of `Recommender.recommend`."""

    history: Iterable[HistoryEntry] = ()
    k: int = 10
    offset: int = 0
    filters: Mapping[str, Any] | None = None
    include_ids: Iterable[Id] | None = None
    exclude_ids: Iterable[Id] | None = None
    exclude_seen: bool = True
    explain: bool = False
    not_interested: Iterable[Id] = ()
    viewer: Mapping[str, Any] | None = None
    """Known features of the user, by name; the encoder reads those of the data set."""
    surface: str = "recommend"
    """The place at which the list is shown, for rules."""

    @property
    def is_by_score(self) -> bool:
        """Return whether the order is that of the scores, but for novelty and freshness."""
        return not (self.diversity or self.calibration or self.genre_profile is not None)

    @property
    def allows_ann(self) -> bool:
        """Return whether approximate candidates suffice: the best by score, unfiltered."""
        is_adjusted = self.novelty or self.freshness or self.genre_profile is not None
        return not is_adjusted and self.filters is None and self.include_ids is None
