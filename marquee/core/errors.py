"""The one error of callers."""


class InputError(ValueError):
    """A caller's mistake: `<subject>: <found>, expected <what>; <next step>`."""


def unknown_movie_message(movie_id: object) -> str:
    return f"movie {movie_id}: not in the catalog; find its id with /movies/search?q=TITLE"
