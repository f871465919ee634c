"""What a caller can get wrong, and what can be away.

raise RequestError("movie 7 is not in this catalogue", code="unknown_movie", field="movie_id")
"""

from marquee.core.errors import InputError

UNKNOWN_MOVIE = "unknown_movie"


class RequestError(InputError):
    """A question that cannot be answered; `str()` is the sentence."""

    def __init__(self, message: str, *, code: str = "invalid", field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


def unknown_movie(movie_id: object, field: str) -> RequestError:
    """The one sentence for a movie id that the catalogue does not hold."""
    message = f"movie {movie_id} is not in this catalogue; find its id with /movies/search?q=TITLE"
    return RequestError(message, code=UNKNOWN_MOVIE, field=field)
