"""Small data sets in the form of ml-latest-small, for tests of what is told of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from marquee.data.dataset import Dataset, load_dataset

Row = tuple[int, int, float, int]
"""user_id, movie_id, stars, timestamp."""
NAME = "ml-latest-small"
SECOND = 946_684_800  # 1 January 2000
YEAR_S = 31_557_600


def write_ratings(
    root: Path, rows: Iterable[Row], films: Sequence[tuple[int, str, str]], tags: str = ""
) -> Path:
    """films: movie_id, title with year, genres as in the file."""
    folder = root / NAME
    folder.mkdir(parents=True)
    lines = [f"{u},{m},{s},{t}" for u, m, s, t in rows]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines, ""]))
    names = [f'{m},"{title}",{genres}' for m, title, genres in films]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *names, ""]))
    if tags:
        (folder / "tags.csv").write_text("userId,movieId,tag,timestamp\n" + tags)
    return folder


def dataset_of(
    root: Path, rows: Iterable[Row], films: Sequence[tuple[int, str, str]], tags: str = ""
) -> Dataset:
    write_ratings(root, rows, films, tags)
    return load_dataset(NAME, root)


def random_rows(num_people: int, num_films: int, seed: int = 0) -> list[Row]:
    """Everybody rates some films, early ones more often, over ten years."""
    rng, rows = np.random.default_rng(seed), []
    weight = 1 / (1 + np.arange(num_films))
    for user in range(1, num_people + 1):
        size = int(rng.integers(1, num_films // 2))
        chosen = rng.choice(num_films, size, replace=False, p=weight / weight.sum()) + 1
        stars = rng.integers(1, 11, size) / 2
        times = SECOND + rng.integers(0, 10 * YEAR_S, size)
        rows += list(
            zip([user] * size, chosen.tolist(), stars.tolist(), times.tolist(), strict=True)
        )
    return rows
