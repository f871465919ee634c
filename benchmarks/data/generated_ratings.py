"""Generate ratings by the hundred million as Parquet. SYNTHETIC: no real user.

    python -m benchmarks.data.generated_ratings 1000000 data/generated-1m

Like MovieLens it has a catalog whose popularity falls by rank to the power -0.8, lognormal counts
of ratings per user (from 20, 150 on average), half stars, and sessions of some ten movies within
minutes, days or weeks apart. Rows have the order of the official files: a user's are sorted by
movie id. It has no tastes and no series: there is nothing to learn. The same seed gives the same
bytes. A million takes 1.5 CPU seconds. Memory stays at some 100 MB: ratings are drawn and written
a block at a time.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from marquee.data.demo_data import FIRST_SECOND, GENRE_WORDS
from marquee.data.spec import DatasetSpec
from marquee.data.spec_file import write_spec

Block = tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
"""user_id, movie_id, rating and timestamp, (N,) each."""
SCHEMA = pa.schema(
    {"user_id": pa.int32(), "movie_id": pa.int32(), "rating": pa.float32(), "time": pa.int64()}
)
NUM_MOVIES = 60_000
BLOCK_USERS = 2_000
MIN_RATINGS = 20
YEARS_S = 8 * 365 * 86_400
"""All users begin within so many seconds."""
NEW_SESSION = 0.1
"""Probability that a rating begins a session."""
PAUSE_S, WAIT_S = 5 * 86_400, 60
"""Mean pause between two sessions, and longest within one."""
RATINGS = np.arange(1, 11, dtype=np.float32) / 2
RATING_SHARE = np.array([2, 3, 2, 7, 5, 20, 13, 27, 9, 12]) / 100
"""Share of each rating, about as in ml-25m."""


def write_generated(folder: Path, num_ratings: int, seed: int = 0) -> None:
    """Write a new data set: Parquet of so many ratings, movies.csv, dataset.yaml."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    ratings, movies = folder / "ratings.parquet", folder / "movies.csv"
    with pq.ParquetWriter(ratings, SCHEMA) as writer:
        for block in generate_blocks(num_ratings, rng):
            columns = [
                pa.array(column, type) for column, type in zip(block, SCHEMA.types, strict=True)
            ]
            writer.write_table(pa.table(columns, SCHEMA))
    write_movies(movies, rng)
    spec = DatasetSpec(
        interactions=(str(ratings),),
        user="user_id",
        item="movie_id",
        rating="rating",
        time="time",
        items=(str(movies),),
        item_id="movieId",
        title="title",
        genres="genres",
    )
    write_spec(spec, folder / "dataset.yaml")


def generate_blocks(num_ratings: int, rng: np.random.Generator) -> Iterator[Block]:
    """Yield blocks that split no user; the last user takes the remaining ratings."""
    weight = (1.0 + rng.permutation(NUM_MOVIES)) ** -0.8
    share_below = np.cumsum(weight) / weight.sum()
    first_user = 1
    while num_ratings > 0:
        user, movie = draw_pairs(share_below, rng)
        user, movie = user[:num_ratings], movie[:num_ratings]
        rating = rng.choice(RATINGS, len(user), p=RATING_SHARE)
        yield user + first_user, movie + 1, rating, draw_seconds(user, rng)
        num_ratings -= len(user)
        first_user += BLOCK_USERS


def draw_pairs(share_below: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the users of a block and the different movies of each, ascending."""
    num_ratings = MIN_RATINGS + rng.lognormal(4.1, 1.2, BLOCK_USERS).astype(np.int64)
    user = np.repeat(np.arange(BLOCK_USERS), np.minimum(num_ratings, NUM_MOVIES // 10))
    movie = np.searchsorted(share_below, rng.random(len(user)))
    pair = np.unique(user * NUM_MOVIES + movie)  # a user who drew a movie twice has one less
    return pair // NUM_MOVIES, pair % NUM_MOVIES


def draw_seconds(user: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the second of each rating: sessions, assigned to movies in random order."""
    is_first = np.append(True, user[1:] != user[:-1])
    is_new = rng.random(len(user)) < NEW_SESSION
    gap = np.where(is_new, rng.exponential(PAUSE_S, len(user)), rng.integers(0, WAIT_S, len(user)))
    gap[is_first] = rng.integers(0, YEARS_S, is_first.sum())
    since = np.cumsum(gap.astype(np.int64))
    start = np.flatnonzero(is_first)
    since -= np.repeat(np.append(0, since[start[1:] - 1]), np.diff(np.append(start, len(user))))
    return FIRST_SECOND + since[np.lexsort((rng.random(len(user)), user))]


def write_movies(path: Path, rng: np.random.Generator) -> None:
    genre = rng.choice(list(GENRE_WORDS), NUM_MOVIES)
    year = rng.integers(1930, 2015, NUM_MOVIES)
    lines = (
        f"{row + 1},{GENRE_WORDS[genre[row]].split()[row % 8]} {row + 1} ({year[row]}),{genre[row]}"
        for row in range(NUM_MOVIES)
    )
    path.write_text("\n".join(["movieId,title,genres", *lines, ""]), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("ratings", type=int)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    write_generated(args.folder, args.ratings, args.seed)
