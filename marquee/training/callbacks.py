"""What goes on beside a training: it is stopped at its epoch, told in lines, and timed."""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from marquee.training import distributed


def say(sentence: str) -> None:
    if distributed.rank() == 0:
        print(sentence, flush=True)


class StopAfter(Callback):
    """Ends a refit after the chosen epoch, on the learning-rate schedule of the full training."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


class TrainLoss(Callback):
    """The mean loss of an epoch, whole even where a stop cut the epoch in two."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def state_dict(self) -> dict[str, Any]:
        return {"by_rank": distributed.gathered((float(self.total), int(self.count)))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        of = state_dict["by_rank"]
        self.total, self.count = of[distributed.rank() % len(of)]

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        # A tensor: asking for its value would make a GPU wait in every step.
        self.total = self.total + outputs["loss"].detach().double() * outputs["count"]
        self.count += outputs["count"]

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        module.log("train/loss", float(self.total) / self.count, prog_bar=True, sync_dist=True)
        self.total, self.count = 0.0, 0


class Lines(Callback):
    """One line an epoch where there is no terminal to draw a progress bar on."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        epoch, metrics = trainer.current_epoch + 1, trainer.callback_metrics
        validated = epoch % (trainer.check_val_every_n_epoch or 1) == 0
        shown = ["train/loss", *(["val/hit_rate@10", self.monitor] if validated else [])]
        shown = [name for name in shown if name in metrics]
        say(f"epoch {epoch}: " + "  ".join(f"{name} {metrics[name]:.4f}" for name in shown))


class Clock(Callback):
    """What a training has cost: in `curve.json` at each validation, in `cost.json` at its end.

    A resumed training goes on from what it had cost at its checkpoint: steps that a kill made it
    make again count once. Of several ranks the first one's time is counted.
    """

    def __init__(self, folder: Path, monitor: str) -> None:
        self.curve, self.cost, self.monitor = folder / "curve.json", folder / "cost.json", monitor

        self.rows: list[dict[str, float]] = []
        self.spent = {"wall_s": 0.0, "cpu_s": 0.0}

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.rows, "cost": self.so_far()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = state_dict["curve"]
        self.start(state_dict["cost"])

    def start(self, before: dict[str, float] | None = None) -> None:
        """before: wall_s and cpu_s that were spent already, else those of this clock until now."""
        self.before = before or self.spent
        self.started = {"wall_s": time.time(), "cpu_s": time.process_time()}

    def so_far(self) -> dict[str, float]:
        now = {"wall_s": time.time(), "cpu_s": time.process_time()}
        return {each: self.before[each] + now[each] - self.started[each] for each in now}

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        figure, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        self.rows.append({"epoch": epoch, self.monitor: figure, **self.so_far()})
        if trainer.is_global_zero:
            write_json(self.curve, self.rows)

    def stop(self) -> None:
        self.spent = self.so_far()
        if distributed.rank() == 0:
            write_json(self.cost, self.spent)


def read_json(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.is_file() else otherwise


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content) + "\n")
