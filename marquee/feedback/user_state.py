"""The state of a user: the events in the order of time, reduced to one record per movie.

    reduce_events([
        StoredEvent("42", 1193, "rating", 4.0, None, 100, 1),
        StoredEvent("42", 1193, "unrate", None, None, 200, 2),
    ])

A movie has stars or none. It is watched, to a share that may be unknown, or not. Beside that it can
carry two marks, `not_interested` and `not_seen`. Each event changes the state of its movie:

    rating          sets the stars, removes both marks
    watch           sets the watched share (None: watched to an unknown share), removes not_seen
    not_interested  sets the mark, until the movie is rated or unrated
    not_seen        sets the mark, until the movie is rated, watched or unrated
    unrate          removes the stars and both marks; a watch stays

The history holds every movie with stars or a watch and without a mark. A mark hides a movie from
the history, and does not delete what came before it. Clicks and impressions change nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple, TypeAlias

HistoryEntry: TypeAlias = tuple[int, float | None, float | None, int]
"""movie_id, stars, watched share, Unix microseconds of the last rating or watch."""
EventTime: TypeAlias = tuple[int, ...]
"""(Unix microseconds, sequence), so that equal times keep the order of arrival; () for never."""


class StoredEvent(NamedTuple):
    """One row of the event store: an event, or an imported rating."""

    user_id: str
    movie_id: int
    kind: str
    stars: float | None
    watched: float | None
    at_us: int
    """Unix microseconds."""
    sequence: int
    """Order of arrival."""


@dataclass(frozen=True)
class UserState:
    """Everything that a user's events add up to."""

    history: tuple[HistoryEntry, ...] = ()
    """Oldest first, each movie once."""
    not_interested: tuple[int, ...] = ()
    """Ids of movies with this mark, in the order in which the marks were set."""
    not_seen: tuple[int, ...] = ()
    """Ids of movies with this mark, in the order in which the marks were set."""


@dataclass(slots=True)
class _MovieState:
    stars: float | None = None
    watched: float | None = None
    rated_at: EventTime = ()
    watched_at: EventTime = ()
    not_interested_at: EventTime = ()
    not_seen_at: EventTime = ()


def reduce_events(events: Iterable[StoredEvent]) -> UserState:
    """Return the state of one user after `events`, which are in the order of time."""
    movies: dict[int, _MovieState] = {}
    for _, movie_id, kind, stars, watched, at_us, sequence in events:
        movie, now = movies.get(movie_id), (at_us, sequence)
        if movie is None:
            movie = movies[movie_id] = _MovieState()
        if kind == "rating":
            movie.stars, movie.rated_at = stars, now
            movie.not_interested_at = movie.not_seen_at = ()
        elif kind == "watch":
            movie.watched, movie.watched_at, movie.not_seen_at = watched, now, ()
        elif kind == "not_interested":
            movie.not_interested_at = now
        elif kind == "not_seen":
            movie.not_seen_at = now
        elif kind == "unrate":
            movie.stars, movie.rated_at = None, ()
            movie.not_interested_at = movie.not_seen_at = ()
    return _state_of(movies)


def _state_of(movies: dict[int, _MovieState]) -> UserState:
    last_at = {
        movie_id: max(movie.rated_at, movie.watched_at)
        for movie_id, movie in movies.items()
        if not movie.not_interested_at and not movie.not_seen_at
    }
    history = tuple(
        (movie_id, movies[movie_id].stars, movies[movie_id].watched, at[0])
        for movie_id, at in sorted(last_at.items(), key=itemgetter(1))
        if at
    )
    return UserState(
        history,
        _ids_by_time((movie.not_interested_at, movie_id) for movie_id, movie in movies.items()),
        _ids_by_time((movie.not_seen_at, movie_id) for movie_id, movie in movies.items()),
    )


def _ids_by_time(marks: Iterable[tuple[EventTime, int]]) -> tuple[int, ...]:
    return tuple(movie_id for _, movie_id in sorted(mark for mark in marks if mark[0]))
