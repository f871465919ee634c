"""train.py from a ratings file to an HTTP answer, on a small generated data set, trained once."""

import csv
import json
import shutil
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

import train
from datamodules.datamodule import InteractionDataModule
from deploy import demo
from deploy.local_processes import run_service
from marquee import cli
from marquee.data.demo_data import write_demo
from marquee.online import import_ratings
from marquee.recommender.recommender import Recommender
from marquee.training import evaluate, trainer
from marquee.training.config import read_config
from marquee.training.export_command import main as export
from models.lightning_module import RankingModule
from tests.support.paths import ROOT

RECIPES = ROOT / "recipes"


class Workplace(NamedTuple):
    root: Path

    def args(self, *more: str, recipe: str = "demo") -> list[str]:
        folders = {
            "data.root": self.root / "data",
            "runs": self.root / "runs",
            "bundles": self.root / "bundles",
            "results": self.root / "results",
        }
        args = ["--config", str(RECIPES / f"{recipe}.yaml")]
        args += [f"--{name}={path}" for name, path in folders.items()]
        small = ["--trainer.max_epochs=2", "--trainer.check_val_every_n_epoch=1"]
        return [*args, *small, "--model.network.history_length=20", "--comet=off", *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """Generated data of 60 people, and the demo recipe fitted on it for two epochs."""
    place = Workplace(tmp_path_factory.mktemp("place"))
    write_demo(place.root / "data" / "demo", seed=1, num_users=60, num_movies=150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMET_DISABLE_AUTO_LOGGING", "1")
        assert train.main(["fit", *place.args("--comet=offline")]) == 0
    return place


def test_fit_leaves_config_checkpoints_metrics_and_rows(place: Workplace) -> None:
    (run,) = (path for path in (place.root / "runs" / "demo").glob("*") if path.is_dir())
    for phase in ("select", "refit-0"):
        assert (run / phase / "config.yaml").is_file()
        assert (run / phase / "last.ckpt").is_file()
    cost = json.loads((run / "select" / "cost.json").read_text())
    curve = json.loads((run / "select" / "curve.json").read_text())
    assert cost["cpu_s"] > curve[-1]["cpu_s"], "the stars learned after the epochs are paid on top"
    with (run / "select" / "metrics.csv").open() as file:
        columns = next(csv.reader(file))
    assert {"epoch", "train/loss", "val/hit_rate@10", "val/ndcg@10"} <= set(columns)


def test_results_have_the_shape_of_the_contract_and_can_be_recomputed(place: Workplace) -> None:
    result = json.loads((place.root / "results" / "demo.next.json").read_text())
    needed = "recipe protocol data commit data_sha256 seeds metrics baselines paired wall_s cpu_s"
    assert set(needed.split()) | {"machine"} <= set(result)
    assert set(result["baselines"]) == {"popularity", "item-knn", "ease"} == set(result["paired"])
    for name in ("hit_rate@10", "ndcg@10", "mrr", "hit_rate@50"):
        bounds = result["metrics"][name]
        assert 0 <= bounds["low"] <= bounds["mean"] <= bounds["high"] <= 1
    rows = pd.read_parquet(place.root / "runs" / "demo" / "test-next.parquet")
    assert list(rows.columns) == ["user_id", "movie_id", "rank", "seed"]
    mrr = (1 / rows["rank"]).mean()
    assert mrr == pytest.approx(result["metrics"]["mrr"]["mean"], abs=1e-5)


def test_the_bundle_scores_as_the_refitted_network(place: Workplace) -> None:
    recommender = Recommender.load(place.root / "bundles" / "demo")
    (run,) = (path for path in (place.root / "runs" / "demo").glob("*") if path.is_dir())
    module = RankingModule.load_from_checkpoint(run / "refit-0" / "last.ckpt", weights_only=False)
    ids = recommender.movie_ids
    batch = {
        "item_BL": torch.tensor([[3, 1, 4], [9, 0, 0]]),
        "star_BL": torch.tensor([[2, 0, 10], [5, 0, 0]]),
        "length_B": torch.tensor([3, 1]),
    }
    with torch.no_grad():
        expected = module.eval().network.score(batch).numpy()
    histories = [[(ids[3], 1.0), (ids[1], None), (ids[4], 5.0)], [(ids[9], 2.5)]]
    assert np.abs(recommender.score(histories) - expected).max() < 1e-4


def test_the_bundle_counts_train_and_validation_ratings_only(place: Workplace) -> None:
    recommender = Recommender.load(place.root / "bundles" / "demo")
    ratings = pd.read_csv(place.root / "data" / "demo" / "ratings.csv")
    per_person = ratings.groupby("userId").size()
    # One rating a person is the test part; people with fewer than 3 are only trained on.
    expected = int(per_person.sum() - (per_person >= 3).sum())
    support = [recommender.movie(int(i))["num_ratings"] for i in recommender.movie_ids]
    assert sum(support) == expected


def test_from_a_ratings_file_to_an_http_answer(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person of the file is imported, asked for over HTTP, and answered as the library would."""
    events, bundle = f"sqlite:///{tmp_path / 'events.sqlite'}", place.root / "bundles" / "demo"
    root = str(place.root / "data")
    told = ["--data=demo", f"--data.root={root}", f"--events={events}"]
    assert import_ratings.main(told) == 0
    ratings = pd.read_csv(place.root / "data" / "demo" / "ratings.csv").query("userId == 5")
    with run_service(str(bundle), events) as url, httpx.Client(base_url=url) as http:
        history = http.get("/users/5/history").json()["items"]
        answer = http.post("/recommend", json={"user_id": 5, "k": 10}).json()
    assert sorted(entry["movie_id"] for entry in history) == sorted(ratings["movieId"])
    entries = [(entry["movie_id"], entry["stars"]) for entry in history]
    assert answer == Recommender.load(bundle).recommend(history=entries, k=10)
    demo.print_lists(5, history, answer)
    assert demo.label(answer["items"][0]) in capsys.readouterr().out


def test_validate_and_test_repeat_what_fit_found(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads((place.root / "results" / "demo.next.json").read_text())
    assert train.main(["validate", *place.args()]) == 0
    assert f"val/ndcg@10 {before['selection']['val/ndcg@10']:.4f}" in capsys.readouterr().out
    assert train.main(["test", *place.args()]) == 0
    assert json.loads((place.root / "results" / "demo.next.json").read_text()) == before


def test_results_tell_what_each_validation_had_cost(place: Workplace) -> None:
    content = json.loads((place.root / "results" / "demo.next.json").read_text())
    curve = content["selection"]["curve"]
    assert [row["epoch"] for row in curve] == [1, 2]
    assert max(row["val/ndcg@10"] for row in curve) == pytest.approx(
        content["selection"]["val/ndcg@10"], rel=1e-5
    )
    for cost in ("wall_s", "cpu_s"):
        assert 0 < curve[0][cost] < curve[1][cost] < content[cost]


def test_seeds_are_trained_one_at_a_time_and_averaged(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = place.args("--seeds=[0,1]", f"--results={tmp_path}")
    assert train.main(["refit", *two, "--seed_everything=5"]) == 2
    assert "expected one of the recipe's seeds [0, 1]" in capsys.readouterr().err
    assert train.main(["test", *two]) == 2  # seed 1 is not there yet
    assert train.main(["refit", *two, "--seed_everything=1"]) == 0
    assert train.main(["test", *two]) == 0
    result = json.loads((tmp_path / "demo.next.json").read_text())
    means = [each["ndcg@10"] for each in result["per_seed"]]
    one = json.loads((place.root / "results" / "demo.next.json").read_text())
    assert result["seeds"] == [0, 1]
    assert means[0] == pytest.approx(one["metrics"]["ndcg@10"]["mean"]) != means[1]
    assert result["metrics"]["ndcg@10"]["mean"] == pytest.approx(sum(means) / 2)
    assert result["wall_s"] > one["wall_s"]


def test_export_all_names_its_sibling_and_carries_no_test_figure(place: Workplace) -> None:
    out = place.root / "production"
    assert export([*place.args("--refit=all", f"--out={out}")]) == 0
    manifest = json.loads((out / "bundle.json").read_text())
    sibling = json.loads((place.root / "bundles" / "demo" / "bundle.json").read_text())
    assert (manifest["refit"], sibling["refit"]) == ("all", "validation")
    assert manifest["sibling"] == sibling["model_version"]
    assert not any(name.startswith("test") for name in manifest["metrics"])
    assert manifest["data"]["num_ratings"] > sibling["data"]["num_ratings"]


def test_the_classic_user_is_trained_measured_and_never_exported(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["--data.name=demo", "--data.ties=hash", "--protocols=[next]", "--data.select_on=next"]
    args = place.args(*small, recipe="ncf-classic-ml-1m")
    assert train.main(["fit", *args]) == 0
    assert (place.root / "results" / "ncf-classic-ml-1m.next.json").is_file()
    assert not (place.root / "bundles" / "ncf-classic-ml-1m").exists()
    assert export([*args, f"--out={place.root / 'classic'}"]) == 2
    assert "cannot serve a new user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param("fly", "verb 'fly': expected one of fit", id="command"),
        pytest.param("fit --config none.yaml", "none.yaml", id="no-recipe"),
        pytest.param("fit DEMO --model.dim=3", "dim", id="unknown-setting"),
        pytest.param("fit DEMO --data.ties=coin", "coin", id="bad-choice"),
        pytest.param("fit DEMO --data.refit=all", "refit", id="leak-by-hand"),
        pytest.param("fit DEMO --model.network.dropout=2", "dropout", id="dropout"),
        pytest.param("fit DEMO --model.network.num_heads=0", "num_heads", id="no-heads"),
        pytest.param("fit DEMO --model.network.hidden_dims=[16,8]", "hidden layer", id="too-deep"),
        pytest.param("fit DEMO --model.learning.lr=-1", "lr", id="rate"),
        pytest.param("fit DEMO --trainer.devices=9", "devices", id="devices"),
        pytest.param("fit DEMO --trainer.accelerator=x", "accelerator", id="accelerator"),
        pytest.param("fit DEMO --trainer.max_epochs=0", "max_epochs", id="no-epochs"),
        pytest.param("fit DEMO --seed_everything=-1", "expected 0 to 4294967295", id="seed"),
        pytest.param("fit DEMO --protocols=[time]", "answers", id="protocol"),
        pytest.param("fit DEMO --name=../x", "names folders", id="name-with-a-path"),
        pytest.param("fit DEMO --ckpt_path=README.md", "no checkpoint", id="no-checkpoint"),
        pytest.param("fit DEMO --ckpt_path=none.ckpt", "no checkpoint", id="missing-checkpoint"),
        pytest.param("fit DEMO --data.name=ml-2m", "ml-2m", id="no-data-set"),
        pytest.param("validate DEMO --runs=nowhere", "no finished run", id="no-run"),
        pytest.param("export DEMO --runs=nowhere", "no finished run", id="nothing-to-export"),
    ],
)
def test_wrong_arguments_give_one_line_and_exit_2(
    command: str,
    said: str,
    place: Workplace,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(RECIPES.parent)
    names = ("runs", "bundles", "results")
    mine = " ".join(f"--{name}={tmp_path / name}" for name in names)
    demo_here = f"--config recipes/demo.yaml --comet=off --data.root={place.root / 'data'} {mine}"
    args = command.replace("DEMO", demo_here).split()
    is_training = args[0] in (*train.VERBS, "fly")
    assert (train.main(args) if is_training else cli.main(args)) == 2
    assert not (tmp_path / "bundles").exists()
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    program = "train.py" if is_training else f"marquee {args[0]}"
    assert error[0].startswith(f"{program}: error: ")
    assert said in error[0]


def test_candidates_are_asked_only_where_a_recipe_says_so(place: Workplace) -> None:
    data = InteractionDataModule(read_config(place.args()).data)
    assert evaluate.test_queries(data, with_candidates=False).candidate_BC is None


class CtrlC(pl.Callback):
    """A person who stops the training in the middle of its fourth epoch."""

    def __init__(self, monitor: str) -> None:
        super().__init__()

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: object) -> None:
        if trainer.current_epoch == 3:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_the_best_weights_and_the_way_to_go_on(
    place: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [*place.args("--trainer.max_epochs=5"), f"--runs={tmp_path}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "EpochLogger", CtrlC)
        assert train.main(["fit", *args]) == 130
    (last,) = tmp_path.glob("demo/*/select/last.ckpt")
    assert str(last) in capsys.readouterr().err
    best = torch.load(last.with_name("best.ckpt"), weights_only=False)
    metrics = pd.read_csv(last.with_name("metrics.csv")).dropna(subset="val/ndcg@10")
    assert len(metrics) == 3
    assert best["epoch"] == metrics["val/ndcg@10"].argmax()

    assert train.main(["fit", *args, f"--ckpt_path={last}"]) == 0
    (run,) = (path for path in (tmp_path / "demo").glob("*") if path.is_dir())
    chosen = json.loads((run / "fit.json").read_text())
    # What was best before the stop is still a candidate after it.
    assert chosen["validation"]["val/ndcg@10"] >= metrics["val/ndcg@10"].max() - 1e-6
    assert (run / "select" / "metrics-1.csv").is_file()


def test_only_the_bundle_of_this_run_is_measured(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A production bundle has seen the test part, and another split has another one."""
    before = (place.root / "results" / "demo.next.json").read_text()
    bundle = place.root / "bundles" / "demo"
    assert export([*place.args("--refit=all", f"--out={bundle}")]) == 2
    assert train.main(["test", *place.args("--data.split_seed=1")]) == 2
    kept = bundle.rename(bundle.with_name("kept"))
    shutil.copytree(place.root / "production", bundle)
    try:
        assert train.main(["test", *place.args()]) == 2
    finally:
        shutil.rmtree(bundle)
        kept.rename(bundle)
    errors = capsys.readouterr().err.splitlines()
    assert ["measured on" in errors[0], "another config" in errors[1]] == [True, True]
    assert "another refit" in errors[2]
    assert (place.root / "results" / "demo.next.json").read_text() == before


def test_ties_by_file_hold_for_one_copy_only(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    args = place.args("--data.ties=file", f"--data.sha256={'0' * 64}")
    assert train.main(["fit", *args]) == 2
    assert "expected the copy of data.sha256" in capsys.readouterr().err
