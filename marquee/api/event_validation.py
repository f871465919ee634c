"""Events as they come in: what a store may keep, and what is sent back with a reason.

    events, rejected = checked(happened, recommender, now)

Whether it could have happened is asked here (a film of the catalogue, stars of the scale, a time
that has come), so that no history ever holds what no model can read.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from marquee.api.requests import Happened
from marquee.feedback.events import Event
from marquee.recommender.errors import UNKNOWN_MOVIE, unknown_movie
from marquee.recommender.recommender import Recommender

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
AHEAD = timedelta(days=1)
"""A clock may be this far ahead; an event of next year would stay the latest for a year."""


def checked(
    happened: Sequence[Happened], recommender: Recommender, now: datetime
) -> tuple[dict[int, Event], list[dict[str, str]]]:
    """What can be stored, by its place in the request; {event_id, code, message} of the rest."""
    events: dict[int, Event] = {}
    rejected = []
    for n, one in enumerate(happened):
        fault = _fault(one, recommender, now)
        if fault is None:
            events[n] = _event(one)
        else:
            code, message = fault
            rejected.append({"event_id": one.event_id, "code": code, "message": message})
    return events, rejected


def unix_us(at: datetime) -> int:
    """Unix microseconds."""
    return (at - EPOCH) // MICROSECOND


def _event(one: Happened) -> Event:
    given: dict[str, Any] = one.model_dump(exclude={"user_id", "at"})
    return Event(user_id=str(one.user_id), at_us=unix_us(one.at), **given)


def _fault(one: Happened, recommender: Recommender, now: datetime) -> tuple[str, str] | None:
    if not recommender.knows(one.movie_id):
        return UNKNOWN_MOVIE, str(unknown_movie(one.movie_id, "movie_id"))
    if not EPOCH <= one.at <= now + AHEAD:
        return "invalid", f"at {one.at.isoformat()}: needed a time from 1970 to now"
    if (one.kind == "rating") != (one.stars is not None):
        needed = "a rating needs stars" if one.kind == "rating" else f"a {one.kind} has no stars"
        return "invalid", f"{needed}; send kind rating with stars"
    if one.stars is not None and not recommender.on_scale(one.stars):
        scale = ", ".join(f"{value:g}" for value in recommender.scale)
        return "invalid", f"{one.stars:g} stars is off the scale; give one of {scale}"
    if one.portion is not None and one.kind != "watch":
        return "invalid", f"a {one.kind} has no portion; send kind watch with a portion"
    return None
