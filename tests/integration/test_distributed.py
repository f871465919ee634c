"""Distributed training: two processes of torchrun train what one does, and one writes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from marquee.data.demo_data import write_demo
from tests.support.demo_training import FAST_RATING_MODEL, Workspace, settings_args
from tests.support.paths import ROOT

TIMEOUT_S = 240
EXACT = {  # nothing drawn at random, so that one and two processes differ by rounding alone
    "model.network.dropout": 0,
    "model.network.id_dropout": 0,
    "model.learning.mlp_share": 1,
    "data.star_dropout": 0,
}
SMALL = {"data.targets_per_batch": 300, **FAST_RATING_MODEL}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=41, num_movies=80)
    return root


def fit(data: Path, root: Path, launcher: list[str], *more: str) -> str:
    """Run `train.py fit`, and return its output."""
    args = Workspace(root).args(*settings_args(EXACT | SMALL), *more, epochs=3, data=data)
    process = subprocess.run(
        [*launcher, "train.py", "fit", *args],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COMET_API_KEY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def torchrun() -> list[str]:
    """Return the launcher of two processes on a port that is free when they start."""
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def epoch_metrics(root: Path) -> list[dict[str, float]]:
    """Return train/loss and validation metrics, a row an epoch."""
    (path,) = root.glob("runs/demo/*/select/metrics.csv")
    with path.open() as file:
        rows = [
            {key: float(value) for key, value in row.items() if value}
            for row in csv.DictReader(file)
        ]
    epochs: dict[int, dict[str, float]] = {}
    for row in rows:
        epoch = epochs.setdefault(int(row["epoch"]), {})
        assert not (epoch.keys() & row.keys()) - {"epoch", "step"}, "logged twice"
        epoch |= row
    return list(epochs.values())


@pytest.mark.slow
def test_two_processes_give_the_metrics_of_one(data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    fit(data, one, [sys.executable], "--comet=off")
    output = fit(data, two, torchrun(), "--comet=offline")
    for single, shared in zip(epoch_metrics(one), epoch_metrics(two), strict=True):
        assert shared["train/loss"] == pytest.approx(single["train/loss"], rel=2e-3)
        assert shared["val/ndcg@10"] == pytest.approx(single["val/ndcg@10"], abs=0.06)
        assert shared["step"] == single["step"]
    assert output.count("\nepoch 3:") == 2, "select and refit, each printed once"
    assert len(list(two.glob("runs/comet/*.zip"))) == 1
    assert len(list(two.glob("runs/demo/*/"))) == 1
    assert (two / "bundles" / "demo" / "bundle.json").is_file()
    assert (two / "results" / "demo.next.json").is_file()
