"""The controls of a query: how far reranking may move a list from relevance."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real

from marquee.recommender.errors import RequestError


@dataclass(frozen=True, kw_only=True)
class Controls:
    """Strengths of the four controls; RequestError for one outside 0..1.

    marquee/recommender/rerank/reranker.py has their formulas.
    """

    calibration: float = 0.0
    novelty: float = 0.0
    freshness: float = 0.0
    diversity: float = 0.0
    genre_profile: Mapping[str, float] | None = None
    """Genre -> weight, 0 or more: the mix to follow instead of the history's. Without a strength of
    calibration it is followed at full strength."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self) if field.name != "genre_profile"):
            value = getattr(self, name)
            if not (isinstance(value, Real) and 0 <= float(value) <= 1):
                raise RequestError(f"{name}: {value!r}, expected 0 to 1", field=name)


NO_CONTROLS = Controls()
