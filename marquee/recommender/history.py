"""Parse a history into the item indices and rating bins of the encoder.

    [1193, (661, 5.0), (914, None, 0.95), {"movie_id": 594, "stars": 4.0}]

An entry is a movie id, a tuple `(movie_id, stars)` or `(movie_id, stars, watched)`, or the mapping
of POST /recommend: `{"movie_id", "stars", "watched", "at"}`, all but the id optional.
"""

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from marquee.core.arrays import Int64
from marquee.core.times import unix_us
from marquee.recommender.errors import RequestError, unknown_movie

HistoryEntry: TypeAlias = (
    "int | tuple[int] | tuple[int, float | None] | tuple[int, float | None, float | None]"
    " | Mapping[str, Any]"
)
StoredEntry: TypeAlias = tuple[int, float | None, float | None, int]
"""An entry of a stored history: movie_id, stars, watched share, Unix microseconds."""

ENTRY_KEYS = ("movie_id", "stars", "watched", "at")
ABANDONED_SHARE = 0.1
"""A movie left before this share says nothing about the next one; the rating model takes it for 2
stars."""
FINISHED_SHARE = 0.9
"""A movie watched to this share or further, without stars, counts as FINISHED_STARS."""
FINISHED_STARS = 4.0


def _no_items() -> Int64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class History:
    """The items of one user, oldest first, each once; of repeats the last counts."""

    item_L: Int64
    """Indices of the items that the encoder reads."""
    rating_bin_L: Int64
    """0 where there is no rating, else 1 + its position on the scale."""
    abandoned: Int64 = field(default_factory=_no_items)
    """Indices of items left in their first tenth: a weak dislike, and seen."""
    not_interested: Int64 = field(default_factory=_no_items)
    """Indices of items that are never listed, and whose neighbors are demoted."""

    @property
    def seen(self) -> Int64:
        """The indices of all items that count as seen."""
        return np.concatenate([self.item_L, self.abandoned])

    def __len__(self) -> int:
        return len(self.item_L)


EMPTY_HISTORY = History(item_L=_no_items(), rating_bin_L=_no_items())


def parse_history(
    entries: Iterable[HistoryEntry],
    index_of: Mapping[int, int],
    rating_bin_of: Mapping[float, int],
    not_interested: Iterable[int] = (),
) -> History:
    """Parse entries, oldest first, into a History.

    Args:
        entries: see the module. stars: a value of the scale, or None. watched: share 0..1, or
            None; it counts only without stars. Below .1 the item is seen and a weak dislike, and
            the encoder does not read it; from .9 on it counts as 4 stars. at: a datetime with a
            zone or RFC 3339 text; where every entry has one, entries are sorted by it, stably. Of
            a repeated item the last entry counts, at its position and with its stars, or none.
            The number of entries has no limit here; the encoder reads the latest.
        index_of: movie id -> item index.
        rating_bin_of: stars -> 1 + position on the scale.
        not_interested: movie ids to refuse, whatever the entries say of them.

    Raises RequestError for an unknown movie, an unknown key, stars off the scale, a watched share
    outside 0..1, or a time without a zone. Its field names the entry by its place in `entries`.

    >>> index_of, rating_bin_of = {661: 0, 914: 1, 1193: 2}, {4.0: 1, 5.0: 2}
    >>> entries = [1193, (661, 5.0), {"movie_id": 914, "watched": 0.95}]
    >>> history = parse_history(entries, index_of, rating_bin_of)
    >>> history.item_L.tolist(), history.rating_bin_L.tolist()
    ([2, 0, 1], [0, 2, 1])
    """
    if not isinstance(entries, Iterable):
        raise RequestError(f"history: {entries!r}, expected a list of entries", field="history")
    latest: dict[int, int | None] = {}  # item -> rating bin; None: abandoned
    for n, entry in _in_time_order(entries):
        movie_id, stars, watched = _parts(entry, n)
        item = index_of.get(movie_id)
        if item is None:
            raise unknown_movie(movie_id, f"history.{n}.movie_id")
        latest.pop(item, None)  # a repeated item moves to its latest place
        rating_bin = None  # the common case needs no call
        if watched is None and type(stars) is float:
            rating_bin = rating_bin_of.get(stars)
        latest[item] = (
            _rating_bin(stars, watched, rating_bin_of, n) if rating_bin is None else rating_bin
        )
    excluded = [_excluded_item(movie_id, index_of, n) for n, movie_id in enumerate(not_interested)]
    for item in excluded:
        latest.pop(item, None)
    read = {item: rating_bin for item, rating_bin in latest.items() if rating_bin is not None}
    abandoned = (item for item, rating_bin in latest.items() if rating_bin is None)
    return History(
        item_L=_array(read),
        rating_bin_L=_array(read.values()),
        abandoned=_array(abandoned),
        not_interested=np.unique(_array(excluded)),
    )


def _in_time_order(entries: Iterable[HistoryEntry]) -> Iterable[tuple[int, HistoryEntry]]:
    """Number the entries, and sort them by time where every one of them has a time."""
    entries = entries if isinstance(entries, list | tuple) else list(entries)
    if not entries or not isinstance(entries[0], Mapping):
        return enumerate(entries)  # an entry without a time: nothing to sort
    times = [_time_us(entry, n) for n, entry in enumerate(entries)]
    if None in times:
        return enumerate(entries)
    return sorted(enumerate(entries), key=lambda numbered: times[numbered[0]] or 0)


def _excluded_item(movie_id: int, index_of: Mapping[int, int], n: int) -> int:
    if movie_id not in index_of:
        raise unknown_movie(movie_id, f"not_interested.{n}")
    return index_of[movie_id]


def _parts(entry: HistoryEntry, n: int) -> tuple[int, float | None, float | None]:
    if type(entry) is tuple and len(entry) == 3 and type(entry[0]) is int:
        return entry
    parts: tuple[Any, ...] | list[Any]
    if isinstance(entry, Mapping):
        parts = _mapping_parts(entry, n)
    else:
        parts = entry if isinstance(entry, tuple | list) else (entry,)
    if not 1 <= len(parts) <= 3:
        raise RequestError(
            f"history entry {n}: {len(parts)} parts, expected movie_id, (movie_id, stars) "
            "or (movie_id, stars, watched)",
            field=f"history.{n}",
        )
    movie_id, stars, watched = (*parts, None, None)[:3]
    try:
        if isinstance(movie_id, bool):
            raise TypeError
        return operator.index(movie_id), stars, watched
    except TypeError:
        raise RequestError(
            f"history entry {n}: movie_id {movie_id!r}, expected an integer",
            field=f"history.{n}.movie_id",
        ) from None


def _mapping_parts(entry: Mapping[str, Any], n: int) -> tuple[Any, Any, Any]:
    for key in entry:
        if key not in ENTRY_KEYS:
            raise RequestError(
                f"history entry {n}: key {key!r}, expected {', '.join(ENTRY_KEYS)}",
                field=f"history.{n}.{key}",
            )
    if "movie_id" not in entry:
        raise RequestError(
            f"history entry {n}: no movie_id, expected one", field=f"history.{n}.movie_id"
        )
    _time_us(entry, n)
    return entry["movie_id"], entry.get("stars"), entry.get("watched")


def _time_us(entry: HistoryEntry, n: int) -> int | None:
    at = entry.get("at") if isinstance(entry, Mapping) else None
    if at is None:
        return None
    try:
        time = datetime.fromisoformat(at.upper()) if isinstance(at, str) else at
        return unix_us(time)
    except (TypeError, ValueError):  # no time, or a time without a zone
        raise RequestError(
            f"history entry {n}: at {at!r}, expected a time with its offset such as "
            "2026-01-31T20:15:00Z",
            field=f"history.{n}.at",
        ) from None


def _rating_bin(
    stars: float | None, watched: float | None, rating_bin_of: Mapping[float, int], n: int
) -> int | None:
    if watched is not None and not (_is_number(watched) and 0 <= watched <= 1):
        raise RequestError(
            f"history entry {n}: watched {watched!r}, expected a share from 0 to 1",
            field=f"history.{n}.watched",
        )
    if stars is not None:
        rating_bin = rating_bin_of.get(stars) if _is_number(stars) else None
        if rating_bin is None:
            scale = ", ".join(f"{value:g}" for value in rating_bin_of)
            raise RequestError(
                f"history entry {n}: {stars!r} stars is off the scale, expected one of {scale}",
                field=f"history.{n}.stars",
            )
        return rating_bin
    if watched is None or ABANDONED_SHARE <= watched < FINISHED_SHARE:
        return 0
    return None if watched < ABANDONED_SHARE else rating_bin_of.get(FINISHED_STARS, 0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.floating | np.integer) and not isinstance(value, bool)


def _array(values: Iterable[int]) -> Int64:
    return np.fromiter(values, dtype=np.int64)
