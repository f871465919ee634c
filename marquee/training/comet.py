"""Comet: the experiment of a run, online or in an archive, and the model registry.

`comet.json` in a run's folder holds the key of its experiment, which every later step of that run
(resume, refit, test) continues. Four traps of comet-ml 3.58 are handled:

* `CometLogger(online=False)` silently disables itself.
* An unreachable server blocks for 38 s, then logs nothing: here one retry, 3 s, and the archive.
* A second archive of an experiment is refused on upload, unless the first was given its key.
* So is the archive that the client keeps when a server goes away in mid-run.
"""

import argparse
import json
import logging
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import CometLogger, CSVLogger, Logger

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.core.files import atomic_path, read_json, write_json
from marquee.recommender.bundle import read_bundle

Mode = Literal["auto", "online", "offline", "off"]
PROJECT = "marquee"
EXPERIMENT_FILE = "comet.json"
SINGLE_RETRY = ("GET_OR_ADD_EXPERIMENT_RETRY_TOTAL", "GET_OR_ADD_EXPERIMENT_RETRY_CONNECT")
ENVIRONMENT = {  # read by the client's first import
    "COMET_DISABLE_AUTO_LOGGING": "1",  # everything is logged once, and by name
    "COMET_LOGGING_CONSOLE": "ERROR",  # else a 30-line summary of what is known
    "COMET_DISABLE_ANNOUNCEMENT": "1",
    "COMET_TIMEOUT_HTTP": "5",
    "COMET_HTTP_SESSION_RETRY_TOTAL": "1",
    **{f"COMET_{name}": "1" for name in SINGLE_RETRY},
}


class Comet(CometLogger):
    def __init__(self, run_folder: Path, runs: Path, online: bool) -> None:
        record = read_record(run_folder)
        self.run_folder, self.archive = run_folder, record.get("archive")
        self.is_discarded = False
        archives = runs / "comet"
        archives.mkdir(parents=True, exist_ok=True)
        super().__init__(
            project=PROJECT,
            name=str(run_folder.relative_to(runs)),
            experiment_key=record.get("key") or uuid.uuid4().hex,
            mode="get_or_create",
            online=online,
            offline_directory=str(archives),
            parse_args=False,  # they name folders of this machine
            auto_output_logging="",  # it would swap sys.stdout, and not always back
        )
        if not self.experiment.alive:
            raise ConnectionError
        self.experiment.set_offline_zip_uploader(self.store_archive)
        self.record({})

    def _create_experiment(self) -> None:
        import comet_ml

        if self._online is False:  # the parent has set disabled=True: undo it
            self._comet_config = comet_ml.ExperimentConfig(**self._kwargs)
        super()._create_experiment()

    def store_archive(self, path: str) -> None:
        """Rename a finished archive; the client calls this if anything is unsent."""
        if self.is_discarded:
            Path(path).unlink(missing_ok=True)
            return
        allow_joining(Path(path))
        # The client's own names end in letters drawn after seed_everything: a resumed run's archive
        # would have the name of the one before, and replace it.
        number = len(list(Path(path).parent.glob(f"{self.version}-[0-9]*.zip"))) + 1
        path = str(Path(path).rename(Path(path).with_name(f"{self.version}-{number}.zip")))
        self.archive = path
        reason = "Comet's server went away" if self._online else "Comet (offline)"
        say(f"{reason}: send it later with: comet upload {path}")

    def record(self, facts: Mapping[str, Any]) -> None:
        """Merge facts into `comet.json`; key, online and archive are written anew."""
        current = {"key": self.version, "online": bool(self._online), "archive": self.archive}
        content = {**read_record(self.run_folder), **current, **facts}
        write_json(self.run_folder / EXPERIMENT_FILE, content, indent=None)

    def close(self, discard: bool = False) -> None:
        """End the session; discard: leave no archive of it."""
        self.is_discarded = discard
        from comet_ml.exceptions import CometException

        with quiet():
            try:
                self.experiment.end()
            except CometException as error:  # nothing that a finished training should fail of
                say(f"Comet did not take everything: {error}")
        self.record({})


def make_loggers(folder: Path, run_folder: Path, runs: Path, mode: Mode) -> list[Logger]:
    """Return the local logger of `folder`, then Comet's of the run or trial, if any."""
    local: list[Logger] = [CSVLogger(folder, name="", version="")]
    return local if mode == "off" else [*local, open_experiment(run_folder, runs, mode)]


@contextmanager
def continued(run_folder: Path, runs: Path, mode: Mode) -> Iterator[list[Logger]]:
    """Yield the experiment of a run for one later step, if the run has one."""
    is_logged = mode != "off" and "key" in read_record(run_folder)
    loggers: list[Logger] = [open_experiment(run_folder, runs, mode)] if is_logged else []
    try:
        yield loggers
    finally:
        close(loggers)


def open_experiment(run_folder: Path, runs: Path, mode: Mode) -> Comet:
    """Return the experiment of a run, a new one if it has none yet.

    Raises InputError if mode is `online` and there is no key, or one that Comet refuses.
    """
    is_online = has_key() and mode != "offline"
    if mode == "online" and not is_online:
        raise InputError(
            "--comet online: no API key, expected one; set COMET_API_KEY, or use --comet offline"
        )
    if not is_online:
        return Comet(run_folder, runs, online=False)
    from comet_ml.exceptions import CometException, InvalidAPIKey, Unauthorized

    try:
        with quiet():
            return Comet(run_folder, runs, online=True)
    except (InvalidAPIKey, Unauthorized) as error:
        reason = "Comet does not know the API key that is configured"
        if mode == "online":
            raise InputError(f"{reason}; set another, or use --comet offline") from error
    except CometException as error:
        reason = f"Comet refused the experiment ({type(error).__name__})"
    except OSError:  # the exceptions of requests are OSError, too
        reason = "Comet's server cannot be reached"
    say(f"{reason}: logging to an offline archive instead")
    return Comet(run_folder, runs, online=False)


def has_key() -> bool:
    """Set the client up, and return whether an API key is configured."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from comet_ml.config import get_api_key, get_config  # type: ignore[attr-defined]

    return bool(get_api_key(None, get_config()))


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the client's 100 lines of traceback; one sentence says it."""
    log = logging.getLogger("comet_ml")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def comet_loggers(loggers: Sequence[Logger]) -> list[Comet]:
    return [logger for logger in loggers if isinstance(logger, Comet)]


def tag(loggers: Sequence[Logger], tags: list[str], others: Mapping[str, Any]) -> None:
    for comet in comet_loggers(loggers):
        comet.experiment.add_tags(tags)
        for name, value in others.items():
            comet.experiment.log_other(name, value)


def close(loggers: Sequence[Logger], discard: bool = False) -> None:
    for comet in comet_loggers(loggers):
        comet.close(discard)


def read_record(run_folder: Path) -> dict[str, Any]:
    """Read `comet.json` of a run: key, online, archive, model_version; else {}."""
    return dict(read_json(run_folder / EXPERIMENT_FILE, default={}))


def allow_joining(archive: Path) -> None:
    """Rewrite an archive to join its experiment, which it would only create."""
    with (
        atomic_path(archive) as part,
        zipfile.ZipFile(archive) as source,
        zipfile.ZipFile(part, "w") as target,
    ):
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "experiment.json":
                settings = json.loads(content) | {"resume_strategy": "get_or_create"}
                content = json.dumps(settings).encode()
            target.writestr(entry, content)


def main(args: list[str]) -> int:
    parser = ArgumentParser("marquee register", description="Register a bundle that a run logged.")
    parser.add_argument("--bundle", type=Path, required=True, help="a bundle that fit wrote")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--version", help="X.Y.Z; else Comet counts on from the last one")
    parser.add_argument("--status", help="a stage of the registry: Production, …")
    return run_command("marquee register", lambda: register(parser.parse_args(args)))


def register(options: argparse.Namespace) -> None:
    """Register the model that a run logged with this bundle."""
    manifest = read_bundle(options.bundle).manifest
    name, version = manifest["name"], manifest["model_version"]
    record = logged_record(options.runs / name, version)
    if not has_key():
        raise InputError("Comet's registry: no API key, expected one; set COMET_API_KEY")
    import comet_ml

    with quiet():
        try:
            experiment = comet_ml.API(cache=False).get_experiment_by_key(record["key"])  # type: ignore[no-untyped-call]
            if experiment is not None:
                experiment.register_model(name, version=options.version, status=options.status)
            reason = "the server does not have its experiment" if experiment is None else ""
        except Exception as error:  # the client's exceptions have no common class
            reason = f"{type(error).__name__}: {error}"
    if reason:
        archive = record.get("archive")
        remedy = f"; first: comet upload {archive}" if archive else ""
        raise InputError(f"{name}: Comet cannot register it ({reason}){remedy}")
    say(f"{name} {version[:12]} is in Comet's model registry")


def logged_record(folder: Path, model_version: str) -> Mapping[str, Any]:
    """Return the last record of a bundle's runs; InputError if no run has logged it."""
    records = (read_record(path.parent) for path in folder.glob(f"*/{EXPERIMENT_FILE}"))
    logged = [each for each in records if each.get("model_version") == model_version]
    if not logged:
        raise InputError(
            f"{folder}: no run has logged this bundle to Comet; fit it without --comet off"
        )
    return logged[-1]
