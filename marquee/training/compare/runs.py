"""A finished run, read from wherever it is kept: its folder, an offline archive, or Comet.

    find("runs/ml-1m/20261122-183925")      that run
    find("ml-1m")                           the newest finished one of runs/ml-1m
    find("runs/comet/3f0c….zip")            an archive, with others of the same experiment beside it
    find("comet:team/marquee/3f0c…")        asked of Comet's server; comet:KEY finds the key alone

All three say the same of a run: its resolved settings, what every epoch gave, what it cost, and of
a tested one the results and the row of each test person. marquee/training/compare/comet_runs.py reads the last two.
"""

import io
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from datamodules.datamodule import MONITORS
from marquee.core.errors import InputError
from marquee.training.checkpoints import flat
from marquee.training.evaluate import Fit
from marquee.training.recipe import newest_run

CONFIG = "config.yaml"
KEPT = re.compile(r"config\.yaml|(results|test)-[a-z-]+\.(json|parquet)")
"""Files of a run that a comparison reads, by the names that they have in Comet too."""
BY_EPOCH = ("train/", "val/", "time/", "speed/", "memory/", "lr")
"""What is logged each epoch; the other metrics are figures of the end."""
COST = ("wall_s", "cpu_s")
FACTS = {"data/sha256": "data_sha256", "code/commit": "commit", "machine": "machine"}
"""What is known of a run beside its settings: its name in Comet -> in a results file."""

Row = dict[str, float]


class Point(NamedTuple):
    """One metric as it was logged."""

    name: str
    epoch: float | None
    """From 0."""
    value: float


@dataclass(frozen=True)
class Logged:
    """What a run left behind, before it is read."""

    label: str
    home: str
    files: Mapping[str, bytes]
    """By the names of KEPT."""
    points: Sequence[Point]
    """In the order of logging: an epoch made again after a stop counts as it was the last time."""
    params: Mapping[str, Any]
    selection: Row = field(default_factory=dict)
    """`epochs` and the validation figure, where the run's home says them."""
    curve: Sequence[Row] = ()


@dataclass(frozen=True)
class Run:
    """A finished run."""

    label: str
    """NAME/DATE."""
    home: str
    """folder, archive or Comet."""
    settings: Mapping[str, Any]
    """Every resolved setting by its name on the command line, `model.network.dropout`."""
    facts: Mapping[str, str]
    """code/commit, data/sha256, machine, as far as they are known."""
    epochs: Sequence[Row]
    """One row an epoch: `epoch` from 1, train/loss, the validation figure, time/epoch_s, …"""
    curve: Sequence[Row]
    """One row a validation: epoch, its figure, wall_s and cpu_s by then; older runs have none."""
    monitor: str
    """The figure that validation chose by."""
    selection: Row
    """epochs, and the monitor after them."""
    cost: Row
    """wall_s and cpu_s of all its trainings."""
    seeds: Sequence[int]
    results: Mapping[str, dict[str, Any]]
    """By protocol, as in results/*.json; empty for a run that was selected and not tested."""
    rows: Mapping[str, pd.DataFrame]
    """By protocol, a row a seed and movie that was asked for."""

    def largest(self, name: str) -> float | None:
        """The largest value that an epoch gave."""
        return max((row[name] for row in self.epochs if name in row), default=None)

    def median(self, name: str) -> float | None:
        """Of all epochs: the first one, which warms up, does not move it."""
        values = pd.Series([row[name] for row in self.epochs if name in row], dtype=float)
        return float(values.median()) if len(values) else None


def find(given: str, runs: Path) -> Run:
    """The run that somebody means. runs: the folder of recipes' runs.

    Raises InputError, which names `given`: nothing there, still training, or not readable.
    """
    try:
        return run_of(logged(given, runs))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError, yaml.YAMLError) as error:
        raise InputError(
            f"{given} cannot be read ({type(error).__name__}: {error}); one of its files is damaged"
        ) from error


def logged(given: str, runs: Path) -> Logged:
    from marquee.training.compare import comet_runs  # which reads by the types above

    if given.startswith("comet:"):
        return comet_runs.of_server(given)
    place = next((path for path in (Path(given), runs / given) if path.exists()), None)
    if place is None:
        raise InputError(
            f"{given}: no such run; needed a folder as runs/NAME/DATE or runs/NAME, an archive as "
            "runs/comet/KEY.zip, or comet:WORKSPACE/PROJECT/KEY"
        )
    if place.is_file():
        return comet_runs.of_archive(place)
    is_run = any((place / each).exists() for each in ("fit.json", "select"))
    return of_folder(place if is_run else newest_run(place))


def newest(runs: Path, most: int) -> list[str]:
    """The newest finished runs of all recipes, oldest first."""
    folders = [path.parent for path in runs.glob("*/*/fit.json")]
    return [str(each) for each in sorted(folders, key=lambda each: (each.name, each))[-most:]]


def of_folder(folder: Path) -> Logged:
    """A run on this machine, `runs/NAME/DATE`."""
    if not (folder / "fit.json").is_file():
        raise InputError(
            f"{folder} is still training, or was stopped: it has no fit.json, which ends a "
            "selection; wait, or go on with --ckpt_path"
        )
    done = Fit.load(folder)
    select, bundle = folder / "select", folder / "bundle-unrefitted" / "bundle.json"
    paths = [select / CONFIG, *sorted(folder.glob("*-*.*"))]
    params = {"code/commit": done.commit}
    if bundle.is_file():
        params["data/sha256"] = json.loads(bundle.read_text())["data"]["sha256"]
    cost = [Point(f"cost/{name}", None, value) for name, value in done.cost().items()]
    return Logged(
        label=f"{folder.resolve().parent.name}/{folder.resolve().name}",
        home="folder",
        files={path.name: path.read_bytes() for path in paths if KEPT.fullmatch(path.name)},
        points=[*csv_points(select), *cost],
        params=params,
        selection={"epochs": done.epochs, **done.validation},
        curve=done.curve(),
    )


def csv_points(select: Path) -> list[Point]:
    """metrics-1.csv, metrics-2.csv, …, of before each stop, then metrics.csv."""
    kept = sorted(select.glob("metrics-*.csv"), key=lambda path: int(path.stem.split("-")[1]))
    points = []
    for path in [*kept, select / "metrics.csv"]:
        for row in pd.read_csv(path).to_dict("records"):
            values = {str(name): float(value) for name, value in row.items() if pd.notna(value)}
            epoch = values.pop("epoch", None)  # the figures of the end have none
            points += [Point(name, epoch, value) for name, value in values.items()]
    return points


def run_of(logged: Logged) -> Run:
    """The same of a run, wherever it was kept. Its results count before what was logged."""
    results: dict[str, dict[str, Any]] = {}
    rows: dict[str, pd.DataFrame] = {}
    for name, content in sorted(logged.files.items()):
        protocol = Path(name).stem.partition("-")[2]
        if name.startswith("results-"):
            results[protocol] = with_all(name, json.loads(content), ("metrics", "num_users"))
        elif name.startswith("test-"):
            table = pd.read_parquet(io.BytesIO(content))
            rows[protocol] = with_all(name, table, ("user_id", "movie_id", "seed"))
    one: dict[str, Any] = next(iter(results.values()), {})
    config = logged.files.get(CONFIG)
    settings = flat(yaml.safe_load(config)) if config else dict(logged.params)
    monitor = MONITORS[settings.get("data.protocol", "next")]
    epochs, ends = by_epoch(logged.points), {p.name: p.value for p in logged.points}
    selection = {**best(epochs, monitor), **logged.selection, **one.get("selection", {})}
    curve = selection.pop("curve", None) or logged.curve
    facts = {each: one.get(name, logged.params.get(each)) for each, name in FACTS.items()}
    cost = {name: one.get(name, ends.get(f"cost/{name}")) for name in COST}
    return Run(
        label=logged.label,
        home=logged.home,
        settings=settings,
        facts=without_none(facts),
        epochs=epochs,
        curve=curve,
        monitor=monitor,
        selection=selection,
        cost=without_none(cost),
        seeds=one.get("seeds") or yaml.safe_load(str(settings.get("seeds", "[]"))),
        results=results,
        rows=rows,
    )


def with_all(name: str, content: Any, needed: Sequence[str]) -> Any:
    """The content, if it has what a comparison needs."""
    if missing := [each for each in needed if each not in content]:
        raise ValueError(f"{name} has no {', '.join(missing)}")
    return content


def by_epoch(points: Sequence[Point]) -> list[Row]:
    """A row an epoch, of what is logged each epoch."""
    found: dict[int, Row] = defaultdict(dict)
    for name, epoch, value in points:
        if epoch is not None and name.startswith(BY_EPOCH):
            found[int(epoch) + 1][name] = value
    return [{"epoch": epoch, **found[epoch]} for epoch in sorted(found)]


def best(epochs: Sequence[Row], monitor: str) -> Row:
    """The epoch that a selection chooses: the first of the highest."""
    asked = [row for row in epochs if monitor in row]
    if not asked:
        return {}
    row = max(asked, key=lambda row: row[monitor])
    return {"epochs": row["epoch"], monitor: row[monitor]}


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
