"""Small data sets in the form of ml-latest-small."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from marquee.data.dataset import Dataset, load_dataset

Row = tuple[int, int, float, int]
"""user_id, movie_id, rating, timestamp."""
NAME = "ml-latest-small"
SECOND = 946_684_800  # 1 January 2000
YEAR_S = 31_557_600


def write_ratings(
    root: Path, rows: Iterable[Row], movies: Sequence[tuple[int, str, str]], tags: str = ""
) -> Path:
    """movies: movie_id, title with year, genres as in the file."""
    folder = root / NAME
    folder.mkdir(parents=True)
    lines = [f"{user},{movie},{rating},{time}" for user, movie, rating, time in rows]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines, ""]))
    lines = [f'{movie},"{title}",{genres}' for movie, title, genres in movies]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *lines, ""]))
    if tags:
        (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n" + tags)
    return folder


def dataset_of(
    root: Path, rows: Iterable[Row], movies: Sequence[tuple[int, str, str]], tags: str = ""
) -> Dataset:
    write_ratings(root, rows, movies, tags)
    return load_dataset(NAME, root)


def random_rows(num_users: int, num_movies: int, seed: int = 0) -> list[Row]:
    """Each user rates some movies, early ones more often, over ten years."""
    rng, rows = np.random.default_rng(seed), []
    weight = 1 / (1 + np.arange(num_movies))
    for user in range(1, num_users + 1):
        size = int(rng.integers(1, num_movies // 2))
        movie_id = rng.choice(num_movies, size, replace=False, p=weight / weight.sum()) + 1
        rating = rng.integers(1, 11, size) / 2
        times = SECOND + rng.integers(0, 10 * YEAR_S, size)
        rows += list(
            zip([user] * size, movie_id.tolist(), rating.tolist(), times.tolist(), strict=True)
        )
    return rows
