"""Make bundles with a catalog of any size: arrays drawn from those of a trained one, same shapes.

    write_scaled("bundles/ml-latest-small", movies, "runs/ml-25m-catalogue", seed=0)

A movie gets the rows of a trained movie drawn with the seed, moved by a little noise so that no two
score alike. Sizes, encoder and the users' part of the rating model are the trained bundle's, so
time and memory are those of a model trained on such a catalog; what it recommends means nothing.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np

from marquee.core.errors import InputError
from marquee.core.movies import Movies
from marquee.data.attributes.item_tables import read_items
from marquee.data.attributes.rows import open_table
from marquee.data.movielens.download import data_root
from marquee.data.movielens.presets import preset_of
from marquee.recommender.bundle import Bundle, read_bundle, write_bundle
from marquee.recommender.bundle_checks import ALL_SHAPES
from marquee.recommender.history import HistoryEntry

CATALOG = "ml-25m-catalogue"
NOISE = 0.02
"""Of each array's own standard deviation."""
ROWS_AT_ONCE = 50_000
UserHistories = list[list[HistoryEntry]]


def real_catalog() -> Movies:
    """Return the 62,423 movies of ml-25m, ascending.

    Raises InputError if DATA_ROOT does not hold them.
    """
    path = data_root(None) / CATALOG / "movies.csv"
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected the movies.csv of ml-25m; put it there")
    return read_movies(path)


def read_movies(path: Path) -> Movies:
    """Return the movies of a movies.csv of MovieLens, ascending by id."""
    preset = preset_of("ml-25m", path.parent)
    assert preset is not None
    with duckdb.connect() as connection, TemporaryDirectory() as folder:
        source = open_table(connection, preset.spec, "items", Path(folder))
        return read_items(connection, preset.spec, source, np.zeros(0, np.int64)).movies


def generated_catalog(movies: Movies, num_movies: int) -> Movies:
    """Return ids 1 to num_movies; title, year and genres of the movies over and over."""
    row = np.arange(num_movies) % len(movies)
    return Movies(
        np.arange(1, num_movies + 1),
        [movies.title[i] for i in row],
        [movies.year[i] for i in row],
        [movies.genres[i] for i in row],
    )


def scaled(trained: Bundle, movies: Movies, seed: int) -> Bundle:
    """Return the trained bundle with this catalog, without golden queries."""
    rng = np.random.default_rng(seed)
    row = rng.integers(0, len(trained.movies), len(movies))
    arrays = {
        name: _drawn(array, row, rng) if ALL_SHAPES[name].startswith("I") else array
        for name, array in trained.arrays.items()
    }
    data = trained.manifest["data"] | {"name": "generated", "num_items": len(movies)}
    manifest = trained.manifest | {"name": "generated", "data": data, "metrics": {}}
    return replace(
        trained, manifest=manifest, movies=movies, arrays=arrays, golden=[], golden_items=[]
    )


def _drawn(array: np.ndarray, row: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    out = np.empty((len(row), *array.shape[1:]), array.dtype)
    if array.dtype == np.int64:
        out[:] = array[row]
        return out
    noise = np.float32(NOISE * array.std())
    for start in range(0, len(row), ROWS_AT_ONCE):
        part = out[start : start + ROWS_AT_ONCE]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= noise
        part += array[row[start : start + ROWS_AT_ONCE]]
    return out


def write_scaled(trained: str | Path, movies: Movies, folder: Path, seed: int) -> Path:
    """Write `scaled` as a bundle; return its folder."""
    bundle = scaled(read_bundle(trained), movies, seed)
    graphs = {"encoder": bundle.encoder, "item_content": bundle.item_content}
    parts: dict[str, Any] = {"arrays": bundle.arrays, "features": bundle.features, "golden": []}
    write_bundle(folder, manifest=bundle.manifest, movies=movies, **graphs, **parts)
    return folder


def histories(bundle: Bundle, num_users: int, length: int, seed: int) -> UserHistories:
    """Draw histories of users without any other data.

    Popular movies are drawn more often. A user has each movie once, with a rating.
    """
    rng = np.random.default_rng(seed)
    chance = bundle.arrays["num_ratings"] + 1.0
    size = min(length, len(bundle.movies) - 1)
    drawn: UserHistories = []
    for _ in range(num_users):
        row = rng.choice(len(chance), size, replace=False, p=chance / chance.sum())
        rating = rng.choice(bundle.manifest["scale"], size).tolist()
        drawn.append(list(zip(bundle.movies.movie_id[row].tolist(), rating, strict=True)))
    return drawn
