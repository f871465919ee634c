"""Test `make app`: one command starts service and app, one ctrl-C ends both."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.processes import STARTS, Process, free_port


def start_app_server(bundle: Path, events: str) -> tuple[Process, list[str]]:
    """Return the process and both addresses; a port that another program took is tried again."""
    command = [sys.executable, "-m", "deploy.app_server", "--bundle", str(bundle)]
    command += ["--events", events, "--port"]
    for _ in range(STARTS):
        process = subprocess.Popen(
            [*command, str(free_port())], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout and process.stdout.readline() == f"app: loading {bundle}\n"
        addresses = re.findall(r"http://[\d.:]+", process.stdout.readline())
        if addresses:
            return process, addresses
        process.communicate(timeout=60)
    raise AssertionError("the app did not start; its error is above")


def test_app_server_starts_and_stops_service_and_app(bundle_folder: Path, tmp_path: Path) -> None:
    events = f"sqlite:///{tmp_path}/events.sqlite"
    process, addresses = start_app_server(bundle_folder, events)
    try:
        app, service = addresses
        assert httpx.get(f"{app}/_stcore/health").text == "ok"
        assert httpx.get(f"{service}/readyz").json()["ready"]
    finally:
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=120)[0]
    assert process.returncode == 0
    assert output.strip() == "app: stopped"
    for address in addresses:
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
