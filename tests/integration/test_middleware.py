"""What stands before every endpoint, alone: keys, limits, ids, the log, one error shape."""

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from marquee.api import middleware
from marquee.api.auth import ApiKeyAuth
from marquee.api.request_log import RequestLog
from tests.support.http_errors import assert_shape


async def fine(_: Request) -> JSONResponse:
    return JSONResponse({"items": []})


async def slow(_: Request) -> JSONResponse:
    await asyncio.sleep(60)
    return JSONResponse({})


async def broken(_: Request) -> JSONResponse:
    raise ZeroDivisionError("a secret path")


async def bento_list(_: Request) -> JSONResponse:
    return JSONResponse([{"error": "no such thing"}], status_code=404)


async def gateway(_: Request) -> PlainTextResponse:
    return PlainTextResponse("upstream", status_code=504)


@pytest.fixture(autouse=True)
def bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLE", "not read here")


def guarded(peer: str = "127.0.0.1") -> TestClient:
    verbs = ["GET", "POST", "DELETE"]
    paths = {
        "/recommend": fine,
        "/events": fine,
        "/livez": fine,
        "/slow": slow,
        "/list": bento_list,
    }
    paths |= {"/broken": broken, "/gateway": gateway}
    inner = Starlette(routes=[Route(path, ask, methods=verbs) for path, ask in paths.items()])
    return TestClient(
        middleware.ApiMiddleware(inner), client=(peer, 50000), raise_server_exceptions=False
    )


@pytest.mark.parametrize(
    ("keys", "peer", "method", "path", "sent", "status"),
    [
        pytest.param("", "127.0.0.1", "POST", "/recommend", None, 200, id="no-keys-loopback"),
        pytest.param("", "::1", "POST", "/recommend", None, 200, id="no-keys-loopback-6"),
        pytest.param("", "::ffff:127.0.0.1", "GET", "/recommend", None, 200, id="mapped"),
        pytest.param("", "10.0.0.7", "POST", "/recommend", None, 401, id="no-keys-elsewhere"),
        pytest.param("", "10.0.0.7", "POST", "/recommend", "Bearer ", 401, id="no-keys-empty-key"),
        pytest.param(" , ", "10.0.0.7", "POST", "/recommend", "Bearer ", 401, id="blank-keys"),
        pytest.param("", "testclient", "GET", "/recommend", None, 401, id="no-address"),
        pytest.param("", "10.0.0.7", "GET", "/livez", None, 200, id="health-needs-none"),
        pytest.param("a, b", "10.0.0.7", "GET", "/livez", None, 200, id="health-with-keys"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Bearer b", 200, id="second-key"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "bearer a", 200, id="lower-case"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Bearer c", 401, id="wrong-key"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Basic a", 401, id="wrong-scheme"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Bearer a,b", 401, id="both-keys"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", None, 401, id="no-key"),
        pytest.param("a, b", "127.0.0.1", "POST", "/recommend", None, 200, id="loopback-reads"),
        pytest.param("a, b", "127.0.0.1", "POST", "/events", None, 401, id="loopback-writes"),
        pytest.param("a, b", "127.0.0.1", "DELETE", "/recommend", None, 401, id="loopback-deletes"),
        pytest.param("a, b", "127.0.0.1", "POST", "/events", "Bearer a", 200, id="write-with-key"),
    ],
)
def test_keys(
    monkeypatch: pytest.MonkeyPatch,
    keys: str,
    peer: str,
    method: str,
    path: str,
    sent: str | None,
    status: int,
) -> None:
    monkeypatch.setenv("API_KEYS", keys)
    headers = {} if sent is None else {"Authorization": sent}
    body = {"json": {}} if method == "POST" else {}
    answer = guarded(peer).request(method, path, headers=headers, **body)
    assert answer.status_code == status
    if status == 401:
        assert_shape(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_too_many_at_once_are_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 0)
    answer = guarded().get("/recommend")
    assert_shape(answer, 429, "busy")
    assert answer.headers["retry-after"] == "1"
    assert guarded().get("/livez").status_code == 200


def test_a_place_is_free_again_after_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 1)
    client = guarded()
    asked = ["/recommend", "/broken", "/list", "/recommend"]
    assert [client.get(path).status_code for path in asked] == [200, 500, 404, 200]


def test_what_takes_too_long_is_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "TIMEOUT_S", 0.01)
    answer = guarded().get("/slow")
    assert_shape(answer, 503, "timeout")
    assert answer.headers["retry-after"] == "1"


def test_a_bug_is_500_and_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    answer = guarded().get("/broken")
    assert_shape(answer, 500, "internal")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/list", 404, "not_found"), ("/gateway", 503, "unavailable"), ("/none", 404, "not_found")],
)
def test_other_shapes_are_rewritten(path: str, status: int, code: str) -> None:
    assert_shape(guarded().get(path), status, code)


def test_a_long_body_is_refused_before_it_is_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_BODY_BYTES", 10)

    def endless() -> Iterator[bytes]:
        yield b"x" * 6
        yield b"x" * 6
        raise AssertionError("read on after the limit")

    headers = {"Content-Type": "application/json"}
    assert_shape(guarded().post("/recommend", content=b"x" * 11, headers=headers), 413, "too_large")
    assert guarded().post("/recommend", content=b'{"k": 1}  ', headers=headers).status_code == 200


def test_a_request_bears_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    client = guarded()
    for path in ("/recommend", "/none", "/broken", "/"):
        given = client.get(path, headers={"X-Request-ID": "a-1.b_2"})
        assert given.headers["x-request-id"] == "a-1.b_2", path
        first, second = (client.get(path).headers["x-request-id"] for _ in range(2))
        assert first != second and len(first) == 16
    for bad in ("x" * 65, "a b", "a\tb"):
        assert (
            client.get("/recommend", headers={"X-Request-ID": bad}).headers["x-request-id"] != bad
        )


def test_a_key_may_ask_so_many_times_a_second() -> None:
    now = [0.0]
    access = ApiKeyAuth(("a", "b"), 2.0, lambda: now[0])

    def ask(key: str | None) -> int:
        headers = [] if key is None else [(b"authorization", f"Bearer {key}".encode())]
        scope = {"type": "http", "method": "POST", "path": "/recommend", "headers": headers}
        refusal = access.refusal(scope | {"client": ("127.0.0.1", 1)})
        return 200 if refusal is None else refusal.status_code

    assert [ask("a") for _ in range(3)] == [200, 200, 429]
    assert [ask("b"), ask(None), ask("wrong")] == [200, 200, 200], "each has its own"
    now[0] = 0.5
    assert [ask("a"), ask("a")] == [200, 429]
    now[0] = 60.0
    assert [ask("a") for _ in range(3)] == [200, 200, 429], "no more is saved up than a second's"


def test_over_the_limit_is_429_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT", "1")
    client = guarded()
    assert client.get("/recommend").status_code == 200
    answer = client.get("/recommend")
    assert_shape(answer, 429, "busy")
    assert answer.headers["retry-after"] == "1"
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("which", "paths"),
    [
        ("all", ["/recommend", "/broken"]),
        ("errors", ["/broken"]),
        ("off", []),
    ],
)
def test_the_log_has_a_line_a_request_and_nothing_personal(
    monkeypatch: pytest.MonkeyPatch, which: str, paths: list[str]
) -> None:
    out = io.StringIO()
    monkeypatch.setenv("LOG_REQUESTS", which)
    monkeypatch.setenv("API_KEYS", "secret-key")
    monkeypatch.setattr(middleware, "RequestLog", lambda which: RequestLog(which, out))
    client = guarded()
    headers = {"Authorization": "Bearer secret-key"}
    for path in ("/recommend", "/broken"):
        client.post(path, json={"user_id": "anna", "history": [{"movie_id": 6}]}, headers=headers)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == len(paths)
    for line in lines:
        assert set(line) == {"at", "request_id", "method", "route", "status", "ms"}
    for said in ("anna", "secret-key", "history"):
        assert said not in out.getvalue()


def test_the_log_tells_the_route_and_not_the_person(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the whole service, where routes are known."""
    written: list[tuple[Any, ...]] = []
    monkeypatch.setattr(RequestLog, "includes", lambda *_: True)
    monkeypatch.setattr(RequestLog, "write", lambda _, *line: written.append(line))
    client.get("/users/anna/history")
    client.get("/movies/search?q=secret")
    assert [line[2] for line in written] == ["/users/{user_id}/history", "/movies/search"]
    assert "anna" not in str(written) and "secret" not in str(written)
