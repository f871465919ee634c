"""Checkpoints from which a stopped training ends bit for bit as if it had never been stopped.

Beside weights and optimizer a checkpoint holds what Lightning leaves out: the state of PyTorch's
random numbers (of every rank), the position in the epoch's batches (the loader stores it) and the
settings of the training. After the last step of an epoch nothing is saved until its validation is
over: resumed from there, Lightning would leave that validation out.

Not bit-exact: another machine, number of threads or world size.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import fsspec
import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.utilities.exceptions import SIGTERMException

from marquee.core.command import Terminated
from marquee.core.errors import InputError
from marquee.core.files import flatten
from marquee.core.s3_settings import S3Settings
from marquee.training import distributed
from marquee.training.distributed import say_once

MAX_SETTINGS_SHOWN = 3


@dataclass(frozen=True)
class CheckpointConfig:
    """The moments at which a training saves itself, beside the end of every epoch."""

    every_minutes: float = 10.0
    """The most that a kill costs; 0 saves only at the ends of epochs (and at every_steps)."""
    every_steps: int = 0
    """Save also after so many steps; 0 does not count steps."""
    folder: str | None = None
    """The folder or URL of checkpoints instead of `--runs`, e.g. s3://bucket/runs: a machine that
    has nothing but this folder can resume."""

    def __post_init__(self) -> None:
        for name in ("every_minutes", "every_steps"):
            if getattr(self, name) < 0:
                raise InputError(f"checkpoints.{name} {getattr(self, name)}: expected 0 or more")


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint completely or not at all."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        if is_url(path):  # an object appears when it is complete
            return super().save_checkpoint(checkpoint, path, storage_options)
        # One name, unlike atomic_path: repeated kills leave one part of gigabytes, not many.
        part = Path(f"{path}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except (OSError, RuntimeError) as error:  # torch's writer has no errno of its own
            part.unlink(missing_ok=True)
            raise InputError(
                f"{path}: the checkpoint cannot be written ({system_message(error)}); make room, "
                "then resume with the same command and --ckpt_path last"
            ) from error


class CheckpointSaver(Checkpoint):
    """Saves one phase to one file: by time, steps, at ends of epochs, at a stop."""

    def __init__(
        self, path: str, phase: str, config: CheckpointConfig, settings: Mapping[str, Any]
    ) -> None:
        self.path, self.phase, self.config, self.settings = path, phase, config, dict(settings)
        self.rng_by_rank: list[dict[str, Any]] = []
        self.signal = 0

    def state_dict(self) -> dict[str, Any]:
        rng: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            rng["cuda"] = torch.cuda.get_rng_state()
        return {"rng": distributed.all_gather(rng), "settings": self.settings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rng_by_rank = state_dict["rng"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.rng_by_rank:
            rng = self.rng_by_rank[distributed.global_rank() % len(self.rng_by_rank)]
            torch.set_rng_state(rng["cpu"])
            if "cuda" in rng and torch.cuda.is_available():
                torch.cuda.set_rng_state(rng["cuda"])
        # The optimizer's schedule needs the number of steps, so the batches are set up before
        # Lightning restores, and it would leave their position in the epoch out.
        trainer.fit_loop._load_combined_loader_states()
        if threading.current_thread() is threading.main_thread():
            # Instead of Lightning's own handlers, which it restores at the end.
            signal.signal(signal.SIGTERM, self.on_signal)
            signal.signal(signal.SIGINT, self.on_signal)
        self.saved_at = time.monotonic()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.signal == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        if trainer.is_last_batch or (number + 1) % trainer.accumulate_grad_batches:
            return
        signal_number = distributed.all_reduce_max(self.signal)
        if signal_number or distributed.all_reduce_max(self.is_due(trainer.global_step)):
            self.save(trainer)
        raise_signal(signal_number)

    def is_due(self, step: int) -> bool:
        steps, minutes = self.config.every_steps, self.config.every_minutes
        elapsed_s = time.monotonic() - self.saved_at
        return bool((steps and step % steps == 0) or (minutes and elapsed_s >= 60 * minutes))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.save(trainer)  # and stop at the next epoch's start: its metrics are not logged yet

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        raise_signal(distributed.all_reduce_max(self.signal))

    def save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self.saved_at = time.monotonic()

    def find_resumable(self, ckpt_path: str | None) -> str | None:
        """Return the checkpoint to resume from, and print it; None to start anew.

        ckpt_path: as on the command line; a path counts for the phase that it names.
        """
        if ckpt_path is None:
            return None
        path = ckpt_path if self.phase in ckpt_path.split("/")[-2:-1] else self.path
        if not exists(path):
            return None
        checkpoint = read_checkpoint(path)
        check_settings(path, checkpoint, self.settings)
        say_once(f"{self.phase}: resuming from {path}, step {checkpoint['global_step']}")
        return path


def raise_signal(number: int) -> None:
    if number == signal.SIGTERM:
        raise Terminated
    if number:
        raise KeyboardInterrupt


def is_url(path: Any) -> bool:
    return "://" in str(path)


def configure_s3() -> None:
    """Give s3fs the settings that it does not read itself; Lightning opens it, too."""
    arguments = S3Settings.from_environment().fsspec_arguments()
    fsspec.config.conf.setdefault("s3", {}).update(arguments)


def exists(path: str) -> bool:
    """Return whether a file or object exists; InputError without its store."""
    configure_s3()
    try:
        system, local_path = fsspec.core.url_to_fs(path)
        return bool(system.isfile(local_path))
    except ImportError as error:
        raise InputError(
            f"{path}: a package is missing ({error}); run: pip install -e '.[s3]'"
        ) from error
    except Exception as error:
        raise InputError(f"{path}: cannot be reached ({' '.join(str(error).split())})") from error


@contextmanager
def converted_stops(saver: CheckpointSaver) -> Iterator[None]:
    """Turn Lightning's exceptions of a stop into those of the command frame."""
    try:
        yield
        raise_signal(saver.signal)
    except SIGTERMException as stop:
        raise Terminated from stop
    except SystemExit as stop:  # Lightning's answer to a ctrl-C
        message = "stopped"
        if exists(saver.path):
            message += f"; resume with the same command and --ckpt_path {saver.path}"
        raise KeyboardInterrupt(message) from stop


def system_message(error: BaseException) -> str:
    """Return the system's words, which torch hides in its error's context."""
    for each in (error, error.__context__):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return str(error).splitlines()[0]


def read_checkpoint(path: str) -> dict[str, Any]:
    """Read a checkpoint to the CPU; InputError if it is damaged or no checkpoint."""
    try:
        with fsspec.open(path, "rb") as file:
            checkpoint: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=False)
        return checkpoint
    except Exception as error:
        raise InputError(
            f"{path}: no checkpoint, or a damaged one ({type(error).__name__}); name another, or "
            "start anew without --ckpt_path"
        ) from error


def load_weights(model: pl.LightningModule, path: str, epochs: int = 0) -> None:
    """Load a checkpoint's weights; InputError for none, or one of another model.

    epochs: of a finished training; one that a stop cut short is refused, too.
    """
    if not exists(path):
        raise InputError(
            f"{path}: no checkpoint; run train.py fit first, or name another with --ckpt_path"
        )
    checkpoint = read_checkpoint(path)
    if epochs:
        num_trained = checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
        if num_trained < epochs:
            raise InputError(
                f"{path}: stopped after {num_trained} of {epochs} epochs, expected a finished "
                "training; continue it with: train.py refit --ckpt_path last"
            )
    try:
        model.load_state_dict(checkpoint["state_dict"])
    except (KeyError, RuntimeError) as error:
        raise InputError(
            f"{path}: weights of another model, expected a checkpoint of this recipe on this data; "
            "name one that fit wrote with the same settings"
        ) from error


def check_settings(path: str, checkpoint: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Refuse a checkpoint of other settings: it would end as another model."""
    state = checkpoint.get("callbacks", {}).get(CheckpointSaver.__name__, {})
    if "settings" not in state:
        raise InputError(f"{path}: cannot be resumed from, expected a last.ckpt that fit wrote")
    now, saved = flatten(settings), flatten(state["settings"])
    differences = [
        f"{name} {saved.get(name)} (now {now.get(name)})"
        for name in sorted(now.keys() | saved.keys())
        if now.get(name) != saved.get(name)
    ]
    if differences:
        raise InputError(
            f"{path}: made with {', '.join(differences[:MAX_SETTINGS_SHOWN])}, expected the same "
            "settings; resume with those, or start anew without --ckpt_path"
        )
