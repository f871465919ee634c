"""Telemetry of requests: a route label for BentoML's metrics, and one JSON line in the log.

    {"at": "2026-11-23T06:30:00.123Z", "request_id": "6f…", "method": "POST",
     "route": "/users/{user_id}/history", "status": 200, "ms": 1.4}

Both name the route instead of the path, since paths hold user ids and search queries, and each path
would make some 15 series that stay for good.
"""

import logging
import random
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TextIO

import orjson
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

OTHER = "other"  # the label that unknown paths share
REAL_PATH = "marquee.path"
SLOW_S = 1.0
SAFE_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


class RouteLabels:
    """The middleware that puts a request's route into scope["path"], which labels it.

    BentoML counts outside all middleware of ours, so this one wraps the complete application.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        leaves = list(_leaf_routes(routes))
        self._fixed_paths = frozenset(route.path for route in leaves if "{" not in route.path)
        self._patterns = [(r.path_regex, r.path_format) for r in leaves if "{" in r.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            scope = {**scope, "path": self._label(path), REAL_PATH: path}
        await self._app(scope, receive, send)

    def _label(self, path: str) -> str:
        if path in self._fixed_paths:
            return path
        return next((label for regex, label in self._patterns if regex.match(path)), OTHER)


def _leaf_routes(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif isinstance(app := getattr(route, "app", None), Starlette):
            yield from _leaf_routes(app.routes)


def restore_path(scope: Scope) -> str:
    """Put the request's own path back, and return its route."""
    route: str = scope["path"] if REAL_PATH in scope else OTHER
    scope["path"] = scope.pop(REAL_PATH, scope["path"])
    return route


def header(scope: Scope, name: bytes, default: str = "") -> str:
    """Return a header by its name in lower case; Starlette would decode all of them."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return default


def request_id(scope: Scope) -> str:
    """Return the caller's X-Request-ID where it is safe to log, else a new one."""
    value = header(scope, b"x-request-id")
    return value if SAFE_ID.fullmatch(value) else f"{random.getrandbits(64):016x}"


class RequestLog:
    """The log of one level: "all", "errors" (and slow requests) or "off"."""

    def __init__(self, level: str, out: TextIO = sys.stdout) -> None:
        self._level, self._out = level, out

    def includes(self, status: int, seconds: float) -> bool:
        if self._level == "errors":
            return status >= 500 or seconds >= SLOW_S
        return self._level == "all"

    def write(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        if not self.includes(status, seconds):
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, object] = {"at": at, "request_id": request_id, "method": method}
        line |= {"route": route, "status": status, "ms": round(1000 * seconds, 3)}
        self._out.write(orjson.dumps(line).decode() + "\n")
        self._out.flush()


def strip_error_text(record: logging.LogRecord) -> bool:
    """Reduce a logged exception to type and traceback; its text may quote a request."""
    if record.exc_info and record.exc_info[0] is not None:
        error_type, _, trace = record.exc_info
        record.exc_text = f"{''.join(traceback.format_tb(trace))}{error_type.__name__}"
    return True
