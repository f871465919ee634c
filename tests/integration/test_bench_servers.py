"""The servers of the serving benchmark, loaded by wrk."""

import shutil
from pathlib import Path

import psutil
import pytest

from benchmarks.serving.servers import MARQUEE, Server, load, wrk
from marquee.core.errors import InputError


def test_wrk_when_missing_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="apt-get install wrk"):
        wrk()


def test_server_without_its_python_names_the_make_target(tmp_path: Path) -> None:
    command = (str(tmp_path / "python"), "-m", "uvicorn", "module:app")
    with pytest.raises(InputError, match="make bench-serving"), Server(command, tmp_path, {}):
        pass


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_server_load_counts_requests(bundle_folder: Path, tmp_path: Path) -> None:
    home, store = tmp_path / "home", f"sqlite:///{tmp_path / 'events.sqlite'}"
    home.mkdir()
    settings = {"BUNDLE": str(bundle_folder), "EVENTS_URL": store}
    with Server(MARQUEE, home, settings) as server:
        bodies = [b'{"history": [{"movie_id": 6}]}', b'{"history": [{"movie_id": 50}]}']
        run = load(server, "/recommend", bodies, clients=2, seconds=1)
        assert run["requests"] > 0 and run["cpu_us"] > 0 and run["p50_ms"] <= run["p99_ms"]
        assert server.worker.ppid() in {child.pid for child in psutil.Process().children()}
        with pytest.raises(InputError, match="requests failed"):
            load(server, "/recommend", [b'{"k": 0}'], clients=1, seconds=1)
