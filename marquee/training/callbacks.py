"""Lightning callbacks: stop after N epochs, log loss, throughput and memory, record the cost."""

import math
import resource
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from marquee.core.errors import InputError
from marquee.core.files import write_json
from marquee.training import distributed
from marquee.training.evaluate import validation_too_small
from marquee.training.run_folder import COST_FILE, CURVE_FILE

EXPLODED = 3.0
"""A mean loss of an epoch so many times that of the first step is a diverged training."""


class StopAfter(Callback):
    """Ends a refit after the selected epoch, on the schedule of the full training."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch >= self.epochs  # resumed after its end

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
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        # A tensor: reading its value would make a GPU wait in every step.
        loss = outputs["loss"].detach().double() * trainer.accumulate_grad_batches
        self.total = self.total + loss * outputs["count"]
        self.count += outputs["count"]

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        module.log("train/loss", float(self.total) / self.count, prog_bar=True, sync_dist=True)
        self.total, self.count = 0.0, 0


class DivergenceCheck(Callback):
    """Ends a training whose loss or weights are not finite, or whose loss exploded.

    Read at the ends of epochs, as a GPU would wait for each value. A network that knows nothing has
    about the loss of the first step.
    """

    def __init__(self, lr: float, warmup_steps: int) -> None:
        self.lr, self.warmup_steps = lr, warmup_steps
        self.first: Tensor | None = None
        self.total, self.count = torch.zeros(()), 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        loss = outputs["loss"].detach()
        self.first = loss if self.first is None else self.first
        self.total, self.count = self.total.to(loss.device) + loss, self.count + 1

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            self.check(trainer.current_epoch + 1, module)

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.check(trainer.current_epoch + 1, module)
        self.total, self.count = torch.zeros(()), 0

    def check(self, epoch: int, module: pl.LightningModule) -> None:
        """Raise InputError, in all processes at once, with the setting that helps."""
        if self.first is None or not self.count:
            return  # resumed at the end of an epoch
        loss, first = float(self.total) / self.count, float(self.first)
        is_finite = all(bool(weight.isfinite().all()) for weight in module.parameters())
        has_exploded = loss > EXPLODED * max(first, 1.0)
        if not distributed.all_reduce_max(not math.isfinite(loss) or has_exploded or not is_finite):
            return
        problem = f"the loss is {loss:.4g}, {first:.4g} at its start"
        if math.isfinite(loss) and not is_finite:
            problem = "some weights are not finite"
        raise InputError(
            f"epoch {epoch}: the training diverged ({problem}), expected a falling loss; lower "
            f"model.learning.lr (now {self.lr:g}), or raise model.learning.warmup_steps (now "
            f"{self.warmup_steps})"
        )


class EpochLogger(Callback):
    """Prints one line an epoch, if there is no terminal to draw a progress bar on."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        epoch, metrics = trainer.current_epoch + 1, trainer.callback_metrics
        is_validated = epoch % (trainer.check_val_every_n_epoch or 1) == 0
        names = ["train/loss", *(["val/hit_rate@10", self.monitor] if is_validated else [])]
        data = trainer.datamodule  # type: ignore[attr-defined]
        values = [
            f"{name} n/a" if validation_too_small(data, name) else f"{name} {metrics[name]:.4f}"
            for name in names
            if name in metrics
        ]
        distributed.say_once(f"epoch {epoch}: " + "  ".join(values))


class CostMeter(Callback):
    """Records the cost of a training in `cost.json`, of validations in `curve.json`.

    A resumed training goes on from its cost at the checkpoint: steps that are repeated after a kill
    count once. Of several ranks the time of the first one counts.
    """

    def __init__(self, folder: Path, monitor: str) -> None:
        self.folder, self.monitor = folder, monitor
        self.curve: list[dict[str, float]] = []
        self.cost = {"wall_s": 0.0, "cpu_s": 0.0}

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve, "cost": self.current()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve, self.cost = state_dict["curve"], state_dict["cost"]
        self.start()

    def start(self) -> None:
        self.started = {"wall_s": time.time(), "cpu_s": time.process_time()}

    def current(self) -> dict[str, float]:
        now = {"wall_s": time.time(), "cpu_s": time.process_time()}
        return {name: self.cost[name] + now[name] - self.started[name] for name in now}

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        self.curve.append({"epoch": epoch, self.monitor: value, **self.current()})
        if trainer.is_global_zero:
            write_json(self.folder / CURVE_FILE, self.curve, indent=None)

    def stop(self) -> None:
        self.cost = self.current()
        if distributed.is_first():
            write_json(self.folder / COST_FILE, self.cost, indent=None)


class ThroughputMeter(Callback):
    """Logs time (validation included), speed, peak memory and learning rate of epochs.

    The speed is in targets (pairs of the classic user) trained in a second, without validation, of
    all processes together.
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
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, number: int
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
    """Count the targets of a batch; a tensor where reading it makes a GPU wait."""
    return (batch["target_BL"] >= 0).sum() if "target_BL" in batch else batch["item_MB"].numel()


def peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would count the parent's, too
        lines = status.read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
