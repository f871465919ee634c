"""Parse a history into the item indices and rating bins of the encoder.

[1193, (661, 5.0), (914, None, 0.95), {"movie_id": 594, "stars": 4.0, "at": …}]
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np

from marquee.core.arrays import Int64
from marquee.core.ids import Id
from marquee.core.item_stats import liked_rating
from marquee.core.times import unix_us
from marquee.recommender.errors import RequestError, unknown_movie

HistoryEntry: TypeAlias = (
    "Id | tuple[Id] | tuple[Id, float | None] | tuple[Id, float | None, float | None]"
    " | Mapping[str, Any]"
)
StoredEntry: TypeAlias = tuple[Id, float | None, float | None, int]  # …, Unix microseconds

TUPLES, NUMBERS = (tuple, list), (float, int, np.floating, np.integer)
ENTRY_KEYS = ("movie_id", "stars", "watched", "at")
ABANDONED_SHARE = 0.1  # watched less: nothing about the next movie; a low rating to its model
FINISHED_SHARE = 0.9  # watched as much or more, without stars: the lowest rating that says "liked"
NO_ITEMS = np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class History:
    """The items of one user, oldest first, each once; of repeats the last counts."""

    item_L: Int64  # indices of the items that the encoder reads
    rating_bin_L: Int64  # 0 where there is no rating, else 1 + its position on the scale
    abandoned: Int64 = field(default_factory=NO_ITEMS.copy)  # a weak dislike, and seen
    not_interested: Int64 = field(default_factory=NO_ITEMS.copy)  # never listed; in order of marks
    viewer: Mapping[str, Any] = field(default_factory=dict)  # what the request says of the user

    @property
    def seen(self) -> Int64:
        return np.concatenate([self.item_L, self.abandoned])

    def __len__(self) -> int:
        return len(self.item_L)

    def first_items(self, num_items: int) -> "History":
        """Return the history of the first items of the catalog alone."""
        is_first_L = self.item_L < num_items
        return replace(
            self,
            item_L=self.item_L[is_first_L],
            rating_bin_L=self.rating_bin_L[is_first_L],
            abandoned=self.abandoned[self.abandoned < num_items],
        )


EMPTY_HISTORY = History(item_L=NO_ITEMS, rating_bin_L=NO_ITEMS)


def parse_history(
    entries: Iterable[HistoryEntry],
    item_of: Callable[[Id], int | None],
    rating_bin_of: Mapping[float, int],
    not_interested: Iterable[Id] = (),
    viewer: Mapping[str, Any] | None = None,
) -> History:
    """Parse entries, oldest first, into a History.

    A watched share counts only without stars. Of a repeated item the last entry counts, at its
    position and with its stars, or none. item_of: returns the item index of
    a movie id, None for an unknown one. rating_bin_of: stars ->
    1 + position on the scale; empty without ratings: then stars are ignored.
    not_interested: movie ids to refuse, whatever the entries say. viewer: see `RecommendQuery`.

    Raises RequestError for an unknown movie, an unknown key, stars off the scale, a watched share
    outside 0..1, or a time without a zone. Its field names the entry by its place in `entries`.

    >>> item_of, rating_bin_of = {661: 0, 914: 1, 1193: 2}, {1.0: 1, 4.0: 2, 5.0: 3}
    >>> entries = [1193, (661, 5.0), {"movie_id": 914, "watched": 0.95}]
    >>> history = parse_history(entries, item_of.get, rating_bin_of)
    >>> history.item_L.tolist(), history.rating_bin_L.tolist()
    ([2, 0, 1], [0, 3, 2])
    """
    if not isinstance(entries, Iterable) or isinstance(entries, str):
        raise RequestError(f"history: {entries!r}, expected a list of entries", field="history")
    finished_bin = rating_bin_of[liked_rating(list(rating_bin_of))] if rating_bin_of else 0
    latest: dict[int, int | None] = {}  # item -> rating bin; None: abandoned
    for n, movie_id, stars, watched in _in_time_order(entries):
        item = item_of(movie_id)
        if item is None:
            raise unknown_movie(movie_id, f"history.{n}.movie_id")
        latest.pop(item, None)  # a repeated item moves to its latest place
        latest[item] = _rating_bin(n, stars, watched, rating_bin_of, finished_bin)
    refused: dict[int, None] = {}  # in the order of the marks
    for n, movie_id in enumerate(not_interested):
        item = item_of(movie_id)
        if item is None:
            raise unknown_movie(movie_id, f"not_interested.{n}")
        refused.pop(item, None)
        refused[item] = None
        latest.pop(item, None)
    read = {item: rating_bin for item, rating_bin in latest.items() if rating_bin is not None}
    return History(
        item_L=np.array(list(read), np.int64),
        rating_bin_L=np.array(list(read.values()), np.int64),
        abandoned=np.array([item for item in latest if item not in read], np.int64),
        not_interested=np.array(list(refused), np.int64),
        viewer=viewer or {},
    )


def _in_time_order(entries: Iterable[HistoryEntry]) -> list[tuple[int, Id, Any, Any]]:
    """Return place, movie id, stars and watched; by time where every entry has one."""
    parsed, times = [], []
    for n, entry in enumerate(entries):
        movie_id, stars, watched, at = _fields(entry, n)
        parsed.append((n, _movie_id(movie_id, n), stars, watched))
        times.append(None if at is None else _time_us(at, n))
    if None not in times:
        parsed.sort(key=lambda entry: times[entry[0]] or 0)
    return parsed


def _fields(entry: HistoryEntry, n: int) -> tuple[Any, Any, Any, Any]:
    if isinstance(entry, TUPLES):
        if not 1 <= len(entry) <= 3:
            forms = "movie_id, (movie_id, stars) or (movie_id, stars, watched)"
            raise _error(n, "", f"{len(entry)} parts, expected {forms}")
        movie_id, stars, watched = (*entry, None, None)[:3]
        return movie_id, stars, watched, None
    if not isinstance(entry, Mapping):
        return entry, None, None, None
    for key in entry:
        if key not in ENTRY_KEYS:
            raise _error(n, f".{key}", f"key {key!r}, expected {', '.join(ENTRY_KEYS)}")
    if "movie_id" not in entry:
        raise _error(n, ".movie_id", "no movie_id, expected one")
    return entry["movie_id"], entry.get("stars"), entry.get("watched"), entry.get("at")


def _movie_id(movie_id: Any, n: int) -> Id:
    if isinstance(movie_id, str):
        return movie_id
    try:
        if isinstance(movie_id, bool):
            raise TypeError
        return operator.index(movie_id)
    except TypeError:
        message = f"movie_id {movie_id!r}, expected an integer or text"
        raise _error(n, ".movie_id", message) from None


def _time_us(at: Any, n: int) -> int:
    try:
        return unix_us(datetime.fromisoformat(at.upper()) if isinstance(at, str) else at)
    except (TypeError, ValueError):  # no time, or a time without a zone
        message = f"at {at!r}, expected a time with its offset such as 2026-01-31T20:15:00Z"
        raise _error(n, ".at", message) from None


def _rating_bin(
    n: int, stars: Any, watched: Any, rating_bin_of: Mapping[float, int], finished_bin: int
) -> int | None:
    """Return the rating bin of an entry; None for an abandoned item."""
    if watched is not None and not (_is_number(watched) and 0 <= watched <= 1):
        raise _error(n, ".watched", f"watched {watched!r}, expected a share from 0 to 1")
    if stars is not None:
        if not rating_bin_of:
            return 0
        if not _is_number(stars) or stars not in rating_bin_of:
            scale = ", ".join(dict.fromkeys(f"{value:g}" for value in rating_bin_of))
            message = f"{stars!r} stars is off the scale, expected one of {scale}"
            raise _error(n, ".stars", message)
        return rating_bin_of[stars]
    if watched is None or ABANDONED_SHARE <= watched < FINISHED_SHARE:
        return 0
    return None if watched < ABANDONED_SHARE else finished_bin


def _is_number(value: object) -> bool:
    return isinstance(value, NUMBERS) and not isinstance(value, bool)


def _error(n: int, key: str, message: str) -> RequestError:
    return RequestError(f"history entry {n}: {message}", field=f"history.{n}{key}")
