"""Runs that were logged to Comet: read back from an offline archive, or asked of the server.

An archive is a zip of Comet's client: messages.json, one message a line, and the assets under names
of their own. A run that was stopped and resumed has several, all named by the experiment's key, and
they are read together. The server is asked by the client's own API, with the key that is
configured; comet_ml is imported for that alone.
"""

import json
import logging
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

from marquee.core.errors import InputError
from marquee.training.compare.runs import KEPT, Logged, Point

LABEL = "Name"
"""What an archive calls the experiment's name."""
DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, EOFError)


def of_archive(path: Path) -> Logged:
    """An offline archive, with others of its experiment that lie beside it.

    Raises InputError where it is damaged, or not an archive of Comet's.
    """
    given = opened(path)
    key = str(given[0]["offline_id"])
    others = [each for each in sorted(path.parent.glob(f"{key}*.zip")) if each != path]
    parts = sorted([given, *map(opened, others)], key=lambda part: part[0]["start_time"])
    label, points = key, list[Point]()
    files, params = dict[str, bytes](), dict[str, Any]()
    for _, messages, assets in parts:
        for kind, payload in messages:
            if kind == "metric_msg":
                points += point(payload["metric"])
            elif kind == "parameter_msg":
                one = payload.get("param") or payload["params"]
                params[one["paramName"]] = one["paramValue"]
            elif kind == "log_other" and payload["key"] == LABEL:
                label = payload["value"]
        files |= assets
    return Logged(label, "archive", files, points, params)


def opened(path: Path) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]], dict[str, bytes]]:
    """Of one zip: what it says of itself, its messages, and the assets that are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            if not {"experiment.json", "messages.json"} <= set(archive.namelist()):
                raise InputError(
                    f"{path} is no archive of Comet's: a zip without experiment.json and "
                    "messages.json; needed one that train.py wrote into runs/comet"
                )
            about = json.loads(archive.read("experiment.json"))
            lines = archive.read("messages.json").decode().splitlines()
            found = [json.loads(line) for line in lines]
            messages = [(each["type"], each["payload"]) for each in found]
            uploads = [payload for kind, payload in messages if kind == "file_upload"]
            assets = {
                name: archive.read(each["file_path"])
                for each in uploads
                if KEPT.fullmatch(name := named(each))
            }
            return about, messages, assets
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(
            f"{path} is damaged, or not an archive of Comet's ({error}); needed a zip that "
            "train.py wrote into runs/comet"
        ) from error


def named(upload: dict[str, Any]) -> str:
    """A file's name; those of a model have none of their own."""
    return (upload["additional_params"] or {}).get("fileName") or ""


def point(metric: dict[str, Any]) -> list[Point]:
    """Of one logged metric; none of what is not a number."""
    try:
        epoch = metric.get("epoch")
        number = None if epoch is None else float(epoch)
        return [Point(metric["metricName"], number, float(metric["metricValue"]))]
    except (TypeError, ValueError):
        return []


def of_server(given: str) -> Logged:
    """An experiment on Comet's server. given: comet:KEY or comet:WORKSPACE/PROJECT/KEY.

    Raises InputError without an API key, for an unknown experiment, one that is still training, and
    where the server cannot be reached or refuses.
    """
    os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")
    os.environ.setdefault("COMET_HTTP_SESSION_RETRY_TOTAL", "1")
    from comet_ml import API
    from comet_ml.config import get_api_key, get_config  # type: ignore[attr-defined]
    from comet_ml.exceptions import CometException

    parts = given.removeprefix("comet:").split("/")
    if len(parts) not in (1, 3) or not all(parts):
        raise InputError(f"{given}: needed comet:KEY or comet:WORKSPACE/PROJECT/KEY")
    if not get_api_key(None, get_config()):
        raise InputError(f"{given} needs an API key and found none; set COMET_API_KEY")
    log = logging.getLogger("comet_ml")
    level = log.level
    log.setLevel(logging.CRITICAL)  # the sentences below say it once
    try:
        api = API(cache=False)  # type: ignore[no-untyped-call]
        ask = api.get_experiment_by_key if len(parts) == 1 else api.get_experiment
        experiment = ask(*parts)
        if experiment is None:
            raise InputError(
                f"{given}: Comet knows no such experiment; needed its key, as in its URL"
            )
        return asked(given, experiment)
    except CometException as error:
        raise InputError(
            f"{given}: Comet refused ({told(error)}); is the API key right?"
        ) from error
    except OSError as error:  # those of requests are, too
        raise InputError(f"{given}: Comet's server cannot be reached; try again later") from error
    finally:
        log.setLevel(level)


def asked(given: str, experiment: Any) -> Logged:
    """What the server has of an experiment."""
    if experiment.get_metadata().get("running"):
        raise InputError(f"{given} is still training: its experiment has not ended; wait for it")
    assets = sorted(experiment.get_asset_list() or (), key=lambda each: each.get("createdAt") or 0)
    files = {  # of a name that was logged again, the latest
        each["fileName"]: experiment.get_asset(each["assetId"], return_type="binary")
        for each in assets
        if KEPT.fullmatch(each["fileName"] or "")
    }
    metrics = sorted(experiment.get_metrics() or (), key=lambda each: each.get("timestamp") or 0)
    params = {each["name"]: each["valueCurrent"] for each in experiment.get_parameters_summary()}
    label = experiment.name or experiment.id
    return Logged(label, "Comet", files, [p for each in metrics for p in point(each)], params)


def told(error: Exception) -> str:
    """The first line of what the server said, without the address that was asked."""
    response = getattr(error, "response", None)
    return f"HTTP {response.status_code}" if response is not None else type(error).__name__
