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
from marquee.core.id_limits import MAX_ID_LENGTH, MAX_INT64
from marquee.core.ids import Id
from marquee.core.times import MAX_TIMESTAMP, MICROS_PER_SECOND
from marquee.feedback.movie_keys import movie_key

Column: TypeAlias = Sequence[Any] | npt.NDArray[Any]

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
    movie_id: Id
    """An integer of 64 bits, or text of at most 128 characters; 5 and "5" are two movies."""
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
        check_id("event_id", self.event_id)
        check_id("user_id", self.user_id)
        if self.kind not in KINDS:
            raise InputError(f"{subject}: kind {self.kind!r}, expected one of {', '.join(KINDS)}")
        check_movie_id(subject, self.movie_id)
        if self.at_us is not None and not 0 <= self.at_us < MAX_TIMESTAMP * MICROS_PER_SECOND:
            raise InputError(
                f"{subject}: at_us {self.at_us}, expected microseconds since 1970; convert it"
            )
        if self.kind == "rating" and self.stars is None:
            raise InputError(f"{subject}: a rating without stars, expected a number")
        for name, value in (("stars", self.stars), ("watched", self.watched)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"{subject}: {name} {value}, expected a number")


def import_columns(
    user_id: Column, movie_id: Column, stars: Column, watched: Column | None, at_s: Column
) -> list[list[Any]]:
    """Return the columns of an import for a database.

    They are user_id, movie_key, stars, watched and at_s.
    Raises InputError for columns of different lengths, and for values beyond the limits.
    """
    user_ids, movie_ids = _values(user_id), _values(movie_id)
    star_values, times = _numbers(stars), np.asarray(at_s, dtype=np.int64).tolist()
    shares = [None] * len(star_values) if watched is None else _numbers(watched)
    lengths = [len(user_ids), len(movie_ids), len(star_values), len(shares), len(times)]
    if len(set(lengths)) > 1:
        raise InputError(
            "ratings to import: user_id, movie_id, stars, watched and at_s differ in length "
            f"({lengths}), expected one value per rating"
        )
    if times and not 0 <= min(times) <= max(times) < MAX_TIMESTAMP:
        raise InputError(
            f"ratings to import: times from {min(times)} to {max(times)}, expected seconds since "
            "1970; convert them"
        )
    users = {user: str(user) for user in set(user_ids)}
    for user in users.values():
        check_id("user_id", user)
    keys = {}
    for movie in set(movie_ids):
        plain = movie.item() if isinstance(movie, np.generic) else movie
        check_movie_id("ratings to import", plain)
        keys[movie] = movie_key(plain)
    return [
        [users[user] for user in user_ids],
        [keys[movie] for movie in movie_ids],
        star_values,
        shares,
        times,
    ]


def _values(column: Column) -> list[Any]:
    """Return Python's integers and text of a column."""
    array = column if isinstance(column, np.ndarray) else np.array(column, dtype=object)
    return list(array.tolist())


def _numbers(column: Column) -> list[float | None]:
    """Return numbers; None for a NaN. Infinity raises InputError."""
    values = np.asarray(column, dtype=np.float64)
    if np.isinf(values).any():
        raise InputError("ratings to import: a column holds inf, expected numbers; drop those rows")
    numbers: list[float] = values.tolist()
    if not np.isnan(values).any():
        return list(numbers)
    return [None if number != number else number for number in numbers]


def check_movie_id(subject: str, value: Any) -> None:
    if isinstance(value, str):
        check_id("movie_id", value)
    elif not isinstance(value, int):
        raise InputError(f"{subject}: movie_id {value!r}, expected an integer or text")
    elif not -MAX_INT64 - 1 <= value <= MAX_INT64:
        raise InputError(f"{subject}: movie_id {value} has more than 64 bits, expected at most 64")


def check_id(name: str, value: str) -> None:
    if not 1 <= len(value) <= MAX_ID_LENGTH:
        raise InputError(
            f"{name} {value[:80]!r}: {len(value)} characters, expected 1 to {MAX_ID_LENGTH}"
        )
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry
        raise InputError(f"{name} {value!r}: half of a surrogate pair, expected text") from None
    if "\0" in value:
        raise InputError(
            f"{name} {value!r}: holds NUL, which PostgreSQL does not store, expected text without"
        )
