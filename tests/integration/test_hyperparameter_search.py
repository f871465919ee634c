"""A search on a small generated data set: what it leaves, how it goes on, what it refuses."""

import json
import zipfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import optuna
import pytest
import pytorch_lightning as pl
import yaml
from optuna.trial import create_trial

from marquee.data.demo_data import write_demo
from marquee.training.config import read_config
from marquee.training.studies import (
    ablation,
    elicitation,
    hyperparameter_search,
    rerank_tradeoff,
    user_influence,
)
from marquee.training.studies.hyperparameter_search import PruneTrial
from marquee.training.studies.search_plan import (
    SearchPlan,
    check_plan,
    in_space,
    trial_settings,
)
from tests.support.paths import ROOT

STUDIES = sorted((ROOT / "recipes" / "studies").glob("*.yaml"))
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
    data: Path, place: Path, *more: str, plan: dict[str, Any] = PLAN, comet: str = "off"
) -> int:
    (place / "small.yaml").write_text(yaml.safe_dump(plan))
    given = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={data}"]
    given += [f"--{name}={place / name}" for name in ("runs", "bundles", "results")]
    given.append(f"--comet={comet}")
    return hyperparameter_search.main([*given, f"--study={place / 'small.yaml'}", *more])


def rows(place: Path) -> list[dict[str, Any]]:
    content = json.loads((place / "results" / "studies" / "small.next.json").read_text())
    assert len(content["data_sha256"]) == 64
    return list(content["trials"])


def found(place: Path) -> list[tuple[dict[str, Any], float]]:
    return [(row["settings"], row["value"]) for row in rows(place) if row["state"] == "complete"]


def test_a_stopped_search_finds_what_one_in_a_piece_finds(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for place in (whole, parts):
        place.mkdir()
    assert tune(data, whole) == 0
    printed = capsys.readouterr().out
    with monkeypatch.context() as stopped:
        stopped.setattr(hyperparameter_search, "train", ctrl_c)
        assert tune(data, parts) == 130
    assert capsys.readouterr().err == "marquee tune: error: stopped\n"
    assert tune(data, parts, "--trials=2") == 0
    assert tune(data, parts) == 0

    assert [row["state"] for row in rows(parts)] == ["fail", "complete", "complete", "complete"]
    assert found(parts) == found(whole)
    assert len({each["model.learning.lr"] for each, _ in found(whole)}) == 3
    first, best = found(whole)[0][0], max(found(whole), key=lambda each: each[1])
    assert (first["model.learning.lr"], first["model.network.num_layers"]) == (0.004, 2)
    winner = whole / "runs" / "demo" / "tuned-demo.yaml"
    assert f"fit --config {winner}" in printed
    run = read_config([f"--config={winner}", f"--data.root={data}", f"--runs={whole}"])
    assert run.name == "tuned-demo"
    assert run.model.learning.lr == best[0]["model.learning.lr"]
    assert run.model.network.num_layers == best[0]["model.network.num_layers"]
    assert run.model.network.embedding_dim == 32, "of the base recipe"
    assert run.trainer["max_epochs"] == 1
    left = {path.name for path in (whole / "runs").rglob("*") if path.is_file()}
    assert left == {"study.sqlite", "tuned-demo.yaml"}
    assert not (whole / "bundles").exists()


def test_a_killed_trial_is_made_again(data: Path, tmp_path: Path) -> None:
    """A kill leaves it running for ever, and the recipe's own settings would never be tried."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for place in (whole, parts):
        place.mkdir()
    assert tune(data, whole, "--trials=1") == 0
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(hyperparameter_search, "train_trial", kill)
        tune(data, parts)
    assert tune(data, parts, "--trials=1") == 0
    assert [row["state"] for row in rows(parts)] == ["fail", "complete"]
    assert found(parts) == found(whole)


class Killed(BaseException):
    """Nobody gets to tell the study."""


def kill(*_: Any) -> None:
    raise Killed


@pytest.mark.usefixtures("no_key")
def test_each_trial_is_a_comet_experiment(data: Path, tmp_path: Path) -> None:
    assert tune(data, tmp_path, "--trials=2", comet="auto") == 0
    archives = list((tmp_path / "runs" / "comet").glob("*.zip"))
    assert len(archives) == 2
    for archive in archives:
        with zipfile.ZipFile(archive) as zipped:
            said = zipped.read("messages.json").decode() + zipped.read("experiment.json").decode()
        assert "sweep" in said
        assert "optuna_value" in said
        assert "val/ndcg@10" in said


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("COMET_API_KEY", raising=False)
    monkeypatch.setenv("COMET_CONFIG", str(tmp_path / "none.config"))


def test_search_under_torchrun_is_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert tune(data, tmp_path) == 2
    assert "marquee tune: 2 processes, expected one" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "module", [ablation, elicitation, hyperparameter_search, rerank_tradeoff, user_influence]
)
def test_help_of_study_names_recipe_settings(
    module: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        module.main(["--help"])
    assert stop.value.code == 0
    assert "every setting of `train.py fit`" in " ".join(capsys.readouterr().out.split())


def test_a_search_leaves_other_runs_alone(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "runs" / "demo" / "20260101-000000"
    run.mkdir(parents=True)
    assert tune(data, tmp_path, "--ckpt_path=last") == 2
    assert "tune resumes by itself" in capsys.readouterr().err
    assert run.is_dir()


def test_a_recipe_without_a_study_takes_the_one_for_all(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"--config={ROOT / 'recipes' / 'demo.yaml'}", f"--data.root={data}", "--comet=off"]
    given += [f"--{name}={tmp_path / name}" for name in ("runs", "bundles", "results")]
    small = ["--trainer.max_epochs=1", "--model.network.history_length=20"]
    assert hyperparameter_search.main([*given, *small, "--trials=1"]) == 0
    assert (tmp_path / "results" / "studies" / "any.next.json").is_file()
    assert "best of 1: trial 0" in capsys.readouterr().out


def ctrl_c(*_: Any) -> None:
    raise KeyboardInterrupt("runs/demo/trial-1/last.ckpt")


def test_a_trial_that_cannot_be_trained_is_a_row_with_its_reason(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    space = {"model.network.embedding_dim": {"type": "categorical", "choices": [33]}}
    assert tune(data, tmp_path, "--trials=2", plan=PLAN | {"space": space}) == 2
    assert "embedding_dim 33: expected a multiple of" in capsys.readouterr().err
    assert [row["state"] for row in rows(tmp_path)] == ["fail", "fail"]
    assert "embedding_dim 33: expected a multiple of" in rows(tmp_path)[0]["error"]


def test_a_study_that_was_changed_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hyperparameter_search, "train", ctrl_c)
    assert tune(data, tmp_path) == 130
    assert tune(data, tmp_path, plan=PLAN | {"trials": 9}) == 130, "more trials go on"
    capsys.readouterr()
    assert tune(data, tmp_path, plan=PLAN | {"seed": 1}) == 2
    assert tune(data, tmp_path, "--model.network.dropout=0.1") == 2
    errors = capsys.readouterr().err.splitlines()
    assert "begun with another study" in errors[0]
    assert "begun with another recipe" in errors[1]


@pytest.mark.parametrize(
    ("more", "plan", "said"),
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
def test_a_wrong_study_gives_one_line_and_exit_2(
    more: str,
    plan: dict[str, Any],
    said: str,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tune(data, tmp_path, *more.split(), plan=PLAN | plan) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert error.startswith("marquee tune: error: ")
    assert said in error
    assert not list(tmp_path.rglob("*.sqlite"))


def test_a_trial_ends_where_its_best_is_below_the_median_at_that_tenth() -> None:
    """Two trials had .2 and .4 at the fifth tenth: the median there is .3."""
    study = optuna.create_study(
        direction="maximize", pruner=optuna.pruners.MedianPruner(2, n_warmup_steps=3)
    )
    for value in (0.2, 0.4):
        seen = {2: 0.1, 5: value, 10: value}
        study.add_trial(create_trial(value=value, intermediate_values=seen))
    trial = study.ask()
    prune = PruneTrial(trial, "val/ndcg@10")

    def validate(epoch: int, value: float) -> None:
        trainer: Any = SimpleNamespace(
            current_epoch=epoch - 1, max_epochs=40, callback_metrics={"val/ndcg@10": value}
        )
        prune.on_validation_end(trainer, pl.LightningModule())

    validate(8, 0.01)  # tenth 2: far below, but every trial may train for three tenths
    validate(9, 0.02)  # on the way to tenth 3
    with pytest.raises(optuna.TrialPruned):
        validate(20, 0.29)  # tenth 5
    validate(40, 0.29)  # the last one: nothing is left to be saved
    assert study.trials[-1].intermediate_values == {2: 0.01, 5: 0.29, 10: 0.29}
    assert study.trials[-1].user_attrs["epochs"] == 40


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_committed_study_fits_its_recipe(path: Path, data: Path, tmp_path: Path) -> None:
    plan = SearchPlan.read(path)
    given = [
        f"--config={ROOT / 'recipes' / (plan.base or 'demo')}.yaml",
        "--data.name=demo",
        "--comet=off",
    ]
    given += ["--data.ties=hash", f"--data.root={data}", f"--runs={tmp_path}"]
    base = read_config(given)
    check_plan(plan, base, path)
    for setting, space in plan.distributions().items():
        assert in_space(space, base.value(setting)), f"{setting}: recipe is outside its space"


def test_what_is_printed_is_what_was_trained() -> None:
    base: Any = SimpleNamespace(trainer={"max_epochs": 30})
    plan = SearchPlan(base="demo", trials=1, space={}, settings={"model.network.gmf": True})
    drawn = {"model.learning.lr": 0.00123456, "data.targets_per_batch": 4096}
    assert trial_settings(plan, base, drawn) == {
        "model.network.gmf": True,
        "model.learning.lr": 0.00123,
        "data.targets_per_batch": 4096,
        "trainer.check_val_every_n_epoch": 3,
    }
