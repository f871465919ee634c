"""Movies as text."""

from marquee_client.types import HistoryItem, Movie


def label(movie: Movie | HistoryItem) -> str:
    """Return a movie as readers know it: "Heat (1995)".

    If only its id is known, return that.
    """
    title = movie.get("title", f"movie {movie['movie_id']}")
    year = movie.get("year")
    return title if year is None else f"{title} ({year})"
