"""Where a run's numbers go: always a local metrics.csv, and a Comet experiment.

    --comet auto      online where an API key is configured, else an offline archive in runs/comet
    --comet online    online; where the server cannot be reached, the archive
    --comet offline   the archive, to be sent later with `comet upload FILE.zip`
    --comet off       the local files only; comet_ml is not even imported

`comet.json` in a run's folder holds the key of its experiment, so that whatever is done to that run
later (resumed, refitted, tested) is logged into the same experiment. The key is drawn here and
every archive is told to join the experiment if it is there.

Four traps of comet-ml 3.58 are handled: `CometLogger(online=False)` silently disables itself; an
unreachable server blocks for 38 s and then logs nothing (one retry here, some 3 s, and the archive
instead); a second archive of an experiment is refused on upload unless the first was given its
key; and so is the archive that the client keeps when a server goes away in mid-run.
"""

import json
import logging
import os
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pytorch_lightning.loggers import CometLogger, CSVLogger, Logger

from marquee.core.errors import InputError

Mode = Literal["auto", "online", "offline", "off"]
PROJECT = "marquee"
ONE_TRY = ("GET_OR_ADD_EXPERIMENT_RETRY_TOTAL", "GET_OR_ADD_EXPERIMENT_RETRY_CONNECT")
ENVIRONMENT = {
    "COMET_DISABLE_AUTO_LOGGING": "1",  # everything is logged once, and by name
    "COMET_LOGGING_CONSOLE": "ERROR",  # else a 30-line summary of what is known
    "COMET_DISABLE_ANNOUNCEMENT": "1",
    "COMET_TIMEOUT_HTTP": "5",
    "COMET_HTTP_SESSION_RETRY_TOTAL": "1",
    **{f"COMET_{name}": "1" for name in ONE_TRY},
}


class Comet(CometLogger):
    """The experiment of one run, online or in an archive."""

    def __init__(self, run_folder: Path, runs: Path, online: bool) -> None:
        self.run_folder, self.archive = run_folder, known(run_folder).get("archive")
        archives = runs / "comet"
        archives.mkdir(parents=True, exist_ok=True)
        super().__init__(
            project=PROJECT,
            name=str(run_folder.relative_to(runs)),
            experiment_key=known(run_folder).get("key") or uuid.uuid4().hex,
            mode="get_or_create",
            online=online,
            offline_directory=str(archives),
            parse_args=False,  # they name folders of this machine
            auto_output_logging="",  # it would swap sys.stdout, and not always back
        )
        if not self.experiment.alive:
            raise ConnectionError
        self.experiment.set_offline_zip_uploader(self.archived)
        self.note()

    def _create_experiment(self) -> None:
        import comet_ml

        if self._online is False:  # the parent has set disabled=True: undo it
            self._comet_config = comet_ml.ExperimentConfig(**self._kwargs)
        super()._create_experiment()

    def archived(self, path: str) -> None:
        """The client calls it at the end, where not all could be sent."""
        join_if_there(Path(path))
        # Its own names end in letters drawn after seed_everything: a resumed run's archive would
        # have the name of the one before, and replace it.
        there = len(list(Path(path).parent.glob(f"{self.version}-[0-9]*.zip")))
        path = str(Path(path).rename(Path(path).with_name(f"{self.version}-{there + 1}.zip")))
        self.archive = path
        why = "Comet's server went away" if self._online else "Comet (offline)"
        print(f"{why}: send it later with: comet upload {path}", flush=True)

    def note(self, **more: Any) -> None:
        """Write `comet.json`; what it says beside this stays."""
        found = {"key": self.version, "online": bool(self._online), "archive": self.archive}
        content = json.dumps(known(self.run_folder) | found | more)
        write_whole(self.run_folder / "comet.json", content.encode())

    def close(self) -> None:
        """End the experiment, which is what writes an archive."""
        from comet_ml.exceptions import CometException

        with quiet():
            try:
                self.experiment.end()
            except CometException as error:  # nothing that a finished training should fail of
                print(f"Comet did not take everything: {error}", flush=True)
        self.note()


def make_loggers(folder: Path, run_folder: Path, runs: Path, mode: Mode) -> list[Logger]:
    """The local logger first, then Comet's, if any. folder: takes metrics.csv; run_folder: the run
    that it is of, `runs/NAME/DATE`, or a trial of a search in it."""
    local: list[Logger] = [CSVLogger(folder, name="", version="")]
    return local if mode == "off" else [*local, open_experiment(run_folder, runs, mode)]


@contextmanager
def continued(run_folder: Path, runs: Path, mode: Mode) -> Iterator[list[Logger]]:
    """The experiment that a run has, for a phase started apart; none where it has none."""
    logged = mode != "off" and "key" in known(run_folder)
    loggers: list[Logger] = [open_experiment(run_folder, runs, mode)] if logged else []
    try:
        yield loggers
    finally:
        close(loggers)


def open_experiment(run_folder: Path, runs: Path, mode: Mode) -> Comet:
    """The experiment of a run, a new one where it has none yet.

    Raises InputError where mode is `online` and there is no key, or one that Comet does not know."""
    prepare()
    from comet_ml.exceptions import CometException, InvalidAPIKey, Unauthorized

    if mode == "online" and not has_key():
        raise InputError(
            "--comet online needs an API key and found none; set COMET_API_KEY, or use "
            "--comet offline"
        )
    if mode == "offline" or not has_key():
        return Comet(run_folder, runs, online=False)
    try:
        with quiet():
            return Comet(run_folder, runs, online=True)
    except (InvalidAPIKey, Unauthorized) as error:
        reason = "Comet does not know the API key that is configured"
        if mode == "online":
            raise InputError(f"{reason}; set another, or use --comet offline") from error
    except CometException as error:
        reason = f"Comet refused the experiment ({type(error).__name__})"
    except OSError:  # those of requests are, too
        reason = "Comet's server cannot be reached"
    print(f"{reason}: logging to an offline archive instead", flush=True)
    return Comet(run_folder, runs, online=False)


def prepare() -> None:
    """Settings of the client that its first import reads."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def has_key() -> bool:
    from comet_ml.config import get_api_key, get_config  # type: ignore[attr-defined]

    return bool(get_api_key(None, get_config()))


@contextmanager
def quiet() -> Iterator[None]:
    """Without the client's 100 lines of traceback, where one sentence will do."""
    log = logging.getLogger("comet_ml")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def comet_loggers(loggers: list[Logger]) -> list[Comet]:
    """One or none."""
    return [logger for logger in loggers if isinstance(logger, Comet)]


def tag(loggers: list[Logger], tags: list[str], others: Mapping[str, Any]) -> None:
    """Mark the experiment, so that a sweep can be told from other runs and sorted."""
    for comet in comet_loggers(loggers):
        comet.experiment.add_tags(tags)
        for name, value in others.items():
            comet.experiment.log_other(name, value)


def close(loggers: list[Logger]) -> None:
    """End the experiment; an archive is written now, and one line says where it lies."""
    for comet in comet_loggers(loggers):
        comet.close()


def known(run_folder: Path) -> dict[str, Any]:
    """What `comet.json` says of a run; {} for one that was never logged.

    key: of the experiment. online: whether it was last logged to a server. archive: the last one
    written, or null. model_version: the bundle that was logged as its model, if one was."""
    path = run_folder / "comet.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def register(
    manifest: Mapping[str, Any], runs: Path, version: str | None, status: str | None
) -> None:
    """Register the model that a run logged with this bundle. InputError where no run did, or the
    server does not know it."""
    found = (known(path.parent) for path in (runs / manifest["name"]).glob("*/comet.json"))
    logged = [each for each in found if each.get("model_version") == manifest["model_version"]]
    if not logged:
        raise InputError(
            f"no run in {runs / manifest['name']} has logged this bundle to Comet; fit it without "
            "--comet off"
        )
    prepare()
    if not has_key():
        raise InputError("Comet's registry needs an API key and found none; set COMET_API_KEY")
    import comet_ml

    with quiet():
        try:
            experiment = comet_ml.API(cache=False).get_experiment_by_key(logged[-1]["key"])  # type: ignore[no-untyped-call]
            if experiment is not None:
                experiment.register_model(manifest["name"], version=version, status=status)
                return
            reason = "the server does not have its experiment"
        except Exception as error:  # of the client there is no common class
            reason = f"{type(error).__name__}: {error}"
    archive = logged[-1].get("archive")
    first = f"; first: comet upload {archive}" if archive else ""
    raise InputError(f"Comet cannot register {manifest['name']} ({reason}){first}")


def join_if_there(archive: Path) -> None:
    """Tell an archive to add to its experiment where the server has it. The client tells those that
    it keeps of an interrupted run to create it, which is refused: it was begun online."""
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(part, "w") as new:
        for each in old.infolist():
            content = old.read(each)
            if each.filename == "experiment.json":
                told = json.loads(content) | {"resume_strategy": "get_or_create"}
                content = json.dumps(told).encode()
            new.writestr(each, content)
    part.replace(archive)


def write_whole(path: Path, content: bytes) -> None:
    """A reader meets the file before or the file after, never half of one."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
