"""Command lines of small trainings on generated data, with all folders in one place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from marquee.data.demo_data import write_demo
from tests.support.paths import ROOT

RECIPES = ROOT / "recipes"
SMALL_NETWORK = {"model.network.history_length": 20}
FAST_RATING_MODEL = {"stars.burn_in": 2, "stars.num_draws": 2}
CLASSIC_ON_DEMO = (
    *("--data.name=demo", "--data.ties=hash"),
    *("--protocols=[next]", "--data.select_on=next"),
)
"""Settings that fit the classic recipe of ml-1m to the generated data."""


def settings_args(settings: Mapping[str, Any]) -> list[str]:
    """Write settings as on a command line."""
    return [f"--{name}={value}" for name, value in settings.items()]


def run_folder(runs: Path) -> Path:
    """Return the only run of a recipe's folder of runs."""
    (run,) = (path for path in runs.glob("*") if path.is_dir())
    return run


class Workspace(NamedTuple):
    """A folder with data, runs, bundles and results of its own."""

    root: Path

    @classmethod
    def with_data(cls, root: Path, num_users: int, num_movies: int) -> "Workspace":
        """Return a workspace with a generated data set `demo`."""
        write_demo(root / "data" / "demo", seed=1, num_users=num_users, num_movies=num_movies)
        return cls(root)

    def args(
        self, *more: str, recipe: str = "demo", epochs: int = 2, data: Path | None = None
    ) -> list[str]:
        """Return the arguments of a recipe; later ones override earlier ones."""
        folders = {name: self.root / name for name in ("runs", "bundles", "results")}
        schedule = {"trainer.max_epochs": epochs, "trainer.check_val_every_n_epoch": 1}
        settings = {"data.root": data or self.root / "data", **folders, **schedule, **SMALL_NETWORK}
        return [f"--config={RECIPES / recipe}.yaml", *settings_args(settings), *more]

    def run(self, name: str = "demo") -> Path:
        """Return the only run of a recipe."""
        return run_folder(self.root / "runs" / name)
