"""From a validated request and a stored user to a query of the recommender."""

from typing import Any

from marquee.api.requests import Filters, RecommendRequest, UserRequest
from marquee.api.user_cache import CachedUser
from marquee.core.times import unix_us
from marquee.recommender.history import HistoryEntry
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender


def build_query(
    recommender: Recommender, request: RecommendRequest, user: CachedUser | None
) -> RecommendQuery:
    """Return the query for one list; `user` is None without stored events."""
    return RecommendQuery(
        history=merge_history(recommender, request, user),
        not_interested=recommender.known_ids(user.state.not_interested) if user else (),
        k=request.k,
        offset=request.offset,
        filters=to_dict(request.filters),
        include_ids=request.include_ids,
        exclude_ids=request.exclude_ids,
        exclude_seen=request.exclude_seen,
        calibration=request.calibration,
        novelty=request.novelty,
        freshness=request.freshness,
        diversity=request.diversity,
        genre_profile=request.genre_profile,
        explain=request.explain,
    )


def merge_history(
    recommender: Recommender, request: UserRequest, user: CachedUser | None
) -> list[HistoryEntry]:
    """Return the stored history, then the request's.

    The entries are sorted by time if every one has a time.
    """
    entries: list[tuple[float | None, HistoryEntry]] = []
    if user is not None:
        entries += recommender.usable_entries(user.state.history)
    entries += [
        (unix_us(entry.at) if entry.at else None, (entry.movie_id, entry.stars, entry.watched))
        for entry in request.history or ()
    ]
    if all(at_us is not None for at_us, _ in entries):
        entries.sort(key=lambda entry: entry[0] or 0)
    return [entry for _, entry in entries]


def cache_key(request: RecommendRequest) -> tuple[Any, ...] | None:
    """Return the fields that distinguish plain requests of one user.

    None stands for a request that is not plain.

    A plain request names neither a movie, a genre nor a filter.
    """
    if (
        request.history is not None
        or request.include_ids is not None
        or request.exclude_ids is not None
        or request.filters is not None
        or request.genre_profile is not None
    ):
        return None
    return (
        request.k,
        request.offset,
        request.exclude_seen,
        request.explain,
        request.calibration,
        request.novelty,
        request.freshness,
        request.diversity,
    )


def is_slow(request: RecommendRequest) -> bool:
    """Return whether a list costs 5 ms and more.

    `explain` encodes the history once an entry; calibration selects the movies jointly.
    """
    return request.explain or request.calibration > 0 or request.genre_profile is not None


def to_dict(filters: Filters | None) -> dict[str, Any] | None:
    """Return the filters that a request sets."""
    return None if filters is None else filters.model_dump(exclude_none=True)
