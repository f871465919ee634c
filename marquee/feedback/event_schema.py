"""The event schema: one user, one movie, one time, what happened; and the limits of its values.

Every database stores the values within these limits and returns them unchanged. Beyond them SQLite
would turn a NaN into NULL, and PostgreSQL would fail on a NUL character, each with a message of its
own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from marquee.core.errors import InputError
from marquee.core.times import MAX_TIMESTAMP, MICROS_PER_SECOND
from marquee.feedback.errors import MAX_ID_CHARS

Column: TypeAlias = "Sequence[Any] | npt.NDArray[Any]"

KINDS = ("rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen")
STATELESS_KINDS = ("click", "impression")
"""Kinds that are stored and change no user state."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One interaction of one user with one movie."""

    event_id: str
    """At most 128 characters, chosen by the sender; an event sent again has the same id."""
    user_id: str
    """At most 128 characters."""
    movie_id: int
    kind: str
    """One of KINDS."""
    stars: float | None = None
    """The rating of kind "rating"; None for every other kind."""
    watched: float | None = None
    """Watched share of kind "watch", 0 to 1; None where it is unknown."""
    at_us: int | None = None
    """Unix microseconds; None for the moment at which it is stored."""

    def is_same(self, stored: "Event") -> bool:
        """Return whether an event has this content; any time will do where this has none."""
        return self == (stored if self.at_us is not None else replace(stored, at_us=None))

    def check(self) -> None:
        """Raise InputError for a value beyond the limits."""
        subject = f"event {self.event_id[:80]!r}"
        _check_id("event_id", self.event_id)
        _check_id("user_id", self.user_id)
        if self.kind not in KINDS:
            raise InputError(f"{subject}: kind {self.kind!r}, expected one of {', '.join(KINDS)}")
        if not -(2**63) <= self.movie_id < 2**63:
            raise InputError(
                f"{subject}: movie_id {self.movie_id} has more than 64 bits, expected at most 64"
            )
        if self.at_us is not None and not 0 <= self.at_us < MAX_TIMESTAMP * MICROS_PER_SECOND:
            raise InputError(
                f"{subject}: at_us {self.at_us}, expected microseconds since 1970; convert it"
            )
        if self.kind == "rating" and self.stars is None:
            raise InputError(f"{subject}: a rating without stars, expected a number")
        for name, value in (("stars", self.stars), ("watched", self.watched)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"{subject}: {name} {value}, expected a number")


def rating_rows(
    user_id: Column, movie_id: Column, stars: Column, at_s: Column
) -> list[tuple[str, int, float, int]]:
    """Return the rows (user_id, movie_id, stars, Unix seconds) of an import.

    Raises InputError for columns of different lengths, and for values beyond the limits.
    """
    user_ids = [str(user) for user in np.asarray(user_id, dtype=object).tolist()]
    movie_ids = np.asarray(movie_id, dtype=np.int64).tolist()
    ratings = np.asarray(stars, dtype=np.float64).tolist()
    times = np.asarray(at_s, dtype=np.int64).tolist()
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
        _check_id("user_id", user)
    return list(zip(user_ids, movie_ids, ratings, times, strict=True))


def _check_id(name: str, value: str) -> None:
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
