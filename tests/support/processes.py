"""The service as a process of its own: started, waited for, its worker found."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.paths import ROOT

STOPPING_S = 60


def serve(
    bundle: Path, home: Path, port: int, out: Any = subprocess.PIPE, **settings: str
) -> subprocess.Popen[str]:
    """home: for what BentoML keeps, and for the events where no EVENTS_URL is among the settings.
    out: where its output goes; a pipe must be read, or a service that says much stands still."""
    environment = os.environ | {"BUNDLE": str(bundle), "BENTOML_HOME": str(home)}
    environment["EVENTS_URL"] = f"sqlite:///{home / 'events.sqlite'}"
    command = [sys.executable, "-m", "bentoml", "serve", "service:Marquee", "--port", str(port)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment | settings,
        text=True,
        stdout=out,
        stderr=subprocess.STDOUT,
    )


@contextmanager
def running(bundle: Path, home: Path, **settings: str) -> Iterator[tuple[str, Any]]:
    """A service that is ready: its address and its process; its output goes to home/output."""
    port = free_port()
    with (home / "output").open("a") as out:
        process = serve(bundle, home, port, out, **settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(timeout=STOPPING_S)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until_ready(client: httpx.Client, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service did not become ready")


def worker_of(process: "subprocess.Popen[str]") -> psutil.Process:
    """The process that answers."""
    children = psutil.Process(process.pid).children(recursive=True)
    (worker,) = (child for child in children if "worker.service" in " ".join(child.cmdline()))
    return worker
