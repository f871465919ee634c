"""Serve a bundle over HTTP, from a clone or from the installed wheel.

    marquee serve bundles/demo --port 3000

The process becomes that of `bentoml serve`, so signals and exit status are its own.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from marquee.core.command import ArgumentParser, run_command
from marquee.core.errors import InputError


def main(args: list[str]) -> int:
    return run_command("marquee serve", lambda: serve(args))


def serve(args: list[str]) -> None:
    parser = ArgumentParser("marquee serve", description="Serve a bundle over HTTP")
    parser.add_argument("bundle", nargs="?", help="folder or store of releases (default: $BUNDLE)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=3000)
    parser.add_argument("--events", metavar="URL", help="event store (default: $EVENTS_URL)")
    options = parser.parse_args(args)
    for name, value in (("BUNDLE", options.bundle), ("EVENTS_URL", options.events)):
        if value:
            os.environ[name] = value
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    os.environ.setdefault("BENTOML_HOME", str(Path("runs", f"bentoml-{options.port}").resolve()))
    make_home(Path(os.environ["BENTOML_HOME"]))
    target = ["service:Marquee", "--working-dir", str(Path(__file__).parents[3])]
    if find_spec("marquee.service"):  # the wheel's copy of service.py
        target = ["marquee.service:Marquee"]
    command = [sys.executable, "-m", "bentoml", "serve", *target]
    os.execv(sys.executable, [*command, "--host", options.host, "--port", str(options.port)])


def make_home(home: Path) -> None:
    """Make the folder of BentoML's files; without it BentoML ends with a traceback."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise InputError(
            f"BENTOML_HOME {home}: cannot be used ({error.strerror}), expected a folder that can "
            "be written; set another"
        ) from None
