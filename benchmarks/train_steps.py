"""Training steps of a recipe, timed: a child of bench_training.py. Prints one line of JSON.

    python benchmarks/train_steps.py '{"warmup": 3, "steps": 20}' --config recipes/ml-1m.yaml

The recipe's own trainer, loader, loss and optimizer, as `train.py fit` has them, cut to some steps.
The clock runs from the end of the warm-up to the end of the last step: drawing of batches included,
reading, validation and checkpoints not.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from floor import Batches, floor
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from training.recipe import Recipe


class Meter(Callback):
    """Counts examples and time after the warm-up."""

    def __init__(self, warmup: int) -> None:
        self.warmup, self.batches = warmup, list[dict[str, float]]()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        step: int,
    ) -> None:
        if step + 1 > self.warmup:
            self.cpu, self.wall = time.process_time(), time.perf_counter()
            self.batches.append(facts(batch))
        if step + 1 == self.warmup:
            self.start = time.process_time(), time.perf_counter()

    def mean(self, name: str) -> float:
        return sum(batch[name] for batch in self.batches) / len(self.batches)


def facts(batch: dict[str, Tensor]) -> dict[str, float]:
    """Sizes of a batch; an example is a target of a history, or a pair."""
    if "item_KP" in batch:
        return {"examples": batch["item_KP"].numel()}
    is_target_BL = batch["target_BL"] >= 0
    length_B = is_target_BL.sum(1)
    return {
        "examples": int(length_B.sum()),
        "targets": len(batch["target_BL"][is_target_BL].unique()),
        "squares": int((length_B * length_B).sum()),
    }


def peak_gb() -> float:
    """Most memory that this process has held; ru_maxrss would count the parent's peak."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        return (
            next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e9
        )


def floor_of(run: Recipe, meter: Meter) -> dict[str, float]:
    module, sizes = run.model, run.model.sizes
    drawn = module.learning.num_negatives
    candidates = min(sizes.num_items, drawn + meter.mean("targets")) if drawn else sizes.num_items
    batches = Batches(meter.mean("examples"), candidates, meter.mean("squares"))
    dtype = torch.bfloat16 if "bf16" in str(run.trainer.precision) else torch.float32
    num_parameters = module.network.num_parameters()
    least = floor(module.config, module.learning, sizes, num_parameters, batches, dtype)
    return asdict(least) | {"seconds": least.seconds}


def main(size: dict[str, Any], recipe: list[str]) -> None:
    limits = {
        "max_epochs": 1,
        "limit_train_batches": size["warmup"] + size["steps"],
        "limit_val_batches": 0,
    }
    given = [part for name, limit in limits.items() for part in (f"--trainer.{name}", str(limit))]
    with tempfile.TemporaryDirectory() as runs:
        run = Recipe([*recipe, *given, "--runs", runs, "--comet", "off"], "select")
        meter = Meter(size["warmup"])
        run.trainer.callbacks.append(meter)
        run.train()
    answer = {
        "examples": sum(batch["examples"] for batch in meter.batches),
        "cpu": meter.cpu - meter.start[0],
        "wall": meter.wall - meter.start[1],
        "steps": len(meter.batches),
        "peak": peak_gb(),
    }
    if size.get("floor"):
        answer["floor"] = floor_of(run, meter)
    print("\n" + json.dumps(answer))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])
