"""Two processes train what one does: shares of every batch, the same steps, one that writes."""

import csv
import os
import socket
import subprocess
import sys
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datamodules.config import DataConfig
from datamodules.datamodule import InteractionDataModule
from datamodules.loaders import Batch
from marquee.data.demo_data import write_demo
from marquee.training import distributed
from tests.support.paths import ROOT

EXACT = {  # nothing drawn at random, so that one and two processes differ by rounding alone
    "model.network.dropout": 0,
    "model.network.id_dropout": 0,
    "model.learning.mlp_share": 1,
    "data.star_dropout": 0,
}
SMALL = {
    "trainer.max_epochs": 3,
    "trainer.check_val_every_n_epoch": 1,
    "data.targets_per_batch": 300,
    "model.network.history_length": 20,
    "stars.burn_in": 2,
    "stars.num_draws": 2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=41, num_movies=80)
    return root


def loader(data: Path, rank: int, world_size: int, user: Any) -> list[Batch]:
    module = InteractionDataModule(
        DataConfig(
            name="demo",
            root=str(data),
            user=user,
            history_length=20,
            targets_per_batch=300,
            star_dropout=0,
        )
    )
    batches = module.train_dataloader()
    batches.rank, batches.world_size = rank, world_size
    return list(batches)


@pytest.mark.parametrize("user", ["history", "id"])
def test_ranks_share_every_batch(data: Path, user: str) -> None:
    whole, *shares = (loader(data, *which, user) for which in ((0, 1), (0, 2), (1, 2)))
    assert len(whole) == len(shares[0]) == len(shares[1])
    for batch, *parts in zip(whole, *shares, strict=True):
        assert questions(batch) == sorted(questions(parts[0]) + questions(parts[1]))
        assert abs(len(questions(parts[0])) - len(questions(parts[1]))) < 20


def questions(batch: Batch) -> list[Any]:
    """What a batch asks: windows as tuples of movies, or watched pairs; drawn movies left out."""
    if "user_B" in batch:
        return sorted(zip(batch["user_B"].tolist(), batch["item_MB"][0].tolist(), strict=True))
    rows = zip(batch["item_BL"].tolist(), batch["target_BL"].tolist(), strict=True)
    return sorted(starmap(asked, rows))


def asked(items: list[int], targets: list[int]) -> list[tuple[int, int]]:
    return [(item, target) for item, target in zip(items, targets, strict=True) if target >= 0]


def test_drawn_movies_differ_by_rank(data: Path) -> None:
    first, second = (loader(data, rank, 2, "id")[0]["item_MB"][1:, :20] for rank in (0, 1))
    assert (first == second).float().mean() < 0.2


def test_a_batch_of_fewer_rows_than_ranks_leaves_none_empty(data: Path) -> None:
    batches = InteractionDataModule(DataConfig(name="demo", root=str(data))).train_dataloader()
    batches.rank, batches.world_size = 4, 5
    assert batches.share(np.array([7, 8])).tolist() == [7]
    assert batches.share(torch.tensor([7, 8])).tolist() == [7]


def test_validation_questions_are_shared(data: Path) -> None:
    module = InteractionDataModule(DataConfig(name="demo", root=str(data)))
    parts = []
    for rank in range(3):
        cases = type(module.val_dataloader())(
            module.base_split.valid,
            module.dataset.scale,
            history_length=20,
            rank=rank,
            world_size=3,
        )
        parts += [user for batch in cases for user in batch["user_B"].tolist()]
    assert sorted(parts) == sorted(module.base_split.valid.user.tolist())


def run(data: Path, place: Path, launcher: list[str], *more: str) -> "subprocess.Popen[str]":
    folders = {name: place / name for name in ("runs", "bundles", "results")}
    settings = {"data.root": data} | folders | EXACT | SMALL
    given = [f"--{name}={value}" for name, value in settings.items()]
    return subprocess.Popen(
        [*launcher, "train.py", "fit", "--config=recipes/demo.yaml", *given, *more],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COMET_API_KEY": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def torchrun() -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    return [*command, f"--master-port={port}"]


def losses(place: Path) -> list[dict[str, float]]:
    """A row an epoch: train/loss and validation."""
    (path,) = place.glob("runs/demo/*/select/metrics.csv")
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


def test_two_processes_give_the_metrics_of_one(data: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    alone = run(data, one, [sys.executable], "--comet=off")
    assert alone.wait() == 0, alone.communicate()[0]
    both = run(data, two, torchrun(), "--comet=offline")
    said, _ = both.communicate()
    assert both.returncode == 0, said
    for lone, shared in zip(losses(one), losses(two), strict=True):
        assert shared["train/loss"] == pytest.approx(lone["train/loss"], rel=2e-3)
        assert shared["val/ndcg@10"] == pytest.approx(lone["val/ndcg@10"], abs=0.06)
        assert shared["step"] == lone["step"]
    assert said.count("\nepoch 3:") == 2, "select and refit, each said once"
    assert len(list(two.glob("runs/comet/*.zip"))) == 1
    assert len(list(two.glob("runs/demo/*/"))) == 1
    assert (two / "bundles" / "demo" / "bundle.json").is_file()
    assert (two / "results" / "demo.next.json").is_file()


def test_one_process_is_rank_0_of_one() -> None:
    assert (distributed.global_rank(), distributed.world_size(), distributed.broadcast("x")) == (
        0,
        1,
        "x",
    )
    assert (distributed.all_gather(3), distributed.all_reduce_max(15)) == ([3], 15)
