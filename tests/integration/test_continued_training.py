"""Trainings that diverge, and finished ones that are continued."""

import json
from pathlib import Path

import pytest
import torch

import train
from marquee.core.errors import InputError
from marquee.training.checkpoints import load_weights, read_checkpoint
from marquee.training.compare.runs import read_folder
from marquee.training.config import RunConfig
from tests.support.demo_training import Workspace

SMALL = ("--comet=off", "--data.targets_per_batch=300", "--model.network.embedding_dim=16")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(RunConfig, "is_served", False)  # a bundle takes longer than the training
    return Workspace.with_data(tmp_path, num_users=40, num_movies=80)


def test_diverged_training_names_epoch_and_setting(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = ("--model.learning.lr=1", "--model.learning.warmup_steps=0")
    assert train.main(["select", *workspace.args(*SMALL, *rates)]) == 2
    error = capsys.readouterr().err
    assert "epoch 1: the training diverged" in error and error.count("\n") == 1
    assert "lower model.learning.lr (now 1)" in error
    assert list(workspace.root.glob("bundles/*")) == []


def test_continued_selection_stays_comparable(workspace: Workspace) -> None:
    args = workspace.args(*SMALL, "--model.learning.warmup_steps=1")
    assert train.main(["select", *args]) == 0
    before = read_folder(workspace.run())
    for _ in range(2):
        assert train.main(["select", *args, "--ckpt_path=last"]) == 0
    after = read_folder(workspace.run())
    assert after.epochs.equals(before.epochs) and after.selection == before.selection


def test_selection_of_a_finished_run_changes_nothing(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    args = workspace.args(*SMALL, "--model.learning.warmup_steps=1")
    assert train.main(["select", *args]) == 0
    (workspace.run() / "finished").touch()
    names = sorted(path.name for path in workspace.run().rglob("*"))
    assert train.main(["select", *args, "--ckpt_path=last"]) == 0
    assert "is finished" in capsys.readouterr().out
    assert sorted(path.name for path in workspace.run().rglob("*")) == names


def test_continued_refit_trains_no_further_epoch(workspace: Workspace) -> None:
    args = workspace.args(*SMALL, "--model.learning.warmup_steps=1")
    assert train.main(["select", *args]) == 0
    run = workspace.run()
    selection = json.loads((run / "fit.json").read_text())
    (run / "fit.json").write_text(json.dumps(selection | {"epochs": 1}))  # of the 2 of the schedule
    checkpoint = str(run / "refit-0" / "last.ckpt")
    for more in ([], ["--ckpt_path=last"]):
        assert train.main(["refit", *args, *more]) == 0
        assert read_checkpoint(checkpoint)["epoch"] == 0
    model = torch.nn.Linear(1, 1)
    with pytest.raises(InputError, match="stopped after 1 of 2 epochs"):
        load_weights(model, checkpoint, epochs=2)  # type: ignore[arg-type]
