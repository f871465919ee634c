"""A Comet server for tests: answers the requests of the real client as it reads an experiment.

    with served({"k1": {"name": …, "params": {…}, "metrics": […], "assets": {…}}}) as environment:
        …                                  # with COMET_API_KEY and COMET_URL_OVERRIDE of it

REST v2: metadata, parameters, metrics, the list of assets and each asset; one API key is right.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

API_KEY = "k" * 25
ENVIRONMENT = {
    "COMET_API_KEY": API_KEY,
    "COMET_ERROR_TRACKING_ENABLE": "0",
    "COMET_DISABLE_ANNOUNCEMENT": "1",
}


def answer(path: str, experiment: Mapping[str, Any], asset: str | None) -> dict[str, Any] | bytes:
    """Return the answer to a request about one experiment: JSON, or the bytes of an asset."""
    if path == "asset/get-asset":
        return bytes(experiment["assets"][asset])
    if path == "metadata":
        empty = ("archived", "projectId", "optimizationId")
        times = ("durationMillis", "startTimeMillis", "endTimeMillis")
        return {
            "experimentName": experiment["name"],
            "workspaceName": "team",
            "projectName": "marquee",
            "running": experiment.get("running", False),
            **dict.fromkeys(empty),
            **dict.fromkeys(times, 0),
        }
    params = [{"name": name, "valueCurrent": str(v)} for name, v in experiment["params"].items()]
    lists: dict[str, dict[str, Any]] = {
        "parameters": {"values": params},
        "metrics/get-all": {"metrics": experiment["metrics"]},
        "asset/list": {"assets": [{"fileName": n, "assetId": n} for n in experiment["assets"]]},
    }
    return lists[path]


class Handler(BaseHTTPRequestHandler):
    experiments: Mapping[str, Mapping[str, Any]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        key = query.get("experimentKey", "")
        if url.path.endswith("/isAlive/ver"):
            self.send(200, {"version": "9.0.0"})
        elif self.headers["Authorization"] != API_KEY:
            self.send(401, {"msg": "no such key"})
        elif url.path.endswith("/rest/v2/experiments"):
            self.send(200, {"experiments": []})  # by name: none
        elif key not in self.experiments:
            self.send(400, {"msg": "no such experiment"})
        else:
            path = url.path.partition("/rest/v2/experiment/")[2]
            content = answer(path, self.experiments[key], query.get("assetId"))
            if isinstance(content, dict):
                content["experimentKey"] = key
            self.send(200, content)

    def send(self, status: int, content: dict[str, Any] | bytes) -> None:
        is_asset = isinstance(content, bytes)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header(
            "Content-Type", "application/octet-stream" if is_asset else "application/json"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(experiments: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Serve experiments by key; yield the environment that leads the client here."""
    handler = type("Handler", (Handler,), {"experiments": experiments})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/clientlib/"
        try:
            yield {**ENVIRONMENT, "COMET_URL_OVERRIDE": url}
        finally:
            server.shutdown()
            thread.join()
