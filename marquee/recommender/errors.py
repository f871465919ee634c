"""The error of a request that cannot be answered, and its causes."""

from collections.abc import Iterable

from marquee.core.errors import InputError, unknown_movie_message

UNKNOWN_MOVIE = "unknown_movie"


class RequestError(InputError):
    """A request that cannot be answered.

    `str()` is the message, `code` the kind of error, `field` the key at fault ("history.0.stars").
    """

    def __init__(self, message: str, *, code: str = "invalid", field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


def unknown_movie(movie_id: object, field: str) -> RequestError:
    return RequestError(unknown_movie_message(movie_id), code=UNKNOWN_MOVIE, field=field)


def unknown_genre(name: str, genre_names: Iterable[str], field: str) -> RequestError:
    names = ", ".join(genre_names)
    expected = f"one of {names}" if names else "none, as no movie has a genre"
    message = f"genre {name!r}: not in the catalog, expected {expected}"
    return RequestError(message, code="unknown_genre", field=field)
