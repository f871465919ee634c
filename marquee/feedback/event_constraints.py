"""Constraints on events: values that every database stores and returns unchanged.

SQLite would turn a NaN into NULL, and PostgreSQL would fail on a NUL character, each with a message
of its own. Such values are refused here, before they reach a database.
"""

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.columns import MAX_TIMESTAMP
from marquee.core.errors import InputError
from marquee.core.times import MICROS_PER_SECOND
from marquee.feedback.event_schema import KINDS, MAX_ID_CHARS, Event

Column: TypeAlias = "Sequence[Any] | npt.NDArray[Any]"


def check_ratings(
    user_id: Column, movie_id: Column, stars: Column, at_s: Column
) -> list[tuple[str, int, float, int]]:
    """Return the rows (user_id, movie_id, stars, Unix seconds) of an import, checked.

    Raises InputError for columns of different lengths, NaN, times in other units, or a bad user_id.
    """
    user_ids = [str(user) for user in np.asarray(user_id, dtype=object).tolist()]
    times = np.asarray(at_s, dtype=np.int64).tolist()
    movie_ids = np.asarray(movie_id, dtype=np.int64).tolist()
    ratings = np.asarray(stars, dtype=np.float64).tolist()
    lengths = [len(user_ids), len(movie_ids), len(ratings), len(times)]
    if len(set(lengths)) > 1:
        raise InputError(
            f"ratings to import: user_id, movie_id, stars and at_s differ in length ({lengths}), "
            "expected one value per rating"
        )
    if not np.isfinite(ratings).all():
        raise InputError(
            "ratings to import: stars hold NaN or inf, expected numbers; drop those rows before"
        )
    if times and not 0 <= min(times) <= max(times) < MAX_TIMESTAMP:
        raise InputError(
            f"ratings to import: times from {min(times)} to {max(times)}, expected seconds since "
            "1970; convert them"
        )
    for user in set(user_ids):
        check_id("user_id", user)
    return list(zip(user_ids, movie_ids, ratings, times, strict=True))


def check_storable(event: Event) -> None:
    """Raise InputError for an event that a database would refuse or change."""
    subject = f"event {event.event_id[:80]!r}"
    check_id("event_id", event.event_id)
    check_id("user_id", event.user_id)
    if event.kind not in KINDS:
        raise InputError(f"{subject}: kind {event.kind!r}, expected one of {', '.join(KINDS)}")
    if not -(2**63) <= event.movie_id < 2**63:
        raise InputError(
            f"{subject}: movie_id {event.movie_id} has more than 64 bits, expected at most 64"
        )
    if not 0 <= event.at_us < MAX_TIMESTAMP * MICROS_PER_SECOND:
        raise InputError(
            f"{subject}: at_us {event.at_us}, expected microseconds since 1970; convert it"
        )
    if event.kind == "rating" and event.stars is None:
        raise InputError(f"{subject}: a rating without stars, expected a number")
    for name, value in (("stars", event.stars), ("watched", event.watched)):
        if value is not None and not math.isfinite(value):
            raise InputError(f"{subject}: {name} {value}, expected a number")


def check_id(name: str, value: str) -> None:
    """Raise InputError unless every database stores this value as an id.

    An id is text of 1 to 64 characters.
    """
    if not 1 <= len(value) <= MAX_ID_CHARS:
        raise InputError(
            f"{name} {value[:80]!r}: {len(value)} characters, expected 1 to {MAX_ID_CHARS}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry
        raise InputError(f"{name} {value!r}: half of a surrogate pair, expected text") from None
    if "\0" in value:
        raise InputError(
            f"{name} {value!r}: holds NUL, which PostgreSQL does not store, expected text without"
        )
