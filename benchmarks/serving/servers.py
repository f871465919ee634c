"""Start servers as processes, and load them with wrk: seconds to ready, CPU, memory, latency.

    with Server(MARQUEE, home, {"BUNDLE": "bundles/demo"}) as server:
        load(server, "/recommend", bodies, clients=8, seconds=3)   # {"cpu_us": 812.0, "p99_ms": …}

CPU time is that of the process that answers (BentoML's worker, not its parent), all its threads,
divided by the requests that wrk counted: neighbours on the machine disturb it least.
"""

import http.client
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

from benchmarks.report import REPOSITORY, last_json_line
from marquee.core.errors import InputError

PEERS_PYTHON = REPOSITORY / ".venv-bench" / "bin" / "python"
READY_S = 120
STARTS = 3
"""Tries of a program: BentoML takes ports for itself between our choice of one and its use."""
SERVE = (sys.executable, "-m", "bentoml", "serve")
MARQUEE = (*SERVE, "service:Marquee", "--port", "{port}")
NOOP = (*SERVE, "benchmarks.serving.noop_bentoml:NoOp", "--port", "{port}")
FASTAPI = (
    *(str(PEERS_PYTHON), "-m", "uvicorn", "benchmarks.serving.noop_fastapi:app"),
    *("--port", "{port}", "--no-access-log", "--log-level", "warning"),
    *("--loop", "uvloop", "--http", "httptools"),
)
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
    """A program on a free port of this machine, ready when the block begins."""

    def __init__(
        self,
        command: Sequence[str],
        home: Path,
        settings: dict[str, str],
        code: Path = REPOSITORY,
    ) -> None:
        """home: an empty folder of its own, where BentoML keeps its counters. code: a checkout."""
        self._command, self._code = command, code
        paths = os.pathsep.join([str(code), os.environ.get("PYTHONPATH", "")])
        own = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": paths}
        own |= {"OPENBLAS_NUM_THREADS": "1"}  # as service.py sets it
        self._environment = os.environ | own | settings
        self.home, self._log = home, home / "log"

    def __enter__(self) -> Self:
        if not Path(self._command[0]).is_file():
            raise InputError(
                f"{self._command[0]}: no such file, expected the Python of the peers; run make "
                "bench-serving, which installs it"
            )
        for _ in range(STARTS):
            try:
                return self._start()
            except http.client.HTTPException:  # the port of another server's own sockets
                self.__exit__(None, None, None)
        raise InputError(f"{self._name}: another program took its port, {STARTS} times")

    @property
    def _name(self) -> str:
        return next(part for part in self._command if ":" in part)

    def _start(self) -> Self:
        self.port = free_port()
        command = [part.format(port=self.port) for part in self._command]
        start = time.perf_counter()
        with self._log.open("w") as log:
            self._process = psutil.Popen(
                command, cwd=self._code, env=self._environment, stdout=log, stderr=log
            )
        while not self._is_ready():
            if self._process.poll() is not None or time.perf_counter() - start > READY_S:
                self.__exit__(None, None, None)
                raise InputError(f"{self._name}: {self._log.read_text()[-2000:]}")
            time.sleep(0.01)
        self.ready_s = time.perf_counter() - start
        processes = [self._process, *self._process.children(recursive=True)]
        self.ready_cpu_s = sum(sum(each.cpu_times()[:2]) for each in processes)
        self.worker = max(processes, key=lambda process: process.pid)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(30)
        except psutil.TimeoutExpired:
            for each in self._process.children(recursive=True):
                each.kill()
            self._process.kill()
            self._process.wait()

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/readyz", timeout=2
            ) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def post(self, path: str, body: bytes) -> bytes:
        """Return the answer to one request."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as response:
            return bytes(response.read())

    def cpu_s(self) -> float:
        """Return the CPU seconds of the worker so far."""
        return float(sum(self.worker.cpu_times()[:2]))

    def memory_mb(self) -> float:
        """Return the resident memory of the worker, libraries included."""
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
    """Send requests for so many seconds, and return the measurements of the run.

    They are requests, cpu_us of a request, rate (requests a second), p50_ms and p99_ms. Raises
    InputError if an answer was an error: a benchmark of errors has no meaning.
    """
    script = server.home / "requests.lua"
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
    response = last_json_line(process.stdout)
    if response["bad"] or not response["requests"]:
        raise InputError(f"{path}: {response['bad']} of {response['requests']} requests failed")
    return {
        "requests": response["requests"],
        "cpu_us": 1e6 * cpu_s / response["requests"],
        "rate": 1e6 * response["requests"] / response["us"],
        "p50_ms": response["p50_us"] / 1000,
        "p99_ms": response["p99_us"] / 1000,
    }
