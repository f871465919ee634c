"""A finished run, read from its folder, from an offline archive, or from Comet's server.

    read_run("runs/ml-1m/20261122-183925", runs)    that run
    read_run("ml-1m", runs)                         the newest finished run of runs/ml-1m
    read_run("runs/comet/3f0c….zip", runs)          an archive, with others of its experiment
    read_run("comet:team/marquee/3f0c…", runs)      from Comet's server; comet:KEY works, too

All sources give the same content: the resolved settings, the metrics of every epoch, the cost, and
of a tested run the results and a row for each test user. marquee/training/compare/comet_runs.py
reads the last two sources.
"""

import io
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from marquee.core.errors import InputError
from marquee.core.nested_dicts import flatten, without_none
from marquee.evaluation.protocols import PROTOCOLS
from marquee.training.compare.comet_runs import read_archive, read_experiment
from marquee.training.compare.run_types import (
    FACTS,
    RUN_FILES,
    LoggedRun,
    MetricPoint,
    Row,
    Run,
)
from marquee.training.config import CONFIG_FILE
from marquee.training.run_folder import newest_run
from marquee.training.selection import SelectionResult

EPOCH_METRICS = ("train/", "val/", "time/", "speed/", "memory/", "lr")
"""Prefixes of what is logged each epoch; the other metrics are logged once, at the end."""
COST = ("wall_s", "cpu_s")
OLD_RESULT_KEYS = {"num_persons": "num_users"}
"""Keys in the results of older runs, here and in Comet, and the same keys today."""


def read_run(name: str, runs: Path) -> Run:
    """Read the run that a folder, an archive or an address names.

    runs: the folder of the recipes' runs. Raises InputError, which names the run, if nothing is
    there, if it is still training, and if it cannot be read.
    """
    try:
        return parse_run(read_logged(name, runs))
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OSError, yaml.YAMLError) as error:
        raise InputError(
            f"{name}: cannot be read ({type(error).__name__}: {error}), expected the files of a "
            "finished run; one of them is damaged"
        ) from error


def read_logged(name: str, runs: Path) -> LoggedRun:
    if name.startswith("comet:"):
        return read_experiment(name)
    path = next((path for path in (Path(name), runs / name) if path.exists()), None)
    if path is None:
        raise InputError(
            f"{name}: no such run, expected a folder as runs/NAME/DATE or runs/NAME, an archive as "
            "runs/comet/KEY.zip, or comet:WORKSPACE/PROJECT/KEY"
        )
    if path.is_file():
        return read_archive(path)
    is_run = any((path / each).exists() for each in ("fit.json", "select"))
    return read_folder(path if is_run else newest_run(path))


def newest_runs(runs: Path, count: int) -> list[str]:
    """Return the folders of the newest finished runs of all recipes, oldest first."""
    folders = [path.parent for path in runs.glob("*/*/fit.json")]
    return [str(folder) for folder in sorted(folders, key=lambda path: (path.name, path))[-count:]]


def read_folder(folder: Path) -> LoggedRun:
    """Read a run on this machine, `runs/NAME/DATE`."""
    if not (folder / "fit.json").is_file():
        raise InputError(
            f"{folder}: still training, or stopped: no fit.json, expected that of a finished "
            "selection; wait, or continue with --ckpt_path"
        )
    fit = SelectionResult.load(folder)
    select, bundle = folder / "select", folder / "bundle-unrefitted" / "bundle.json"
    paths = [select / CONFIG_FILE, *sorted(folder.glob("*-*.*"))]
    params = {"code/commit": fit.commit}
    if bundle.is_file():
        params["data/sha256"] = json.loads(bundle.read_text())["data"]["sha256"]
    cost = [MetricPoint(f"cost/{name}", None, value) for name, value in fit.total_cost().items()]
    return LoggedRun(
        label=f"{folder.resolve().parent.name}/{folder.resolve().name}",
        source="folder",
        files={path.name: path.read_bytes() for path in paths if RUN_FILES.fullmatch(path.name)},
        points=[*csv_points(select), *cost],
        params=params,
        selection={"epochs": fit.epochs, **fit.validation},
        curve=fit.curve(),
    )


def csv_points(select: Path) -> list[MetricPoint]:
    """Read metrics-1.csv, metrics-2.csv, … of before each stop, then metrics.csv."""
    earlier = sorted(select.glob("metrics-*.csv"), key=lambda path: int(path.stem.split("-")[1]))
    points = []
    for path in [*earlier, select / "metrics.csv"]:
        for row in pd.read_csv(path).to_dict("records"):
            values = {str(name): float(value) for name, value in row.items() if pd.notna(value)}
            epoch = values.pop("epoch", None)  # metrics of the end have none
            points += [MetricPoint(name, epoch, value) for name, value in values.items()]
    return points


def parse_run(logged: LoggedRun) -> Run:
    """Return the run of any source; its results count before what was logged."""
    results: dict[str, dict[str, Any]] = {}
    rows: dict[str, pd.DataFrame] = {}
    for name, content in sorted(logged.files.items()):
        protocol = Path(name).stem.partition("-")[2]
        if name.startswith("results-"):
            result = {
                OLD_RESULT_KEYS.get(key, key): value for key, value in json.loads(content).items()
            }
            results[protocol] = check_keys(name, result, ("metrics", "num_users"))
        elif name.startswith("test-"):
            table = pd.read_parquet(io.BytesIO(content))
            rows[protocol] = check_keys(name, table, ("user_id", "movie_id", "seed"))
    result = next(iter(results.values()), {})
    config = logged.files.get(CONFIG_FILE)
    settings = flatten(yaml.safe_load(config)) if config else dict(logged.params)
    monitor = PROTOCOLS[settings.get("data.protocol", "next")].monitor
    epochs = rows_by_epoch(logged.points)
    last_values = {point.name: point.value for point in logged.points}
    selection = {**best_epoch(epochs, monitor), **logged.selection, **result.get("selection", {})}
    curve = selection.pop("curve", None) or logged.curve
    facts = {each: result.get(name, logged.params.get(each)) for each, name in FACTS.items()}
    cost = {name: result.get(name, last_values.get(f"cost/{name}")) for name in COST}
    return Run(
        label=logged.label,
        source=logged.source,
        settings=settings,
        facts=without_none(facts),
        epochs=epochs,
        curve=curve,
        monitor=monitor,
        selection=selection,
        cost=without_none(cost),
        seeds=result.get("seeds") or yaml.safe_load(str(settings.get("seeds", "[]"))),
        results=results,
        rows=rows,
    )


def check_keys(name: str, content: Any, keys: Sequence[str]) -> Any:
    """Return the content if it has all keys that a comparison needs."""
    if missing := [key for key in keys if key not in content]:
        raise ValueError(f"{name} has no {', '.join(missing)}")
    return content


def rows_by_epoch(points: Sequence[MetricPoint]) -> list[Row]:
    """Return a row for each epoch, of the metrics that are logged each epoch."""
    by_epoch: dict[int, Row] = defaultdict(dict)
    for name, epoch, value in points:
        if epoch is not None and name.startswith(EPOCH_METRICS):
            by_epoch[int(epoch) + 1][name] = value
    return [{"epoch": epoch, **by_epoch[epoch]} for epoch in sorted(by_epoch)]


def best_epoch(epochs: Sequence[Row], monitor: str) -> Row:
    """Return the epoch that a selection chooses: the first of the highest."""
    rows = [row for row in epochs if monitor in row]
    if not rows:
        return {}
    row = max(rows, key=lambda row: row[monitor])
    return {"epochs": row["epoch"], monitor: row[monitor]}
