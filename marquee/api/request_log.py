"""One JSON line per request: time, route, status; never a user, what they watched, or a key.

    {"at": "2026-11-23T06:30:00.123Z", "request_id": "6f…", "method": "POST",
     "route": "/users/{user_id}/history", "status": 200, "ms": 1.4}

The line holds the route instead of the path, since paths hold user ids and search queries.
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
_SAFE_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)


def header(scope: Scope, name: bytes, default: str = "") -> str:
    """Return a header by its name in lower case.

    Starlette decodes all of them each time.
    """
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return default


def request_id(scope: Scope) -> str:
    """Return the caller's X-Request-ID where it is safe to log, else a new one."""
    value = header(scope, b"x-request-id")
    return value if _SAFE_ID.fullmatch(value) else f"{random.getrandbits(64):016x}"


def strip_error_text(record: logging.LogRecord) -> bool:
    """Reduce a logged exception to its type and traceback; pass every record.

    Its text may quote the request: a user's id or movies.
    """
    if record.exc_info and record.exc_info[0] is not None:
        error_type, _, trace = record.exc_info
        record.exc_text = f"{''.join(traceback.format_tb(trace))}{error_type.__name__}"
    return True


class RequestLog:
    """Writes the lines of a level: "all", "errors" (and slow requests) or "off"."""

    def __init__(self, level: str, out: TextIO = sys.stdout) -> None:
        self._level, self._out = level, out

    def includes(self, status: int, seconds: float) -> bool:
        """Return whether the level includes such a request."""
        if self._level == "errors":
            return status >= 500 or seconds >= SLOW_S
        return self._level == "all"

    def write(self, name: str, method: str, route: str, status: int, seconds: float) -> None:
        """Write the line of a request; `name` is its id."""
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
