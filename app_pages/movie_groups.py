"""Eight tastes to pick from, each shown by films of the catalogue that most people know.

Picking groups takes less than half the time of rating fifteen films, and people like it better
(Chang, Harper and Terveen, CSCW 2015).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from marquee_client.types import Movie

SHOWN = 3
TASTES: dict[str, tuple[str, ...]] = {
    "Big adventures": ("Action", "Adventure"),
    "Edge of the seat": ("Thriller", "Crime", "Mystery"),
    "A good laugh": ("Comedy",),
    "Matters of the heart": ("Romance", "Musical"),
    "Other worlds": ("Sci-Fi", "Fantasy"),
    "Lights off": ("Horror", "Film-Noir"),
    "For all ages": ("Animation", "Children"),
    "Real lives": ("Drama", "War", "Documentary"),
}


@dataclass(frozen=True)
class Group:
    key: int
    name: str
    genres: tuple[str, ...]
    films: list[Movie] = field(default_factory=list)


def groups(genres: Iterable[str], popular: Sequence[Movie]) -> list[Group]:
    """The tastes of which the catalogue has a genre, each with its best-known films, no film twice.

    The smallest taste chooses its films first: Horror has few well-known ones, Drama many.
    """
    known = set(genres)
    found = [
        Group(n, name, tuple(genre for genre in wanted if genre in known))
        for n, (name, wanted) in enumerate(TASTES.items())
    ]
    found = [group for group in found if group.genres]
    shown: set[int] = set()
    for group in sorted(found, key=lambda group: len(_of(group, popular))):
        fresh = [film for film in _of(group, popular) if film["movie_id"] not in shown]
        group.films.extend(fresh[:SHOWN])
        shown |= {film["movie_id"] for film in group.films}
    return found


def _of(group: Group, films: Sequence[Movie]) -> list[Movie]:
    """Its films, the purest first: half of True Lies is romance, all of Titanic's is."""

    def share(film: Movie) -> float:
        return len(set(group.genres) & set(film["genres"])) / max(1, len(film["genres"]))

    return sorted(filter(share, films), key=share, reverse=True)
