"""What a person did, one event after the other, and what is known of them after the last.

    fold([("42", 1193, "rating", 4.0, None, 100, 1), ("42", 1193, "unrate", None, None, 200, 2)])

Each film is in one state: stars, or none; watched, and how far, or not; and two marks beside them,
`not_interested` and `not_seen`. Per film, in the order of time:

    rating      sets the stars, removes both marks
    watch       sets the portion (none: watched, nobody knows how far), removes not_seen
    not_interested  sets the mark; it stands until the film is rated or unrated
    not_seen    sets the mark; it stands until the film is rated, watched or unrated
    unrate      removes stars and both marks; that the film was watched stays

A film with a mark is no entry of the history, whatever was said of it before; without marks it is
one if it has stars or was watched. Clicks and impressions change nothing here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import TypeAlias

Row: TypeAlias = tuple[str, int, str, float | None, float | None, int, int]
"""user_id, movie_id, kind, stars, portion, Unix microseconds, number of arrival."""
Time: TypeAlias = tuple[int, ...]
"""(Unix microseconds, number of arrival); () where something was not said, or was taken back."""


@dataclass(frozen=True)
class Known:
    """What a store knows of one person."""

    entries: tuple[tuple[int, float | None, float | None, int], ...] = ()
    """(movie_id, stars, portion, Unix microseconds of the last rating or watch), oldest first, each
    film once."""
    not_interested: tuple[int, ...] = ()
    """Films that the person does not want, in the order of their saying so."""
    not_seen: tuple[int, ...] = ()
    """Films that the person has said not to have seen, in that order."""


@dataclass(slots=True)
class _Film:
    stars: float | None = None
    portion: float | None = None
    rated: Time = ()
    watched: Time = ()
    not_interested: Time = ()
    not_seen: Time = ()


def fold(rows: Iterable[Row]) -> Known:
    """What is known of one person after `rows`, which are in the order of time."""
    films: dict[int, _Film] = {}
    for _, movie_id, kind, stars, portion, at_us, number in rows:
        film, now = films.get(movie_id), (at_us, number)
        if film is None:
            film = films[movie_id] = _Film()
        if kind == "rating":
            film.stars, film.rated, film.not_interested, film.not_seen = stars, now, (), ()
        elif kind == "watch":
            film.portion, film.watched, film.not_seen = portion, now, ()
        elif kind == "not_interested":
            film.not_interested = now
        elif kind == "not_seen":
            film.not_seen = now
        elif kind == "unrate":
            film.stars, film.rated, film.not_interested, film.not_seen = None, (), (), ()
    return _known(films)


def _known(films: dict[int, _Film]) -> Known:
    """Every list in the order of what put a film there."""
    shown = {
        movie_id: max(film.rated, film.watched)
        for movie_id, film in films.items()
        if not film.not_interested and not film.not_seen
    }
    entries = tuple(
        (movie_id, films[movie_id].stars, films[movie_id].portion, last[0])
        for movie_id, last in sorted(shown.items(), key=itemgetter(1))
        if last
    )
    not_interested = [
        (film.not_interested, movie_id) for movie_id, film in films.items() if film.not_interested
    ]
    not_seen = [(film.not_seen, movie_id) for movie_id, film in films.items() if film.not_seen]
    return Known(entries, _films(not_interested), _films(not_seen))


def _films(marks: list[tuple[Time, int]]) -> tuple[int, ...]:
    return tuple(movie_id for _, movie_id in sorted(marks))
