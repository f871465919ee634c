"""`marquee tune` on small generated data: its results, its resuming, and its refusals."""

import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from marquee.data.demo_data import write_demo
from marquee.training.config import read_config
from marquee.training.studies import (
    ablation,
    elicitation,
    hyperparameter_search,
    rerank_tradeoff,
    user_influence,
)
from tests.support.paths import ROOT

PLAN: dict[str, Any] = {
    "base": "demo",
    "trials": 3,
    "startup_trials": 1,
    "warmup_tenths": 10,
    "settings": {"trainer.max_epochs": 1, "model.network.history_length": 20},
    "space": {
        "model.learning.lr": {"type": "float", "low": 0.001, "high": 0.01, "log": True},
        "model.network.num_layers": {"type": "categorical", "choices": [1, 2]},
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=40, num_movies=80)
    return root


def tune(
    data: Path, root: Path, *options: str, plan: dict[str, Any] = PLAN, comet: str = "off"
) -> int:
    (root / "small.yaml").write_text(yaml.safe_dump(plan))
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={data}"]
    args += [f"--{name}={root / name}" for name in ("runs", "bundles", "results")]
    args += [f"--comet={comet}", f"--study={root / 'small.yaml'}"]
    return hyperparameter_search.main([*args, *options])


def rows(root: Path) -> list[dict[str, Any]]:
    content = json.loads((root / "results" / "studies" / "small.next.json").read_text())
    assert len(content["data_sha256"]) == 64
    return list(content["trials"])


def complete_trials(root: Path) -> list[tuple[dict[str, Any], float]]:
    return [(row["settings"], row["value"]) for row in rows(root) if row["state"] == "complete"]


def test_tune_that_is_stopped_resumes_to_same_trials(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    uncut, stopped = tmp_path / "uncut", tmp_path / "stopped"
    for root in (uncut, stopped):
        root.mkdir()
    assert tune(data, uncut) == 0
    printed = capsys.readouterr().out
    with monkeypatch.context() as patch:
        patch.setattr(hyperparameter_search, "train", ctrl_c)
        assert tune(data, stopped) == 130
    assert capsys.readouterr().err == "marquee tune: error: stopped\n"
    assert tune(data, stopped, "--trials=2") == 0
    assert tune(data, stopped) == 0

    assert [row["state"] for row in rows(stopped)] == ["fail", "complete", "complete", "complete"]
    assert complete_trials(stopped) == complete_trials(uncut)
    assert len({each["model.learning.lr"] for each, _ in complete_trials(uncut)}) == 3
    first, best = (
        complete_trials(uncut)[0][0],
        max(complete_trials(uncut), key=lambda each: each[1]),
    )
    assert (first["model.learning.lr"], first["model.network.num_layers"]) == (0.004, 2)
    winner = uncut / "runs" / "demo" / "tuned-demo.yaml"
    assert f"fit --config {winner}" in printed
    run = read_config([f"--config={winner}", f"--data.root={data}", f"--runs={uncut}"])
    assert run.name == "tuned-demo"
    assert run.model.learning.lr == best[0]["model.learning.lr"]
    assert run.model.network.num_layers == best[0]["model.network.num_layers"]
    assert run.model.network.embedding_dim == 32, "of the base recipe"
    assert run.trainer["max_epochs"] == 1
    files = {path.name for path in (uncut / "runs").rglob("*") if path.is_file()}
    assert files == {"study.sqlite", "tuned-demo.yaml"}
    assert not (uncut / "bundles").exists()


def test_tune_repeats_killed_trial(data: Path, tmp_path: Path) -> None:
    """A kill leaves a trial running, and the recipe's own settings would never be tried."""
    uncut, stopped = tmp_path / "uncut", tmp_path / "stopped"
    for root in (uncut, stopped):
        root.mkdir()
    assert tune(data, uncut, "--trials=1") == 0
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(hyperparameter_search, "train_trial", kill)
        tune(data, stopped)
    assert tune(data, stopped, "--trials=1") == 0
    assert [row["state"] for row in rows(stopped)] == ["fail", "complete"]
    assert complete_trials(stopped) == complete_trials(uncut)


class Killed(BaseException):
    """A kill, after which the study learns nothing."""


def kill(*_: Any) -> None:
    raise Killed


@pytest.mark.usefixtures("no_key")
def test_tune_logs_each_trial_to_comet(data: Path, tmp_path: Path) -> None:
    assert tune(data, tmp_path, "--trials=2", comet="auto") == 0
    archives = list((tmp_path / "runs" / "comet").glob("*.zip"))
    assert len(archives) == 2
    for archive in archives:
        with zipfile.ZipFile(archive) as zipped:
            text = zipped.read("messages.json").decode() + zipped.read("experiment.json").decode()
        assert "sweep" in text
        assert "optuna_value" in text
        assert "val/ndcg@10" in text


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    monkeypatch.setenv("COMET_CONFIG", str(tmp_path / "none.config"))


def test_tune_under_torchrun_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert tune(data, tmp_path) == 2
    assert "marquee tune: 2 processes, expected one" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "module", [ablation, elicitation, hyperparameter_search, rerank_tradeoff, user_influence]
)
def test_study_help_names_recipe_settings(
    module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    assert "every setting of `train.py fit`" in " ".join(capsys.readouterr().out.split())


def test_tune_keeps_other_runs(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "demo" / "20260101-000000"
    run.mkdir(parents=True)
    assert tune(data, tmp_path, "--ckpt_path=last") == 2
    assert "tune resumes by itself" in capsys.readouterr().err
    assert run.is_dir()


def test_tune_without_study_takes_any_yaml(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={data}", "--comet=off"]
    args += [f"--{name}={tmp_path / name}" for name in ("runs", "bundles", "results")]
    small = ["--trainer.max_epochs=1", "--model.network.history_length=20"]
    assert hyperparameter_search.main([*args, *small, "--trials=1"]) == 0
    assert (tmp_path / "results" / "studies" / "any.next.json").is_file()
    assert "best of 1: trial 0" in capsys.readouterr().out


def ctrl_c(*_: Any) -> None:
    raise KeyboardInterrupt("runs/demo/trial-1/last.ckpt")


def test_tune_writes_reason_of_failed_trial(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = {"model.network.embedding_dim": {"type": "categorical", "choices": [33]}}
    assert tune(data, tmp_path, "--trials=2", plan=PLAN | {"space": space}) == 2
    assert "embedding_dim 33: expected a multiple of" in capsys.readouterr().err
    assert [row["state"] for row in rows(tmp_path)] == ["fail", "fail"]
    assert "embedding_dim 33: expected a multiple of" in rows(tmp_path)[0]["error"]


def test_tune_of_changed_study_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hyperparameter_search, "train", ctrl_c)
    assert tune(data, tmp_path) == 130
    assert tune(data, tmp_path, plan=PLAN | {"trials": 9}) == 130, "more trials resume it"
    capsys.readouterr()
    assert tune(data, tmp_path, plan=PLAN | {"seed": 1}) == 2
    assert tune(data, tmp_path, "--model.network.dropout=0.1") == 2
    errors = capsys.readouterr().err.splitlines()
    assert "begun with another study" in errors[0]
    assert "begun with another recipe" in errors[1]


@pytest.mark.parametrize(
    ("options", "plan", "message"),
    [
        pytest.param("--study=none.yaml", {}, "no such file", id="no-study"),
        pytest.param("--trials=0", {}, "trials 0: expected 1 or more", id="no-trials"),
        pytest.param("--trials=x", {}, "invalid int", id="trials-of-a-word"),
        pytest.param("", {"base": "ml-2m"}, "for recipe 'ml-2m'", id="another-base"),
        pytest.param("", {"space": {"model.lr": {}}}, "expected a study with", id="empty-range"),
        pytest.param("", {"pruner": "none"}, "'pruner'", id="unknown-key"),
        pytest.param(
            "", {"settings": {"model.learning.rate": 1}}, "'model.learning.rate'", id="no-setting"
        ),
    ],
)
def test_tune_of_wrong_study_is_refused(
    options: str,
    plan: dict[str, Any],
    message: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune(data, tmp_path, *options.split(), plan=PLAN | plan) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("marquee tune: error: ")
    assert message in error
    assert not list(tmp_path.rglob("*.sqlite"))
