"""Runs that were logged to Comet, read from an offline archive or from Comet's server.

An archive is a zip of Comet's client. It holds messages.json, one message a line, and the assets
under names of their own. A run that was stopped and resumed has several archives, all named by the
experiment's key, and they are read together. The server is read through the client's own API with
the configured key; comet_ml is imported for that alone.
"""

import json
import logging
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from marquee.core.errors import InputError
from marquee.training.compare.run_types import RUN_FILES, LoggedRun, MetricPoint

NAME_KEY = "Name"
"""The key under which an archive holds the experiment's name."""
DAMAGE_ERRORS = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError)


class Archive(NamedTuple):
    """The content of one zip; of the assets, those that a comparison reads."""

    header: dict[str, Any]
    messages: list[tuple[str, dict[str, Any]]]
    assets: dict[str, bytes]


def read_archive(path: Path) -> LoggedRun:
    """Read an offline archive and the others of its experiment in the same folder.

    Raises InputError if a file is damaged, or not an archive of Comet's.
    """
    archive = read_zip(path)
    key = str(archive.header["offline_id"])
    siblings = [other for other in sorted(path.parent.glob(f"{key}*.zip")) if other != path]
    archives = sorted(
        [archive, *map(read_zip, siblings)], key=lambda part: part.header["start_time"]
    )
    label, points = key, list[MetricPoint]()
    files, params = dict[str, bytes](), dict[str, Any]()
    for part in archives:
        for kind, payload in part.messages:
            if kind == "metric_msg":
                points += metric_points(payload["metric"])
            elif kind == "parameter_msg":
                param = payload.get("param") or payload["params"]
                params[param["paramName"]] = param["paramValue"]
            elif kind == "log_other" and payload["key"] == NAME_KEY:
                label = payload["value"]
        files |= part.assets
    return LoggedRun(label=label, source="archive", files=files, points=points, params=params)


def read_zip(path: Path) -> Archive:
    """Read one zip of an experiment."""
    try:
        with zipfile.ZipFile(path) as archive:
            if not {"experiment.json", "messages.json"} <= set(archive.namelist()):
                raise InputError(
                    f"{path}: a zip without experiment.json and messages.json, expected an archive "
                    "of Comet's that train.py wrote into runs/comet"
                )
            header = json.loads(archive.read("experiment.json"))
            lines = archive.read("messages.json").decode().splitlines()
            messages = [(each["type"], each["payload"]) for each in map(json.loads, lines)]
            uploads = [payload for kind, payload in messages if kind == "file_upload"]
            assets = {
                name: archive.read(upload["file_path"])
                for upload in uploads
                if RUN_FILES.fullmatch(name := file_name(upload))
            }
            return Archive(header, messages, assets)
    except InputError:
        raise
    except DAMAGE_ERRORS as error:
        raise InputError(
            f"{path}: damaged, or not an archive of Comet's ({error}), expected a zip that "
            "train.py wrote into runs/comet"
        ) from error


def file_name(upload: dict[str, Any]) -> str:
    """Return the name of an uploaded file; files of a model have none."""
    return (upload["additional_params"] or {}).get("fileName") or ""


def metric_points(metric: dict[str, Any]) -> list[MetricPoint]:
    """Return one logged metric as a point, and nothing if it is not a number."""
    try:
        epoch = metric.get("epoch")
        number = None if epoch is None else float(epoch)
        return [MetricPoint(metric["metricName"], number, float(metric["metricValue"]))]
    except (TypeError, ValueError):
        return []


def read_experiment(address: str) -> LoggedRun:
    """Read an experiment from Comet's server.

    address: comet:KEY or comet:WORKSPACE/PROJECT/KEY. Raises InputError without an API key, for an
    unknown experiment, for one that is still training, and if the server cannot be reached or
    refuses.
    """
    os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")
    os.environ.setdefault("COMET_HTTP_SESSION_RETRY_TOTAL", "1")
    from comet_ml import API
    from comet_ml.config import get_api_key, get_config  # type: ignore[attr-defined]
    from comet_ml.exceptions import CometException

    parts = address.removeprefix("comet:").split("/")
    if len(parts) not in (1, 3) or not all(parts):
        raise InputError(f"{address}: expected comet:KEY or comet:WORKSPACE/PROJECT/KEY")
    if not get_api_key(None, get_config()):
        raise InputError(f"{address}: no API key, expected one of Comet's; set COMET_API_KEY")
    log = logging.getLogger("comet_ml")
    level = log.level
    log.setLevel(logging.CRITICAL)  # the messages below say it once
    try:
        api = API(cache=False)  # type: ignore[no-untyped-call]
        get = api.get_experiment_by_key if len(parts) == 1 else api.get_experiment
        experiment = get(*parts)
        if experiment is None:
            raise InputError(
                f"{address}: unknown to Comet, expected the key of an experiment, as in its URL"
            )
        return logged_experiment(address, experiment)
    except CometException as error:
        raise InputError(
            f"{address}: Comet refused ({reason(error)}), expected an experiment that the API key "
            "may read; check COMET_API_KEY"
        ) from error
    except OSError as error:  # includes the errors of requests
        raise InputError(f"{address}: Comet's server cannot be reached; try again later") from error
    finally:
        log.setLevel(level)


def logged_experiment(address: str, experiment: Any) -> LoggedRun:
    if experiment.get_metadata().get("running"):
        raise InputError(f"{address}: still training, expected an experiment that has ended; wait")
    assets = sorted(
        experiment.get_asset_list() or (), key=lambda asset: asset.get("createdAt") or 0
    )
    files = {  # the latest of a name that was logged twice
        each["fileName"]: experiment.get_asset(each["assetId"], return_type="binary")
        for each in assets
        if RUN_FILES.fullmatch(each["fileName"] or "")
    }
    metrics = sorted(
        experiment.get_metrics() or (), key=lambda metric: metric.get("timestamp") or 0
    )
    params = {each["name"]: each["valueCurrent"] for each in experiment.get_parameters_summary()}
    return LoggedRun(
        label=experiment.name or experiment.id,
        source="Comet",
        files=files,
        points=[point for metric in metrics for point in metric_points(metric)],
        params=params,
    )


def reason(error: Exception) -> str:
    """Return the HTTP status of a refusal, without the URL, which holds the API key."""
    response = getattr(error, "response", None)
    return f"HTTP {response.status_code}" if response is not None else type(error).__name__
