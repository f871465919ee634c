"""The one error of callers."""


class InputError(ValueError):
    """A mistake that the caller can mend.

    `str()` is one sentence: `<subject>: <found>, expected <what>; <next step>`. Commands print it
    without a traceback and exit with 2.
    """


def unknown_movie_message(movie_id: object) -> str:
    """Return the one sentence for a movie id that the catalog does not hold."""
    return f"movie {movie_id}: not in the catalog; find its id with /movies/search?q=TITLE"
