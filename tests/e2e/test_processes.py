"""Test the service as processes: `bentoml serve`, its worker, its signals."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.support import processes
from tests.support.http_errors import assert_shape
from tests.support.paths import ROOT
from tests.support.processes import (
    Process,
    free_port,
    output_of,
    running,
    serve,
    stop,
    wait_until,
    wait_until_ready,
    worker_of,
)
from tests.support.tiny_bundle import MOVIES

ONLY_IN_WORKERS = ("numpy", "onnxruntime", "sqlalchemy", "rapidfuzz", "marquee.api.handlers")
FORBIDDEN = ("torch", "lightning", "pytorch_lightning", "comet_ml", "sklearn", "nltk", "pandas")
HISTORY = [{"movie_id": 6, "stars": 4.0}, {"movie_id": 50}, {"movie_id": 296, "stars": 1.5}]


def output_of_code(code: str) -> list[str]:
    command = [sys.executable, "-c", code]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    return result.stdout.splitlines()


def test_serving_process_imports_no_training_library() -> None:
    code = (
        "import sys, service, marquee.recommender.recommender; "
        f"print(sorted(set({(*FORBIDDEN, 'pyarrow', 'duckdb')!r}) & set(sys.modules)))"
    )
    assert output_of_code(code) == ["[]"]


def test_supervisor_imports_nothing_of_the_workers() -> None:
    """It is a process of BentoML's command line, and imports service.py as the workers do."""
    code = (
        "import sys; from bentoml_cli.cli import cli; from bentoml import server_context\n"
        "assert server_context.service_type == 'cli'\n"
        f"import service; print(sorted(set({ONLY_IN_WORKERS!r}) & set(sys.modules)))\n"
        "server_context.service_type = None\n"
        "del sys.modules['service'], sys.modules['marquee.api.process.supervisor']\n"
        f"import service; print(sorted(set({ONLY_IN_WORKERS!r}) & set(sys.modules)))"
    )
    assert output_of_code(code) == ["[]", str(sorted(ONLY_IN_WORKERS))]


def run_preflight(bundle: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    settings = {"BUNDLE": str(bundle), "EVENTS_URL": f"sqlite:///{folder / 'e.sqlite'}"}
    return subprocess.run(
        [sys.executable, "-m", "marquee.api.process.worker"],
        cwd=ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_preflight_good_bundle_passes(bundle_folder: Path, tmp_path: Path) -> None:
    result = run_preflight(bundle_folder, tmp_path)
    assert result.returncode == 0, result.stderr


def test_preflight_missing_bundle_is_one_error_line(tmp_path: Path) -> None:
    result = run_preflight(tmp_path / "missing", tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"marquee: error: {tmp_path / 'missing'}: ")
    assert len(result.stderr.splitlines()) == 1


def test_service_starts_answers_and_stops(bundle_folder: Path, tmp_path: Path) -> None:
    origins = {"CORS_ORIGINS": "https://app.example"}
    with (
        running(bundle_folder, tmp_path, **origins) as (url, process),
        httpx.Client(base_url=url) as client,
    ):
        assert_only_listed_origins_may_call(client)
        answer = client.post("/recommend", json={"k": len(MOVIES)})
        assert answer.status_code == 200 and len(answer.json()["items"]) == len(MOVIES)
        assert_shape(client.post("/recommend", json={"k": 0}), 422, "invalid")
        assert stop(process) == 0
    output = output_of(tmp_path).read_text()
    assert "API_KEYS is not set" in output and "Traceback" not in output


def assert_only_listed_origins_may_call(client: httpx.Client) -> None:
    """A browser asks before it sends a key from another page's script."""
    preflight = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    for origin, allowed in (("https://app.example", True), ("https://other.example", False)):
        permission = client.options("/recommend", headers=preflight | {"Origin": origin})
        answer = client.post("/recommend", json={}, headers={"Origin": origin})
        assert (permission.status_code == 200) is allowed
        for response in (permission, answer):
            assert (response.headers.get("access-control-allow-origin") == origin) is allowed
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]


def test_start_port_taken_tries_another(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        ports = [listener.getsockname()[1]]
        monkeypatch.setattr(processes, "free_port", lambda: ports.pop() if ports else free_port())
        with running(bundle_folder, tmp_path) as (url, _):
            assert ports == [] and httpx.get(f"{url}/livez").status_code == 200


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        pytest.param({"WORKERS": "x"}, [], "WORKERS is 'x', expected", id="workers"),
        pytest.param({}, ["--api-workers", "0"], "WORKERS is '0', expected", id="no-workers"),
        pytest.param(
            {"WORKERS": "2"}, ["--api-workers", "3"], "WORKERS is '2' and --api-workers", id="two"
        ),
        pytest.param({"KEEP_ALIVE_S": "no"}, [], "KEEP_ALIVE_S is 'no', expected", id="idle"),
        pytest.param({}, ["--api-workers", "-1"], "WORKERS is '-1', expected", id="below-none"),
        pytest.param({}, ["--host", "localhost"], "--host is 'localhost', expected", id="host"),
        pytest.param({}, ["--host", ""], "--host is '', expected", id="no-host"),
        pytest.param({}, ["--host", "192.0.2.1"], "of 192.0.2.1 cannot be", id="elsewhere"),
        pytest.param({}, ["--port", "99999"], "--port is 99999, expected", id="port"),
        pytest.param({}, ["--port", "0"], "--port is 0, expected", id="any-port"),
        pytest.param(
            {},
            ["--ssl-certfile", "missing", "--ssl-keyfile", "missing"],
            "--ssl-certfile missing and --ssl-keyfile missing cannot be used",
            id="certificate",
        ),
        pytest.param(
            {"EVENTS_URL": "sqlite:///:memory:"},
            [],
            "no file, expected sqlite:///FILE",
            id="memory",
        ),
    ],
)
def test_start_wrong_option_is_one_sentence(
    bundle_folder: Path,
    tmp_path: Path,
    settings: dict[str, str],
    options: list[str],
    message: str,
) -> None:
    process = serve(bundle_folder, tmp_path, free_port(), *options, **settings)
    assert_refused(process, tmp_path, message)


def assert_refused(process: Process, home: Path, message: str) -> None:
    output = assert_one_error(process, home, message)
    assert "Traceback" not in output, output


def assert_one_error(process: Process, home: Path, message: str) -> str:
    """Wait for the end of a service that cannot start; return its output."""
    status, output = process.wait(timeout=120), output_of(home).read_text()
    errors = [line for line in output.splitlines() if line.startswith("marquee: error: ")]
    assert status == 2 and len(errors) == 1 and message in errors[0], output
    return output


def test_start_port_in_use_is_one_sentence(bundle_folder: Path, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        process = serve(bundle_folder, tmp_path, listener.getsockname()[1])
        assert_refused(process, tmp_path, "cannot be listened on (Address already in use)")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("raise ImportError('no ELF')", "ImportError: no ELF", id="import"),
        pytest.param("raise MemoryError", "MemoryError", id="memory"),
        pytest.param(
            "import os; os.kill(os.getpid(), 9)",
            "5 workers have ended before they served",
            id="killed",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_start_unforeseen_error_ends_the_service(
    bundle_folder: Path, tmp_path: Path, code: str, message: str
) -> None:
    """Its workers were started again and again, while callers waited."""
    (tmp_path / "onnxruntime.py").write_text(code)
    process = serve(bundle_folder, tmp_path, free_port(), PYTHONPATH=str(tmp_path))
    assert_one_error(process, tmp_path, message)


def test_killed_worker_is_replaced_in_a_container(bundle_folder: Path, tmp_path: Path) -> None:
    """Keep what was acknowledged before."""
    settings = {"BENTOML_CONTAINERIZED": "true"}
    with (
        running(bundle_folder, tmp_path, **settings) as (url, process),
        httpx.Client(base_url=url) as client,
    ):
        event = {"event_id": "1", "user_id": "anna", "movie_id": 6, "kind": "rating"}
        event |= {"stars": 4, "at": "2026-01-01T00:00:00Z"}
        assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
        first = kill_worker(process)
        wait_until_ready(client, process)
        assert worker_of(process).pid != first.pid
        history = client.get("/users/anna/history").json()["items"]
        assert [(item["movie_id"], item["stars"]) for item in history] == [(6, 4.0)]


def kill_worker(process: Process) -> psutil.Process:
    worker = worker_of(process)
    worker.send_signal(signal.SIGKILL)
    worker.wait(timeout=10)
    return worker


def test_service_refuses_a_damaged_bundle(bundle_folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle_folder, damaged)
    with (damaged / "golden.json").open("ab") as file:
        file.write(b" ")
    process = serve(damaged, tmp_path, free_port())
    status = process.wait(timeout=60)
    output = output_of(tmp_path).read_text()
    assert status == 2, output
    assert f"marquee: error: {damaged / 'golden.json'}: " in output and "Traceback" not in output


def test_stop_under_load_answers_open_requests(bundle_folder: Path, tmp_path: Path) -> None:
    """Each request that is being answered is answered in full; then the process ends, with 0."""
    body = json.dumps({"requests": [{"history": HISTORY, "explain": True}] * 64}).encode()
    head = f"Host: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with running(bundle_folder, tmp_path) as (url, process), ExitStack() as stack:
        port = urlsplit(url).port
        connections = []
        for _ in range(6):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            connections.append(stack.enter_context(connection))
            connection.sendall(f"POST /recommend_batch HTTP/1.1\r\n{head}".encode() + body)
        first = connections[0].recv(1)  # one is answered; those beside it are on their way
        process.send_signal(signal.SIGTERM)
        answers = [first + read_all(connections[0]), *map(read_all, connections[1:])]
        assert process.wait(timeout=60) == 0
    for answer in answers:
        start, _, content = answer.partition(b"\r\n\r\n")
        assert start.startswith(b"HTTP/1.1 200"), answer[:300]
        assert len(json.loads(content)["results"]) == 64, "half an answer"
    assert "Traceback" not in output_of(tmp_path).read_text()


def read_all(connection: socket.socket) -> bytes:
    """Read to the end: a service that stops closes what it has answered."""
    content = b""
    while part := connection.recv(1 << 16):
        content += part
    return content


def test_new_worker_waits_for_a_good_bundle(bundle_folder: Path, tmp_path: Path) -> None:
    """One that takes a dead one's place while the bundle is damaged; the service goes on."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    output = output_of(tmp_path)
    with running(folder, tmp_path) as (url, process), httpx.Client(base_url=url) as client:
        # A preflight that meets the damaged bundle would end the service.
        wait_until(lambda: not has_preflight(process), "the preflight did not end")
        golden = (folder / "golden.json").read_bytes()
        (folder / "golden.json").write_bytes(golden + b" ")
        kill_worker(process)
        wait_until(lambda: "not ready: " in output.read_text(), "no new worker")
        assert process.poll() is None
        (folder / "golden.json").write_bytes(golden)
        wait_until_ready(client, process)
        assert client.post("/recommend", json={}).status_code == 200
    assert "Traceback" not in output.read_text()


def has_preflight(process: Process) -> bool:
    assert process.poll() is None
    commands = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            commands.append(" ".join(child.cmdline()))
    return any("marquee.api.process.worker" in command for command in commands)


def test_waiting_worker_ends_on_sigterm(tmp_path: Path) -> None:
    """The service did not end before it had a bundle: its worker had uvicorn's handler."""
    code = (
        "import logging, signal, sys; from types import SimpleNamespace\n"
        "from marquee.api.process import model_reloader, worker\n"
        "logging.getLogger('bentoml.marquee').addHandler(logging.StreamHandler(sys.stdout))\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        f"folder = {str(tmp_path / 'missing')!r}\n"
        "settings = SimpleNamespace(bundle=folder, events_url='sqlite:///x', workers=1)\n"
        "with worker.sigterm_ends_process():\n"
        "    worker.wait_for_handlers(settings, model_reloader.open_source(folder, ''))"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and "not ready: " in process.stdout.readline()
            process.terminate()
            assert process.wait(timeout=30) == -signal.SIGTERM
        finally:
            process.kill()
