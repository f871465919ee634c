"""A finished run as it is compared, read from its folder or from Comet's server."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from marquee.core.errors import InputError
from marquee.core.files import flatten, read_json, without_none
from marquee.evaluation.protocols import PROTOCOLS
from marquee.training import comet
from marquee.training.config import CONFIG_FILE
from marquee.training.run_folder import (
    SELECT,
    SELECTION_FILE,
    SelectionResult,
    metrics_files,
)

# Files of a run that a comparison reads, by the names that they have in Comet too.
RUN_FILES = re.compile(r"config\.yaml|(results|test)-[a-z-]+\.(json|parquet)")
TRAIN_LOSS, PEAK_MEMORY, SPEED = "train/loss", "memory/peak_gb", "speed/examples_per_s"


@dataclass(frozen=True, kw_only=True)
class Run:
    label: str  # NAME/DATE
    source: str  # folder or Comet
    settings: Mapping[str, Any]  # by their dotted names on the command line
    monitor: str  # the metric that validation chose the epoch by
    epochs: pd.DataFrame  # by epoch, from 1: TRAIN_LOSS, the monitor, PEAK_MEMORY and SPEED
    selection: Mapping[str, Any]  # `epochs`, and the monitor after them
    facts: Mapping[str, Any]  # as in results: commit, data_sha256, seeds, …, if they are known
    results: Mapping[str, dict[str, Any]]  # by protocol; empty for a run that was not tested
    rows: Mapping[str, pd.DataFrame]  # by protocol, one row for each seed and target item


def parse_run(
    files: Mapping[str, bytes],
    *,
    label: str,
    source: str,
    epochs: pd.DataFrame,
    selection: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Run:
    """Return the run of any source; its results count before `selection` and `facts`.

    files: by the names of RUN_FILES. epochs: every metric by epoch, from 0.
    """
    results, rows = dict[str, dict[str, Any]](), dict[str, pd.DataFrame]()
    check_keys("the run", files, [CONFIG_FILE])
    for name, content in sorted(files.items()):
        protocol = Path(name).stem.partition("-")[2]
        if name.startswith("results-"):
            result = json.loads(content)
            section = result if "metrics" in result else result.get("random_holdout", {})
            check_keys(name, section, ["metrics"])
            results[protocol] = check_keys(name, result, ["num_users"])
        elif name.startswith("test-"):
            table = pd.read_parquet(io.BytesIO(content))
            rows[protocol] = check_keys(name, table, ["user_id", "movie_id", "seed"])
    result = next(iter(results.values()), {})
    settings = flatten(yaml.safe_load(files[CONFIG_FILE]))
    monitor = PROTOCOLS[settings.get("data.protocol", "next")].monitor
    epochs = epochs.reindex(columns=[TRAIN_LOSS, monitor, PEAK_MEMORY, SPEED])
    epochs.index = epochs.index.astype(int) + 1
    return Run(
        label=label,
        source=source,
        settings=settings,
        monitor=monitor,
        epochs=epochs,
        selection={**selection, **result.get("selection", {})},
        facts=without_none({"seeds": settings.get("seeds", []), **facts, **result}),
        results=results,
        rows=rows,
    )


def check_keys(name: str, content: Any, keys: Sequence[str]) -> Any:
    if missing := [key for key in keys if key not in content]:
        raise ValueError(f"{name} has no {', '.join(missing)}")
    return content


def read_folder(folder: Path) -> Run:
    """Read a run on this machine, `runs/NAME/DATE`; InputError if it is training."""
    if not (folder / SELECTION_FILE).is_file():
        raise InputError(
            f"{folder}: still training, or stopped: no fit.json, expected that of a finished "
            "selection; wait, or continue with --ckpt_path"
        )
    selection, select = SelectionResult.load(folder), folder / SELECT
    manifest = read_json(folder / "bundle-unrefitted" / "bundle.json", default={"data": {}})
    paths = [select / CONFIG_FILE, *sorted(folder.glob("*-*.*"))]
    metrics = pd.concat([pd.read_csv(path) for path in metrics_files(select)])
    return parse_run(
        {path.name: path.read_bytes() for path in paths if RUN_FILES.fullmatch(path.name)},
        label=f"{folder.resolve().parent.name}/{folder.resolve().name}",
        source="folder",
        epochs=metrics.groupby("epoch").last(),  # of an epoch that a stop repeated, the last values
        selection={"epochs": selection.epochs, **selection.validation},
        facts={
            "commit": selection.commit,
            "data_sha256": manifest["data"].get("sha256"),
            **selection.total_cost(),
        },
    )


def read_experiment(address: str) -> Run:
    """Read an experiment from Comet's server.

    address: comet:KEY or comet:WORKSPACE/PROJECT/KEY. Raises InputError for one that is unknown,
    still training or out of reach.
    """
    parts = address.removeprefix("comet:").split("/")
    if len(parts) not in (1, 3) or not all(parts):
        raise InputError(f"{address}: expected comet:KEY or comet:WORKSPACE/PROJECT/KEY")
    if not comet.has_key():
        raise InputError(f"{address}: no API key, expected one of Comet's; set COMET_API_KEY")
    from comet_ml import API
    from comet_ml.exceptions import CometException

    with comet.quiet():
        try:
            api = API(cache=False)  # type: ignore[no-untyped-call]
            get = api.get_experiment_by_key if len(parts) == 1 else api.get_experiment
            return parse_experiment(address, get(*parts))
        except CometException as error:
            response = getattr(error, "response", None)  # its URL holds the API key
            reason = type(error).__name__ if response is None else f"HTTP {response.status_code}"
            raise InputError(
                f"{address}: Comet refused ({reason}), expected an experiment that the API key "
                "may read; check COMET_API_KEY"
            ) from error
        except OSError as error:  # includes the errors of requests
            raise InputError(
                f"{address}: Comet's server cannot be reached; try again later"
            ) from error


def parse_experiment(address: str, experiment: Any) -> Run:
    if experiment is None:
        raise InputError(
            f"{address}: unknown to Comet, expected the key of an experiment, as in its URL"
        )
    if experiment.get_metadata().get("running"):
        raise InputError(f"{address}: still training, expected an experiment that has ended; wait")
    files = {  # the latest of a name that was logged twice
        each["fileName"]: experiment.get_asset(each["assetId"], return_type="binary")
        for each in sorted(
            experiment.get_asset_list() or [], key=lambda asset: asset.get("createdAt") or 0
        )
        if RUN_FILES.fullmatch(each["fileName"] or "")
    }
    columns = ["timestamp", "epoch", "metricName", "metricValue"]
    points = pd.DataFrame(experiment.get_metrics() or [], columns=columns).sort_values("timestamp")
    points["epoch"] = pd.to_numeric(points["epoch"])
    points["metricValue"] = pd.to_numeric(points["metricValue"], errors="coerce")
    return parse_run(
        files,
        label=experiment.name or experiment.id,
        source="Comet",
        epochs=points.groupby(["epoch", "metricName"])["metricValue"].last().unstack(),
        selection={},
        facts={},
    )
