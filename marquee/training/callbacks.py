"""Lightning callbacks: stop after N epochs, log loss, throughput and memory, record the cost."""

import resource
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from marquee.core.files import write_json
from marquee.training import distributed
from marquee.training.selection import COST_FILE, CURVE_FILE

STATUS = Path("/proc/self/status")


class StopAfter(Callback):
    """Ends a refit after the selected epoch.

    The learning-rate schedule stays that of the full training.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


class TrainLoss(Callback):
    """Logs the mean loss of an epoch, exact even if a stop cut the epoch in two."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        return {"by_rank": distributed.all_gather((float(self.total), int(self.count)))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        by_rank = state_dict["by_rank"]
        self.total, self.count = by_rank[distributed.global_rank() % len(by_rank)]

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        # A tensor: reading its value would make a GPU wait in every step.
        self.total = self.total + outputs["loss"].detach().double() * outputs["count"]
        self.count += outputs["count"]

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        module.log("train/loss", float(self.total) / self.count, prog_bar=True, sync_dist=True)
        self.total, self.count = 0.0, 0


class EpochLogger(Callback):
    """Prints one line an epoch, if there is no terminal to draw a progress bar on."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        epoch, metrics = trainer.current_epoch + 1, trainer.callback_metrics
        is_validated = epoch % (trainer.check_val_every_n_epoch or 1) == 0
        names = ["train/loss", *(["val/hit_rate@10", self.monitor] if is_validated else [])]
        values = [f"{name} {metrics[name]:.4f}" for name in names if name in metrics]
        distributed.say_once(f"epoch {epoch}: " + "  ".join(values))


class CostMeter(Callback):
    """Records the cost of a training.

    It writes `curve.json` at each validation, and `cost.json` at the end. A resumed training goes
    on from its cost at the checkpoint: steps that are repeated after a kill count once. Of several
    ranks the time of the first one counts.
    """

    def __init__(self, folder: Path, monitor: str) -> None:
        self.folder, self.monitor = folder, monitor
        self.curve: list[dict[str, float]] = []
        self.cost = {"wall_s": 0.0, "cpu_s": 0.0}

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve, "cost": self.current()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve = state_dict["curve"]
        self.start(state_dict["cost"])

    def start(self, previous: dict[str, float] | None = None) -> None:
        """Start the clock.

        previous: an earlier wall_s and cpu_s, else those of this meter.
        """
        self.previous = previous or self.cost
        self.started = {"wall_s": time.time(), "cpu_s": time.process_time()}

    def current(self) -> dict[str, float]:
        """Return wall_s and cpu_s until now."""
        now = {"wall_s": time.time(), "cpu_s": time.process_time()}
        return {name: self.previous[name] + now[name] - self.started[name] for name in now}

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        self.curve.append({"epoch": epoch, self.monitor: value, **self.current()})
        if trainer.is_global_zero:
            write_json(self.folder / CURVE_FILE, self.curve, indent=None)

    def stop(self) -> None:
        """Stop the clock and write `cost.json`."""
        self.cost = self.current()
        if distributed.global_rank() == 0:
            write_json(self.folder / COST_FILE, self.cost, indent=None)


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
        self.on_train_epoch_start(trainer, module)  # not called if an epoch is resumed

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
    """Count the targets of a batch.

    A tensor if reading the number now would make a GPU wait.
    """
    return (batch["target_BL"] >= 0).sum() if "target_BL" in batch else batch["item_MB"].numel()


def peak_bytes() -> int:
    """Return the largest resident set of this process so far."""
    if STATUS.is_file():
        lines = STATUS.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
