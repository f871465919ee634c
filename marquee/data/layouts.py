"""The forms in which GroupLens ships data sets: file names, separators, headers, rating scale."""

from dataclasses import dataclass, replace
from pathlib import Path

from marquee.core.errors import InputError

WHOLE_STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
HALF_STARS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
ML_100K_FLAGS = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
)
"""The genre flags of u.item, in order; a movie flagged "unknown" has no genres."""
RATING_FIELDS = ("userId", "movieId", "rating", "timestamp")
TAG_FIELDS = ("userId", "movieId", "tag", "timestamp")
COLUMNS_FOLDER = "columns"
COLUMN_FILES = tuple(
    f"{COLUMNS_FOLDER}/{name}.npy" for name in ("user_id", "movie_id", "stars", "timestamp")
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    ratings_file: str
    movies_file: str
    delimiter: str  # of the ratings file
    movie_fields: tuple[str, ...]  # of a movie line, by GroupLens' names
    movie_delimiter: str
    header: bool  # the files open with their field names
    scale: tuple[float, ...]  # the ratings that a user can give, ascending
    tags_file: str | None = None  # a csv file of `TAG_FIELDS` with a header

    @property
    def rating_files(self) -> tuple[str, ...]:
        return COLUMN_FILES if self.ratings_file == COLUMNS_FOLDER else (self.ratings_file,)


_CSV = Layout(
    ratings_file="ratings.csv",
    movies_file="movies.csv",
    delimiter=",",
    movie_fields=("movieId", "title", "genres"),
    movie_delimiter=",",
    header=True,
    scale=HALF_STARS,
    tags_file="tags.csv",
)
_ML_1M = Layout(
    ratings_file="ratings.dat",
    movies_file="movies.dat",
    delimiter="::",
    movie_fields=("MovieID", "Title", "Genres"),
    movie_delimiter="::",
    header=False,
    scale=WHOLE_STARS,
)
_ML_100K = Layout(
    ratings_file="u.data",
    movies_file="u.item",
    delimiter="\t",
    movie_fields=("movie id", "title", "release date", "video release date", "URL", *ML_100K_FLAGS),
    movie_delimiter="|",
    header=False,
    scale=WHOLE_STARS,
)

COLUMNS = replace(_CSV, ratings_file=COLUMNS_FOLDER)
LAYOUTS = {"demo": _CSV, "ml-100k": _ML_100K, "ml-1m": _ML_1M} | dict.fromkeys(
    ("ml-25m", "ml-32m", "ml-latest-small"), _CSV
)


def layout_of(name: str, folder: Path | None = None) -> Layout:
    """Return the layout of a known data set, or of a folder of npy columns."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    if folder is not None and (folder / COLUMNS_FOLDER).is_dir():
        return COLUMNS
    raise InputError(
        f"data set {name!r}: no such data set, expected one of {', '.join(LAYOUTS)}, or npy "
        "columns of your own"
    )
