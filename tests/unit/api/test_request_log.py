"""Test the lines of the request log, and that no error text reaches a log."""

import io
import json
import logging
import sys
from typing import Any

import pytest

from marquee.api.telemetry import SLOW_S, RequestLog, header, request_id, strip_error_text

SECRET = "secret-5e1c"


def scope_of(**headers: str) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"headers": pairs}


@pytest.mark.parametrize(
    ("level", "status", "seconds", "expected"),
    [
        ("all", 200, 0.001, True),
        ("all", 404, 0.001, True),
        ("errors", 200, 0.001, False),
        ("errors", 404, 0.001, False),
        ("errors", 500, 0.001, True),
        ("errors", 200, SLOW_S, True),
        ("off", 500, 60.0, False),
    ],
)
def test_request_log_level_includes(
    level: str, status: int, seconds: float, expected: bool
) -> None:
    assert RequestLog(level).includes(status, seconds) is expected


def test_request_log_writes_one_json_line() -> None:
    out = io.StringIO()
    RequestLog("all", out).write("id-1", "GET", "/movies/{movie_id}", 200, 0.0012345)
    (line,) = out.getvalue().splitlines()
    fields = json.loads(line)
    assert fields.pop("at").endswith("Z")
    assert fields == {
        "request_id": "id-1",
        "method": "GET",
        "route": "/movies/{movie_id}",
        "status": 200,
        "ms": 1.234,
    } | {"ms": fields["ms"]}
    assert fields["ms"] == pytest.approx(1.2345, abs=1e-3)


@pytest.mark.parametrize("value", ["a-1.b_2", "x" * 64, "0"])
def test_request_id_safe_value_is_kept(value: str) -> None:
    assert request_id(scope_of(x_request_id=value)) == value


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a\nb", "é", "a/b"])
def test_request_id_unsafe_value_is_replaced(value: str) -> None:
    scope = scope_of(x_request_id=value)
    first, second = request_id(scope), request_id(scope)
    assert len(first) == 16 and value != first != second


def test_header_absent_is_the_default() -> None:
    assert header(scope_of(accept="*/*"), b"accept") == "*/*"
    assert header(scope_of(), b"accept", "text/plain") == "text/plain"


def test_logged_error_keeps_type_and_place_alone() -> None:
    try:
        raise ValueError(SECRET)
    except ValueError:
        record = logging.LogRecord("x", 40, __file__, 1, "failed", (), sys.exc_info())
    assert strip_error_text(record)
    text = logging.Formatter().format(record)
    assert SECRET not in text and text.endswith("ValueError") and "test_request_log.py" in text


def test_log_record_without_error_is_unchanged() -> None:
    record = logging.LogRecord("x", 30, __file__, 1, "fine", (), None)
    assert strip_error_text(record) and record.exc_text is None
