"""Lightning's Trainer for one training of a run: loggers, checkpoints, one line an epoch, costs."""

import logging
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import Logger

from datamodules.datamodule import InteractionDataModule
from marquee.core.errors import InputError
from marquee.training import comet, distributed
from marquee.training.callbacks import (
    CostMeter,
    EpochLogger,
    StopAfter,
    ThroughputMeter,
    TrainLoss,
)
from marquee.training.checkpoints import AtomicCheckpointIO, CheckpointSaver
from marquee.training.config import RunConfig
from marquee.training.run_folder import BEST, LAST, SELECT, TRIAL_PREFIX, RunFolder

C = TypeVar("C", bound=Callback)

METRICS_FILE = "metrics.csv"
EXPECTED_WARNINGS = (
    ".*number of training batches",
    "Checkpoint directory .* exists",
    ".*treespec",
    ".*sync_dist=True",  # the values are synchronized by then
    "Experiment logs directory",  # archive_metrics has moved them
)


def quiet_libraries() -> None:
    """Silence Lightning's tips, device lists and expected warnings.

    Commands call this once; importing a module silences nothing.
    """
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    for message in EXPECTED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


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

    phase: names the folder within the run, which is made. epochs: stop after so many, on the
    schedule of `trainer.max_epochs` and without validation; None trains them all, validates, and
    keeps the best epoch. callbacks: further ones. A selection and the trials of a search open a
    Comet experiment, which the caller closes. Raises InputError for a setting that the Trainer
    refuses.
    """
    settings = dict(config.trainer)
    interval = min(settings["check_val_every_n_epoch"] or 1, settings["max_epochs"] or 1)
    settings |= {
        "check_val_every_n_epoch": max(1, interval),
        "logger": open_loggers(config, run, phase),
        "plugins": [AtomicCheckpointIO()],
        "callbacks": [
            *phase_callbacks(config, run, data, phase=phase, epochs=epochs),
            *callbacks,
        ],
    }
    if epochs is not None:
        settings["limit_val_batches"] = 0
    if distributed.world_size() > 1:
        num_devices = distributed.local_world_size()
        num_nodes = distributed.world_size() // num_devices
        settings |= {"strategy": "ddp", "devices": num_devices, "num_nodes": num_nodes}
    try:
        return pl.Trainer(**settings)
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise InputError(f"trainer: {error}") from error


def phase_callbacks(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    *,
    phase: str,
    epochs: int | None,
) -> list[Callback]:
    """Return the callbacks of a phase.

    `last` is saved as CheckpointConfig says, `best` by validation. `best` is a file of its own, so
    that a stop in mid-epoch cannot touch the selected weights.
    """
    last = run.checkpoint(phase, LAST)
    settings = config.training_settings() | {
        "of": {"sha256": data.dataset.sha256, "refit": data.refit}
    }
    saver = CheckpointSaver(last, phase, config.checkpoints, settings)
    best = ModelCheckpoint(
        last.rpartition("/")[0],
        filename=BEST.removesuffix(".ckpt"),
        monitor=config.monitor,
        mode="max",
        save_on_train_epoch_end=False,
        enable_version_counter=False,
        auto_insert_metric_name=False,
    )
    return [
        TrainLoss(),
        ThroughputMeter(),
        *([saver] if epochs is not None else [best, saver]),
        CostMeter(run.phase_folder(phase), config.monitor),
        *([] if sys.stdout.isatty() else [EpochLogger(config.monitor)]),
        *([] if epochs is None else [StopAfter(epochs)]),
    ]


def open_loggers(config: RunConfig, run: RunFolder, phase: str) -> list[Logger]:
    """Make the folder of a phase, and return its loggers; rank 0 alone has some."""
    folder, loggers = run.phase_folder(phase), list[Logger]()
    if distributed.global_rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        archive_metrics(folder)
        is_trial = phase.startswith(TRIAL_PREFIX)
        is_logged = is_trial or (phase == SELECT and not is_done(config, run))
        mode: comet.Mode = config.comet if is_logged else "off"
        experiment = folder if is_trial else run.path
        loggers = comet.make_loggers(folder, experiment, Path(config.runs), mode)
    distributed.barrier()
    return loggers


def is_done(config: RunConfig, run: RunFolder) -> bool:
    """Return whether a run that is resumed has nothing left to do."""
    return bool(config.ckpt_path) and run.is_finished()


def archive_metrics(folder: Path) -> None:
    """Rename the metrics.csv of a training that is resumed.

    Lightning starts a new file.
    """
    metrics = folder / METRICS_FILE
    if metrics.is_file():
        number = len(list(folder.glob("metrics-*.csv"))) + 1
        metrics.rename(folder / f"metrics-{number}.csv")


def callback_of(trainer: pl.Trainer, kind: type[C]) -> C:
    """Return the one callback of a kind."""
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    return next(callback for callback in callbacks if isinstance(callback, kind))
