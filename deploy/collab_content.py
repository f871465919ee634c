"""The two functions of earlier Streamlit recommenders, answered by the service.

    from deploy.collab_content import collab_model, content_model

    content_model(["Heat (1995)", "Usual Suspects, The (1995)", "Toy Story (1995)"], top_n=10)

MARQUEE_URL and MARQUEE_KEY name the service. Titles go in as those apps had them, or with the
article in front. They come out as "The Matrix (1999)", best first, and each of those can go in.
Every favourite counts, and a repeated one counts once. A title that the catalog does not hold
raises ValueError.
"""

import os
import re
from collections.abc import Iterable, Sequence

from marquee_client import Marquee, label
from marquee_client.client import URL
from marquee_client.requests import HistoryEntry
from marquee_client.types import Movie, SimilarMovie

MAX_LIST_LENGTH = 100
"""Movies that the service lists at once."""
MAX_QUERY_CHARS = 200
"""The limit of the title search; the longest title of MovieLens has 191."""

_YEAR = re.compile(r"\s*\((\d{4})(?:\s*[-–]\s*(?:\d{4})?\s*)?\)\s*$")


def content_model(movie_list: Sequence[str], top_n: int = 10) -> list[str]:
    """Return titles of the top_n (1 to 100) movies most similar to these together."""
    with connect() as marquee:
        favourites = find_all(marquee, movie_list)
        ids = [movie["movie_id"] for movie in favourites]
        items = marquee.similar(ids, k=request_length(top_n, favourites))["items"]
    return new_titles(items, favourites, top_n)


def collab_model(movie_list: Sequence[str], top_n: int = 10) -> list[str]:
    """Return the top_n (1 to 100) titles recommended to a user of these favorites.

    The favourites are a history, oldest first, with the highest rating of the data set's scale.
    """
    with connect() as marquee:
        favourites = find_all(marquee, movie_list)
        scale = marquee.model().get("scale")  # null without ratings
        highest = scale[-1] if scale else None
        history: list[HistoryEntry] = [
            {"movie_id": movie["movie_id"], "stars": highest} for movie in favourites
        ]
        items = marquee.recommend(history=history, k=request_length(top_n, favourites))["items"]
    return new_titles(items, favourites, top_n)


def connect() -> Marquee:
    """Connect to the service that the environment names."""
    return Marquee(os.environ.get("MARQUEE_URL") or URL, os.environ.get("MARQUEE_KEY"))


def find_all(marquee: Marquee, movie_list: Sequence[str]) -> list[Movie]:
    """Return the movies of these titles, in order; the service drops repeated ones."""
    if not movie_list:
        raise ValueError("movie_list: empty, expected at least one title")
    return [find(marquee, title) for title in movie_list]


def find(marquee: Marquee, title: str) -> Movie:
    """Return the movie of exactly this title, else the best hit of the same year.

    Raises ValueError that names the nearest hit if there is none.
    """
    match = _YEAR.search(title)
    name, year = (title[: match.start()], int(match[1])) if match else (title, None)
    # In brackets: the search recognises the article of "Net, The" before a bracket, and not before
    # a number.
    query = name if year is None else f"{name} ({year})"
    hits = marquee.search(query.strip()[:MAX_QUERY_CHARS] or "?")["items"]
    for hit in hits:
        if label(hit).casefold() == title.strip().casefold():
            return hit
    for hit in hits:
        if year in (None, hit["year"]):
            return hit
    nearest = f'did you mean "{label(hits[0])}"?' if hits else "no title is like it"
    raise ValueError(f'movie "{title}": not in this catalog, expected a title of it; {nearest}')


def new_titles(items: Iterable[SimilarMovie], favourites: Iterable[Movie], top_n: int) -> list[str]:
    """Return the first top_n titles, without those of favourites, year included."""
    favourite_titles = {label(movie) for movie in favourites}
    titles = dict.fromkeys(map(label, items))
    return [title for title in titles if title not in favourite_titles][:top_n]


def request_length(top_n: int, favourites: Sequence[Movie]) -> int:
    """Return the k that leaves top_n items after namesakes of favourites are dropped."""
    if not 1 <= top_n <= MAX_LIST_LENGTH:
        raise ValueError(f"top_n is {top_n}, expected 1 to {MAX_LIST_LENGTH}")
    return min(MAX_LIST_LENGTH, top_n + len(favourites))
