"""train.py from a ratings file to an HTTP answer, on a small generated data set, trained once."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

import train
from datamodules.datamodule import InteractionDataModule
from deploy import demo
from deploy.local_processes import run_service
from marquee import cli
from marquee.online import import_ratings
from marquee.recommender.history import HistoryEntry
from marquee.recommender.recommender import Recommender
from marquee.training import callbacks, evaluate, pipeline
from marquee.training.config import read_config
from marquee.training.pipeline import main as export
from marquee_client import label
from models.lightning_module import RankingModule
from tests.support.demo_training import RECIPES, Workspace, run_folder
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Generated data of 60 users, and the demo recipe fitted on it for two epochs."""
    root = tmp_path_factory.mktemp("workspace")
    workspace = Workspace.with_data(root, num_users=60, num_movies=150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMET_DISABLE_AUTO_LOGGING", "1")
        assert train.main(["fit", *workspace.args("--comet=offline")]) == 0
    return workspace


def read_results(workspace: Workspace, name: str = "demo.next") -> dict[str, Any]:
    results: dict[str, Any] = json.loads((workspace.root / f"results/{name}.json").read_text())
    return results


def small_args(workspace: Workspace, *more: str, recipe: str = "demo") -> list[str]:
    return workspace.args("--comet=off", *more, recipe=recipe)


def test_fit_writes_config_checkpoints_and_costs(workspace: Workspace) -> None:
    run = workspace.run()
    for phase in ("select", "refit-0"):
        assert (run / phase / "config.yaml").is_file()
        assert (run / phase / "last.ckpt").is_file()
    cost = json.loads((run / "select" / "cost.json").read_text())
    curve = json.loads((run / "select" / "curve.json").read_text())
    assert cost["cpu_s"] > curve[-1]["cpu_s"], "the rating model is fitted after the epochs"
    with (run / "select" / "metrics.csv").open() as file:
        columns = next(csv.reader(file))
    assert {"epoch", "train/loss", "val/hit_rate@10", "val/ndcg@10"} <= set(columns)


def test_results_keys_are_complete_and_rows_give_the_mrr(workspace: Workspace) -> None:
    results = read_results(workspace)
    keys = "recipe protocol data commit data_sha256 seeds metrics baselines paired wall_s cpu_s"
    assert set(keys.split()) | {"machine"} <= set(results)
    assert set(results["baselines"]) == {"popularity", "item-knn", "ease"} == set(results["paired"])
    too_small = results["metrics"].pop("hit_rate@50")
    assert too_small["mean"] is None and "candidates" in too_small["too_small"]  # 150 movies
    for name in ("hit_rate@10", "ndcg@10", "mrr"):
        interval = results["metrics"][name]
        assert 0 <= interval["low"] <= interval["mean"] <= interval["high"] <= 1
    rows = pd.read_parquet(workspace.root / "runs" / "demo" / "test-next.parquet")
    assert list(rows.columns) == ["user_id", "movie_id", "rank", "seed"]
    mrr = (1 / rows["rank"]).mean()
    assert mrr == pytest.approx(results["metrics"]["mrr"]["mean"], abs=1e-5)


def test_bundle_scores_equal_the_refitted_network(workspace: Workspace) -> None:
    recommender = Recommender.load(workspace.root / "bundles" / "demo")
    checkpoint = workspace.run() / "refit-0" / "last.ckpt"
    module = RankingModule.load_from_checkpoint(checkpoint, weights_only=False)
    ids = recommender.movie_ids
    batch = {
        "item_BL": torch.tensor([[3, 1, 4], [9, 0, 0]]),
        "star_BL": torch.tensor([[2, 0, 10], [5, 0, 0]]),
        "length_B": torch.tensor([3, 1]),
    }
    with torch.no_grad():
        expected = module.eval().network.score(batch).numpy()
    histories: list[list[HistoryEntry]] = [
        [(ids[3], 1.0), (ids[1], None), (ids[4], 5.0)],
        [(ids[9], 2.5)],
    ]
    assert np.abs(recommender.score(histories) - expected).max() < 1e-4


def test_bundle_counts_train_and_validation_ratings(workspace: Workspace) -> None:
    recommender = Recommender.load(workspace.root / "bundles" / "demo")
    ratings = pd.read_csv(workspace.root / "data" / "demo" / "ratings.csv")
    by_user = ratings.groupby("userId").size()
    # One rating a user is the test part; users with fewer than 3 are only trained on.
    expected = int(by_user.sum() - (by_user >= 3).sum())
    assert int(recommender.num_ratings.sum()) == expected


def test_encoder_onnx_holds_no_paths_or_stack_traces(workspace: Workspace) -> None:
    encoder = (workspace.root / "bundles" / "demo" / "encoder.onnx").read_bytes()
    for text in (str(ROOT), "site-packages", "forward", ".py", "stack_trace"):
        assert text.encode() not in encoder, text
    graph = onnx.load_from_string(encoder).graph
    assert len(graph.node) > 10
    assert not any(node.doc_string or node.metadata_props for node in graph.node)


def test_http_answer_of_an_imported_user_equals_the_library(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user of the ratings file is imported, requested over HTTP, and answered alike."""
    events, bundle = f"sqlite:///{tmp_path / 'events.sqlite'}", workspace.root / "bundles" / "demo"
    root = str(workspace.root / "data")
    assert import_ratings.main(["--data=demo", f"--data.root={root}", f"--events={events}"]) == 0
    ratings = pd.read_csv(workspace.root / "data" / "demo" / "ratings.csv").query("userId == 5")
    with run_service(str(bundle), events) as url, httpx.Client(base_url=url) as http:
        history = http.get("/users/5/history").json()["items"]
        answer = http.post("/recommend", json={"user_id": 5, "k": 10}).json()
    assert sorted(entry["movie_id"] for entry in history) == sorted(ratings["movieId"])
    entries = [(entry["movie_id"], entry["stars"]) for entry in history]
    assert answer == Recommender.load(bundle).recommend(history=entries, k=10)
    demo.print_lists(5, history, answer)
    assert label(answer["items"][0]) in capsys.readouterr().out


def test_validate_and_test_repeat_the_metrics_of_fit(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_results(workspace)
    assert train.main(["validate", *small_args(workspace)]) == 0
    assert f"val/ndcg@10 {before['selection']['val/ndcg@10']:.4f}" in capsys.readouterr().out
    assert train.main(["test", *small_args(workspace)]) == 0
    assert read_results(workspace) == before


def test_results_hold_the_cost_of_each_validation(workspace: Workspace) -> None:
    results = read_results(workspace)
    curve = results["selection"]["curve"]
    assert [row["epoch"] for row in curve] == [1, 2]
    assert max(row["val/ndcg@10"] for row in curve) == pytest.approx(
        results["selection"]["val/ndcg@10"], rel=1e-5
    )
    for cost in ("wall_s", "cpu_s"):
        assert 0 < curve[0][cost] < curve[1][cost] < results[cost]


def test_refit_trains_one_seed_and_test_averages_seeds(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = small_args(workspace, "--seeds=[0,1]", f"--results={tmp_path}")
    assert train.main(["refit", *args, "--seed_everything=5"]) == 2
    assert "expected one of the recipe's seeds [0, 1]" in capsys.readouterr().err
    assert train.main(["test", *args]) == 2  # seed 1 is not there yet
    assert train.main(["refit", *args, "--seed_everything=1"]) == 0
    assert train.main(["test", *args]) == 0
    results = json.loads((tmp_path / "demo.next.json").read_text())
    means = [each["ndcg@10"] for each in results["per_seed"]]
    one_seed = read_results(workspace)
    assert results["seeds"] == [0, 1]
    assert means[0] == pytest.approx(one_seed["metrics"]["ndcg@10"]["mean"]) != means[1]
    assert results["metrics"]["ndcg@10"]["mean"] == pytest.approx(sum(means) / 2)
    assert results["wall_s"] > one_seed["wall_s"]


def test_export_all_names_its_sibling_and_no_test_metric(workspace: Workspace) -> None:
    folder = workspace.root / "production"
    assert export(small_args(workspace, "--refit=all", f"--out={folder}")) == 0
    manifest = json.loads((folder / "bundle.json").read_text())
    sibling = json.loads((workspace.root / "bundles" / "demo" / "bundle.json").read_text())
    assert (manifest["refit"], sibling["refit"]) == ("all", "validation")
    assert manifest["sibling"] == sibling["model_version"]
    assert not any(name.startswith("test") for name in manifest["metrics"])
    assert manifest["data"]["num_ratings"] > sibling["data"]["num_ratings"]


def test_classic_network_is_measured_and_never_exported(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = ["--data.name=demo", "--data.ties=hash", "--protocols=[next]"]
    settings.append("--data.select_on=next")
    args = small_args(workspace, *settings, recipe="ncf-classic-ml-1m")
    assert train.main(["fit", *args]) == 0
    assert (workspace.root / "results" / "ncf-classic-ml-1m.next.json").is_file()
    assert not (workspace.root / "bundles" / "ncf-classic-ml-1m").exists()
    assert export([*args, f"--out={workspace.root / 'classic'}"]) == 2
    assert "cannot serve a new user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "message"),
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
        pytest.param("fit DEMO --trainer.precision=16-true", "expected 32-true", id="precision"),
        pytest.param("fit DEMO --trainer.fast_dev_run=true", "max_epochs 1", id="fast-dev-run"),
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
    message: str,
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(RECIPES.parent)
    names = ("runs", "bundles", "results")
    folders = " ".join(f"--{name}={tmp_path / name}" for name in names)
    settings = f"--config recipes/demo.yaml --comet=off --data.root={workspace.root / 'data'}"
    args = command.replace("DEMO", f"{settings} {folders}").split()
    is_training = args[0] in (*train.VERBS, "fly")
    assert (train.main(args) if is_training else cli.main(args)) == 2
    assert not (tmp_path / "bundles").exists()
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    program = "train.py" if is_training else f"marquee {args[0]}"
    assert error[0].startswith(f"{program}: error: ")
    assert message in error[0]


def test_queries_have_candidates_only_for_ncf_paper(workspace: Workspace) -> None:
    data = InteractionDataModule(read_config(small_args(workspace)).data)
    assert evaluate.test_queries(data, with_candidates=False).candidate_BC is None


class CtrlC(pl.Callback):
    """Stops the training in the middle of its fourth epoch."""

    def __init__(self, monitor: str) -> None:
        super().__init__()

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.current_epoch == 3:
            raise KeyboardInterrupt


def test_ctrl_c_keeps_the_best_weights_and_can_be_resumed(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = small_args(workspace, "--trainer.max_epochs=5", f"--runs={tmp_path}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks, "EpochLogger", CtrlC)
        assert train.main(["fit", *args]) == 130
    (last,) = tmp_path.glob("demo/*/select/last.ckpt")
    assert str(last) in capsys.readouterr().err
    best = torch.load(last.with_name("best.ckpt"), weights_only=False)
    metrics = pd.read_csv(last.with_name("metrics.csv")).dropna(subset="val/ndcg@10")
    assert len(metrics) == 3
    assert best["epoch"] == metrics["val/ndcg@10"].argmax()

    assert train.main(["fit", *args, f"--ckpt_path={last}"]) == 0
    run = run_folder(tmp_path / "demo")
    selection = json.loads((run / "fit.json").read_text())
    # The best epoch before the stop is still a candidate after it.
    assert selection["validation"]["val/ndcg@10"] >= metrics["val/ndcg@10"].max() - 1e-6
    assert (run / "select" / "metrics-1.csv").is_file()


def test_test_refuses_the_bundle_of_another_run(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """A production bundle has seen the test part, and another split has another one."""
    before = read_results(workspace)
    bundle = workspace.root / "bundles" / "demo"
    production = workspace.root / "with-test-part"
    assert export(small_args(workspace, "--refit=all", f"--out={production}")) == 0
    assert export(small_args(workspace, "--refit=all", f"--out={bundle}")) == 2
    assert train.main(["test", *small_args(workspace, "--data.split_seed=1")]) == 2
    backup = bundle.rename(bundle.with_name("backup"))
    shutil.copytree(production, bundle)
    try:
        assert train.main(["test", *small_args(workspace)]) == 2
    finally:
        shutil.rmtree(bundle)
        backup.rename(bundle)
    errors = capsys.readouterr().err.splitlines()
    assert ["measured on" in errors[0], "another config" in errors[1]] == [True, True]
    assert "another refit" in errors[2]
    assert read_results(workspace) == before


def test_fit_below_popularity_keeps_the_older_bundle(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = workspace.root / "bundles" / "demo" / "bundle.json"
    before = bundle.read_bytes()
    settings = ("--model.learning.lr=1e-7", "--model.learning.warmup_steps=50")
    args = small_args(workspace, *settings, f"--runs={workspace.root / 'weak-runs'}")
    args += [f"--results={workspace.root / 'weak-results'}"]
    assert train.main(["fit", *args]) == 0
    output = capsys.readouterr().out
    assert "warning: model.learning.warmup_steps 50: the whole training has" in output
    assert "warning: val/ndcg@10" in output
    assert bundle.read_bytes() == before
    run = run_folder(workspace.root / "weak-runs" / "demo")
    manifest = json.loads((run / "bundle-seed-0" / "bundle.json").read_text())
    assert manifest["below_popularity"] is True


def test_pipeline_fit_takes_the_steps_of_train_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = Workspace.with_data(tmp_path, num_users=40, num_movies=80)
    config = read_config(small_args(workspace, "--seeds=[0,1]"))
    steps: list[Any] = []

    def step(name: str) -> Any:
        def record(*parts: Any, **settings: Any) -> str:
            kinds = [type(part).__name__ for part in parts]
            settings = {key: value for key, value in settings.items() if key != "loggers"}
            steps.append((name, kinds, settings))
            return name

        return record

    names = ("select", "refit_seed", "refit_seed", "evaluate_run", "finish")
    for name in set(names):
        monkeypatch.setattr(pipeline, name, step(name))
    train.fit(config)
    story = steps.copy()
    steps.clear()
    pipeline.fit(config)
    assert steps == story
    assert tuple(name for name, *_ in story) == names
