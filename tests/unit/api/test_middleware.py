"""Test the middleware alone: keys, limits, request ids, the log, one error shape."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from marquee.api import middleware, request_body
from marquee.api.telemetry import RequestLog
from tests.support.http_errors import assert_shape


async def respond(_: Request) -> JSONResponse:
    return JSONResponse({"items": []})


async def slow(_: Request) -> JSONResponse:
    await asyncio.sleep(60)
    return JSONResponse({})


async def broken(_: Request) -> JSONResponse:
    raise ZeroDivisionError("a secret path")


async def bento_list(_: Request) -> JSONResponse:
    return JSONResponse([{"error": "no such thing"}], status_code=404)


async def refused(_: Request) -> JSONResponse:
    return JSONResponse({"error": {"code": "conflict", "message": "as sent"}}, status_code=409)


async def detail(_: Request) -> JSONResponse:
    errors = [{"type": "greater_than_equal", "loc": ["k"], "msg": "too small"}]
    return JSONResponse({"detail": errors}, status_code=400)


async def half(_: Request) -> StreamingResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"{"
        raise ZeroDivisionError

    return StreamingResponse(chunks())


async def gateway(_: Request) -> PlainTextResponse:
    return PlainTextResponse("upstream", status_code=504)


@pytest.fixture(autouse=True)
def bundle_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUNDLE", "unused")


def client_of(peer: str = "127.0.0.1") -> TestClient:
    methods = ["GET", "POST", "DELETE"]
    paths = {
        "/recommend": respond,
        "/events": respond,
        "/livez": respond,
        "/slow": slow,
        "/list": bento_list,
    }
    paths |= {"/broken": broken, "/gateway": gateway, "/refused": refused}
    paths |= {"/detail": detail, "/half": half}
    inner = Starlette(
        routes=[Route(path, endpoint, methods=methods) for path, endpoint in paths.items()]
    )
    return TestClient(
        middleware.ApiMiddleware(inner), client=(peer, 50000), raise_server_exceptions=False
    )


@pytest.mark.parametrize(
    ("keys", "peer", "method", "path", "authorization", "status"),
    [
        pytest.param("", "127.0.0.1", "POST", "/events", None, 200, id="no-keys-loopback"),
        pytest.param("", "::1", "POST", "/recommend", None, 200, id="no-keys-loopback-6"),
        pytest.param("", "::ffff:127.0.0.1", "GET", "/recommend", None, 200, id="mapped"),
        pytest.param("", "10.0.0.7", "POST", "/recommend", None, 401, id="no-keys-elsewhere"),
        pytest.param("", "10.0.0.7", "POST", "/recommend", "Bearer ", 401, id="no-keys-empty-key"),
        pytest.param("", "testclient", "GET", "/recommend", None, 401, id="no-address"),
        pytest.param("", "10.0.0.7", "GET", "/livez", None, 200, id="health-needs-none"),
        pytest.param("a, b", "10.0.0.7", "GET", "/livez", None, 200, id="health-with-keys"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Bearer b", 200, id="second-key"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "bearer a", 200, id="lower-case"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Bearer c", 401, id="wrong-key"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Basic a", 401, id="wrong-scheme"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", "Bearer a,b", 401, id="both-keys"),
        pytest.param("a, b", "10.0.0.7", "POST", "/recommend", None, 401, id="no-key"),
        pytest.param("a, b", "127.0.0.1", "GET", "/recommend", None, 401, id="loopback-reads"),
        pytest.param("a, b", "127.0.0.1", "POST", "/events", None, 401, id="loopback-writes"),
        pytest.param("a, b", "127.0.0.1", "DELETE", "/recommend", None, 401, id="loopback-deletes"),
        pytest.param("a, b", "127.0.0.1", "POST", "/events", "Bearer a", 200, id="write-with-key"),
    ],
)
def test_middleware_keys_decide_access(
    monkeypatch: pytest.MonkeyPatch,
    keys: str,
    peer: str,
    method: str,
    path: str,
    authorization: str | None,
    status: int,
) -> None:
    if keys:
        monkeypatch.setenv("API_KEYS", keys)
    headers = {} if authorization is None else {"Authorization": authorization}
    body = {"json": {}} if method == "POST" else {}
    answer = client_of(peer).request(method, path, headers=headers, **body)
    assert answer.status_code == status
    if status == 401:
        assert_shape(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_middleware_too_many_in_flight_gives_429(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 0)
    answer = client_of().get("/recommend")
    assert_shape(answer, 429, "busy")
    assert answer.headers["retry-after"] == "1"
    assert client_of().get("/livez").status_code == 200


def test_middleware_in_flight_freed_after_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 1)
    client = client_of()
    requested = ["/recommend", "/broken", "/list", "/recommend"]
    assert [client.get(path).status_code for path in requested] == [200, 500, 404, 200]


def test_middleware_slow_endpoint_gives_503(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "TIMEOUT_S", 0.01)
    answer = client_of().get("/slow")
    assert_shape(answer, 503, "timeout")
    assert answer.headers["retry-after"] == "1"


def test_middleware_bug_gives_500_without_details(caplog: pytest.LogCaptureFixture) -> None:
    answer = client_of().get("/broken")
    assert_shape(answer, 500, "internal")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/list", 404, "not_found"), ("/gateway", 503, "unavailable"), ("/none", 404, "not_found")],
)
def test_middleware_foreign_error_is_normalized(path: str, status: int, code: str) -> None:
    assert_shape(client_of().get(path), status, code)


def test_middleware_unsupported_body_gives_415() -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "br"}
    answer = client_of().post("/recommend", content=b"{}", headers=headers)
    assert_shape(answer, 415, "unsupported_encoding")
    assert answer.headers["accept-encoding"] == "gzip, deflate"


def test_middleware_forwarded_request_without_keys_gives_401(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = {"X-Forwarded-For": "127.0.0.1"}
    assert_shape(client_of().get("/recommend", headers=headers), 401, "unauthorized")
    assert client_of().get("/livez", headers=headers).status_code == 200
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1")
    assert client_of().get("/recommend", headers=headers).status_code == 200


def test_middleware_body_above_limit_gives_413(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 10)
    headers = {"Content-Type": "application/json"}
    assert_shape(
        client_of().post("/recommend", content=b"x" * 11, headers=headers), 413, "too_large"
    )
    assert client_of().post("/recommend", content=b'{"k": 1}  ', headers=headers).status_code == 200


def test_middleware_request_id_is_echoed_if_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of()
    for path in ("/recommend", "/none", "/broken", "/"):
        answer = client.get(path, headers={"X-Request-ID": "a-1.b_2"})
        assert answer.headers["x-request-id"] == "a-1.b_2", path
        first, second = (client.get(path).headers["x-request-id"] for _ in range(2))
        assert first != second and len(first) == 16
    for bad in ("x" * 65, "a b", "a\tb"):
        assert (
            client.get("/recommend", headers={"X-Request-ID": bad}).headers["x-request-id"] != bad
        )


def test_middleware_above_rate_limit_gives_429(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATE_LIMIT", "1")
    client = client_of()
    assert client.get("/recommend").status_code == 200
    answer = client.get("/recommend")
    assert_shape(answer, 429, "busy")
    assert answer.headers["retry-after"] == "1"
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("level", "paths"),
    [
        ("all", ["/recommend", "/broken"]),
        ("errors", ["/broken"]),
        ("off", []),
    ],
)
def test_request_log_line_holds_nothing_personal(
    monkeypatch: pytest.MonkeyPatch, level: str, paths: list[str]
) -> None:
    out = io.StringIO()
    monkeypatch.setenv("LOG_REQUESTS", level)
    monkeypatch.setenv("API_KEYS", "secret-key")
    monkeypatch.setattr(middleware, "RequestLog", lambda level: RequestLog(level, out))
    client = client_of()
    headers = {"Authorization": "Bearer secret-key"}
    for path in ("/recommend", "/broken"):
        client.post(path, json={"user_id": "anna", "history": [{"movie_id": 6}]}, headers=headers)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(lines) == len(paths)
    for line in lines:
        assert set(line) == {"at", "request_id", "method", "route", "status", "ms"}
    for secret in ("anna", "secret-key", "history"):
        assert secret not in out.getvalue()


def test_middleware_body_above_limit_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 10)
    chunks = [{"type": "http.request", "body": b"x" * 6, "more_body": True} for _ in range(5)]
    sent: list[Message] = []

    async def receive() -> Message:
        return chunks.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/recommend",
        "headers": [],
        "client": ("127.0.0.1", 1),
    }
    app = middleware.ApiMiddleware(Starlette())
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 413 and len(chunks) == 3


@pytest.mark.parametrize("path", ["/", "/docs.json", "/static_content/x.js"])
def test_middleware_bentoml_pages_are_hidden(path: str) -> None:
    assert_shape(client_of().get(path), 404, "not_found")


def test_middleware_method_not_allowed_names_the_methods() -> None:
    answer = client_of().put("/recommend")
    assert_shape(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]


def test_middleware_error_of_one_shape_passes_unchanged() -> None:
    assert client_of().get("/refused").json()["error"]["message"] == "as sent"


def test_middleware_pydantic_errors_become_fields() -> None:
    error = assert_shape(client_of().get("/detail"), 422, "invalid")
    assert error["fields"] == [{"field": "k", "message": "too small"}]


def test_middleware_response_cut_by_a_bug_is_not_answered_twice() -> None:
    """An answer that has started cannot be replaced."""
    answer = client_of().get("/half")
    assert answer.status_code == 200 and answer.headers["x-request-id"]
