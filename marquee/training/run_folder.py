"""The folder of a run, `runs/NAME/DATE`: its checkpoints, and the result of its selection.

A run is one selection and what follows it. Each of its trainings is a phase with a folder of its
own: `select`, `refit-SEED`, `refit-all`, `trial-NUMBER`.
"""

import fcntl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import fsspec

from datamodules.splits import Refit
from marquee.core.errors import InputError
from marquee.core.files import read_json, write_json
from marquee.training import distributed
from marquee.training.checkpoints import exists, is_url
from marquee.training.config import RunConfig

SELECT = "select"
TRIAL_PREFIX = "trial-"  # of a search, each a training that is logged like a selection
LAST, BEST = "last.ckpt", "best.ckpt"
SELECTION_FILE, CURVE_FILE, COST_FILE = "fit.json", "curve.json", "cost.json"
LOCK_FILE = ".lock"
METRICS_FILE = "metrics.csv"  # that of a training before it was resumed: metrics-NUMBER.csv
_locks: dict[Path, IO[str]] = {}  # held by this process


@dataclass(frozen=True, kw_only=True)
class RunFolder:
    """The paths of one run."""

    path: Path  # configurations, metrics, costs and test rows, on this machine
    checkpoint_folder: str  # or a URL; an empty file `finished` in it marks a run that is done

    def checkpoint(self, phase: str, file: str) -> str:
        return f"{self.checkpoint_folder}/{phase}/{file}"

    def trained_checkpoint(self, refit: Refit, seed: int) -> str:
        """Return the checkpoint of a finished training: as selected, or of a seed's refit."""
        if refit == "none":
            return self.checkpoint(SELECT, BEST)
        return self.checkpoint(f"refit-{seed}", LAST)

    @property
    def unrefitted_bundle(self) -> Path:
        """The bundle of the model as selected, trained without the validation part."""
        return self.path / "bundle-unrefitted"

    def is_finished(self) -> bool:
        return exists(f"{self.checkpoint_folder}/finished")

    def mark_finished(self) -> None:
        with fsspec.open(f"{self.checkpoint_folder}/finished", "wb") as file:
            file.write(b"")


@dataclass(frozen=True, kw_only=True)
class SelectionResult:
    """The decision of a selection: the number of epochs, by validation."""

    folder: Path  # the run, `runs/NAME/DATE`
    commit: str  # of the code that the selection started from
    epochs: int  # after which validation was best; the length of a refit
    validation: Mapping[str, float | None]  # the metric that chose after these epochs; None: n/a
    below_popularity: bool = False  # popularity's value on validation is as high or higher
    withheld: bool = False  # therefore the older bundle stays, and this one is in the run's folder

    def save(self) -> None:
        """Write `fit.json`, which marks the selection as finished."""
        content = {name: value for name, value in vars(self).items() if name != "folder"}
        write_json(self.folder / SELECTION_FILE, content)

    @classmethod
    def load(cls, folder: Path) -> "SelectionResult":
        """Read the selection of a run; InputError if it is not finished."""
        content = read_json(folder / SELECTION_FILE)
        if content is None:
            raise InputError(f"{folder}: no finished selection; first: train.py fit")
        return cls(folder=folder, **content)

    def total_cost(self) -> dict[str, float]:
        """Return wall_s and cpu_s of all trainings of the run; every refit adds its own."""
        costs = [read_json(path) for path in self.folder.glob(f"*/{COST_FILE}")]
        return {name: sum(cost[name] for cost in costs) for name in ("wall_s", "cpu_s")}

    def curve(self) -> list[dict[str, float]]:
        """Return each validation of the selection, with the cost until then."""
        rows = read_json(self.folder / SELECT / CURVE_FILE, default=[])
        return [{name: float(f"{value:.6g}") for name, value in row.items()} for row in rows]


def lock_phase(folder: Path) -> None:
    """Keep other processes from training this phase, until this process ends.

    Raises InputError if another one does. A file system without locks has none.
    """
    path = folder.resolve() / LOCK_FILE
    if path in _locks:
        return
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise InputError(
            f"{folder}: another process trains it, expected one at a time; wait for it, or start "
            "another run without --ckpt_path"
        ) from error
    except OSError:
        file.close()
        return
    _locks[path] = file


def metrics_files(folder: Path) -> list[Path]:
    """Return the metrics of a phase, those before each resumption first.

    A resumption that had nothing left to train writes none of its own.
    """
    stops = sorted(folder.glob("metrics-*.csv"), key=lambda path: int(path.stem.split("-")[1]))
    last = folder / METRICS_FILE
    return [*stops, last] if last.is_file() or not stops else stops


def test_rows_name(protocol: str) -> str:
    return f"test-{protocol}.parquet"


def open_run(config: RunConfig, *, new: bool) -> RunFolder:
    """Return the run of `--ckpt_path`, else a new one or the newest finished one.

    new: start a run if none is resumed. All processes of a training get the same folder. Raises
    InputError if there is no such run, or no such store of checkpoints.
    """
    root, folder = config.checkpoint_root, config.runs_folder
    check_bucket(root)

    def choose() -> Path:
        if config.ckpt_path not in (None, "last"):
            return folder / run_name_of(str(config.ckpt_path), root)
        if not new:
            return newest_run(folder)
        name = resumable_run_name(root) if config.ckpt_path else None
        return folder / name if name else new_run(folder)

    path = distributed.on_first_rank(choose)
    return RunFolder(path=path, checkpoint_folder=f"{root}/{path.name}")


def check_bucket(root: str) -> None:
    """Refuse a URL whose bucket does not exist, which a write might create."""
    if not is_url(root):
        return
    exists(root)  # words the errors of a store
    system, path = fsspec.core.url_to_fs(root)
    bucket = path.strip("/").split("/")[0]
    if not system.exists(bucket):
        raise InputError(
            f"checkpoints.folder {root}: there is no {bucket}, expected a bucket that exists; "
            "create it first"
        )


def resumable_run_name(root: str) -> str | None:
    """Return the name of the newest run that has checkpoints; None without one."""
    system, path = fsspec.core.url_to_fs(root)
    if not system.isdir(path):
        return None
    names = sorted(Path(each).name for each in system.ls(path, detail=False))
    return next((name for name in reversed(names) if name[:1].isdigit()), None)


def run_name_of(checkpoint: str, root: str) -> str:
    """Return the name of a checkpoint's run; InputError if it is not below `root`."""
    run, _, _ = checkpoint.rstrip("/").rpartition("/")[0].rpartition("/")
    parent, _, name = run.rpartition("/")
    is_below = parent == root or (
        not is_url(root) and Path(parent).resolve() == Path(root).resolve()
    )
    if not is_below or not exists(checkpoint):
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
    """Return the newest run whose selection is finished; InputError if there is none."""
    runs = sorted(path.parent for path in folder.glob(f"*/{SELECTION_FILE}"))
    if not runs:
        raise InputError(f"{folder}: no finished run; first: python train.py fit --config …")
    return runs[-1]
