"""Validation of incoming events: those that may be stored, and those that are sent back.

    events, rejected = validate_events(request.events, recommender, now)

An event must be possible: a movie of the catalog, stars of the scale, a time that is not ahead. So
no history ever holds an entry that no model can read.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from marquee.api.requests import EventIn
from marquee.api.responses import RejectedEvent
from marquee.core.times import EPOCH, unix_us
from marquee.feedback.event_schema import Event
from marquee.recommender.errors import UNKNOWN_MOVIE, unknown_movie
from marquee.recommender.recommender import Recommender

MAX_CLOCK_SKEW = timedelta(days=1)
"""A clock may be this far ahead; an event of next year would stay the latest for a year."""


def validate_events(
    events: Sequence[EventIn], recommender: Recommender, now: datetime
) -> tuple[dict[int, Event], list[RejectedEvent]]:
    """Return the valid events by their position in the request, and the rejected ones."""
    valid: dict[int, Event] = {}
    rejected: list[RejectedEvent] = []
    for position, event in enumerate(events):
        error = _error(event, recommender, now)
        if error is None:
            valid[position] = _to_event(event)
        else:
            code, message = error
            rejected.append({"event_id": event.event_id, "code": code, "message": message})
    return valid, rejected


def _to_event(event: EventIn) -> Event:
    return Event(
        event_id=event.event_id,
        user_id=str(event.user_id),
        movie_id=event.movie_id,
        kind=event.kind,
        stars=event.stars,
        watched=event.watched,
        at_us=unix_us(event.at),
    )


def _error(event: EventIn, recommender: Recommender, now: datetime) -> tuple[str, str] | None:
    """Return (code, message), or None for a valid event."""
    if not recommender.has_movie(event.movie_id):
        return UNKNOWN_MOVIE, str(unknown_movie(event.movie_id, "movie_id"))
    if not EPOCH <= event.at <= now + MAX_CLOCK_SKEW:
        return "invalid", f"at: {event.at.isoformat()}, expected a time from 1970 to now"
    if event.kind == "rating" and event.stars is None:
        return "invalid", "a rating without stars, expected stars; send kind rating with stars"
    if event.kind != "rating" and event.stars is not None:
        return "invalid", f"a {event.kind} with stars, expected none; send kind rating with stars"
    if event.stars is not None and not recommender.is_on_scale(event.stars):
        scale = ", ".join(f"{value:g}" for value in recommender.scale)
        return "invalid", f"{event.stars:g} stars is off the scale, expected one of {scale}"
    if event.watched is not None and event.kind != "watch":
        return "invalid", f"a {event.kind} with watched, expected none; send kind watch with it"
    return None
