"""Throughput and memory of each epoch, logged beside its metrics to metrics.csv and Comet."""

import resource
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

STATUS = Path("/proc/self/status")


class ThroughputMeter(Callback):
    """Logs the speed, memory and learning rate of each epoch.

    | metric | means |
    |---|---|
    | time/epoch_s | the whole epoch, its validation included |
    | speed/examples_per_s | targets (pairs of the classic user) trained in a second, without \
validation, of all processes together |
    | memory/peak_gb | the largest resident set of this process so far |
    | memory/gpu_peak_gb | the same of the GPU's memory |
    | lr | the learning rate of the last step |
    """

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.on_train_epoch_start(trainer, module)  # not called where an epoch is resumed

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.started = self.last = time.monotonic()
        self.examples: Tensor | int = 0

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: dict[str, Tensor], number: int
    ) -> None:
        self.lr = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: dict[str, Tensor],
        number: int,
    ) -> None:
        self.examples = self.examples + num_examples(batch)
        self.last = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        rate = float(self.examples) / max(self.last - self.started, 1e-9)
        module.log("speed/examples_per_s", rate, sync_dist=True, reduce_fx="sum")
        metrics = {
            "time/epoch_s": time.monotonic() - self.started,
            "memory/peak_gb": peak_bytes() / 1e9,
        }
        if module.device.type == "cuda":
            metrics["memory/gpu_peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
        for name, value in metrics.items():
            module.log(name, value, sync_dist=True, reduce_fx="max")
        module.log("lr", self.lr)


def num_examples(batch: dict[str, Tensor]) -> Tensor | int:
    """Count the targets of a batch, as a tensor where counting now would make a GPU wait."""
    return (batch["target_BL"] >= 0).sum() if "target_BL" in batch else batch["item_MB"].numel()


def peak_bytes() -> int:
    """Return the largest resident set of this process so far."""
    if STATUS.is_file():
        lines = STATUS.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
