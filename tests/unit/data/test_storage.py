"""Items and features in the folder of a prepared data set."""

from pathlib import Path

import numpy as np
import pytest

from marquee.core.ids import Ids, as_ids
from marquee.core.movies import Movies
from marquee.data.attributes.storage import load_features, load_movies, save_features, save_movies
from marquee.data.features import Feature


@pytest.mark.parametrize(
    "ids", [as_ids([2**63 - 1, -5]), as_ids(["0114508", 'né "/\\N?, \u2028'])], ids=["int", "text"]
)
def test_movies_storage_gives_them_back(tmp_path: Path, ids: Ids) -> None:
    movies = Movies(ids, ["Amélie", 'He said "hi"'], [2001, None], [("Drama", "War"), ()])
    save_movies(movies, tmp_path)
    again = load_movies(tmp_path)
    assert again.to_columns() == movies.to_columns()
    assert again.movie_id.dtype == ids.dtype and again.genres == movies.genres


def test_features_storage_gives_them_back(tmp_path: Path) -> None:
    lists = np.empty(2, dtype=object)
    lists[:] = [("Ann", "Bob"), ()]
    features = (
        Feature("country", "category", np.array(["fr", None], dtype=object)),
        Feature("cast", "categories", lists),
        Feature("runtime", "number", np.array([86, np.nan], np.float32)),
        Feature("embedding", "vector", np.array([[1, 2], [np.nan, np.nan]], np.float32)),
    )
    save_features(features, tmp_path, "item")
    save_features((), tmp_path, "user")
    again = load_features(tmp_path, "item")
    assert [(f.name, f.type) for f in again] == [(f.name, f.type) for f in features]
    for feature, other in zip(features, again, strict=True):
        assert feature.values.dtype == other.values.dtype
        assert repr(feature.values.tolist()) == repr(other.values.tolist())
    assert load_features(tmp_path, "user") == ()
