"""Where a run's numbers go: always a local metrics.csv, and a Comet experiment.

    --comet auto      online where an API key is configured, else an offline archive in runs/comet
    --comet online    online; where the server cannot be reached, the archive
    --comet offline   the archive, to be sent later with `comet upload FILE.zip`
    --comet off       the local files only

Two traps of comet-ml 3.58 are handled here: `CometLogger(online=False)` silently disables itself,
and an unreachable server blocks for 38 s and then logs nothing (retries are set to one here, which
makes it about 3 s, and a dead experiment falls back to the archive).
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import CometLogger, CSVLogger, Logger

from catalogue.errors import UserError

Mode = Literal["auto", "online", "offline", "off"]
PROJECT = "marquee"


class Comet(CometLogger):
    """A CometLogger that writes its archive when it is offline."""

    def _create_experiment(self) -> None:
        import comet_ml

        if self._online is False:  # the parent has set disabled=True: undo it
            self._comet_config = comet_ml.ExperimentConfig(**self._kwargs)
        super()._create_experiment()


def make_loggers(folder: Path, name: str, mode: Mode, archive: Path) -> list[Logger]:
    """The local logger first, then Comet's, if any. `archive` takes offline experiments."""
    local: list[Logger] = [CSVLogger(folder, name="", version="")]
    if mode == "off":
        return local
    os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")
    os.environ.setdefault("COMET_LOGGING_CONSOLE", "ERROR")  # a 30-line summary of what is known
    for retries in ("GET_OR_ADD_EXPERIMENT_RETRY_TOTAL", "GET_OR_ADD_EXPERIMENT_RETRY_CONNECT"):
        os.environ.setdefault(f"COMET_{retries}", "1")
    os.environ.setdefault("COMET_HTTP_SESSION_RETRY_TOTAL", "1")
    if mode == "auto":
        mode = "online" if has_key() else "offline"
    if mode == "online":
        if not has_key():
            raise UserError(
                "--comet online needs an API key and found none; set COMET_API_KEY, or use "
                "--comet offline"
            )
        comet_log = logging.getLogger("comet_ml")
        level = comet_log.level
        comet_log.setLevel(logging.CRITICAL)  # 100 lines of traceback where one sentence will do
        logger = Comet(project=PROJECT, name=name, online=True, auto_output_logging="")
        alive = getattr(logger.experiment, "alive", False)
        comet_log.setLevel(level)
        if alive:
            return [*local, logger]
        print("Comet's server cannot be reached: logging to an offline archive instead", flush=True)
    archive.mkdir(parents=True, exist_ok=True)
    offline = {"online": False, "offline_directory": str(archive), "auto_output_logging": ""}
    return [*local, Comet(project=PROJECT, name=name, **offline)]


def has_key() -> bool:
    from comet_ml.config import get_api_key, get_config  # type: ignore[attr-defined]

    return bool(get_api_key(None, get_config()))


def log_summary(
    loggers: list[Logger], metrics: Mapping[str, float], facts: Mapping[str, Any]
) -> None:
    """Final figures as metrics, facts about data, code and machine as parameters."""
    for logger in loggers:
        logger.log_metrics(dict(metrics))
        if isinstance(logger, CometLogger):
            logger.log_hyperparams(dict(facts))


def tag(loggers: list[Logger], tags: list[str], others: Mapping[str, Any]) -> None:
    """Mark the Comet experiment, so that a sweep can be told from other runs and sorted."""
    for logger in loggers:
        if isinstance(logger, CometLogger):
            logger.experiment.add_tags(tags)
            for name, value in others.items():
                logger.experiment.log_other(name, value)


def close(loggers: list[Logger]) -> None:
    """End the Comet experiment, which is what writes the archive, and say where it lies."""
    for logger in loggers:
        if isinstance(logger, CometLogger):
            experiment = logger.experiment
            experiment.end()
            if logger._online is False:
                print("Comet (offline): send it later with: comet upload " + archive_of(experiment))


def archive_of(experiment: Any) -> str:
    folder, key = Path(experiment.offline_directory), str(experiment.id)
    return str(next(folder.glob(f"{key}*.zip"), folder / f"{key}.zip"))
