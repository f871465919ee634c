"""Loaders in a distributed training: each rank takes its share of every batch."""

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


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_demo(root / "demo", seed=1, num_users=41, num_movies=80)
    return root


def batches_of_rank(data: Path, rank: int, world_size: int, user: Any) -> list[Batch]:
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
    alone = batches_of_rank(data, 0, 1, user)
    first, second = (batches_of_rank(data, rank, 2, user) for rank in (0, 1))
    assert len(alone) == len(first) == len(second)
    for batch, *shares in zip(alone, first, second, strict=True):
        parts = [targets_of(share) for share in shares]
        assert targets_of(batch) == sorted(parts[0] + parts[1])
        assert abs(len(parts[0]) - len(parts[1])) < 20


def targets_of(batch: Batch) -> list[Any]:
    """Return windows as tuples of item and target, or positive pairs; without negatives."""
    if "user_B" in batch:
        return sorted(zip(batch["user_B"].tolist(), batch["item_MB"][0].tolist(), strict=True))
    rows = zip(batch["item_BL"].tolist(), batch["target_BL"].tolist(), strict=True)
    return sorted(starmap(window_pairs, rows))


def window_pairs(items: list[int], targets: list[int]) -> list[tuple[int, int]]:
    return [(item, target) for item, target in zip(items, targets, strict=True) if target >= 0]


def test_negatives_differ_by_rank(data: Path) -> None:
    first, second = (batches_of_rank(data, rank, 2, "id")[0]["item_MB"][1:, :20] for rank in (0, 1))
    assert (first == second).float().mean() < 0.2


def test_share_of_a_batch_is_never_empty(data: Path) -> None:
    batches = InteractionDataModule(DataConfig(name="demo", root=str(data))).train_dataloader()
    batches.rank, batches.world_size = 4, 5
    assert batches.share(np.array([7, 8])).tolist() == [7]
    assert batches.share(torch.tensor([7, 8])).tolist() == [7]


def test_ranks_share_validation_queries(data: Path) -> None:
    module = InteractionDataModule(DataConfig(name="demo", root=str(data)))
    users: list[int] = []
    for rank in range(3):
        loader = type(module.val_dataloader())(
            module.base_split.valid,
            module.dataset.scale,
            history_length=20,
            rank=rank,
            world_size=3,
        )
        users += [user for batch in loader for user in batch["user_B"].tolist()]
    assert sorted(users) == sorted(module.base_split.valid.user.tolist())
