"""The Python client of the service: typed, sync and async, with retries and paging. Needs httpx.

    from marquee_client import Marquee

    with Marquee("http://127.0.0.1:3000", key="…") as marquee:
        marquee.rate("ana", 50, 5.0)
        for item in marquee.recommend(user_id="ana", k=3)["items"]:
            print(label(item), item["score"])

Responses are the service's JSON as it is, typed as dicts. Defaults are the service's.
"""

from marquee_client.client import AsyncMarquee, Marquee
from marquee_client.outcomes import MarqueeError, Retries, Unavailable, UnknownMovie
from marquee_client.types import HistoryItem, Movie

__all__ = [
    "AsyncMarquee",
    "Marquee",
    "MarqueeError",
    "Retries",
    "Unavailable",
    "UnknownMovie",
    "label",
]


def label(movie: Movie | HistoryItem) -> str:
    """Return a movie as readers know it: "Heat (1995)"; its id if only that is known."""
    title = movie.get("title") or f"movie {movie['movie_id']}"
    year = movie.get("year")
    return title if year is None else f"{title} ({year})"
