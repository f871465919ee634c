"""Read any MovieLens data set: official files in, checked tables out.

    dataset = load_dataset("ml-1m", root="data")     # downloads what is missing
    dataset.interactions.movie_id                    # (N,) int64, file order
    dataset.movies.label(0)                          # "Toy Story (1995)"

`fast_csv` parses a plain ratings.csv, pyarrow other text; npy columns are mapped in place. Every
line is then checked: ids from 1, ratings on the scale, times not negative. A file that fails is
read a second time, slowly, to name the line. ml-1m takes 0.3 s; 25 million rows of text:
results/bench-reading.json, columns of 100 million: results/bench-growth.json.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from marquee.core import memmap
from marquee.core.arrays import AnyInt, Int64
from marquee.core.columns import MAX_TIMESTAMP
from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.data.bad_lines import MAX_FILE_ID, check_ends, describe_bad_line, find_bad_line
from marquee.data.fast_csv import parse_csv
from marquee.data.interactions import InteractionTable
from marquee.data.layouts import COLUMNS, Layout, layout_of
from marquee.data.movie_files import read_movies
from marquee.data.npy_columns import REMEDY, open_columns
from marquee.data.sources import locate
from marquee.data.tag_files import Tags, read_tags

_CHUNK_ROWS = 100_000
"""Rows checked at once, so that the check's own arrays stay in the cache."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """A data set, read and checked."""

    name: str
    interactions: InteractionTable
    movies: Movies
    """The rated movies, ascending by id: their rows are the item numbers of every model."""
    scale: tuple[float, ...]
    """The ratings that a user can give, ascending."""
    sha256: str
    """Fingerprint of the ratings file, the movie file and, where there is one, the tags file."""
    report: tuple[str, ...]
    """Repairs made while reading, one sentence each."""
    tags: Tags = field(default_factory=Tags.empty)
    """Tags of all movies of the data set, rated or not; empty if the data set has none."""


def load_dataset(name: str, root: str | Path | None = None) -> Dataset:
    """Read data set `name` from folder `root`/`name`.

    It is downloaded if it is missing. `root` is None for the environment's DATA_ROOT, else "data".
    Raises InputError, one sentence, for an unknown name, a failed download, or a file with a bad
    line (file, line, expected).
    Formats: the README of each data set at https://grouplens.org/datasets/movielens/.
    """
    folder = locate(name, root)
    layout = layout_of(name, folder)
    table, num_duplicates = read_ratings(folder, name)
    file_movies = read_movies(folder / layout.movies_file, layout)
    movies, num_missing = _rated_movies(file_movies, table.movie_id)
    return Dataset(
        name=name,
        interactions=table,
        movies=movies,
        scale=layout.scale,
        sha256=fingerprint(folder, layout),
        report=_report(layout, num_duplicates, num_missing),
        tags=read_tags(folder, layout),
    )


def read_ratings(folder: Path, name: str) -> tuple[InteractionTable, int]:
    """Return the checked ratings of a folder, and the number of dropped duplicates.

    If a user rated a movie twice, the later line counts. Raises InputError as `load_dataset`.
    """
    layout = layout_of(name, folder)
    path = folder / layout.ratings_file
    if layout == COLUMNS:
        table = InteractionTable(*open_columns(folder))
        if not _is_clean(table, layout):
            raise _bad_row(path, table, layout)
    else:
        check_ends(path, layout)
        table = _parse(path, layout)
        if not _is_clean(table, layout):
            raise find_bad_line(path, layout)
    return _last_of_each_pair(table)


def fingerprint(folder: Path, layout: Layout) -> str:
    """Return the sha256 of a data set's files, in hex.

    These are the ratings file, the movie file and, if there is one, the tags file.
    """
    digest = hashlib.sha256()
    files = [*layout.rating_files, layout.movies_file]
    if layout.tags_file is not None and (folder / layout.tags_file).is_file():
        files.append(layout.tags_file)
    for file in files:
        with (folder / file).open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _parse(path: Path, layout: Layout) -> InteractionTable:
    plain = parse_csv(path) if layout.header else None
    return _parse_any(path, layout) if plain is None else InteractionTable(*plain)


def _parse_any(path: Path, layout: Layout) -> InteractionTable:
    # "1::2::3::4" split at ":" gives seven fields, of which every second must be empty.
    fields = layout.rating_fields
    if layout.delimiter == "::":
        fields = tuple(f"{name}{gap}" for name in fields for gap in ("", ":"))[:-1]
    user, movie, rating, time = layout.rating_fields
    types = {name: pa.null() for name in fields}
    types |= {user: pa.int64(), movie: pa.int64(), rating: pa.float32(), time: pa.int64()}
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
    return InteractionTable(*(table[name].to_numpy() for name in layout.rating_fields))


def _is_clean(table: InteractionTable, layout: Layout) -> bool:
    chunks = memmap.iter_chunks(len(table), _CHUNK_ROWS)
    return all(_is_clean_chunk(table, rows, layout) for rows in chunks)


def _is_clean_chunk(table: InteractionTable, rows: slice, layout: Layout) -> bool:
    ids = (table.user_id[rows], table.movie_id[rows])
    if any(column.min() < 1 or column.max() > MAX_FILE_ID for column in ids):
        return False
    timestamp = table.timestamp[rows]
    if timestamp.min() < 0 or timestamp.max() >= MAX_TIMESTAMP:
        return False
    steps_per_unit = np.float32(1 / layout.scale[0])  # 1 for whole stars, 2 for half stars
    steps = table.rating[rows] * steps_per_unit
    is_step = np.rint(steps) == steps  # false for NaN
    return bool(is_step.all() and steps.min() >= 1 and steps.max() <= len(layout.scale))


def _bad_row(path: Path, table: InteractionTable, layout: Layout) -> InputError:
    """Return the error that names the first bad row of npy columns."""
    for rows in memmap.iter_chunks(len(table), _CHUNK_ROWS):
        if not _is_clean_chunk(table, rows, layout):
            lists = (column[rows].tolist() for column in table.columns)
            lines = (",".join(map(str, fields)) for fields in zip(*lists, strict=True))
            reasons = (
                (row, describe_bad_line(line, layout))
                for row, line in enumerate(lines, rows.start + 1)
            )
            row, reason = next((row, reason) for row, reason in reasons if reason)
            return InputError(f"{path} row {row}: {reason}; {REMEDY}")
    raise AssertionError("every row is clean")


def _last_of_each_pair(table: InteractionTable) -> tuple[InteractionTable, int]:
    if _is_ascending(table):  # as official csv files are: nothing to sort
        return table, 0
    indptr = table.indptr() if table.is_by_user() else np.array([0, len(table)])
    is_last_N = np.ones(len(table), bool)
    for _, rows in memmap.iter_user_chunks(indptr):
        pair = _pair(table, rows)
        in_order = np.sort(pair)
        if (in_order[1:] == in_order[:-1]).any():
            order = np.argsort(pair, kind="stable")
            is_last_N[rows][order[:-1]] = pair[order[1:]] != pair[order[:-1]]
    if is_last_N.all():
        return table, 0
    columns = (memmap.compress(is_last_N, column) for column in table.columns)
    return InteractionTable(*columns), int((~is_last_N).sum())


def _pair(table: InteractionTable, rows: slice) -> Int64:
    """Return user and movie in one number."""
    return table.user_id[rows].astype(np.int64) << 31 | table.movie_id[rows]


def _is_ascending(table: InteractionTable) -> bool:
    """Return whether users ascend, and each user's movies: then no pair occurs twice."""
    for rows in memmap.iter_chunks(len(table), _CHUNK_ROWS):
        pair = _pair(table, slice(rows.start, rows.stop + 1))  # and the first of the next
        if not (pair[1:] > pair[:-1]).all():
            return False
    return True


def _rated_movies(file_movies: Movies, rated_movie_id: AnyInt) -> tuple[Movies, int]:
    """Return the rated movies by ascending id, and how many of them the movie file lacks."""
    rated_ids = memmap.unique(rated_movie_id)
    missing_ids = np.setdiff1d(rated_ids, file_movies.movie_id)
    if len(missing_ids):
        file_movies = Movies(
            np.concatenate([file_movies.movie_id, missing_ids]),
            file_movies.title + [f"Movie {movie_id}" for movie_id in missing_ids],
            file_movies.year + [None] * len(missing_ids),
            file_movies.genres + [()] * len(missing_ids),
        )
    return file_movies.select(rated_ids), len(missing_ids)


def _report(layout: Layout, num_duplicates: int, num_missing: int) -> tuple[str, ...]:
    sentences = []
    if num_duplicates:
        sentences.append(
            f"{layout.ratings_file}: {num_duplicates} ratings dropped, because the same user rated "
            "the same movie again further down; the last one counts."
        )
    if num_missing:
        sentences.append(
            f"{layout.movies_file}: {num_missing} rated movies are not in it; their title is "
            '"Movie ID", and they have no year or genres.'
        )
    return tuple(sentences)
