"""One training of a run: seed, data, model and Lightning's Trainer of a phase."""

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from pytorch_lightning.loggers import Logger

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Refit
from marquee.core.errors import InputError
from marquee.training import callbacks as own
from marquee.training import comet, distributed
from marquee.training.checkpoints import AtomicCheckpointIO, CheckpointSaver
from marquee.training.config import RunConfig
from marquee.training.run_folder import (
    BEST,
    LAST,
    METRICS_FILE,
    SELECT,
    TRIAL_PREFIX,
    RunFolder,
    lock_phase,
    metrics_files,
)
from models.lightning_module import RankingModule

C = TypeVar("C", bound=Callback)

EXPECTED_WARNINGS = (
    ".*number of training batches",
    "Checkpoint directory .* exists",
    ".*treespec",
    ".*sync_dist=True",  # the values are synchronized by then
    "Experiment logs directory",  # open_loggers has moved them
)


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings of one training and its parts; `with` closes its loggers."""

    config: RunConfig
    run: RunFolder
    data: InteractionDataModule
    model: RankingModule
    trainer: pl.Trainer

    def __enter__(self) -> "Training":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        # A training that was refused before its first step leaves nothing to upload.
        is_refused = kind is not None and issubclass(kind, InputError)
        comet.close(self.trainer.loggers, discard=is_refused and self.trainer.global_step == 0)

    @property
    def device(self) -> str:
        return str(self.trainer.strategy.root_device)

    def callback(self, kind: type[C]) -> C:
        callbacks: list[Any] = self.trainer.callbacks  # type: ignore[attr-defined]
        return next(callback for callback in callbacks if isinstance(callback, kind))


def quiet_libraries() -> None:
    """Silence Lightning's tips, device lists and expected warnings."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def prepare(
    config: RunConfig,
    run: RunFolder,
    *,
    phase: str,
    refit: Refit = "none",
    epochs: int | None = None,
    callbacks: Sequence[Callback] = (),
) -> Training:
    """Seed everything, then build data, model and trainer of one phase."""
    pl.seed_everything(config.seed_everything, workers=True)
    data = InteractionDataModule(config.data, refit)
    model = RankingModule(data.sizes, config.model.network, config.model.learning)
    trainer = build_trainer(config, run, data, phase=phase, epochs=epochs, callbacks=callbacks)
    return Training(config=config, run=run, data=data, model=model, trainer=trainer)


def build_trainer(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    *,
    phase: str,
    epochs: int | None = None,
    callbacks: Sequence[Callback] = (),
) -> pl.Trainer:
    """Return the trainer of one phase; nothing runs yet.

    epochs: stop after so many, on the schedule of `trainer.max_epochs` and without validation; None
    trains them all, validates, and keeps the best epoch. A selection and the trials of a search
    open a Comet experiment, which the caller closes.
    """
    settings = dict(config.trainer)
    interval = min(settings["check_val_every_n_epoch"] or 1, settings["max_epochs"])
    settings |= {
        "check_val_every_n_epoch": max(1, interval),
        "logger": open_loggers(config, run, phase),
        "plugins": [AtomicCheckpointIO()],
        "callbacks": [*phase_callbacks(config, run, data, phase, epochs), *callbacks],
    }
    if epochs is not None:
        settings["limit_val_batches"] = 0
    if distributed.world_size() > 1:
        num_devices = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        num_nodes = distributed.world_size() // num_devices
        settings |= {"strategy": "ddp", "devices": num_devices, "num_nodes": num_nodes}
    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, TypeError) as error:
        comet.close(settings["logger"], discard=True)
        raise InputError(f"trainer: {error}") from error


def phase_callbacks(
    config: RunConfig, run: RunFolder, data: InteractionDataModule, phase: str, epochs: int | None
) -> list[Callback]:
    last, monitor = run.checkpoint(phase, LAST), config.monitor
    data_settings = {"sha256": data.dataset.sha256, "refit": data.refit}
    settings = config.training_settings() | {"of": data_settings}
    saver = CheckpointSaver(last, phase, config.checkpoints, settings)
    # A file of its own, so that a stop in mid-epoch cannot touch the selected weights.
    best = ModelCheckpoint(
        last.rpartition("/")[0],
        filename=BEST.removesuffix(".ckpt"),
        monitor=monitor,
        mode="max",
        save_on_train_epoch_end=False,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )
    learning = config.model.learning
    return [
        own.DivergenceCheck(learning.lr, learning.warmup_steps),
        own.TrainLoss(),
        own.ThroughputMeter(),
        *([best, saver] if epochs is None else [saver]),
        own.CostMeter(run.path / phase, monitor),
        *([] if config.trainer["enable_progress_bar"] is False else [TQDMProgressBar()]),
        *([] if sys.stdout.isatty() else [own.EpochLogger(monitor)]),
        *([] if epochs is None else [own.StopAfter(epochs)]),
    ]


def open_loggers(config: RunConfig, run: RunFolder, phase: str) -> list[Logger]:
    """Make the folder of a phase, and return its loggers; rank 0 alone has some."""
    folder, loggers = run.path / phase, list[Logger]()
    if distributed.is_first():
        folder.mkdir(parents=True, exist_ok=True)
        lock_phase(folder)
        metrics = folder / METRICS_FILE
        if metrics.is_file():  # of a training that is resumed: Lightning starts a new file
            number = len(metrics_files(folder))
            metrics.rename(folder / f"metrics-{number}.csv")
        is_trial, is_done = phase.startswith(TRIAL_PREFIX), config.ckpt_path and run.is_finished()
        is_logged = is_trial or (phase == SELECT and not is_done)
        mode: comet.Mode = config.comet if is_logged else "off"
        experiment = folder if is_trial else run.path
        loggers = comet.make_loggers(folder, experiment, Path(config.runs), mode)
    distributed.barrier()
    return loggers
