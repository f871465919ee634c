"""Eight tastes to pick from, each shown by well-known movies of the catalog.

Picking groups takes less than half the time of rating fifteen movies, and users like it better
(Chang, Harper and Terveen, CSCW 2015).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from marquee_client.types import Movie

MOVIES_PER_GROUP = 3
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
    """A taste with its genres and the movies that show it."""

    key: int
    name: str
    genres: tuple[str, ...]
    movies: list[Movie] = field(default_factory=list)


def make_groups(genres: Iterable[str], popular: Sequence[Movie]) -> list[Group]:
    """Return the tastes whose genres the catalog has, each with its best-known movies.

    No movie stands for two tastes. The taste with the fewest movies chooses first: Horror has few
    well-known ones, Drama many.
    """
    known = set(genres)
    groups = [
        Group(key, name, tuple(genre for genre in names if genre in known))
        for key, (name, names) in enumerate(TASTES.items())
    ]
    groups = [group for group in groups if group.genres]
    used_ids: set[int] = set()
    for group in sorted(groups, key=lambda group: len(_movies_of(group, popular))):
        unused = [
            movie for movie in _movies_of(group, popular) if movie["movie_id"] not in used_ids
        ]
        group.movies.extend(unused[:MOVIES_PER_GROUP])
        used_ids |= {movie["movie_id"] for movie in group.movies}
    return groups


def _movies_of(group: Group, movies: Sequence[Movie]) -> list[Movie]:
    """Sort by the share of the group's genres: half of True Lies is romance, all of Titanic is."""

    def share(movie: Movie) -> float:
        return len(set(group.genres) & set(movie["genres"])) / max(1, len(movie["genres"]))

    return sorted(filter(share, movies), key=share, reverse=True)
