"""Protocol `stars`: what is hidden, the baselines, and a recipe from ratings to results."""

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import train
from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from datamodules.splits import official_fold, split_ratings
from datamodules.splits.base import TEST, VALID
from marquee.core.errors import InputError
from marquee.data.dataset import load_dataset
from marquee.data.demo_data import write_demo
from marquee.data.user_histories import build_histories
from marquee.evaluation.baselines.base import Interactions
from marquee.evaluation.baselines.rating import (
    Biases,
    ItemNeighbors,
    SVDPlusPlus,
    rating_baselines,
)
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_demo(folder / "demo", seed=1, num_users=60, num_movies=150)
    return folder


def test_a_tenth_is_test_and_a_twentieth_of_the_rest_validation(root: Path) -> None:
    histories = build_histories(load_dataset("demo", root))
    split, num = split_ratings(histories, 150), len(histories.item)
    assert (split.subset_N == TEST).sum() == round(0.1 * num)
    assert (split.subset_N == VALID).sum() == round(0.05 * (num - round(0.1 * num)))
    assert (split_ratings(histories, 150).subset_N == split.subset_N).all()
    assert (split_ratings(histories, 150, seed=1).subset_N != split.subset_N).any()


@pytest.mark.parametrize("refit", ["none", "validation"])
def test_a_question_shows_what_is_trained_on_and_asks_for_the_hidden(
    root: Path, refit: str
) -> None:
    histories = build_histories(load_dataset("demo", root))
    split = split_ratings(histories, 150).with_refit(refit)  # type: ignore[arg-type]
    asked = split.valid if refit == "none" else split.test
    hidden_part = VALID if refit == "none" else TEST
    asked_for = 0
    for number, user in enumerate(asked.user.tolist()):
        rows = asked.item_N[asked.start[number] : asked.target_end[number]]
        num_given = asked.context_length[number]
        own = slice(histories.indptr[user], histories.indptr[user + 1])
        hidden = histories.item[own][split.subset_N[own] == hidden_part]
        trained = split.train_histories.item[split.train_histories.indptr[user] :][:num_given]
        assert rows[:num_given].tolist() == trained.tolist()  # in time order
        assert rows[num_given:].tolist() == hidden.tolist()
        asked_for += len(hidden)
    if refit == "validation":
        assert asked_for == (split.subset_N == TEST).sum()


def test_folds_are_refused_where_there_are_none(root: Path, tmp_path: Path) -> None:
    dataset = load_dataset("demo", root)
    with pytest.raises(InputError, match="only ml-100k has folds, 1 to 5"):
        official_fold(build_histories(dataset), dataset, 1, str(root))
    with pytest.raises(InputError, match="only stars has folds"):
        InteractionDataModule(DataConfig(name="demo", root=str(root), fold=1))


def test_an_official_fold_is_the_ratings_of_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    lines = [
        f"{u}\t{m}\t{1 + (u + m) % 5}\t{100 * u + m}" for u in range(1, 4) for m in range(1, 5)
    ]
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    flags = "|".join("0" * 19)
    movies = [f"{m}|Film {m} (1990)|01-Jan-1990||x|{flags}" for m in range(1, 5)]
    (folder / "u.item").write_text("\n".join(movies) + "\n")
    (folder / "u2.test").write_text(f"{lines[1]}\n{lines[10]}\n")
    dataset = load_dataset("ml-100k", tmp_path)
    histories = build_histories(dataset)
    is_test_N = official_fold(histories, dataset, 2, str(tmp_path))
    movie_id = dataset.movies.movie_id[histories.item]
    found = zip(histories.user_id[histories.user][is_test_N], movie_id[is_test_N], strict=True)
    assert sorted(found) == [(1, 2), (3, 3)]
    (folder / "u3.test").write_text("9\t9\t3\t100\n")
    with pytest.raises(InputError, match=r"u3.test: 1 ratings, 0 of them in u.data"):
        official_fold(histories, dataset, 3, str(tmp_path))
    with pytest.raises(InputError, match=r"u4.test: no such file"):
        official_fold(histories, dataset, 4, str(tmp_path))


def given() -> Interactions:
    """Persons 0 and 1 love movies 0 and 1 alike, person 2 neither; all are cool about movie 2."""
    rows = [(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 5), (2, 0, 1), (2, 1, 1)]
    rows += [(0, 2, 3), (1, 2, 3), (2, 2, 3), (3, 0, 5), (4, 0, 1)]
    user, item, stars = np.array(rows).T
    return Interactions(user=user, item=item, rating=stars.astype(float), num_users=5, num_items=4)


def test_biases_by_hand() -> None:
    """No damping: mean 37/11; movie 2 is 3; person 3 has one rating, 5 for a movie of mean 17/5."""
    model = Biases(0.0001, 0.0001).fit(given())
    mean, first = 37 / 11, (5 + 5 + 1 + 5 + 1) / 5
    got = model.predict(np.array([3]), np.array([2]))
    assert got == pytest.approx([3 + (5 - first)], abs=1e-3)
    unknown = Biases(5, 5).fit(given()).predict(np.array([3]), np.array([3]))
    assert unknown == pytest.approx([mean + (5 - mean - 5 * (first - mean) / 10) / 6])


def test_neighbours_carry_a_taste_over() -> None:
    """Who loved movie 0 will love movie 1, which is rated like it; biases see that only in part."""
    asked = np.array([3, 4]), np.array([1, 1])
    loved, hated = ItemNeighbors(2, 0.1, 1, 1).fit(given()).predict(*asked)
    by_bias = Biases(1, 1).fit(given()).predict(*asked)
    assert loved > by_bias[0] and hated < by_bias[1]


def test_a_recipe_of_stars_ends_in_results_and_rows(root: Path, tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("runs", "bundles", "results")}
    args = ["--config", str(ROOT / "recipes" / "demo.yaml"), f"--data.root={root}", "--comet=off"]
    args += [f"--{name}={path}" for name, path in folders.items()]
    args += ["--name=demo.stars", "--data.protocol=stars", "--protocols=[stars]", "--seeds=[0,1]"]
    args += ["--trainer.max_epochs=1", "--model.network.history_length=20"]
    assert train.main(["fit", *args]) == 0
    found = json.loads((folders["results"] / "demo.stars.json").read_text())
    assert {"rmse", "mae", "ece", "coverage@90"} <= found["metrics"].keys()
    assert found["seeds"] == [0, 1] and len(found["per_seed"]) == 2
    assert found["paired"].keys() == found["baselines"].keys() == rating_baselines().keys()
    assert "val/rmse" in found["selection"]
    rows = pd.read_parquet(folders["runs"] / "demo.stars" / "test-stars.parquet")
    assert len(rows) == 2 * found["num_ratings"]
    miss = rows["predicted"] - rows["stars"]
    assert np.sqrt((miss * miss).mean()) == pytest.approx(found["metrics"]["rmse"]["mean"])
    assert train.main(["validate", *args]) == 0
    assert train.main(["fit", *args, "--folds=[1]", "--protocols=[next]"]) == 2


def test_folds_are_measured_over_all_their_ratings(tmp_path: Path) -> None:
    """Demo ratings as ml-100k, with two folds of 50 ratings."""
    write_demo(tmp_path / "demo", seed=1, num_users=30, num_movies=80)
    dataset = load_dataset("demo", tmp_path)
    ratings, folder = dataset.interactions, tmp_path / "ml-100k"
    folder.mkdir()
    columns = ratings.user_id, ratings.movie_id, np.ceil(ratings.rating), ratings.timestamp
    lines = ["\t".join(str(int(each)) for each in row) for row in zip(*columns, strict=True)]
    (folder / "u.data").write_text("\n".join(lines) + "\n")
    flags = "|".join(["0"] * 18 + ["1"])
    movies = [f"{m}|Film {m} (1990)|01-Jan-1990||x|{flags}" for m in dataset.movies.movie_id]
    (folder / "u.item").write_text("\n".join(movies) + "\n")
    (folder / "u1.test").write_text("\n".join(lines[:50]) + "\n")
    (folder / "u2.test").write_text("\n".join(lines[50:100]) + "\n")
    args = ["--config", str(ROOT / "recipes" / "ml-100k.stars.yaml"), f"--data.root={tmp_path}"]
    args += [f"--{name}={tmp_path / name}" for name in ("runs", "bundles", "results")]
    args += ["--folds=[1,2]", "--comet=off", "--trainer.max_epochs=1", "--stars.num_draws=4"]
    assert train.main(["fit", *args]) == 0
    found = json.loads((tmp_path / "results" / "ml-100k.stars.json").read_text())
    assert found["num_ratings"] == 100 and found["folds"] == [1, 2]
    square = [each["rmse"] ** 2 for each in found["per_fold"]]
    assert found["metrics"]["rmse"]["mean"] == pytest.approx(np.sqrt(np.mean(square)), rel=1e-4)


@pytest.mark.skipif(find_spec("surprise") is None, reason="needs pip install -e '.[bench]'")
def test_svd_plus_plus_learns_who_gives_more() -> None:
    """Persons 0 to 9 give 5, the others 1."""
    user, item = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    kept = np.arange(160) % 8 != user % 8
    stars = np.where(user < 10, 5.0, 1.0)
    given = Interactions(
        user=user[kept], item=item[kept], rating=stars[kept], num_users=20, num_items=8
    )
    found = SVDPlusPlus(num_epochs=40, l2=0.02).fit(given).predict(user[~kept], item[~kept])
    assert (found[:10] > 4).all() and (found[10:] < 2).all()


def test_without_the_library_svd_plus_plus_is_left_out_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("marquee.evaluation.baselines.rating.find_spec", lambda name: None)
    assert list(rating_baselines()) == ["biases", "item-knn"]
    assert "pip install -e '.[bench]'" in capsys.readouterr().out
