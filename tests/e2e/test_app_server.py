"""`make app`: one command starts service and app, one ctrl-C ends both."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.paths import ROOT
from tests.support.processes import free_port


def test_both_start_and_both_stop(bundle_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.app_server", "--bundle", str(bundle_folder)]
    command += ["--events", f"sqlite:///{tmp_path}/events.sqlite", "--port", str(free_port())]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == f"app: loading {bundle_folder}\n"
    addresses = re.findall(r"http://[\d.:]+", process.stdout.readline())
    try:
        app, service = addresses
        assert httpx.get(f"{app}/_stcore/health").text == "ok"
        assert httpx.get(f"{service}/readyz").json()["ready"]
    finally:
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    assert said.strip() == "app: stopped"
    for address in addresses:
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
