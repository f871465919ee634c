"""The state of a user: the events in the order of time, reduced to one record per movie.

    reduce_events([
        StoredEvent(user_id="42", movie_id=1193, kind="rating", stars=4.0, watched=None,
                    at_us=100, sequence=1),
        StoredEvent(user_id="42", movie_id=1193, kind="unrate", stars=None, watched=None,
                    at_us=200, sequence=2),
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

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from marquee.core.ids import Id
from marquee.feedback.movie_keys import movie_of

HistoryEntry: TypeAlias = tuple[Id, float | None, float | None, int]
"""movie_id, stars, watched share, Unix microseconds of the last rating or watch."""


class StoredEvent(NamedTuple):
    """One row of the event store: an event, or an imported rating.

    The statements of marquee/feedback/sql.py select its fields in the order of this class, with the
    key of the movie id.
    """

    user_id: str
    movie_id: Id
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
    not_interested: tuple[Id, ...] = ()
    """Ids of movies with this mark, in the order in which the marks were set."""
    not_seen: tuple[Id, ...] = ()
    """Ids of movies with this mark, in the order in which the marks were set."""
    is_personalized: bool = True
    """False where the user has chosen lists without history."""

    def for_lists(self) -> "UserState":
        """Return what lists may use of the user."""
        return self if self.is_personalized else UserState()


_new_event: Callable[[Iterable[Any]], StoredEvent] = partial(tuple.__new__, StoredEvent)
"""Make a StoredEvent of its values: `StoredEvent._make` without its check."""
_time_of = attrgetter("at_us", "sequence")
"""(Unix microseconds, sequence), so that equal times keep the order of arrival."""


def to_stored_events(rows: Iterable[Any]) -> Iterator[StoredEvent]:
    """Yield rows of the database, which have the key of a movie id, as events."""
    for user_id, key, kind, stars, watched, at_us, sequence in rows:
        movie_id = int(key) if key[0] != '"' else movie_of(key)  # a call less for most rows
        yield _new_event((user_id, movie_id, kind, stars, watched, at_us, sequence))


def reduce_events(events: Iterable[StoredEvent]) -> UserState:
    """Return the state of one user after `events`, which are in the order of time."""
    rating_of: dict[Id, StoredEvent] = {}  # movie id -> its rating
    watch_of: dict[Id, StoredEvent] = {}  # movie id -> its last watch
    last_of: dict[Id, StoredEvent] = {}  # movie id -> the later of both
    not_interested: dict[Id, None] = {}  # movie ids, in the order in which the marks were set
    not_seen: dict[Id, None] = {}
    for event in events:
        movie_id, kind = event.movie_id, event.kind
        if kind == "rating":
            rating_of[movie_id] = last_of[movie_id] = event
            not_interested.pop(movie_id, None)
            not_seen.pop(movie_id, None)
        elif kind == "watch":
            watch_of[movie_id] = last_of[movie_id] = event
            not_seen.pop(movie_id, None)
        elif kind == "not_interested":
            not_interested.pop(movie_id, None)
            not_interested[movie_id] = None
        elif kind == "not_seen":
            not_seen.pop(movie_id, None)
            not_seen[movie_id] = None
        elif kind == "unrate":
            for by_movie in (rating_of, last_of, not_interested, not_seen):
                by_movie.pop(movie_id, None)
            if movie_id in watch_of:
                last_of[movie_id] = watch_of[movie_id]
    for movie_id in (*not_interested, *not_seen):
        last_of.pop(movie_id, None)
    history = [
        (
            event.movie_id,
            rating_of[event.movie_id].stars if event.movie_id in rating_of else None,
            watch_of[event.movie_id].watched if event.movie_id in watch_of else None,
            event.at_us,
        )
        for event in sorted(last_of.values(), key=_time_of)
    ]
    return UserState(tuple(history), tuple(not_interested), tuple(not_seen))
