"""Run the service as a process of its own: start it, wait until it is ready, find its worker."""

import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import psutil

from tests.support.paths import ROOT

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
STARTS = 3
PORT_TAKEN = "ddress already in use"
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS_OF_WORKER = 400
FIRST_PORT = 16_000 + PORTS_OF_WORKER * WORKER
PORTS = itertools.cycle(range(FIRST_PORT, FIRST_PORT + PORTS_OF_WORKER))
Process: TypeAlias = subprocess.Popen[Any]


class ServiceNotReadyError(AssertionError):
    """The service has ended, or did not answer in time."""


def serve(bundle: Path, home: Path, port: int, *options: str, **settings: str) -> Process:
    """Start a service, with more options of `bentoml serve`.

    Its output goes to home/output, its events to a store in home.
    """
    environment = os.environ | {"BUNDLE": str(bundle), "BENTOML_HOME": str(home)}
    environment["EVENTS_URL"] = f"sqlite:///{home / 'events.sqlite'}"
    command = [sys.executable, "-m", "bentoml", "serve", "service:Marquee", "--port", str(port)]
    command += options
    with output_of(home).open("ab") as output:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def running(bundle: Path, home: Path, **settings: str) -> Iterator[tuple[str, Process]]:
    """Run a service that is ready; yield its URL and its process."""
    url, process = start(bundle, home, **settings)
    try:
        yield url, process
    finally:
        stop(process)


def start(bundle: Path, home: Path, **settings: str) -> tuple[str, Process]:
    """Start a service on a free port."""
    return start_on_free_port(
        lambda port: serve(bundle, home, port, **settings), output_of(home), stop
    )


def start_on_free_port(
    launch: Callable[[int], Process],
    output: Path,
    end: Callable[[Process], object],
    fixed_port: int | None = None,
) -> tuple[str, Process]:
    """Launch a service on a free port; another program may take the port first, then on a next.

    output: the file that holds what the launched process writes. end: ends one that failed.
    fixed_port: the only port to try, again where a port that BentoML draws was taken.
    """
    for attempt in range(1, STARTS + 1):
        port = fixed_port or free_port()
        process = launch(port)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                wait_until_ready(client, process)
        except ServiceNotReadyError:
            end(process)
            text = output.read_text()
            if PORT_TAKEN not in text or attempt == STARTS:
                raise ServiceNotReadyError(f"the service did not become ready: {text}") from None
            output.unlink()
        else:
            return f"http://127.0.0.1:{port}", process
    raise AssertionError("unreachable")


def stop(process: Process) -> int:
    """Terminate a process and return its exit status."""
    process.terminate()
    return process.wait(timeout=STOP_TIMEOUT_S)


def output_of(home: Path) -> Path:
    return home / "output"


def start_together(processes: Sequence[Process]) -> None:
    """Let processes go on at once: each has printed "ready", and waits for a line."""
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()


def free_port() -> int:
    """Return a port that was free a moment ago; who needs it must try again if it is taken.

    The system gives ports from 32768 on to outgoing connections, so these lie below, and each
    worker of a test run has its own.
    """
    for port in itertools.islice(PORTS, PORTS_OF_WORKER):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"no free port from {FIRST_PORT} on")


def wait_until(condition: Callable[[], bool], message: str, timeout_s: float = 60) -> None:
    """Poll a condition; raise AssertionError with the message if it stays false."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.1)


def wait_until_ready(client: httpx.Client, process: Process) -> None:
    """Wait until /readyz answers 200; raise ServiceNotReadyError if the process ends before."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise ServiceNotReadyError("the service did not become ready")


def worker_of(process: Process) -> psutil.Process:
    """Return the process that answers."""
    (worker,) = workers_of(process)
    return worker


def workers_of(process: Process) -> list[psutil.Process]:
    """Return the processes that answer, in the order of their start."""
    workers = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "worker.service" in " ".join(child.cmdline()):
                workers.append(child)
    return sorted(workers, key=psutil.Process.create_time)
