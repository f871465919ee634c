"""One JSON line a request: when, what, how it went; never who, what they watched, or a key.

    {"at": "2026-11-23T06:30:00.123Z", "request_id": "6f…", "method": "POST",
     "route": "/users/{user_id}/history", "status": 200, "ms": 1.4}

The route stands for the address, since addresses hold user ids and what people search for.
"""

import logging
import random
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

import orjson
from starlette.types import Scope

SLOW_S = 1.0
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def header(scope: Scope, name: bytes, default: str = "") -> str:
    """A header by its name in lower case; Starlette's own look-up decodes all of them each time."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return default


def request_id(scope: Scope) -> str:
    """The caller's X-Request-ID where it is one to write into a log, else a new one."""
    given = header(scope, b"x-request-id")
    return given if _ID.fullmatch(given) else f"{random.getrandbits(64):016x}"


def without_quotes(record: logging.LogRecord) -> bool:
    """A filter that has an error logged by its kind and place: its words may quote what was sent,
    a person's id or films. Lets every record through."""
    if record.exc_info and record.exc_info[0] is not None:
        kind, _, place = record.exc_info
        record.exc_text = f"{''.join(traceback.format_tb(place))}{kind.__name__}"
    return True


class RequestLog:
    """Writes the lines that are asked for: all, errors (and what was slow) or off."""

    def __init__(self, which: str, out: TextIO = sys.stdout) -> None:
        self._which, self._out = which, out

    def wants(self, status: int, seconds: float) -> bool:
        if self._which == "errors":
            return status >= 500 or seconds >= SLOW_S
        return self._which == "all"

    def write(self, name: str, method: str, route: str, status: int, seconds: float) -> None:
        """name: of the request."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {
            "at": at,
            "request_id": name,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(1000 * seconds, 3),
        }
        self._out.write(orjson.dumps(line).decode() + "\n")
        self._out.flush()
