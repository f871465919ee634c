"""Protocol `stars`: a recipe from ratings to results, and the folds of ml-100k."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import train
from marquee.data.dataset import load_dataset
from marquee.data.demo_data import write_demo
from marquee.evaluation.baselines.rating import rating_baselines
from tests.support.demo_training import RECIPES, Workspace


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_demo(folder / "demo", seed=1, num_users=60, num_movies=150)
    return folder


@pytest.mark.slow
def test_fit_of_stars_writes_results_and_rows(root: Path, tmp_path: Path) -> None:
    settings = ["--name=demo.stars", "--data.protocol=stars", "--protocols=[stars]"]
    args = Workspace(tmp_path).args(*settings, "--seeds=[0,1]", "--comet=off", epochs=1, data=root)
    assert train.main(["fit", *args]) == 0
    results = json.loads((tmp_path / "results" / "demo.stars.json").read_text())
    assert {"rmse", "mae", "ece", "coverage@90"} <= results["metrics"].keys()
    assert results["seeds"] == [0, 1] and len(results["per_seed"]) == 2
    assert results["paired"].keys() == results["baselines"].keys() == rating_baselines().keys()
    assert "val/rmse" in results["selection"]
    rows = pd.read_parquet(tmp_path / "runs" / "demo.stars" / "test-stars.parquet")
    assert len(rows) == 2 * results["num_ratings"]
    error = rows["predicted"] - rows["stars"]
    assert np.sqrt((error * error).mean()) == pytest.approx(results["metrics"]["rmse"]["mean"])
    assert train.main(["validate", *args]) == 0
    assert train.main(["fit", *args, "--folds=[1]", "--protocols=[next]"]) == 2


@pytest.mark.slow
def test_fit_of_folds_measures_all_their_ratings(tmp_path: Path) -> None:
    """Demo ratings as ml-100k, with two folds of 50 ratings."""
    write_demo(tmp_path / "demo", seed=1, num_users=30, num_movies=80)
    dataset = load_dataset("demo", tmp_path)
    histories, folder = dataset.histories, tmp_path / "ml-100k"
    folder.mkdir()
    user_id = histories.user_id[histories.user]
    movie_id = dataset.movies.movie_id[histories.item]
    columns = user_id, movie_id, np.ceil(histories.rating), histories.timestamp
    lines = ["\t".join(str(int(each)) for each in row) for row in zip(*columns, strict=True)]
    lines = np.random.default_rng(0).permutation(lines).tolist()  # so that folds hold 20 users
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    flags = "|".join(["0"] * 18 + ["1"])
    movies = [f"{m}|Film {m} (1990)|01-Jan-1990||x|{flags}" for m in dataset.movies.movie_id]
    (folder / "u.item").write_text("\n".join(movies) + "\n")
    (folder / "u1.test").write_text("\n".join(lines[:50]) + "\n")
    (folder / "u2.test").write_text("\n".join(lines[50:100]) + "\n")
    args = ["--config", str(RECIPES / "ml-100k.stars.yaml"), f"--data.root={tmp_path}"]
    args += [f"--{name}={tmp_path / name}" for name in ("runs", "bundles", "results")]
    args += ["--folds=[1,2]", "--comet=off", "--trainer.max_epochs=1", "--stars.num_draws=4"]
    assert train.main(["fit", *args]) == 0
    results = json.loads((tmp_path / "results" / "ml-100k.stars.json").read_text())
    assert results["num_ratings"] == 100 and results["folds"] == [1, 2]
    square = [each["rmse"] ** 2 for each in results["per_fold"]]
    assert results["metrics"]["rmse"]["mean"] == pytest.approx(np.sqrt(np.mean(square)), rel=1e-4)
