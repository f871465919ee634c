"""One door for every MovieLens data set: official files in, checked tables out.

    dataset = load_dataset("ml-1m", root="data")     # downloads what is missing
    dataset.ratings.movie_id                         # (N,) int64, file order
    dataset.movies.label(0)                          # "Toy Story (1995)"

A plain ratings.csv is parsed by `fast_csv`, everything else by pyarrow; every line is then checked
(ids from 1, stars on the scale, times not negative). A file that fails is read a second time,
slowly, to name the line. ml-1m takes 0.3 s; 25 million rows: results/bench-reading.json.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from catalogue.columns import MAX_TIMESTAMP
from catalogue.movies import Movies
from datamodules.fast_csv import parse_csv
from datamodules.layouts import Layout, layout_of
from datamodules.movie_files import read_movies
from datamodules.second_look import MAX_ID, check_ends, find_bad_line
from datamodules.sources import locate
from datamodules.tag_files import Tags, read_tags

_CHUNK_ROWS = 100_000
"""Rows checked at once, so that the check's own arrays stay in the cache."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """N ratings in file order, no (user, movie) twice."""

    user_id: npt.NDArray[np.int64]
    movie_id: npt.NDArray[np.int64]
    stars: npt.NDArray[np.float32]
    timestamp: npt.NDArray[np.int64]
    """Seconds since 1970, UTC."""

    def __len__(self) -> int:
        return len(self.user_id)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, read and checked."""

    name: str
    ratings: Ratings
    movies: Movies
    """The rated movies, ascending by id: their rows are the item numbers of every model."""
    scale: tuple[float, ...]
    """The stars that a person can give."""
    sha256: str
    """Fingerprint of the ratings file, the movie file and, where there is one, the tags file."""
    report: tuple[str, ...]
    """What was put right while reading, one sentence each."""
    tags: Tags = field(default_factory=Tags.none)
    """Of all movies of the data set, rated or not; empty where the data set has none."""


def load_dataset(name: str, root: str | Path | None = None) -> Dataset:
    """Read data set `name` from folder `root`/`name`, downloading it if it is missing.

    `root` is None for the environment's DATA_ROOT, else "data". Raises UserError, one sentence,
    for an unknown name, a failed download, or a file with a bad line (file, line, expected).
    Formats: the README of each data set at https://grouplens.org/datasets/movielens/.
    """
    layout = layout_of(name)
    folder = locate(name, root)
    ratings, duplicates = read_ratings(folder, name)
    known = read_movies(folder / layout.movies_file, layout)
    movies, missing = _rated_movies(known, ratings.movie_id)
    report = _report(layout, duplicates, missing)
    tags = read_tags(folder, layout)
    return Dataset(name, ratings, movies, layout.scale, fingerprint(folder, layout), report, tags)


def read_ratings(folder: Path, name: str) -> tuple[Ratings, int]:
    """Checked ratings of one data set folder, and how many duplicates were dropped.

    Where a person rated a movie twice, the later line counts. Raises UserError as `load_dataset`.
    """
    layout = layout_of(name)
    path = folder / layout.ratings_file
    check_ends(path, layout)
    ratings = _parse(path, layout)
    if not _is_clean(ratings, layout):
        raise find_bad_line(path, layout)
    return _last_of_each_pair(ratings)


def fingerprint(folder: Path, layout: Layout) -> str:
    """sha256, hex, over the bytes of the ratings file, the movie file and a tags file, if any."""
    digest = hashlib.sha256()
    files = [layout.ratings_file, layout.movies_file]
    if layout.tags_file is not None and (folder / layout.tags_file).is_file():
        files.append(layout.tags_file)
    for file in files:
        with (folder / file).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _parse(path: Path, layout: Layout) -> Ratings:
    plain = parse_csv(path) if layout.header else None
    return _parse_any(path, layout) if plain is None else Ratings(*plain)


def _parse_any(path: Path, layout: Layout) -> Ratings:
    # "1::2::3::4" split at ":" gives seven fields, of which every second must be empty.
    fields = layout.rating_fields
    if layout.delimiter == "::":
        fields = tuple(f"{name}{gap}" for name in fields for gap in ("", ":"))[:-1]
    user, movie, stars, time = layout.rating_fields
    types = {name: pa.null() for name in fields}
    types |= {user: pa.int64(), movie: pa.int64(), stars: pa.float32(), time: pa.int64()}
    try:
        table = csv.read_csv(
            path,
            csv.ReadOptions(column_names=fields, skip_rows=int(layout.header)),
            csv.ParseOptions(delimiter=layout.delimiter[0], quote_char=False),
            csv.ConvertOptions(column_types=types, null_values=[""]),
        )
    except pa.ArrowInvalid:
        raise find_bad_line(path, layout) from None
    if any(table[name].null_count for name in layout.rating_fields):
        raise find_bad_line(path, layout)
    return Ratings(*(table[name].to_numpy() for name in layout.rating_fields))


def _is_clean(ratings: Ratings, layout: Layout) -> bool:
    ids = (ratings.user_id, ratings.movie_id)
    if any(column.min() < 1 or column.max() > MAX_ID for column in ids):
        return False
    if ratings.timestamp.min() < 0 or ratings.timestamp.max() >= MAX_TIMESTAMP:
        return False
    step = np.float32(1 / layout.scale[0])  # 1 for whole stars, 2 for half stars
    for start in range(0, len(ratings), _CHUNK_ROWS):
        scaled = ratings.stars[start : start + _CHUNK_ROWS] * step
        whole = np.rint(scaled) == scaled  # false for NaN
        if not (whole.all() and scaled.min() >= 1 and scaled.max() <= len(layout.scale)):
            return False
    return True


def _last_of_each_pair(ratings: Ratings) -> tuple[Ratings, int]:
    if _is_ascending(ratings):  # as official csv files are: nothing to sort
        return ratings, 0
    pair = ratings.user_id << 31 | ratings.movie_id
    in_order = np.sort(pair)
    if (in_order[1:] > in_order[:-1]).all():
        return ratings, 0
    order = np.argsort(pair, kind="stable")
    is_last = np.append(pair[order[1:]] != pair[order[:-1]], True)
    kept = np.sort(order[is_last])
    columns = (ratings.user_id, ratings.movie_id, ratings.stars, ratings.timestamp)
    return Ratings(*(column[kept] for column in columns)), len(ratings) - len(kept)


def _is_ascending(ratings: Ratings) -> bool:
    """Whether users ascend, and each user's movies: then no pair is there twice."""
    for start in range(0, len(ratings), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS + 1)
        pair = ratings.user_id[rows] << 31 | ratings.movie_id[rows]
        if not (pair[1:] > pair[:-1]).all():
            return False
    return True


def _rated_movies(known: Movies, rated_movie_id: npt.NDArray[np.int64]) -> tuple[Movies, int]:
    """The rated movies by ascending id, and how many of them the movie file does not name."""
    rated = np.unique(rated_movie_id)
    missing = np.setdiff1d(rated, known.movie_id)
    if len(missing):
        known = Movies(
            np.concatenate([known.movie_id, missing]),
            known.title + [f"Movie {movie_id}" for movie_id in missing],
            known.year + [None] * len(missing),
            known.genres + [()] * len(missing),
        )
    return known.select(rated), len(missing)


def _report(layout: Layout, duplicates: int, missing: int) -> tuple[str, ...]:
    sentences = []
    if duplicates:
        sentences.append(
            f"{layout.ratings_file}: {duplicates} ratings dropped, because the same person rated "
            "the same movie again further down; the last one counts."
        )
    if missing:
        sentences.append(
            f"{layout.movies_file}: {missing} rated movies are not in it; they are kept as "
            '"Movie ID", without year and genres.'
        )
    return tuple(sentences)
