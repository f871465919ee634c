"""The event schema: one user, one movie, one time, what happened."""

from dataclasses import dataclass

KINDS = ("rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen")
STATELESS_KINDS = ("click", "impression")
"""Kinds that are stored and change no user state."""
MAX_ID_CHARS = 64
"""Longest event_id and user_id."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One interaction of one user with one movie."""

    event_id: str
    """At most 64 characters, chosen by the sender; an event sent again has the same id."""
    user_id: str
    """At most 64 characters."""
    movie_id: int
    kind: str
    """One of KINDS."""
    stars: float | None = None
    """The rating of kind "rating"; None for every other kind."""
    watched: float | None = None
    """Watched share of kind "watch", 0 to 1; None where it is unknown."""
    at_us: int
    """Unix microseconds."""
