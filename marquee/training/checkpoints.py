"""Checkpoints from which a stopped training ends bit for bit as if it had never been stopped.

    python train.py fit --config recipes/ml-1m.yaml --checkpoints.every_minutes 5
    python train.py fit --config recipes/ml-1m.yaml --ckpt_path last      # the same again: go on

Beside weights and optimizer a checkpoint holds what Lightning leaves out: the state of PyTorch's
random numbers (of every rank), the place in the epoch's batches (the loader keeps it) and the
settings it was made with, so that no training goes on with others. It is written beside its place
and renamed, so that a kill in the middle of writing leaves the one before.

A first ctrl-C or SIGTERM lets the step end, saves, and stops; exit status 130 or 143. A second
ctrl-C stops at once. After the last step of an epoch nothing is saved until validation has judged
it: resumed from there, Lightning would leave that validation out.

Exact are the same machine, threads and number of ranks. Another number of ranks goes on, too, with
other random numbers.
"""

import os
import signal
import threading
import time
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

from marquee.core.errors import InputError
from marquee.training import distributed


@dataclass(frozen=True)
class CheckpointConfig:
    """When and where a training saves itself, beside the end of every epoch."""

    every_minutes: float = 10.0
    """What a kill costs at most; 0 saves at the ends of epochs (and at every_steps) alone."""
    every_steps: int = 0
    """Save after so many steps, too; 0 does not count steps."""
    folder: str | None = None
    """Where checkpoints go instead of `--runs`, e.g. s3://bucket/runs: a machine that has nothing
    but this folder can go on."""

    def __post_init__(self) -> None:
        if self.every_minutes < 0 or self.every_steps < 0:
            raise InputError(
                "checkpoints.every_minutes and checkpoints.every_steps: needed 0 or more"
            )


class WholeFiles(TorchCheckpointIO):
    """A checkpoint is there whole or not at all."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        if is_url(path):  # an object appears when it is complete
            return super().save_checkpoint(checkpoint, path, storage_options)
        aside = Path(f"{path}.part")
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except (OSError, RuntimeError) as error:  # torch's writer has no errno of its own
            aside.unlink(missing_ok=True)
            raise InputError(
                f"the checkpoint {path} cannot be written ({reason(error)}); make room, then go on "
                "with the same command and --ckpt_path last"
            ) from error


class Saver(Checkpoint):
    """Saves one training in one file: at times, after steps, at ends of epochs, and at a stop."""

    settings: dict[str, Any]
    """All that the training depends on; set before it starts."""

    def __init__(self, path: str, config: CheckpointConfig) -> None:
        self.path, self.config = path, config
        self.rng: list[dict[str, Any]] = []
        self.signal = 0

    def state_dict(self) -> dict[str, Any]:
        rng: dict[str, Any] = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            rng["cuda"] = torch.cuda.get_rng_state()
        return {"rng": distributed.gathered(rng), "settings": self.settings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rng = state_dict["rng"]

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self.rng:
            own = self.rng[distributed.rank() % len(self.rng)]
            torch.set_rng_state(own["cpu"])
            if "cuda" in own and torch.cuda.is_available():
                torch.cuda.set_rng_state(own["cuda"])
        # The optimizer's schedule asks how many steps there are, so the batches are set up before
        # Lightning restores, and it would leave their place in the epoch out.
        trainer.fit_loop._load_combined_loader_states()
        if threading.current_thread() is threading.main_thread():
            # Instead of Lightning's own, which it puts back at the end.
            signal.signal(signal.SIGTERM, self.heard)
            signal.signal(signal.SIGINT, self.heard)
        self.saved_at = time.monotonic()

    def heard(self, number: int, frame: FrameType | None) -> None:
        if self.signal == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        heard = distributed.largest(self.signal)
        if heard or distributed.largest(self.is_due(trainer.global_step)):
            self.save(trainer)
        stop(heard)

    def is_due(self, step: int) -> bool:
        every, minutes = self.config.every_steps, self.config.every_minutes
        waited = time.monotonic() - self.saved_at
        return bool((every and step % every == 0) or (minutes and waited >= 60 * minutes))

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.save(trainer)  # and stop at the next epoch's start: its figures are to be logged yet

    def on_train_epoch_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        stop(distributed.largest(self.signal))

    def save(self, trainer: pl.Trainer) -> None:
        trainer.save_checkpoint(self.path)
        self.saved_at = time.monotonic()


def stop(number: int) -> None:
    """Raise what a signal stands for; none is 0."""
    if number == signal.SIGTERM:
        raise SIGTERMException
    if number:
        raise KeyboardInterrupt


def is_url(path: Any) -> bool:
    return "://" in str(path)


def reason(error: BaseException) -> str:
    """What the system said: "No space left on device"; torch's writer hides it in a context."""
    context = error.__context__
    for each in (error, context):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return str(error).splitlines()[0]


def refuse_absent(folder: str) -> None:
    """InputError where a URL's bucket is not there: to write would make it, or fail an epoch on."""
    if not is_url(folder):
        return
    exists(folder)  # says in a sentence what a store has against it
    system, place = fsspec.core.url_to_fs(folder)
    bucket = place.strip("/").split("/")[0]
    if not system.exists(bucket):
        raise InputError(f"checkpoints.folder {folder}: there is no {bucket}; make it first")


def exists(path: str) -> bool:
    """Whether there is such a file or object; InputError where its store cannot be asked."""
    try:
        system, place = fsspec.core.url_to_fs(path)
        return bool(system.isfile(place))
    except ImportError as error:
        raise InputError(f"{path} needs a package: pip install -e '.[s3]' ({error})") from error
    except Exception as error:
        raise InputError(f"{path} cannot be reached: {' '.join(str(error).split())}") from error


def mark(path: str) -> None:
    """Leave an empty file."""
    with fsspec.open(path, "wb") as file:
        file.write(b"")


def read(path: str) -> dict[str, Any]:
    """A checkpoint on the CPU; InputError where it is damaged or none."""
    try:
        with fsspec.open(path, "rb") as file:
            found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=False)
        return found
    except Exception as error:
        raise InputError(
            f"{path} is no checkpoint, or a damaged one ({type(error).__name__}); give another, or "
            "start anew without --ckpt_path"
        ) from error


def newest_run(folder: str) -> str | None:
    """Name of the newest run in a folder of runs; None where it has none."""
    exists(folder)  # says in a sentence what a store has against it
    system, place = fsspec.core.url_to_fs(folder)
    if not system.isdir(place):
        return None
    names = sorted(Path(each).name for each in system.ls(place, detail=False))
    runs = [name for name in names if name[:1].isdigit()]
    return runs[-1] if runs else None


def refuse_others(path: str, checkpoint: dict[str, Any], settings: dict[str, Any]) -> None:
    """InputError where a checkpoint was made with other settings: it could not end as it would."""
    begun = checkpoint.get("callbacks", {}).get("Saver", {}).get("settings")
    if begun is None:
        raise InputError(f"{path} is not one that a training can go on from; give last.ckpt")
    now, before = flat(settings), flat(begun)
    other = sorted(key for key in now.keys() | before.keys() if now.get(key) != before.get(key))
    if other:
        said = ", ".join(f"{key} {before.get(key)} (now {now.get(key)})" for key in other[:3])
        raise InputError(
            f"{path} was made with {said}; go on with the same settings, or start anew without "
            "--ckpt_path"
        )


def flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"data": {"ties": "hash"}} as {"data.ties": "hash"}; a list is a value."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= (
            flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found
