"""From validated requests to queries of the recommender, and to events of the store."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from marquee.api.requests import EventIn, Filters, RecommendRequest, UserRequest
from marquee.api.responses import RejectedEvent
from marquee.api.store_access import CachedUser
from marquee.core.times import EPOCH, unix_us
from marquee.feedback.event_schema import Event
from marquee.recommender.errors import RequestError, unknown_movie
from marquee.recommender.history import HistoryEntry
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender

# A plain request sets none of them: it names neither a movie, a genre nor a filter.
SPECIAL_FIELDS = ("history", "include_ids", "exclude_ids", "filters", "genre_profile")
PLAIN_FIELDS = sorted(RecommendRequest.model_fields.keys() - {*SPECIAL_FIELDS, "user_id"})
MAX_CLOCK_SKEW = timedelta(days=1)  # an event of next year would stay the latest for a year


def build_query(
    recommender: Recommender, request: RecommendRequest, user: CachedUser | None
) -> RecommendQuery:
    fields = dict(request)  # every field but user_id is one of the query's
    del fields["user_id"]
    fields["history"] = merge_history(recommender, request, user)
    fields["filters"] = to_dict(request.filters)
    not_interested = recommender.catalog.known_ids(user.state.not_interested) if user else ()
    return RecommendQuery(**fields, not_interested=not_interested)


def merge_history(
    recommender: Recommender, request: UserRequest, user: CachedUser | None
) -> list[HistoryEntry]:
    """Return the stored history, then the request's; sorted if all entries have times."""
    entries: list[tuple[float | None, HistoryEntry]] = []
    if user is not None:
        entries += recommender.catalog.usable_entries(user.state.history)
    entries += [
        (unix_us(entry.at) if entry.at else None, (entry.movie_id, entry.stars, entry.watched))
        for entry in request.history or ()
    ]
    if all(at_us is not None for at_us, _ in entries):
        entries.sort(key=lambda entry: entry[0] or 0)
    return [entry for _, entry in entries]


def cache_key(request: RecommendRequest) -> tuple[Any, ...] | None:
    """Return what distinguishes plain requests of one user; None if it is not plain."""
    if any(getattr(request, name) is not None for name in SPECIAL_FIELDS):
        return None
    return tuple(getattr(request, name) for name in PLAIN_FIELDS)


def is_slow(request: RecommendRequest) -> bool:
    """Return whether a list costs 5 ms and more.

    `explain` encodes the history once an entry; calibration selects the movies jointly.
    """
    return request.explain or request.calibration > 0 or request.genre_profile is not None


def to_dict(filters: Filters | None) -> dict[str, Any] | None:
    return None if filters is None else filters.model_dump(exclude_none=True)


def validate_events(
    events: Sequence[EventIn], recommender: Recommender, now: datetime
) -> tuple[dict[int, Event], list[RejectedEvent]]:
    """Return the possible events by position in the request, and the rejected ones."""
    valid: dict[int, Event] = {}
    rejected: list[RejectedEvent] = []
    for position, event in enumerate(events):
        try:
            check_event(event, recommender, now)
        except RequestError as error:
            rejected.append({"event_id": event.event_id, "code": error.code, "message": str(error)})
            continue
        fields = event.model_dump(exclude={"user_id", "at"})
        valid[position] = Event(**fields, user_id=str(event.user_id), at_us=unix_us(event.at))
    return valid, rejected


def check_event(event: EventIn, recommender: Recommender, now: datetime) -> None:
    """Raise RequestError for an event that cannot be."""
    if not recommender.catalog.has_movie(event.movie_id):
        raise unknown_movie(event.movie_id, "movie_id")
    if not EPOCH <= event.at <= now + MAX_CLOCK_SKEW:
        raise RequestError(f"at: {event.at.isoformat()}, expected a time from 1970 to now")
    is_rating = event.kind == "rating"
    if is_rating and event.stars is None:
        raise RequestError("a rating without stars, expected stars; send kind rating with stars")
    if event.stars is not None and not is_rating:
        raise RequestError(f"a {event.kind} with stars, expected none; send kind rating with stars")
    if event.stars is not None and event.stars not in recommender.catalog.scale:
        scale = ", ".join(f"{value:g}" for value in recommender.catalog.scale)
        raise RequestError(f"{event.stars:g} stars is off the scale, expected one of {scale}")
    if event.watched is not None and event.kind != "watch":
        raise RequestError(f"a {event.kind} with watched, expected none; send kind watch with it")
