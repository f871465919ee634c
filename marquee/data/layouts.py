"""The forms in which GroupLens ships data sets: file names, separators, headers, rating scale.

| name                    | ratings              | movies                                     |
|-------------------------|----------------------|--------------------------------------------|
| ml-100k                 | u.data, tabs         | u.item, 5 fields + 19 genre flags, Latin-1 |
| ml-1m                   | ratings.dat, "::"    | movies.dat, "::", Latin-1                  |
| ml-latest-small, -25m,  | ratings.csv, header, | movies.csv, header, quoted titles, UTF-8;  |
| -32m, demo              | half stars           | tags.csv likewise (demo has none)          |
| any other name          | columns/*.npy        | the same; see npy_columns.py               |
"""

from dataclasses import dataclass, replace
from pathlib import Path

from marquee.core.errors import InputError

WHOLE_STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
HALF_STARS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)

ML_100K_FLAGS = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
"""The genre flags of u.item, in order; a movie flagged "unknown" has no genres."""

TAG_FIELDS = ("userId", "movieId", "tag", "timestamp")
"""The fields of tags.csv."""

COLUMNS_FOLDER = "columns"
COLUMN_FILES = tuple(
    f"{COLUMNS_FOLDER}/{name}.npy" for name in ("user_id", "movie_id", "stars", "timestamp")
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The official files of one data set."""

    ratings_file: str
    movies_file: str
    delimiter: str
    """Separator of the ratings file."""
    movie_fields: tuple[str, ...]
    """The fields of a movie line, by GroupLens' names."""
    movie_delimiter: str
    header: bool
    """True if the files open with their field names."""
    scale: tuple[float, ...]
    """The ratings that a user can give, ascending."""
    rating_fields: tuple[str, ...] = ("userId", "movieId", "rating", "timestamp")
    tags_file: str | None = None
    """A csv file of `TAG_FIELDS` with a header; without it there are no tags."""

    @property
    def rating_files(self) -> tuple[str, ...]:
        """The files that hold the ratings."""
        return COLUMN_FILES if self.ratings_file == COLUMNS_FOLDER else (self.ratings_file,)

    @property
    def form(self) -> str:
        """The form of a ratings line, for messages: "userId,movieId,rating,timestamp"."""
        return {"\t": " <tab> "}.get(self.delimiter, self.delimiter).join(self.rating_fields)


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
LAYOUTS = {
    "demo": _CSV,
    "ml-100k": _ML_100K,
    "ml-1m": _ML_1M,
    "ml-25m": _CSV,
    "ml-32m": _CSV,
    "ml-latest-small": _CSV,
}


def layout_of(name: str, folder: Path | None = None) -> Layout:
    """Return the layout of a data set.

    It follows from the name, or from the npy columns that `folder` holds. InputError lists the
    known names.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    if folder is not None and (folder / COLUMNS_FOLDER).is_dir():
        return COLUMNS
    raise InputError(
        f"data set {name!r}: no such data set, expected one of {', '.join(LAYOUTS)}, or npy "
        "columns of your own"
    )
