"""Read any MovieLens data set: official files in, checked tables out.

dataset = load_dataset("ml-1m", root="data")     # downloads what is missing
dataset.movies.label(0)                          # "Toy Story (1995)"
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from marquee.core import memmap
from marquee.core.arrays import AnyInt
from marquee.core.movies import Movies
from marquee.data.interactions import InteractionTable
from marquee.data.layouts import Layout, layout_of
from marquee.data.movie_files import Tags, read_movies, read_tags
from marquee.data.rating_files import read_ratings
from marquee.data.sources import locate


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    name: str
    interactions: InteractionTable
    movies: Movies
    """The rated movies, ascending by id: their rows are the item numbers of every model."""
    scale: tuple[float, ...]  # the ratings that a user can give, ascending
    sha256: str  # of the ratings file, the movie file and, where there is one, the tags file
    report: tuple[str, ...]  # repairs made while reading, one sentence each
    tags: Tags = field(default_factory=Tags.empty)  # of all movies, rated or not


def load_dataset(name: str, root: str | Path | None = None) -> Dataset:
    """Read data set `name` from folder `root`/`name`, downloaded if it is missing.

    If a user rated a movie twice, the later line counts. Raises InputError, one sentence, for an
    unknown name, a failed download, or a file with a bad line (file, line, expected).
    Formats: the README of each data set at https://grouplens.org/datasets/movielens/.
    """
    folder = locate(name, root)
    layout = layout_of(name, folder)
    file_table = read_ratings(folder, name)
    table = file_table.last_of_each_pair()
    file_movies = read_movies(folder / layout.movies_file, layout)
    movies, num_missing = _rated_movies(file_movies, table.movie_id)
    return Dataset(
        name=name,
        interactions=table,
        movies=movies,
        scale=layout.scale,
        sha256=fingerprint(folder, layout),
        report=_report(layout, len(file_table) - len(table), num_missing),
        tags=read_tags(folder, layout),
    )


def fingerprint(folder: Path, layout: Layout) -> str:
    digest = hashlib.sha256()
    files = [*layout.rating_files, layout.movies_file]
    if layout.tags_file is not None and (folder / layout.tags_file).is_file():
        files.append(layout.tags_file)
    for file in files:
        with (folder / file).open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


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
    counts = {
        f"{layout.ratings_file}: {num_duplicates} ratings dropped, because the same user rated the "
        "same movie again further down; the last one counts.": num_duplicates,
        f"{layout.movies_file}: {num_missing} rated movies are not in it; their title is "
        '"Movie ID", and they have no year or genres.': num_missing,
    }
    return tuple(sentence for sentence, count in counts.items() if count)
