"""What goes on beside a training: it is stopped at its epoch, told in lines, and timed."""

import json
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


def say(sentence: str) -> None:
    print(sentence, flush=True)


class StopAfter(Callback):
    """Ends a refit after the chosen epoch, on the learning-rate schedule of the full training."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.current_epoch + 1 >= self.epochs


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

    A resumed training goes on from what was written before it stopped; an epoch made again is
    paid again.
    """

    def __init__(self, folder: Path, monitor: str) -> None:
        self.curve, self.cost, self.monitor = folder / "curve.json", folder / "cost.json", monitor

    def start(self) -> None:
        self.before = read_json(self.cost, {"wall_s": 0.0, "cpu_s": 0.0})
        self.started = {"wall_s": time.time(), "cpu_s": time.process_time()}

    def so_far(self) -> dict[str, float]:
        now = {"wall_s": time.time(), "cpu_s": time.process_time()}
        return {each: self.before[each] + now[each] - self.started[each] for each in now}

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            return
        figure, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        rows = [row for row in read_json(self.curve, []) if row["epoch"] < epoch]
        rows.append({"epoch": epoch, self.monitor: figure, **self.so_far()})
        write_json(self.curve, rows)

    def stop(self) -> None:
        write_json(self.cost, self.so_far())


def read_json(path: Path, otherwise: Any) -> Any:
    return json.loads(path.read_text()) if path.is_file() else otherwise


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content) + "\n")
