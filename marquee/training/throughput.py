"""What an epoch took, beside its figures: in metrics.csv, and in Comet."""

import resource
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

STATUS = Path("/proc/self/status")


class Speed(Callback):
    """time/epoch_s: of the whole epoch, its validation included. speed/examples_per_s: targets, or
    pairs of the classic user, trained in a second, validation left out; of all processes together.
    memory/peak_gb: the most that this process ever held; memory/gpu_peak_gb: of the GPU's memory.
    lr: at the last step."""

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.on_train_epoch_start(trainer, module)  # not called where an epoch is gone on with

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
        self.examples = self.examples + examples(batch)
        self.last = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        rate = float(self.examples) / max(self.last - self.started, 1e-9)
        module.log("speed/examples_per_s", rate, sync_dist=True, reduce_fx="sum")
        found = {
            "time/epoch_s": time.monotonic() - self.started,
            "memory/peak_gb": peak_bytes() / 1e9,
        }
        if module.device.type == "cuda":
            found["memory/gpu_peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
        for name, value in found.items():
            module.log(name, value, sync_dist=True, reduce_fx="max")
        module.log("lr", self.lr)


def examples(batch: dict[str, Tensor]) -> Tensor | int:
    """Questions of a batch, a tensor where counting it now would make a GPU wait."""
    return (batch["target_BL"] >= 0).sum() if "target_BL" in batch else batch["item_KP"].numel()


def peak_bytes() -> int:
    """The largest resident set of this process so far."""
    if STATUS.is_file():
        lines = STATUS.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
