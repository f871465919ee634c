"""The event schema: one user, one movie, one time, what happened."""

from dataclasses import dataclass

KINDS = ("rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen")
SILENT = ("click", "impression")
"""Stored, and without a say in what is known of a person."""
MAX_ID = 64
SECOND = 1_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Event:
    event_id: str
    """At most 64 characters, chosen by the sender; the same event sent again bears the same."""
    user_id: str
    """At most 64 characters."""
    movie_id: int
    kind: str
    """One of KINDS."""
    stars: float | None
    portion: float | None
    """Watched share, 0 to 1."""
    at_us: int
    """Unix microseconds."""
