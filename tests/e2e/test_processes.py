"""The service as processes: `bentoml serve`, its worker, its signals."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil

from tests.support.http_errors import assert_shape
from tests.support.paths import ROOT
from tests.support.processes import free_port, running, serve, wait_until_ready, worker_of
from tests.support.tiny_bundle import FILMS

ONLY_IN_WORKERS = ("numpy", "onnxruntime", "sqlalchemy", "rapidfuzz", "marquee.api.handlers")
FORBIDDEN = ("torch", "lightning", "pytorch_lightning", "comet_ml", "sklearn", "nltk", "pandas")
HISTORY = [{"movie_id": 6, "stars": 4.0}, {"movie_id": 50}, {"movie_id": 296, "stars": 1.5}]


def test_the_serving_process_imports_no_training_library() -> None:
    code = (
        "import sys, service, marquee.recommender.recommender; "
        f"print(sorted(set({(*FORBIDDEN, 'pyarrow')!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_parent_of_the_workers_stays_light(tmp_path: Path) -> None:
    """It is a process of BentoML's command line, and imports service.py as the workers do."""
    code = (
        "import sys; from bentoml_cli.cli import cli; from bentoml import server_context\n"
        "assert server_context.service_type == 'cli'\n"
        f"import service; print(sorted(set({ONLY_IN_WORKERS!r}) & set(sys.modules)))\n"
        "server_context.service_type = None; del sys.modules['service']\n"
        "for name in [n for n in sys.modules if n.startswith('marquee.api.lifecycle')]:\n"
        "    del sys.modules[name]\n"
        f"import service; print(sorted(set({ONLY_IN_WORKERS!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", str(sorted(ONLY_IN_WORKERS))]


def test_the_preflight_says_what_is_wrong(bundle_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "marquee.api.lifecycle.preflight"]
    settings = {"EVENTS_URL": f"sqlite:///{tmp_path / 'e.sqlite'}"}
    for bundle, status in ((bundle_folder, 0), (tmp_path / "missing", 2)):
        environment = os.environ | settings | {"BUNDLE": str(bundle)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == status, done.stderr
    assert done.stderr.startswith(f"marquee: error: {tmp_path / 'missing'}: ")
    assert len(done.stderr.splitlines()) == 1


def test_bentoml_serve_starts_answers_and_stops(bundle_folder: Path, tmp_path: Path) -> None:
    port = free_port()
    process = serve(bundle_folder, tmp_path, port, CORS_ORIGINS="https://app.example")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process)
            assert_only_named_pages_may_ask(client)
            answer = client.post("/recommend", json={"k": len(FILMS)})
            assert answer.status_code == 200 and len(answer.json()["items"]) == len(FILMS)
            assert_shape(client.post("/recommend", json={"k": 0}), 422, "invalid")
    finally:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "API_KEYS is not set" in output and "Traceback" not in output


def assert_only_named_pages_may_ask(client: httpx.Client) -> None:
    """A browser asks before it sends a key from another page's script."""
    wanted = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    for origin, allowed in (("https://app.example", True), ("https://other.example", False)):
        asked = client.options("/recommend", headers=wanted | {"Origin": origin})
        answer = client.post("/recommend", json={}, headers={"Origin": origin})
        assert (asked.status_code == 200) is allowed
        for found in (asked, answer):
            assert (found.headers.get("access-control-allow-origin") == origin) is allowed
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]


def test_a_killed_worker_is_replaced_in_a_container_too(
    bundle_folder: Path, tmp_path: Path
) -> None:
    """What was acknowledged before is still known after."""
    port = free_port()
    process = serve(bundle_folder, tmp_path, port, BENTOML_CONTAINERIZED="true")
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process)
            event = {"event_id": "1", "user_id": "anna", "movie_id": 6, "kind": "rating"}
            event |= {"stars": 4, "at": "2026-01-01T00:00:00Z"}
            assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
            first = worker_of(process)
            first.send_signal(signal.SIGKILL)
            first.wait(timeout=10)
            wait_until_ready(client, process)
            assert worker_of(process).pid != first.pid
            history = client.get("/users/anna/history").json()["items"]
            assert [(item["movie_id"], item["stars"]) for item in history] == [(6, 4.0)]
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def test_bentoml_serve_refuses_a_bad_bundle(bundle_folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(bundle_folder, bad)
    with (bad / "golden.json").open("ab") as file:
        file.write(b" ")
    process = serve(bad, tmp_path, free_port())
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 2, output
    assert f"marquee: error: {bad / 'golden.json'}: " in output and "Traceback" not in output


def test_a_stop_under_load_answers_what_it_was_asked(bundle_folder: Path, tmp_path: Path) -> None:
    """Each request that is being answered is answered whole; then the process ends, with 0."""
    body = json.dumps({"requests": [{"history": HISTORY, "explain": True}] * 256}).encode()
    head = f"Host: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with running(bundle_folder, tmp_path) as (url, process), ExitStack() as stack:
        port = urlsplit(url).port
        asked = []
        for _ in range(6):
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            asked.append(stack.enter_context(connection))
            connection.sendall(f"POST /recommend_batch HTTP/1.1\r\n{head}".encode() + body)
        first = asked[0].recv(1)  # one is answered; those beside it are on their way
        process.send_signal(signal.SIGTERM)
        answers = [first + read(asked[0]), *map(read, asked[1:])]
        assert process.wait(timeout=60) == 0
    for answer in answers:
        start, _, content = answer.partition(b"\r\n\r\n")
        assert start.startswith(b"HTTP/1.1 200"), answer[:300]
        assert len(json.loads(content)["results"]) == 256, "half an answer"
    assert "Traceback" not in (tmp_path / "output").read_text()


def read(connection: socket.socket) -> bytes:
    """To its end: a service that stops closes what it has answered."""
    said = b""
    while part := connection.recv(1 << 16):
        said += part
    return said


def test_a_worker_waits_for_a_good_bundle_where_the_service_goes_on(
    bundle_folder: Path, tmp_path: Path
) -> None:
    """One that takes a dead one's place while a bad bundle lies there."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle_folder, folder)
    with running(folder, tmp_path) as (url, process), httpx.Client(base_url=url) as client:
        wait_until_checked(process)  # by the preflight, which ends it where the bundle is bad
        good = (folder / "golden.json").read_bytes()
        (folder / "golden.json").write_bytes(good + b" ")
        first = worker_of(process)
        first.send_signal(signal.SIGKILL)
        first.wait(timeout=10)
        wait_until_said("not ready: ", output := tmp_path / "output")
        assert process.poll() is None
        (folder / "golden.json").write_bytes(good)
        wait_until_ready(client, process)
        assert client.post("/recommend", json={}).status_code == 200
    assert "Traceback" not in output.read_text()


def wait_until_checked(process: "subprocess.Popen[str]") -> None:
    """The process beside the worker has ended, and the service goes on."""
    deadline = time.monotonic() + 60
    while any("preflight" in name for name in commands_of_children(process)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert process.poll() is None


def commands_of_children(process: "subprocess.Popen[str]") -> list[str]:
    names = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            names.append(" ".join(child.cmdline()))
    return names


def wait_until_said(words: str, output: Path) -> None:
    """A new worker takes a second or ten, as the machine is busy."""
    deadline = time.monotonic() + 60
    while words not in output.read_text():
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)


def test_a_worker_that_waits_for_a_good_bundle_can_be_stopped(tmp_path: Path) -> None:
    """The service did not end before it had one: its worker had uvicorn's handler, which waits."""
    code = (
        "import logging, signal, sys; from types import SimpleNamespace\n"
        "from marquee.api.lifecycle import bundle_source, worker\n"
        "logging.getLogger('bentoml.marquee').addHandler(logging.StreamHandler(sys.stdout))\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        f"folder = {str(tmp_path / 'missing')!r}\n"
        "settings = SimpleNamespace(bundle=folder, events_url='sqlite:///x')\n"
        "with worker.sigterm_ends_process():\n"
        "    worker.wait_for_handlers(settings, bundle_source.open_source(folder, ''))"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout and "not ready: " in process.stdout.readline()
            process.terminate()
            assert process.wait(timeout=30) == -signal.SIGTERM
        finally:
            process.kill()
