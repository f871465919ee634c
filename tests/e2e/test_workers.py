"""Test a service of two workers: what one acknowledges counts in the other, and reloads."""

import http.client
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import psutil
import pytest

from tests.support import nginx
from tests.support.processes import (
    Process,
    output_of,
    running,
    wait_until,
    wait_until_ready,
    workers_of,
)

HISTORY = [{"movie_id": 6, "stars": 4.0}, {"movie_id": 50}]
CLIENTS, HUPS = 8, 3
Workers: TypeAlias = dict[int, httpx.Client]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def service(bundle_folder: Path, home: Path) -> Iterator[tuple[str, Process]]:
    settings = {"WORKERS": "2", "LOG_REQUESTS": "all"}
    with running(bundle_folder, home, **settings) as (url, process):
        wait_for_workers(url, process, 2)
        yield url, process


@pytest.fixture
def workers(service: tuple[str, Process]) -> Iterator[Workers]:
    """A client for each worker, by the worker's process id."""
    with ExitStack() as stack:
        yield connect(*service, stack)


def wait_for_workers(url: str, process: Process, count: int) -> None:
    """Wait until so many workers accept connections; a new one listens last of all."""
    with httpx.Client(base_url=url) as client:
        wait_until_ready(client, process)
    port = httpx.URL(url).port

    def all_listen() -> bool:
        workers = workers_of(process)
        return len(workers) == count and all(map(accepts, workers))

    def accepts(worker: psutil.Process) -> bool:
        with ExitStack() as stack:
            return worker.pid in connect(url, process, stack, {worker.pid})

    assert port
    wait_until(all_listen, "the workers do not listen")


def connect(
    url: str, process: Process, stack: ExitStack, wanted: set[int] | None = None
) -> Workers:
    """Open connections until each worker has one: which one accepts is chance."""
    workers, clients = workers_of(process), {}
    wanted = wanted or {worker.pid for worker in workers}
    for _ in range(100):
        client = stack.enter_context(httpx.Client(base_url=url))
        client.get("/livez")
        for worker in workers:
            if worker.is_running() and owns(worker, client):
                clients[worker.pid] = client
        if wanted <= clients.keys():
            break
    return clients


def owns(worker: psutil.Process, client: httpx.Client) -> bool:
    (connection,) = client._transport._pool.connections  # type: ignore[attr-defined]
    socket = connection._connection._network_stream.get_extra_info("socket")
    try:
        peers = [each.raddr for each in worker.net_connections("tcp4")]
    except psutil.NoSuchProcess:
        return False
    return socket.getsockname() in [tuple(peer) for peer in peers]


def event(number: int, user_id: str = "anna") -> dict[str, Any]:
    at = f"2026-01-01T00:00:{number:02}Z"
    rating = {"movie_id": 6, "kind": "rating", "stars": 1 + number % 5}
    return {"event_id": f"{user_id}-{number}", "user_id": user_id, "at": at, **rating}


def stars(client: httpx.Client, user_id: str = "anna") -> list[float]:
    items = client.get(f"/users/{user_id}/history").raise_for_status().json()["items"]
    return [item["stars"] for item in items]


def test_workers_event_counts_at_once_in_each(workers: Workers) -> None:
    """Each has the user in its cache, which asks the store half a second later."""
    first, second = workers.values()
    for number in range(10):
        first, second = second, first
        answer = first.post("/events", json={"events": [event(number)]}).json()
        assert answer["accepted"] == 1
        assert stars(second) == stars(first) == [1 + number % 5]


def test_workers_erasure_counts_at_once_in_each(workers: Workers) -> None:
    first, second = workers.values()
    for number in range(10, 20):
        first, second = second, first
        first.post("/events", json={"events": [event(number, "ben")]}).raise_for_status()
        assert len(stars(first, "ben")) == len(stars(second, "ben")) == 1
        first.delete("/users/ben").raise_for_status()
        assert stars(second, "ben") == stars(first, "ben") == []


def test_workers_share_the_arrays(workers: Workers) -> None:
    for pid, client in workers.items():
        client.post("/recommend", json={"history": HISTORY}).raise_for_status()
        smaps = Path(f"/proc/{pid}/smaps")
        if not smaps.is_file():
            pytest.skip("this system has no /proc/PID/smaps")
        maps = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", smaps.read_text())
        arrays = [each for each in maps if "/.arrays/" in each]
        assert arrays and all("Private_Dirty:         0 kB" in each for each in arrays)


def test_workers_connections_of_a_proxy_are_spread(
    workers: Workers, service: tuple[str, Process]
) -> None:
    """The first worker that woke had all eight, and the other core idled."""
    url = httpx.URL(service[0])
    before = {pid: num_connections(pid, url.port) for pid in workers}
    connections = [socket.create_connection((url.host, url.port or 0)) for _ in range(8)]

    def count_new() -> list[int]:
        return sorted(num_connections(pid, url.port) - before[pid] for pid in workers)

    wait_until(lambda: sum(count_new()) == 8, "not all connections were accepted")
    assert count_new()[0] >= 2
    for connection in connections:
        connection.close()


def num_connections(pid: int, port: int | None) -> int:
    connections = psutil.Process(pid).net_connections("tcp")
    return sum(each.status == "ESTABLISHED" and each.laddr.port == port for each in connections)


def test_workers_log_lines_stay_whole(workers: Workers, home: Path) -> None:
    def load(client: httpx.Client) -> None:
        for _ in range(50):
            client.post("/recommend", json={"history": HISTORY}).raise_for_status()

    threads = [threading.Thread(target=load, args=(client,)) for client in workers.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = [line for line in output_of(home).read_text().splitlines() if '"request_id"' in line]
    routes = [json.loads(line)["route"] for line in lines]
    assert routes.count("/recommend") >= 100


def test_idle_connection_outlives_that_of_a_proxy(service: tuple[str, Process]) -> None:
    """uvicorn's own limit is 5 s; proxies keep theirs for up to 60 s."""
    url = httpx.URL(service[0])
    connection = http.client.HTTPConnection(url.host, url.port)
    for pause_s in (6, 0):
        connection.request("GET", "/livez")
        assert connection.getresponse().read() is not None
        time.sleep(pause_s)
    connection.close()


def has_replaced(process: Process, before: set[int], count: int) -> bool:
    """Return whether there are so many workers, and none of those before."""
    pids = {worker.pid for worker in workers_of(process)}
    return len(pids) == count and not pids & before


def num_lists(client: httpx.Client) -> float:
    metrics = client.get("/metrics").text
    pattern = r'marquee_lists_total\{endpoint="/recommend",strategy="\w+"\} (\S+)'
    return sum(map(float, re.findall(pattern, metrics)))


def test_workers_metrics_are_summed_over_the_dead_too(service: tuple[str, Process]) -> None:
    """And the one that is killed is replaced, while the other answers."""
    url, process = service
    with ExitStack() as stack, httpx.Client(base_url=url) as new_client:
        workers = connect(url, process, stack)
        before = num_lists(new_client)
        for client in workers.values():
            for _ in range(3):
                client.post("/recommend", json={"history": HISTORY}).raise_for_status()
        assert [num_lists(client) - before for client in workers.values()] == [6, 6]
        killed, other = workers
        os.kill(killed, signal.SIGKILL)
        for _ in range(20):
            assert httpx.get(f"{url}/livez", timeout=10).status_code == 200
        wait_until(lambda: has_replaced(process, {killed}, 2), "no new worker")
        assert num_lists(workers[other]) - before == 6
    wait_for_workers(url, process, 2)


def test_workers_share_the_rate_limit(bundle_folder: Path, tmp_path: Path) -> None:
    """One request in 1,000 seconds; /livez and /readyz have no limit."""
    settings = {"WORKERS": "2", "RATE_LIMIT": "0.001"}
    with running(bundle_folder, tmp_path, **settings) as (url, process), ExitStack() as stack:
        wait_for_workers(url, process, 2)
        clients = connect(url, process, stack).values()
        answers = [client.get("/movies/6").status_code for client in (*clients, *clients)]
    assert answers == [200, 429, 429, 429]


class Load:
    """Clients that post through a proxy until told to stop, and what they got but 200."""

    def __init__(self, url: str) -> None:
        self.num_answers, self.failures, self._stop = 0, list[str](), threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(url, client)) for client in range(CLIENTS)
        ]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, url: str, client: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as session:
            number = 0
            while not self._stop.is_set():
                number += 1
                events = [event(number % 60, f"{client}-{number}")]
                for path, body in (
                    ("/recommend", {"history": HISTORY}),
                    ("/events", {"events": events}),
                ):
                    try:
                        status: int | str = session.post(path, json=body).status_code
                    except httpx.TransportError as error:
                        status = repr(error)
                    self.num_answers += 1
                    if status != 200:
                        self.failures.append(f"{path}: {status}")


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 2])
def test_reload_behind_a_proxy_loses_no_request(
    bundle_folder: Path, tmp_path: Path, num_workers: int
) -> None:
    """The proxy keeps connections, and tries no request twice."""
    settings = {"WORKERS": str(num_workers)}
    with running(bundle_folder, tmp_path, **settings) as (url, process):
        upstream = f"upstream m {{ server {httpx.URL(url).netloc.decode()}; keepalive 16; }}"
        location = (
            "location / { proxy_pass http://m; proxy_http_version 1.1;"
            ' proxy_set_header Connection ""; proxy_next_upstream off; }'
        )
        with nginx.running(location, http=upstream) as proxy, Load(proxy) as load:
            for _ in range(HUPS):
                before = {worker.pid for worker in workers_of(process)}
                answers = load.num_answers
                process.send_signal(signal.SIGHUP)
                wait_until(partial(has_replaced, process, before, num_workers), "no reload")
                assert load.num_answers > answers, "the load went on"
        assert load.failures == []


def test_reload_that_cannot_start_keeps_the_old_worker(bundle_folder: Path, tmp_path: Path) -> None:
    """A package that the new workers import is broken meanwhile."""
    packages = tmp_path / "packages"
    packages.mkdir()
    with running(bundle_folder, tmp_path, PYTHONPATH=str(packages)) as (url, process):
        (before,) = workers_of(process)
        (packages / "onnxruntime.py").write_text("raise ImportError('broken')")
        process.send_signal(signal.SIGHUP)
        output = output_of(tmp_path)
        wait_until(lambda: "the old ones answer on" in output.read_text(), "the reload went on")
        assert httpx.post(f"{url}/recommend", json={}).status_code == 200
        wait_until(lambda: workers_of(process) == [before], "new workers stay")
