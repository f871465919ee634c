"""One door for every MovieLens data set: official files in, checked tables out.

    dataset = load_dataset("ml-1m", root="data")     # downloads what is missing
    dataset.ratings.movie_id                         # (N,) int64, file order
    dataset.movies.label(0)                          # "Toy Story (1995)"

A plain ratings.csv is parsed by `fast_csv`, other text by pyarrow, and columns are mapped as they
lie; every line is then checked (ids from 1, stars on the scale, times not negative). A file that
fails is read a second time, slowly, to name the line. ml-1m takes 0.3 s; 25 million rows of text:
results/bench-reading.json, columns of 100 million: results/bench-growth.json.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from marquee.core.columns import MAX_TIMESTAMP
from marquee.core.errors import InputError
from marquee.core.memmap import blocks, distinct, kept, people_blocks
from marquee.core.movies import Movies
from marquee.data.bad_lines import MAX_ID, check_ends, fault_of, find_bad_line
from marquee.data.fast_csv import parse_csv
from marquee.data.layouts import COLUMNS, Layout, layout_of
from marquee.data.movie_files import read_movies
from marquee.data.npy_columns import HINT, open_columns
from marquee.data.sources import locate
from marquee.data.tag_files import Tags, read_tags

_CHUNK_ROWS = 100_000
"""Rows checked at once, so that the check's own arrays stay in the cache."""


@dataclass(frozen=True, eq=False)
class Ratings:
    """N ratings in file order, no (user, movie) twice. Ids are int64, of mapped columns int32."""

    user_id: npt.NDArray[np.integer]
    movie_id: npt.NDArray[np.integer]
    stars: npt.NDArray[np.float32]
    timestamp: npt.NDArray[np.int64]
    """Seconds since 1970, UTC."""

    def __len__(self) -> int:
        return len(self.user_id)

    @property
    def columns(self) -> tuple[npt.NDArray[Any], ...]:
        """user_id, movie_id, stars and timestamp."""
        return self.user_id, self.movie_id, self.stars, self.timestamp

    def is_by_user(self) -> bool:
        """Whether the users ascend, as in official csv files and in columns."""
        pairs = (self.user_id[rows.start : rows.stop + 1] for rows in blocks(len(self)))
        return all(bool((user[1:] >= user[:-1]).all()) for user in pairs)

    def indptr(self) -> npt.NDArray[np.int64]:
        """(U + 1,) where each person's rows begin; of ratings by user."""
        changes = [np.zeros(1, np.int64)]
        for rows in blocks(len(self)):
            user = self.user_id[rows.start : rows.stop + 1]
            changes.append(np.flatnonzero(user[1:] != user[:-1]) + rows.start + 1)
        return np.concatenate([*changes, [len(self)]])


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

    `root` is None for the environment's DATA_ROOT, else "data". Raises InputError, one sentence,
    for an unknown name, a failed download, or a file with a bad line (file, line, expected).
    Formats: the README of each data set at https://grouplens.org/datasets/movielens/.
    """
    folder = locate(name, root)
    layout = layout_of(name, folder)
    ratings, duplicates = read_ratings(folder, name)
    known = read_movies(folder / layout.movies_file, layout)
    movies, missing = _rated_movies(known, ratings.movie_id)
    report = _report(layout, duplicates, missing)
    tags = read_tags(folder, layout)
    return Dataset(name, ratings, movies, layout.scale, fingerprint(folder, layout), report, tags)


def read_ratings(folder: Path, name: str) -> tuple[Ratings, int]:
    """Checked ratings of one data set folder, and how many duplicates were dropped.

    Where a person rated a movie twice, the later line counts. Raises InputError as `load_dataset`.
    """
    layout = layout_of(name, folder)
    path = folder / layout.ratings_file
    if layout == COLUMNS:
        ratings = Ratings(*open_columns(folder))
        if not _is_clean(ratings, layout):
            raise _bad_row(path, ratings, layout)
    else:
        check_ends(path, layout)
        ratings = _parse(path, layout)
        if not _is_clean(ratings, layout):
            raise find_bad_line(path, layout)
    return _last_of_each_pair(ratings)


def fingerprint(folder: Path, layout: Layout) -> str:
    """sha256, hex, over the bytes of the ratings file, the movie file and a tags file, if any."""
    digest = hashlib.sha256()
    files = [*layout.rating_files, layout.movies_file]
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
    parts = blocks(len(ratings), _CHUNK_ROWS)
    return all(_is_clean_part(ratings, rows, layout) for rows in parts)


def _is_clean_part(ratings: Ratings, rows: slice, layout: Layout) -> bool:
    ids = (ratings.user_id[rows], ratings.movie_id[rows])
    if any(column.min() < 1 or column.max() > MAX_ID for column in ids):
        return False
    timestamp = ratings.timestamp[rows]
    if timestamp.min() < 0 or timestamp.max() >= MAX_TIMESTAMP:
        return False
    step = np.float32(1 / layout.scale[0])  # 1 for whole stars, 2 for half stars
    scaled = ratings.stars[rows] * step
    whole = np.rint(scaled) == scaled  # false for NaN
    return bool(whole.all() and scaled.min() >= 1 and scaled.max() <= len(layout.scale))


def _bad_row(path: Path, ratings: Ratings, layout: Layout) -> InputError:
    """The error that names the first bad row of columns."""
    for rows in blocks(len(ratings), _CHUNK_ROWS):
        if not _is_clean_part(ratings, rows, layout):
            lists = (column[rows].tolist() for column in ratings.columns)
            lines = (",".join(map(str, fields)) for fields in zip(*lists, strict=True))
            faults = (
                (row, fault_of(line, layout)) for row, line in enumerate(lines, rows.start + 1)
            )
            row, found = next((row, found) for row, found in faults if found)
            return InputError(f"{path} row {row}: {found}.{HINT}")
    raise AssertionError("every row is clean")


def _last_of_each_pair(ratings: Ratings) -> tuple[Ratings, int]:
    if _is_ascending(ratings):  # as official csv files are: nothing to sort
        return ratings, 0
    indptr = ratings.indptr() if ratings.is_by_user() else np.array([0, len(ratings)])
    keep_N = np.ones(len(ratings), bool)
    for _, rows in people_blocks(indptr):
        pair = _pair(ratings, rows)
        in_order = np.sort(pair)
        if (in_order[1:] == in_order[:-1]).any():
            order = np.argsort(pair, kind="stable")
            keep_N[rows][order[:-1]] = pair[order[1:]] != pair[order[:-1]]
    if keep_N.all():
        return ratings, 0
    return Ratings(*(kept(column, keep_N) for column in ratings.columns)), int((~keep_N).sum())


def _pair(ratings: Ratings, rows: slice) -> npt.NDArray[np.int64]:
    """Person and movie in one number."""
    return ratings.user_id[rows].astype(np.int64) << 31 | ratings.movie_id[rows]


def _is_ascending(ratings: Ratings) -> bool:
    """Whether users ascend, and each user's movies: then no pair is there twice."""
    for rows in blocks(len(ratings), _CHUNK_ROWS):
        pair = _pair(ratings, slice(rows.start, rows.stop + 1))  # and the first of the next
        if not (pair[1:] > pair[:-1]).all():
            return False
    return True


def _rated_movies(known: Movies, rated_movie_id: npt.NDArray[np.integer]) -> tuple[Movies, int]:
    """The rated movies by ascending id, and how many of them the movie file does not name."""
    rated = distinct(rated_movie_id)
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
