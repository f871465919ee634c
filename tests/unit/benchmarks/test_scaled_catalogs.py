"""Bundles with a generated catalog: same shapes, same seed, usable lists."""

from pathlib import Path

import numpy as np

from benchmarks.serving.scaled_catalogs import generated_catalog, histories, scaled
from marquee.recommender.bundle import read_bundle
from marquee.recommender.recommender import Recommender

SIZE = 25


def test_scaled_bundle_repeats_with_the_seed(bundle_folder: Path) -> None:
    trained = read_bundle(bundle_folder)
    movies = generated_catalog(trained.movies, SIZE)
    first, second = (scaled(trained, movies, seed=0) for _ in range(2))
    assert any(len(array) == SIZE for array in first.arrays.values())
    for name, array in first.arrays.items():
        assert np.array_equal(array, second.arrays[name]), name
        assert array.shape[1:] == trained.arrays[name].shape[1:], name


def test_scaled_bundle_recommends(bundle_folder: Path) -> None:
    trained = read_bundle(bundle_folder)
    bundle = scaled(trained, generated_catalog(trained.movies, SIZE), seed=0)
    history = histories(bundle, num_users=1, length=5, seed=0)[0]
    assert len({movie_id for movie_id, _ in history}) == 5
    assert len(Recommender(bundle).recommend(history=history)["items"]) == 10
