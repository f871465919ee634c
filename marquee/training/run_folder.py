"""The folder of a run, `runs/NAME/DATE`, and the place of its checkpoints.

    run = open_run(config, new=True)             # a new folder, or that of --ckpt_path
    run.phase_folder("select")                   # runs/NAME/DATE/select
    run.checkpoint("select", BEST)               # a path or URL: …/select/best.ckpt

A run is one selection and what follows it. Each of its trainings is a phase with a folder of its
own: `select`, `refit-SEED`, `refit-all`, `trial-NUMBER`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from marquee.core.errors import InputError
from marquee.training import checkpoint_store, distributed
from marquee.training.config import RunConfig
from marquee.training.selection import SELECTION_FILE

SELECT = "select"
TRIAL_PREFIX = "trial-"
"""Phases of a search, each a training that is logged like a selection."""
LAST, BEST = "last.ckpt", "best.ckpt"
FINISHED = "finished"
UNREFITTED_BUNDLE = "bundle-unrefitted"
"""The model as selected, trained without the validation items."""


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """The paths of one run."""

    path: Path
    """Configurations, metrics, costs and test rows, on this machine."""
    checkpoint_folder: str
    """Checkpoints, a folder or a URL; an empty file `finished` marks a run that is done."""

    def phase_folder(self, phase: str) -> Path:
        """Return the folder of one training."""
        return self.path / phase

    def checkpoint(self, phase: str, file: str) -> str:
        """Return the path or URL of a training's `last.ckpt` or `best.ckpt`."""
        return f"{self.checkpoint_folder}/{phase}/{file}"

    @property
    def unrefitted_bundle(self) -> Path:
        """The bundle of the model as selected."""
        return self.path / UNREFITTED_BUNDLE

    def is_finished(self) -> bool:
        """Return whether the run has nothing left to do."""
        return checkpoint_store.exists(f"{self.checkpoint_folder}/{FINISHED}")

    def mark_finished(self) -> None:
        """Leave the mark that `is_finished` looks for."""
        checkpoint_store.touch(f"{self.checkpoint_folder}/{FINISHED}")


def test_rows_name(protocol: str) -> str:
    """Return the file name of a protocol's test rows."""
    return f"test-{protocol}.parquet"


def run_folder(config: RunConfig, path: Path) -> RunFolder:
    """Return the paths of a run that lies in `path`."""
    return RunFolder(path=path, checkpoint_folder=f"{config.checkpoint_root}/{path.name}")


def open_run(config: RunConfig, *, new: bool) -> RunFolder:
    """Return the run of `--ckpt_path`, else a new one or the newest one.

    new: start a run if none is resumed, as a selection does; else the newest run whose selection
    is finished, as all commands after it need. All processes of a training get the same folder.
    Raises InputError if there is no such run, or no such store of checkpoints.
    """
    checkpoint_store.check_bucket(config.checkpoint_root)

    def choose() -> Path:
        if config.ckpt_path not in (None, "last"):
            return config.runs_folder / run_name_of(str(config.ckpt_path), config.checkpoint_root)
        if not new:
            return newest_run(config.runs_folder)
        name = checkpoint_store.newest_run(config.checkpoint_root) if config.ckpt_path else None
        return config.runs_folder / name if name else new_run(config.runs_folder)

    return run_folder(config, distributed.on_first_rank(choose))


def run_name_of(checkpoint: str, root: str) -> str:
    """Return the name of the run that a checkpoint belongs to.

    Raises InputError if it is no checkpoint below `root`.
    """
    run, _, _ = checkpoint.rstrip("/").rpartition("/")[0].rpartition("/")
    parent, _, name = run.rpartition("/")
    is_below = parent == root or (
        not checkpoint_store.is_url(root) and Path(parent).resolve() == Path(root).resolve()
    )
    if not is_below or not checkpoint_store.exists(checkpoint):
        raise InputError(
            f"--ckpt_path {checkpoint}: no checkpoint of a run in {root}, expected "
            f"{root}/DATE/select/last.ckpt, as fit writes it"
        )
    return name


def new_run(folder: Path) -> Path:
    """Make a folder named by the time; a second run of the same second gets a number."""
    date, number = datetime.now(UTC).strftime("%Y%m%d-%H%M%S"), 1
    while True:
        path = folder / (date if number == 1 else f"{date}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            number += 1


def newest_run(folder: Path) -> Path:
    """Return the newest run whose selection is finished.

    Raises InputError if there is none.
    """
    runs = sorted(path.parent for path in folder.glob(f"*/{SELECTION_FILE}"))
    if not runs:
        raise InputError(f"{folder}: no finished run; first: python train.py fit --config …")
    return runs[-1]
