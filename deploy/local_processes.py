"""Start the service and the app on this machine, wait until they answer, and stop them.

with run_service("bundles/demo", "sqlite:///events.sqlite") as url:
    with run_app(8501, {"MARQUEE_URL": url}) as (address, process):
        process.wait()
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from marquee.core.errors import InputError
from marquee_client import Marquee

START_TIMEOUT_S = 90
SERVICE_STOP_TIMEOUT_S = 30
APP_STOP_TIMEOUT_S = 5  # Streamlit may wait for its sessions; it has nothing to lose
POLL_S = 0.2


@contextmanager
def run_service(bundle: str, events: str) -> Iterator[str]:
    """Run the service on a free port and yield its URL.

    bundle: folder of the bundle. events: URL of the event store. Raises InputError with the
    service's output if it does not start.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["bentoml", "serve", "service:Marquee", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory() as home, Marquee(url) as marquee:
        log = Path(home) / "service.log"
        settings = {"BUNDLE": bundle, "EVENTS_URL": events, "BENTOML_HOME": home}
        with (
            log.open("wb") as output,
            run_module(
                command, settings, stdout=output, stop_timeout_s=SERVICE_STOP_TIMEOUT_S
            ) as process,
        ):
            if not wait_until(marquee.ready, process):
                raise InputError(
                    f"service: did not start, expected an answer at {url}; its output was:\n"
                    + log.read_text()
                )
            yield url


@contextmanager
def run_app(
    port: int, environment: Mapping[str, str]
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run the app and yield its address and its process.

    environment: variables beside those of this process. Raises InputError if nothing answers.
    """
    address = f"http://127.0.0.1:{port}"
    command = ["streamlit", "run", "app.py", "--server.address", "127.0.0.1"]
    command += ["--server.port", str(port)]

    def is_healthy() -> bool:
        try:
            return httpx.get(f"{address}/_stcore/health", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    with run_module(
        command, environment, stdout=subprocess.DEVNULL, stop_timeout_s=APP_STOP_TIMEOUT_S
    ) as process:
        if not wait_until(is_healthy, process):
            raise InputError(
                f"nothing answers at {address}, expected the app; is the port taken "
                "(APP_PORT=8600 takes another), and is streamlit installed (make setup)?"
            )
        yield address, process


@contextmanager
def run_module(
    command: list[str],
    environment: Mapping[str, str],
    *,
    stdout: IO[Any] | int,
    stop_timeout_s: float,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `python -m COMMAND` out of reach of ctrl-C, and stop it at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=None if stdout == subprocess.DEVNULL else subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=stop_timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(is_ready: Callable[[], bool], process: "subprocess.Popen[bytes]") -> bool:
    """Poll until ready; return False if the process ends before, or the time is over."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready():
            return True
        time.sleep(POLL_S)
    return False


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
