"""The names of the columns, in one place: every table and file of the product uses these."""


class Columns:
    """Column names of a ratings table; ids are what the file says, never row numbers."""

    USER_ID = "user_id"
    MOVIE_ID = "movie_id"
    STARS = "stars"
    TIMESTAMP = "timestamp"


MAX_TIMESTAMP = 2**33
"""In seconds since 1970 the year 2242: a larger time is in other units."""
