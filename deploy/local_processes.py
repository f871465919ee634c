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

import httpx

from marquee.core.errors import InputError
from marquee_client import Marquee

SERVICE_START_TIMEOUT_S = 90
SERVICE_STOP_TIMEOUT_S = 30
APP_START_TIMEOUT_S = 60
APP_STOP_TIMEOUT_S = 10
POLL_S = 0.2


@contextmanager
def run_service(bundle: str, events: str) -> Iterator[str]:
    """Run the service on a free port and yield its URL.

    bundle: folder of the bundle. events: URL of the event store. Raises InputError with the
    service's output if it does not start.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bentoml", "serve", "service:Marquee"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "service.log"
        settings = {"BUNDLE": bundle, "EVENTS_URL": events, "BENTOML_HOME": home}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=os.environ | settings, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            with Marquee(url) as marquee:
                is_ready = wait_until(marquee.ready, process, SERVICE_START_TIMEOUT_S)
            if not is_ready:
                raise InputError(
                    f"service: did not start, expected an answer at {url}; its output was:\n"
                    + log.read_text()
                )
            yield url
        finally:
            process.terminate()
            process.wait(timeout=SERVICE_STOP_TIMEOUT_S)


@contextmanager
def run_app(
    port: int, environment: Mapping[str, str]
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run the app and yield its address and its process.

    environment: variables beside those of this process. Raises InputError if nothing answers.
    """
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        if not wait_until(lambda: is_app_healthy(address), process, APP_START_TIMEOUT_S):
            raise InputError(
                f"nothing answers at {address}, expected the app; is the port taken "
                "(APP_PORT=8600 takes another), and is streamlit installed (make setup)?"
            )
        yield address, process
    finally:
        process.terminate()
        try:
            process.wait(timeout=APP_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()


def is_app_healthy(address: str) -> bool:
    """Return whether Streamlit's health page answers."""
    try:
        return httpx.get(f"{address}/_stcore/health", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(
    is_ready: Callable[[], bool], process: "subprocess.Popen[bytes]", timeout_s: float
) -> bool:
    """Poll until ready; return whether that came in time.

    It does not if the process ends before.
    """
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready():
            return True
        time.sleep(POLL_S)
    return False


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
