"""A Comet server for tests: takes what the real client sends, and keeps it by experiment key.

    with served() as comet:
        os.environ |= comet.environment      # COMET_API_KEY, COMET_URL_OVERRIDE
        ...                                  # train
    comet.arrived[key].metrics["val/ndcg@10"]    # [(step, epoch, value), …]

It knows one key. `with served(port)` a second time is the same server come back, empty.
"""

import gzip
import json
import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

API_KEY = "k" * 25
NEW_ENOUGH = "9.0.0"
WRONG_KEY, EXISTS, UNKNOWN = 90212, 90999, 90210
"""Comet's own numbers of its errors."""
QUIET = {"COMET_ERROR_TRACKING_ENABLE": "0", "COMET_DISABLE_ANNOUNCEMENT": "1"}


@dataclass
class Experiment:
    params: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, list[tuple[Any, Any, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """(step, epoch, value) in the order they came."""
    others: dict[str, Any] = field(default_factory=dict)
    assets: list[dict[str, Any]] = field(default_factory=list)
    """The query of each upload (fileName, type, groupingName …) and its `content`."""
    git: dict[str, Any] = field(default_factory=dict)

    def asset(self, name: str) -> bytes:
        (content,) = [each["content"] for each in self.assets if each.get("fileName") == name]
        return bytes(content)

    @property
    def models(self) -> set[str]:
        return {each["groupingName"] for each in self.assets if "groupingName" in each}


class Comet(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.arrived: dict[str, Experiment] = {}
        self.registered: list[dict[str, Any]] = []

    @property
    def environment(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.server_port}/clientlib/"
        return {"COMET_API_KEY": API_KEY, "COMET_URL_OVERRIDE": url, **QUIET}

    def answer(self, path: str, query: dict[str, str], body: Any) -> tuple[int, dict[str, Any]]:
        sent = body if isinstance(body, dict) else query
        key = sent.get("experimentKey") or sent.get("experimentId") or ""
        if path.endswith("/isAlive/ver"):
            return 200, {"msg": "alive", "code": 200, "version": NEW_ENOUGH}
        if path.endswith(("/add/run", "/get/run")):
            return self.handshake(path, sent)
        if path.endswith("/status-report/update"):
            names = ("is_alive_beat_duration", "gpu_monitor_interval", "cpu_monitor_interval")
            return 200, {f"{name}_millis": 10_000 for name in names}
        if path.endswith("/registry-model/item/create"):
            self.registered.append(sent)
            return 200, {"registryModelId": "m", "registryModelItemId": "i"}
        if path.endswith("/registry-model/details"):
            versions = [
                {"version": each["version"]}
                for each in self.registered
                if each["registryModelName"] == sent["modelName"]
            ]
            return (200, {"versions": versions}) if versions else (400, {"msg": "no such model"})
        if key and key not in self.arrived:
            return 400, {"msg": "no such experiment", "sdk_error_code": UNKNOWN}
        return 200, self.keep(path, self.arrived.get(key, Experiment()), sent, body)

    def handshake(self, path: str, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key = sent.get("experimentKey") or sent["previousExperiment"]
        there = key in self.arrived
        if sent["apiKey"] != API_KEY:
            return 400, {"msg": "no such key", "sdk_error_code": WRONG_KEY}
        if path.endswith("/get/run") and not there:
            return 400, {"msg": "no such experiment", "sdk_error_code": UNKNOWN}
        if path.endswith("/add/run") and there and not sent["getOrCreateEnabled"]:
            return 400, {"msg": "exists", "sdk_error_code": EXISTS}
        self.arrived.setdefault(key, Experiment())
        return 200, {"runId": "run", "project_id": "project", "experimentKey": key}

    def keep(self, path: str, one: Experiment, sent: dict[str, Any], body: Any) -> dict[str, Any]:
        for value in sent.get("values", []):
            if path.endswith("/parameter"):
                one.params[value["parameterName"]] = value["parameterValue"]
            elif path.endswith("/metric"):
                point = value["step"], value["epoch"], value["metricValue"]
                one.metrics[value["metricName"]].append(point)
        if path.endswith("/log-other"):
            one.others[sent["key"]] = sent["value"]
        elif "git" in path and isinstance(body, dict):
            one.git |= body
        elif isinstance(body, bytes):
            one.assets.append({**sent, "content": body})
        elif path.endswith("/experiment/metadata"):
            return {"workspaceName": "team", "projectName": "marquee", **sent}
        elif path.endswith("/experiment/model"):
            return {"models": [{"modelName": each} for each in one.models]}
        return {}


class Handler(BaseHTTPRequestHandler):
    # One request a connection (HTTP/1.0): a server that is gone answers on no old one either.
    server: Comet

    def respond(self) -> None:
        body: Any = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        kind = self.headers.get("Content-Type") or ""
        if "json" in kind:
            body = json.loads(body)
        elif boundary := re.search("boundary=(.+)", kind):
            part = body.split(b"--" + boundary[1].encode())[1]
            body = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        else:
            body = None
        url = urlsplit(self.path)
        status, answer = self.server.answer(url.path, dict(parse_qsl(url.query)), body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = respond

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(port: int = 0) -> Iterator[Comet]:
    comet = Comet(port)
    thread = threading.Thread(target=comet.serve_forever, daemon=True)
    thread.start()
    try:
        yield comet
    finally:
        comet.shutdown()
        comet.server_close()
        thread.join()
