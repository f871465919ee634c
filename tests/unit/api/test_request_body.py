"""Test how bodies are read: limits, compression, byte order mark, charset."""

import asyncio
import gzip
import tracemalloc
import zlib
from typing import Any

import pytest

from marquee.api import request_body
from marquee.api.errors import STATUS
from marquee.api.request_body import read_body
from marquee.recommender.errors import RequestError

BODY = b'{"k": 1}'
GZIP = gzip.compress(BODY)


def read(body: bytes, headers: dict[str, str] | None = None, chunk: int = 1000) -> bytes:
    chunks = [body[n : n + chunk] for n in range(0, len(body), chunk)] or [b""]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    pairs = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    return asyncio.run(read_body({"type": "http", "headers": pairs}, receive))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(BODY, {}, id="plain"),
        pytest.param(BODY, {"Content-Encoding": "identity"}, id="identity"),
        pytest.param(GZIP, {"Content-Encoding": "gzip"}, id="gzip"),
        pytest.param(GZIP, {"Content-Encoding": " GZIP "}, id="gzip-upper-case"),
        pytest.param(GZIP, {"Content-Encoding": "x-gzip"}, id="x-gzip"),
        pytest.param(zlib.compress(BODY), {"Content-Encoding": "deflate"}, id="deflate"),
        pytest.param(b"\xef\xbb\xbf" + BODY, {}, id="byte-order-mark"),
        pytest.param(
            gzip.compress(b"\xef\xbb\xbf" + BODY), {"Content-Encoding": "gzip"}, id="both"
        ),
        pytest.param(BODY, {"Content-Type": "application/json"}, id="json"),
        pytest.param(BODY, {"Content-Type": "Application/JSON; Charset=UTF-8"}, id="charset"),
        pytest.param(BODY, {"Content-Type": 'application/json;charset="utf-8"'}, id="quoted"),
    ],
)
def test_body_in_a_known_notation_is_read(body: bytes, headers: dict[str, str]) -> None:
    assert read(body, headers) == BODY == read(body, headers, chunk=3)


@pytest.mark.parametrize(
    ("body", "headers", "status", "named"),
    [
        pytest.param(BODY, {"Content-Encoding": "br"}, 415, "br", id="brotli"),
        pytest.param(BODY, {"Content-Encoding": "zstd"}, 415, "zstd", id="zstd"),
        pytest.param(GZIP, {"Content-Encoding": "gzip, gzip"}, 415, "gzip, gzip", id="twice"),
        pytest.param(
            BODY,
            {"Content-Type": "application/json; charset=latin-1"},
            415,
            "latin-1",
            id="charset",
        ),
        pytest.param(BODY.decode().encode("utf-16"), {}, 415, "UTF-16", id="utf-16"),
        pytest.param(BODY.decode().encode("utf-16-le"), {}, 415, "UTF-16", id="utf-16-le"),
        pytest.param(BODY.decode().encode("utf-16-be"), {}, 415, "UTF-16", id="utf-16-be"),
        pytest.param(BODY.decode().encode("utf-32"), {}, 415, "UTF-32", id="utf-32"),
        pytest.param(BODY, {"Content-Encoding": "gzip"}, 400, "not gzip", id="not-gzip"),
        pytest.param(b"", {"Content-Encoding": "gzip"}, 400, "empty", id="empty-gzip"),
        pytest.param(GZIP[:-9], {"Content-Encoding": "gzip"}, 400, "cut off", id="cut"),
        pytest.param(GZIP[:-4], {"Content-Encoding": "gzip"}, 400, "cut off", id="cut-in-length"),
        pytest.param(GZIP + b"x", {"Content-Encoding": "gzip"}, 400, "its end", id="more"),
        pytest.param(b"\xef\xbb\xbf", {}, 400, "empty", id="mark-alone"),
        pytest.param(b" \n", {}, 400, "empty", id="blank"),
        pytest.param(BODY, {"Content-Type": "text/plain"}, 400, "text/plain", id="text"),
    ],
)
def test_body_in_another_notation_is_refused_and_named(
    body: bytes, headers: dict[str, str], status: int, named: str
) -> None:
    with pytest.raises(RequestError, match=named) as caught:
        read(body, headers)
    assert STATUS[caught.value.code] == status


def test_body_is_inflated_to_the_limit_at_most() -> None:
    limit = request_body.MAX_BODY_BYTES
    fitting = gzip.compress(b"{" + b" " * (limit - 2) + b"}")
    assert len(read(fitting, {"Content-Encoding": "gzip"})) == limit
    bomb = gzip.compress(bytes(100 * limit), compresslevel=1)
    assert len(bomb) < limit
    tracemalloc.start()
    with pytest.raises(RequestError, match="when inflated") as caught:
        read(bomb, {"Content-Encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert STATUS[caught.value.code] == 413 and peak < 8 * limit


def test_body_that_was_inflated_has_no_encoding_for_the_endpoint() -> None:
    pairs = [(b"content-encoding", b"gzip"), (b"content-length", b"28"), (b"x", b"y")]
    scope: dict[str, Any] = {"type": "http", "headers": pairs}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": GZIP}

    assert asyncio.run(read_body(scope, receive)) == BODY
    assert scope["headers"] == [(b"x", b"y")]
