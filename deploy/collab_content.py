"""The two functions of earlier Streamlit recommenders, answered by the service.

    from deploy.collab_content import collab_model, content_model

    content_model(["Heat (1995)", "Usual Suspects, The (1995)", "Toy Story (1995)"], top_n=10)

MARQUEE_URL and MARQUEE_KEY say where the service is. Titles go in as those apps had them (or with
the article in front) and come out as "The Matrix (1999)", best first; any title that comes out can
go in. Every favourite counts, and once. A title that is not in the catalogue is a ValueError.
"""

import os
import re
from collections.abc import Iterable, Sequence

from marquee_client import Marquee, label
from marquee_client.connection import URL
from marquee_client.types import Movie, Scored

FAVOURITE_STARS = 5.0
MAX_LIST = 100
"""Films that the service lists at once."""
MAX_QUERY = 200
"""Letters that it searches for; the longest title of MovieLens has 191."""

_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-–]\s*(?:\d{4})?\s*)?\)\s*$")


def content_model(movie_list: Sequence[str], top_n: int = 10) -> list[str]:
    """Titles of the top_n (1..100) films nearest to these, taken together."""
    with connect() as marquee:
        favourites = find_all(marquee, movie_list)
        ids = [film["movie_id"] for film in favourites]
        found = marquee.similar(ids, k=_asked(top_n, favourites))["items"]
    return titles(found, favourites, top_n)


def collab_model(movie_list: Sequence[str], top_n: int = 10) -> list[str]:
    """Titles of the top_n (1..100) films recommended to who gave these five stars, in this order.

    What was liked last counts as the latest.
    """
    with connect() as marquee:
        favourites = find_all(marquee, movie_list)
        found = marquee.recommend(
            history=[
                {"movie_id": film["movie_id"], "stars": FAVOURITE_STARS} for film in favourites
            ],
            k=_asked(top_n, favourites),
        )["items"]
    return titles(found, favourites, top_n)


def connect() -> Marquee:
    """The service that the environment names."""
    return Marquee(os.environ.get("MARQUEE_URL") or URL, os.environ.get("MARQUEE_KEY"))


def find_all(marquee: Marquee, movie_list: Sequence[str]) -> list[Movie]:
    """The films of these titles, in their order; one given twice counts once for the service."""
    if not movie_list:
        raise ValueError("no favourite was given; give at least one title")
    return [find(marquee, title) for title in movie_list]


def find(marquee: Marquee, title: str) -> Movie:
    """The film of this title: exactly, else the best hit of the search that is of its year.

    Raises ValueError where there is none; it names the film that comes nearest.
    """
    dated = _YEAR.search(title)
    name, year = (title[: dated.start()], int(dated[1])) if dated else (title, None)
    # In brackets: before a bracket the search knows the article of "Net, The", before a number not.
    query = name if year is None else f"{name} ({year})"
    hits = marquee.search(query.strip()[:MAX_QUERY] or "?")["items"]
    for hit in hits:
        if label(hit).casefold() == title.strip().casefold():
            return hit
    for hit in hits:
        if year in (None, hit["year"]):
            return hit
    nearest = f'; did you mean "{label(hits[0])}"?' if hits else ", and none is like it"
    raise ValueError(f'the film "{title}" is not in this catalogue{nearest}')


def titles(found: Iterable[Scored], favourites: Iterable[Movie], top_n: int) -> list[str]:
    """The first top_n, in their order; namesakes of a favourite, of the same year, are left out."""
    given = {label(film) for film in favourites}
    return [name for name in dict.fromkeys(map(label, found)) if name not in given][:top_n]


def _asked(top_n: int, favourites: Sequence[Movie]) -> int:
    """How many films to ask for, so that top_n are left when namesakes are out."""
    if not 1 <= top_n <= MAX_LIST:
        raise ValueError(f"top_n is {top_n}; give 1 to {MAX_LIST}")
    return min(MAX_LIST, top_n + len(favourites))
