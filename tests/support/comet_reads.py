"""A Comet server for tests: answers what the real client asks when it reads an experiment.

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
QUIET = {"COMET_ERROR_TRACKING_ENABLE": "0", "COMET_DISABLE_ANNOUNCEMENT": "1"}


def answer(path: str, experiment: Mapping[str, Any], asset: str | None) -> Any:
    """JSON, or bytes for an asset; None for what is not served."""
    if path == "metadata":
        return {
            "experimentName": experiment["name"],
            "workspaceName": "team",
            "projectName": "marquee",
            "running": experiment.get("running", False),
            **dict.fromkeys(("archived", "projectId", "optimizationId")),
            **dict.fromkeys(("durationMillis", "startTimeMillis", "endTimeMillis"), 0),
        }
    if path == "parameters":
        pairs = experiment["params"].items()
        return {"values": [{"name": name, "valueCurrent": str(value)} for name, value in pairs]}
    if path == "metrics/get-all":
        return {"metrics": experiment["metrics"]}
    if path == "asset/list":
        return {"assets": [{"fileName": name, "assetId": name} for name in experiment["assets"]]}
    return experiment["assets"][asset] if path == "asset/get-asset" else None


class Handler(BaseHTTPRequestHandler):
    server: "Comet"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        key, path = query.get("experimentKey", ""), url.path.partition("/rest/v2/experiment/")[2]
        if url.path.endswith("/isAlive/ver"):
            self.send(200, {"version": "9.0.0"})
        elif self.headers["Authorization"] != API_KEY:
            self.send(401, {"msg": "no such key"})
        elif url.path.endswith("/rest/v2/experiments"):
            self.send(200, {"experiments": []})  # by name: none
        elif key not in self.server.experiments:
            self.send(400, {"msg": "no such experiment"})
        else:
            experiment = self.server.experiments[key]
            found = answer(path, {"key": key, **experiment}, query.get("assetId"))
            if isinstance(found, dict):
                found["experimentKey"] = key
            self.send(404 if found is None else 200, found)

    def send(self, status: int, content: Any) -> None:
        is_asset = isinstance(content, bytes)
        body = content if is_asset else json.dumps(content).encode()
        self.send_response(status)
        kind = "application/octet-stream" if is_asset else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Comet(ThreadingHTTPServer):
    daemon_threads = True
    experiments: Mapping[str, Mapping[str, Any]]


@contextmanager
def served(experiments: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """The environment that leads the client here."""
    comet = Comet(("127.0.0.1", 0), Handler)
    comet.experiments = experiments
    thread = threading.Thread(target=comet.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{comet.server_port}/clientlib/"
    try:
        yield {"COMET_API_KEY": API_KEY, "COMET_URL_OVERRIDE": url, **QUIET}
    finally:
        comet.shutdown()
        comet.server_close()
        thread.join()
