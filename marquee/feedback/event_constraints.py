"""What every database can hold and gives back as it was; everything else is refused here.

SQLite would turn a NaN into nothing and PostgreSQL would fail on a NUL, each with words of its own.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.columns import MAX_TIMESTAMP
from marquee.core.errors import InputError
from marquee.feedback.events import KINDS, MAX_ID, SECOND, Event

Ids: TypeAlias = "Sequence[Any] | npt.NDArray[Any]"


def ratings_to_store(
    user_id: Ids, movie_id: Ids, stars: Ids, at_s: Ids
) -> list[tuple[str, int, float, int]]:
    """(user_id, movie_id, stars, Unix seconds) of an import, checked."""
    users = [str(user) for user in np.asarray(user_id, dtype=object).tolist()]
    times = np.asarray(at_s, dtype=np.int64).tolist()
    movies = np.asarray(movie_id, dtype=np.int64).tolist()
    given = np.asarray(stars, dtype=np.float64).tolist()
    if not len(users) == len(movies) == len(given) == len(times):
        raise InputError("user_id, movie_id, stars and at_s differ in length; one per rating")
    if not np.isfinite(given).all():
        raise InputError("a rating has NaN for stars; drop it before the import")
    if times and not 0 <= min(times) <= max(times) < MAX_TIMESTAMP:
        raise InputError(
            f"times from {min(times)} to {max(times)}, needed seconds since 1970; convert them"
        )
    for user in set(users):
        refuse_bad_id("user_id", user)
    return list(zip(users, movies, given, times, strict=True))


def refuse_unstorable(event: Event) -> None:
    """Raise InputError for an event that a database would refuse or change."""
    named = f"event {event.event_id[:80]!r}"
    refuse_bad_id("event_id", event.event_id)
    refuse_bad_id("user_id", event.user_id)
    if event.kind not in KINDS:
        raise InputError(f"{named}: kind {event.kind!r}, needed one of {', '.join(KINDS)}")
    if not -(2**63) <= event.movie_id < 2**63:
        raise InputError(f"{named}: movie_id {event.movie_id} has more than 64 bits")
    if not 0 <= event.at_us < MAX_TIMESTAMP * SECOND:
        raise InputError(f"{named}: at {event.at_us}, needed microseconds since 1970; convert them")
    if event.kind == "rating" and event.stars is None:
        raise InputError(f"{named}: a rating without stars")
    for name, value in (("stars", event.stars), ("portion", event.portion)):
        if value is not None and not math.isfinite(value):
            raise InputError(f"{named}: {name} {value}, needed a number")


def refuse_bad_id(name: str, value: str) -> None:
    """Raise InputError unless value is text of 1 to 64 characters that every database can hold."""
    if not 1 <= len(value) <= MAX_ID:
        raise InputError(f"{name} {value[:80]!r}: {len(value)} characters, expected 1 to {MAX_ID}")
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair, which JSON can carry
        raise InputError(f"{name} {value!r}: not text") from None
    if "\0" in value:
        raise InputError(f"{name} {value!r}: holds NUL, which PostgreSQL does not store")
