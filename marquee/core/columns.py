"""Column names of the tables that runs write, and the limit of their timestamps."""


class Columns:
    """Column names of a ratings table; ids are those of the files, never row numbers."""

    USER_ID = "user_id"
    MOVIE_ID = "movie_id"
    STARS = "stars"
    TIMESTAMP = "timestamp"


MAX_TIMESTAMP = 2**33
"""The year 2242 in seconds since 1970: a larger time is in another unit."""
