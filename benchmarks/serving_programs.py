"""Servers as processes, and wrk that asks them: seconds to ready, CPU, memory, latency.

    with Server(MARQUEE, port, home, {"BUNDLE": "bundles/demo"}) as server:
        load(server, "/recommend", bodies, clients=8, seconds=3)   # {"cpu_us": 812.0, "p99_ms": …}

CPU time is that of the process that answers (BentoML's worker, not its parent), all its threads,
divided by the requests that wrk counted: neighbours on the machine disturb it least.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

from marquee.core.errors import InputError

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
READY_S = 120
STARTS = 3
"""Tries of a program: BentoML takes ports for itself between our choice of one and its use."""
MARQUEE = ["bentoml", "serve", "service:Marquee", "--port", "{port}"]
NOOP = ["bentoml", "serve", "serving_noop:NoOp", "--working-dir", str(HERE), "--port", "{port}"]
FASTAPI = [
    *("uvicorn", "serving_fastapi:app", "--app-dir", str(HERE), "--port", "{port}"),
    *("--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"),
]
SCRIPT = """
bodies = {BODIES}
wrk.method, wrk.path = "POST", "{PATH}"
wrk.headers["Content-Type"] = "application/json"
local n = 0
function request()
  n = n % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[n])
end
function done(summary, latency, requests)
  local e = summary.errors
  local bad = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format(
    '\\n{{"requests": %d, "us": %d, "bad": %d, "p50_us": %d, "p99_us": %d}}\\n',
    summary.requests, summary.duration, bad, latency:percentile(50), latency:percentile(99)))
end
"""


class Server:
    """One program on a free port of this machine, ready when the block begins."""

    def __init__(self, command: Sequence[str], home: Path, settings: dict[str, str]) -> None:
        """home: an empty folder of its own, where BentoML keeps its counters."""
        self._given = command
        paths = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
        own = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": paths}
        own |= {"OPENBLAS_NUM_THREADS": "1"}  # as service.py sets it
        self._environment = os.environ | own | settings
        self._log = home / "log"

    def __enter__(self) -> Self:
        for _ in range(STARTS):
            try:
                return self._started()
            except http.client.HTTPException:  # the port of another server's own sockets
                self.__exit__(None, None, None)
        raise InputError(f"{self._given[1]}: another program took its port, {STARTS} times")

    def _started(self) -> Self:
        self.port = free_port()
        program, *arguments = [part.format(port=self.port) for part in self._given]
        self._command = [sys.executable, "-m", program, *arguments]
        begun = time.perf_counter()
        with self._log.open("w") as log:
            self._process = psutil.Popen(
                self._command, cwd=REPOSITORY, env=self._environment, stdout=log, stderr=log
            )
        while not self._answers():
            if self._process.poll() is not None or time.perf_counter() - begun > READY_S:
                self.__exit__(None, None, None)
                raise InputError(f"{' '.join(self._command[2:4])}: {self._log.read_text()[-2000:]}")
            time.sleep(0.01)
        self.ready_s = time.perf_counter() - begun
        family = [self._process, *self._process.children(recursive=True)]
        self.ready_cpu_s = sum(sum(each.cpu_times()[:2]) for each in family)
        self.worker = max(family, key=lambda process: process.pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(30)
        except psutil.TimeoutExpired:
            for each in self._process.children(recursive=True):
                each.kill()
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/readyz", timeout=2
            ) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def ask(self, path: str, body: bytes) -> bytes:
        """The answer to one request."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as response:
            return bytes(response.read())

    def cpu_s(self) -> float:
        """Of the worker so far."""
        return float(sum(self.worker.cpu_times()[:2]))

    def memory_mb(self) -> float:
        """Resident memory of the worker, libraries included."""
        return float(self.worker.memory_info().rss / 1e6)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wrk() -> str:
    wrk_path = shutil.which("wrk")
    if wrk_path is None:
        raise InputError("wrk: not installed, expected the load generator; apt-get install wrk")
    return wrk_path


def load(
    server: Server, path: str, bodies: Sequence[bytes], clients: int, seconds: float
) -> dict[str, Any]:
    """Send requests for so many seconds, and return the figures of the run.

    They are requests, cpu_us of a request, rate (requests a second), p50_ms and p99_ms. Raises
    InputError if an answer was an error: a benchmark of errors has no meaning.
    """
    script = Path(server._log.parent) / "ask.lua"
    quoted = ",\n".join(f"[==[{body.decode()}]==]" for body in bodies)
    script.write_text(SCRIPT.format(BODIES=f"{{{quoted}}}", PATH=path))
    command = [wrk(), "-t1", f"-c{clients}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    before = server.cpu_s()
    process = subprocess.run(
        [*command, "-s", str(script), f"http://127.0.0.1:{server.port}"],
        capture_output=True,
        text=True,
    )
    cpu_s = server.cpu_s() - before
    if process.returncode:
        raise InputError(f"wrk: {process.stdout[-300:]}{process.stderr[-300:]}")
    response = json.loads(process.stdout.strip().splitlines()[-1])
    if response["bad"] or not response["requests"]:
        raise InputError(f"{path}: {response['bad']} of {response['requests']} requests failed")
    return {
        "requests": response["requests"],
        "cpu_us": 1e6 * cpu_s / response["requests"],
        "rate": 1e6 * response["requests"] / response["us"],
        "p50_ms": response["p50_us"] / 1000,
        "p99_ms": response["p99_us"] / 1000,
    }
