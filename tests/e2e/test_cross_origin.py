"""Test a web page of another origin in chromium, which calls with a key and not from loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.support.browser import CHROMIUM, browser
from tests.support.nginx import outside
from tests.support.processes import running

CALL = """async ([url, method, headers, body]) => {
    headers = {"Content-Type": "application/json", "X-Trace": "1", ...headers}
    try {
        const answer = await fetch(url, {method, headers, body})
        const id = answer.headers.get("x-request-id")
        const {error} = await answer.json()
        return [answer.status, error ? error.code : null, id !== null]
    } catch (error) {
        return error.name
    }
}"""
KEY = {"Authorization": "Bearer a"}
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium"),
]


class EmptyPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<h1>A page</h1>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def page_server() -> Iterator[int]:
    """Serve an empty page, and yield the port."""
    server = HTTPServer(("127.0.0.1", 0), EmptyPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def assert_answers(page: Page, service: str) -> None:
    def call(method: str, path: str, headers: dict[str, str], body: str | None = None) -> Any:
        return page.evaluate(CALL, [service + path, method, headers, body])

    assert call("POST", "/recommend", KEY, '{"k": 1}') == [200, None, True]
    assert call("GET", "/model", KEY) == [200, None, True]
    assert call("DELETE", "/users/nobody", KEY) == [200, None, True]
    assert call("POST", "/recommend", {}, "{}") == [401, "unauthorized", True]
    assert call("POST", "/recommend", KEY, "{") == [400, "not_json", True]
    assert call("GET", "/nothing", KEY) == [404, "not_found", True]
    assert call("PUT", "/recommend", KEY, "{}") == [405, "method_not_allowed", True]
    assert call("POST", "/recommend", KEY, "{" * (2 << 20)) == [413, "too_large", True]
    encoding = {"Content-Encoding": "br"}
    assert call("POST", "/recommend", KEY | encoding, "{}") == [415, "unsupported_encoding", True]
    assert call("POST", "/recommend", KEY, '{"k": 0}') == [422, "invalid", True]


def test_page_of_an_allowed_origin_works_and_sees_errors(
    bundle_folder: Path, tmp_path: Path
) -> None:
    with page_server() as port:
        settings = {"API_KEYS": "a", "CORS_ORIGINS": f"http://localhost:{port}"}
        with running(bundle_folder, tmp_path, **settings) as (url, _), browser() as chromium:
            service, page = outside(url), chromium.new_page()
            page.goto(f"http://localhost:{port}")
            assert_answers(page, service)
            page.goto(f"http://127.0.0.1:{port}")  # another origin
            call = [f"{service}/recommend", "POST", KEY, "{}"]
            assert page.evaluate(CALL, call) == "TypeError"
