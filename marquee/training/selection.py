"""The result of a selection, `fit.json` in the folder of a run.

selection = SelectionResult.load(run.path)
selection.epochs          # the length of every refit
selection.total_cost()    # {"wall_s", "cpu_s"} of all trainings of the run so far
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marquee.core.errors import InputError
from marquee.core.files import read_json, write_json

SELECTION_FILE = "fit.json"
CURVE_FILE = "curve.json"
COST_FILE = "cost.json"


@dataclass(frozen=True, kw_only=True)
class SelectionResult:
    """The decision of a selection: the number of epochs, by validation."""

    folder: Path
    """The run, `runs/NAME/DATE`."""
    commit: str
    """Commit of the code that the selection started from."""
    epochs: int
    """Epochs after which validation was best; the length of a refit."""
    validation: Mapping[str, float]
    """The metric that chose, and its value after these epochs."""

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
        rows = read_json(self.folder / "select" / CURVE_FILE, default=[])
        return [{name: float(f"{value:.6g}") for name, value in row.items()} for row in rows]
