"""The parent process of `bentoml serve`: it starts the workers and answers no request.

It imports service.py as the workers do, but needs neither numpy, ONNX Runtime nor SQLAlchemy: half
a second and 65 MB. A module that only a worker needs is imported under `if not IS_SUPERVISOR`.
"""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import psutil
from bentoml import server_context

from marquee.api.settings import COMMAND_NAME, Settings, absolute_paths
from marquee.core.command import INPUT_ERROR, fail
from marquee.core.errors import InputError

# BentoML's own mark of a process of its command line (serve, build). A worker has another, and a
# test that serves in its own process, too.
IS_SUPERVISOR = server_context.service_type == "cli"
PREFLIGHT_NICENESS = 10  # the worker becomes ready first, where both need one core
ROOT = Path(__file__).resolve().parents[3]  # a Bento's src/, or the clone


def prepare_workers() -> None:
    """Check the settings, set what the workers inherit, and start the preflight.

    The supervisor calls this once, before it starts a worker. Bad settings end the process at once;
    a bad bundle or event store ends it with status 2. A worker alone would be started for ever.
    """
    try:
        Settings.from_environment()
    except InputError as error:
        sys.exit(fail(COMMAND_NAME, str(error), INPUT_ERROR))
    os.environ.update(absolute_paths())
    # Two threads on a product as small as one request's wait for each other (62,000 movies, busy
    # machine: 12 ms instead of 4).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # In an image BentoML sets this, and then replaces no dead worker: one of two stays away while
    # /readyz is content.
    os.environ.pop("BENTOML_CONTAINERIZED", None)
    threading.Thread(target=_end_if_refused, daemon=True).start()


def _end_if_refused() -> None:
    command = [sys.executable, "-m", "marquee.api.process.worker"]
    preflight = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    with suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, preflight.pid, PREFLIGHT_NICENESS)
    # The message decides, not the exit status: circus reaps every child of this process, and the
    # status is lost where circus is first.
    _, output = preflight.communicate()
    print(output, end="", file=sys.stderr, flush=True)
    if any(line.startswith(f"{COMMAND_NAME}: error: ") for line in output.splitlines()):
        for child in psutil.Process().children(recursive=True):
            child.kill()
        os._exit(INPUT_ERROR)
