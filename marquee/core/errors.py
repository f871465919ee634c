"""The one error for what a user can put right: a wrong file, argument or request."""


class InputError(ValueError):
    """One sentence: found, needed, what to do next. Doors print it without a traceback."""


def unknown_movie_message(movie_id: object) -> str:
    """Return the one sentence for a movie id that the catalog does not hold."""
    return f"movie {movie_id}: not in the catalog; find its id with /movies/search?q=TITLE"
