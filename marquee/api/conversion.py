"""From validated requests to queries of the recommender, and to events of the store."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

from marquee.api.errors import malformed_error
from marquee.api.ids import NO_CONTROL_CHARACTERS
from marquee.api.requests import (
    ChartsRequest,
    CommonListRequest,
    EventIn,
    Filters,
    RecommendRequest,
    SimilarRequest,
    UserRequest,
)
from marquee.api.responses import ExportedEvent, RejectedEvent
from marquee.api.store_access import CachedUser, unknown_user
from marquee.api.unknown_movies import Response, name_unknown
from marquee.api.validation import Malformed
from marquee.core.id_limits import MAX_ID_LENGTH
from marquee.core.ids import Id, id_type
from marquee.core.times import EPOCH, rfc3339, unix_us
from marquee.feedback.event_schema import Event
from marquee.recommender.errors import RequestError
from marquee.recommender.foreign_ids import ForeignId, catalog_id, known_ids, stored_entries
from marquee.recommender.history import HistoryEntry
from marquee.recommender.item_catalog import ItemCatalog
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender
from marquee.recommender.responses import RecommendResponse

# A plain request sets none of them: it names neither a movie, a genre, a filter nor a viewer.
SPECIAL_FIELDS = (
    *("history", "include_ids", "exclude_ids", "filters", "genre_profile"),
    "viewer",
)
USER_FIELDS = ("user_id", "require_history", "personalized")
PLAIN_FIELDS = sorted(RecommendRequest.model_fields.keys() - {*SPECIAL_FIELDS, *USER_FIELDS})
EXPORTED_FIELDS = ("event_id", "movie_id", "kind", "stars", "watched")
PersonalRequest = TypeVar("PersonalRequest", bound=UserRequest | CommonListRequest)
MAX_CLOCK_SKEW = timedelta(minutes=5)  # an event of tomorrow would stay the latest for a day


def build_query(
    recommender: Recommender, request: RecommendRequest, user: CachedUser | None
) -> RecommendQuery:
    fields = dict(request)  # every field but USER_FIELDS is one of the query's
    for name in USER_FIELDS:
        del fields[name]
    fields["history"] = merge_history(recommender, request, user)
    fields["filters"] = to_dict(request.filters)
    not_interested = known_ids(recommender.catalog, user.state.not_interested, {}) if user else ()
    return RecommendQuery(**fields, not_interested=not_interested)


def without_history(request: PersonalRequest) -> PersonalRequest:
    """Return a request without the history that it sends."""
    if getattr(request, "history", None) is None:
        return request
    return cast(PersonalRequest, request.model_copy(update={"history": None}))


def personal(
    request: PersonalRequest, user: CachedUser | None
) -> tuple[PersonalRequest, CachedUser | None]:
    """Return a request and its stored user, without what may not be used of the user."""
    has_chosen_none = user is not None and not user.state.is_personalized
    if request.personalized is False or has_chosen_none:
        return without_history(request), unknown_user()
    return request, user


def missing_history(request: UserRequest, user: CachedUser | None) -> RequestError | None:
    """Return the error where a required stored history cannot be read now."""
    if user is not None or request.user_id is None or not request.require_history:
        return None
    message = "the stored history cannot be read now, expected it by require_history; try again"
    return RequestError(message, code="unavailable", field="require_history")


def mark_history(
    response: Response, request: UserRequest | CommonListRequest, user: CachedUser | None
) -> Response:
    """Return the response, which says so where the stored history could not be read."""
    if user is not None or request.user_id is None:
        return response
    return cast(Response, {**response, "history": "unavailable"})


def mark_in_batch(
    result: RecommendResponse | RequestError,
    request: RecommendRequest,
    user: CachedUser | None,
    unknown_ids: Sequence[ForeignId],
) -> RecommendResponse | RequestError:
    """Return a batch's result, or its error where the history is required."""
    if isinstance(result, RequestError):
        return result
    answer = mark_history(name_unknown(result, unknown_ids), request, user)
    return missing_history(request, user) or answer


def merge_history(
    recommender: Recommender, request: UserRequest, user: CachedUser | None
) -> list[HistoryEntry]:
    """Return the stored history, then the request's; sorted if all entries have times."""
    entries: list[tuple[float | None, HistoryEntry]] = []
    if user is not None:
        stored = stored_entries(recommender.catalog, user.state.history)
        entries += recommender.catalog.usable_entries(stored)
    sent: list[Any] = [  # ids of the catalog alone: see skip_unknown
        (unix_us(entry.at) if entry.at else None, (entry.movie_id, entry.stars, entry.watched))
        for entry in request.history or ()
    ]
    entries += sent
    if all(at_us is not None for at_us, _ in entries):
        entries.sort(key=lambda entry: entry[0] or 0)
    return [entry for _, entry in entries]


def cache_key(request: RecommendRequest) -> tuple[Any, ...] | None:
    """Return what distinguishes plain requests of one user; None if it is not plain."""
    if any(getattr(request, name) is not None for name in SPECIAL_FIELDS):
        return None
    return tuple(getattr(request, name) for name in PLAIN_FIELDS)


def common_page(
    catalog: ItemCatalog,
    request: SimilarRequest | ChartsRequest,
    user: CachedUser | None,
    unknown: dict[ForeignId, None],
) -> dict[str, Any]:
    """Return the page of a list in one order for all; unknown ids join `unknown`."""
    exclude_ids = known_ids(catalog, request.exclude_ids or (), unknown)
    if user is not None:
        exclude_ids += known_ids(catalog, (entry[0] for entry in user.state.history), {})
        exclude_ids += known_ids(catalog, user.state.not_interested, {})
    return {
        "k": request.k,
        "offset": request.offset,
        "filters": to_dict(request.filters),
        "exclude_ids": exclude_ids,
        "viewer": request.viewer,
        "surface": request.surface,
    }


def to_dict(filters: Filters | None) -> dict[str, Any] | None:
    """Return the filters given; null inside of `where` stays, and is refused later."""
    if filters is None:
        return None
    return {name: value for name, value in filters if value is not None}


def validate_events(
    events: Sequence[EventIn | Malformed], recommender: Recommender, now: datetime
) -> tuple[dict[int, Event], list[RejectedEvent]]:
    """Return the possible events by position in the request, and the rejected ones."""
    valid: dict[int, Event] = {}
    rejected: list[RejectedEvent] = []
    for index, event in enumerate(events):
        try:
            valid[index] = stored_event(event, recommender, now)
        except RequestError as error:
            rejected.append(rejected_event(index, event, error))
    return valid, rejected


def rejected_event(
    index: int, event: EventIn | Malformed | Event, error: RequestError
) -> RejectedEvent:
    event_id = malformed_id(event.value) if isinstance(event, Malformed) else event.event_id
    return {"index": index, "event_id": event_id, "code": error.code, "message": str(error)}


def conflict(field: str | None = None) -> RequestError:
    message = "this event_id is stored with other content, expected a new one; send it with its own"
    return RequestError(message, code="conflict", field=field)


def malformed_id(value: object) -> str | None:
    """Return the event_id of a malformed event, if it is one."""
    event_id = value.get("event_id") if isinstance(value, dict) else None
    if not isinstance(event_id, str) or not 1 <= len(event_id) <= MAX_ID_LENGTH:
        return None
    return event_id if re.fullmatch(NO_CONTROL_CHARACTERS, event_id) else None


def stored_event(event: EventIn | Malformed, recommender: Recommender, now: datetime) -> Event:
    """Return the event that is stored; RequestError for one that cannot be."""
    if isinstance(event, Malformed):
        raise malformed_error(event, root="event")
    check_event(event, recommender, now)
    return Event(
        event_id=event.event_id,
        user_id=str(event.user_id),
        movie_id=stored_id(event.movie_id, recommender),
        kind=event.kind,
        stars=event.stars,
        watched=event.watched,
        at_us=None if event.at is None else unix_us(event.at),
    )


def stored_id(movie_id: ForeignId, recommender: Recommender) -> Id:
    """Return a movie id as the store keeps it: of the bundle's type, else text."""
    if isinstance(movie_id, float):
        message = f"movie_id: {movie_id:g}, expected an integer or text"
        raise RequestError(message, field="movie_id")
    own_id = catalog_id(movie_id, id_type(recommender.movie_ids))
    return movie_id if own_id is None else own_id


def exported_event(row: Mapping[str, Any]) -> ExportedEvent:
    """Return a stored row as its user gets it, without the values that it has not."""
    fields = {name: row[name] for name in EXPORTED_FIELDS if row[name] is not None}
    return cast(ExportedEvent, fields | {"at": rfc3339(row["at_us"])})


def check_event(event: EventIn, recommender: Recommender, now: datetime) -> None:
    """Raise RequestError for an event that cannot be."""
    if event.at is not None:
        check_time(event.at, now)
    is_rating = event.kind == "rating"
    if is_rating and event.stars is None:
        raise RequestError("a rating without stars, expected stars; send kind rating with stars")
    if event.stars is not None and not is_rating:
        raise RequestError(f"a {event.kind} with stars, expected none; send kind rating with stars")
    values = recommender.catalog.scale  # empty without ratings: then stars say nothing
    if event.stars is not None and values and event.stars not in values:
        scale = ", ".join(f"{value:g}" for value in values)
        raise RequestError(f"{event.stars:g} stars is off the scale, expected one of {scale}")
    if event.watched is not None and event.kind != "watch":
        raise RequestError(f"a {event.kind} with watched, expected none; send kind watch with it")


def check_time(at: datetime, now: datetime) -> None:
    if at < EPOCH:
        raise RequestError(f"at: {at.isoformat()}, expected a time from 1970 on")
    if at > now + MAX_CLOCK_SKEW:
        raise RequestError(
            f"at: {at.isoformat()}, expected at most 5 minutes after the service's clock "
            f"({now.isoformat(timespec='seconds')}); check the sender's clock and zone",
            code="in_the_future",
        )
