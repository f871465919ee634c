"""The sources of each MovieLens data set: its files, and their `DatasetSpec`.

preset_of("ml-1m", Path("data/ml-1m")).spec.separator        # "::"
preset_of("mine", Path("data/mine")).files[0].name           # "ratings.csv", as ml-25m has it

A folder under any name whose files have one of the three forms needs no dataset.yaml.
Formats: the README of each data set at https://grouplens.org/datasets/movielens/.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marquee.data.spec import DatasetSpec

ML_100K_GENRES = (
    *("Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller"),
    *("War", "Western"),
)
"""The genre columns of u.item but the first, "unknown": a movie flagged so has no genres."""
WHOLE_STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
HALF_STARS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
RATING_COLUMNS = ("userId", "movieId", "rating", "timestamp")


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form in which GroupLens ships a data set."""

    ratings: str  # names of files
    movies: str
    tags: str | None = None
    users: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)  # of the spec
    user_settings: dict[str, Any] = field(default_factory=dict)  # where the users' file is there
    headers: dict[str, str] = field(default_factory=dict)  # file -> what its first line must be


CSV = Form(
    ratings="ratings.csv",
    movies="movies.csv",
    tags="tags.csv",
    settings={"separator": ",", "items_separator": ",", "genres": "genres:|"},
    headers={"ratings.csv": ",".join(RATING_COLUMNS), "movies.csv": "movieId,title,genres"},
)
DAT = Form(
    ratings="ratings.dat",
    movies="movies.dat",
    tags="tags.dat",
    users="users.dat",
    settings={
        "separator": "::",
        "header": RATING_COLUMNS,
        "items_separator": "::",
        "items_header": ("movieId", "title", "genres"),
        "genres": "genres:|",
    },
    user_settings={
        "users_separator": "::",
        "users_header": ("userId", "gender", "age", "occupation", "zip"),
        "user_features": (
            "gender=gender:category",
            "age=age:category",  # seven groups, named by their youngest age
            "occupation=occupation:category",
        ),
    },
)
ML_100K = Form(
    ratings="u.data",
    movies="u.item",
    users="u.user",
    settings={
        "separator": "\t",
        "header": RATING_COLUMNS,
        "items_separator": "|",
        "items_header": ("movieId", "title", "release", "video", "url", "unknown", *ML_100K_GENRES),
        "genres": "|".join(ML_100K_GENRES),
    },
    user_settings={
        "users_separator": "|",
        "users_header": ("userId", "age", "gender", "occupation", "zip"),
        "user_features": (
            "age=age:number",
            "gender=gender:category",
            "occupation=occupation:category",
        ),
    },
)
PRESETS = {"demo": CSV, "ml-100k": ML_100K, "ml-1m": DAT, "ml-10m": DAT} | dict.fromkeys(
    ("ml-20m", "ml-25m", "ml-32m", "ml-latest", "ml-latest-small"), CSV
)
"""The data sets that are downloaded (demo: generated), and the form of each."""


def preset_scale(name: str) -> tuple[float, ...] | None:
    """Return the scale of a known data set; None for another name."""
    if name not in PRESETS:
        return None
    return WHOLE_STARS if name in ("ml-100k", "ml-1m") else HALF_STARS


@dataclass(frozen=True, kw_only=True)
class Preset:
    spec: DatasetSpec
    tags: Path | None  # a file of user, movie, tag and time
    files: tuple[Path, ...]  # of which `Dataset.sha256` is the digest, in this order


def form_of(name: str, folder: Path) -> Form | None:
    """Return the form of a known data set, or of a folder's files; else None."""
    return PRESETS.get(name) or next(
        (form for form in (CSV, DAT, ML_100K) if _has_form(folder, form)), None
    )


def preset_of(name: str, folder: Path) -> Preset | None:
    """Return the sources of a MovieLens data set in a folder; else None.

    The files need not exist yet; those about users and tags are left out where they do not.
    """
    form = form_of(name, folder)
    if form is None:
        return None
    ratings, movies = folder / form.ratings, folder / form.movies
    tags = folder / form.tags if form.tags and (folder / form.tags).is_file() else None
    settings = form.settings
    if form.users and (folder / form.users).is_file():
        settings = settings | form.user_settings | {"users": (str(folder / form.users),)}
    spec = DatasetSpec(
        interactions=(str(ratings),),
        user="userId",
        item="movieId",
        rating="rating",
        time="timestamp",
        items=(str(movies),),
        items_encoding=file_encoding(movies),
        title="title",
        **settings,
    )
    return Preset(spec=spec, tags=tags, files=(ratings, movies, *((tags,) if tags else ())))


def _has_form(folder: Path, form: Form) -> bool:
    return all((folder / file).is_file() for file in (form.ratings, form.movies)) and all(
        _first_line(folder / file) == header for file, header in form.headers.items()
    )


def _first_line(path: Path) -> str:
    with path.open("rb") as stream:
        return stream.readline(1000).decode("utf-8-sig", "replace").strip()


def file_encoding(path: Path) -> str | None:
    """Return Latin-1 for what is not UTF-8: so are ml-100k and ml-1m."""
    try:
        path.read_text("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    except OSError:  # not there yet
        pass
    return None
