"""Test that a page of an allowed origin works with a key, and sees every error."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from marquee.api import middleware, request_body
from marquee.api.access.cors import with_cors
from tests.support.http_errors import assert_shape

PAGE = "https://app.example"
KEY = {"Authorization": "Bearer a"}


async def respond(_: Request) -> JSONResponse:
    return JSONResponse({"items": []})


async def slow(_: Request) -> JSONResponse:
    await asyncio.sleep(60)
    return JSONResponse({})


async def broken(_: Request) -> JSONResponse:
    raise ZeroDivisionError


async def detail(_: Request) -> JSONResponse:
    return JSONResponse({"detail": [{"type": "x", "loc": ["k"], "msg": "bad"}]}, status_code=400)


async def gateway(_: Request) -> PlainTextResponse:
    return PlainTextResponse("upstream", status_code=503)


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A service with a key that pages of one origin may call, called from outside."""
    monkeypatch.setenv("API_KEYS", "a")
    monkeypatch.setenv("CORS_ORIGINS", PAGE)
    return client_of(monkeypatch)


def client_of(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("BUNDLE", "unused")
    endpoints: dict[str, Any] = {"/recommend": respond, "/slow": slow, "/broken": broken}
    endpoints |= {"/detail": detail, "/gateway": gateway}
    routes = [Route(path, e, methods=["GET", "POST"]) for path, e in endpoints.items()]
    app = with_cors(middleware.ApiMiddleware(Starlette(routes=routes)))
    return TestClient(app, client=("10.0.0.7", 50000), raise_server_exceptions=False)


def preflight(client: TestClient, origin: str = PAGE, method: str = "POST") -> Any:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization, content-type, x-trace, x-request-id",
    }
    return client.options("/recommend", headers=headers)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_preflight_needs_no_key(client: TestClient, method: str) -> None:
    answer = preflight(client, method=method)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "x-trace" in answer.headers["access-control-allow-headers"]
    assert method in answer.headers["access-control-allow-methods"]


def test_preflight_of_another_origin_is_refused(client: TestClient) -> None:
    answer = preflight(client, origin="https://other.example")
    error = assert_shape(answer, 403, "origin_not_allowed")
    assert "https://other.example" in error["message"] and "CORS_ORIGINS" in error["message"]
    assert "access-control-allow-origin" not in answer.headers


def test_preflight_of_another_method_is_refused(client: TestClient) -> None:
    answer = preflight(client, method="PATCH")
    assert_shape(answer, 405, "method_not_allowed")
    assert answer.headers["access-control-allow-origin"] == PAGE


@pytest.mark.parametrize("keys", ["", "a"])
def test_preflight_without_cors_origins_is_refused(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    if keys:
        monkeypatch.setenv("API_KEYS", keys)
    assert_shape(preflight(client_of(monkeypatch)), 403, "origin_not_allowed")


def test_options_that_is_no_preflight_needs_a_key(client: TestClient) -> None:
    for headers in ({}, {"Origin": PAGE}, {"Access-Control-Request-Method": "POST"}):
        assert_shape(client.options("/recommend", headers=headers), 401, "unauthorized")
        assert_shape(client.options("/recommend", headers=headers | KEY), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        pytest.param("POST", "/recommend", KEY, b"{}", 200, id="answer"),
        pytest.param("POST", "/recommend", {}, b"{}", 401, id="no-key"),
        pytest.param("GET", "/nothing", KEY, None, 404, id="no-path"),
        pytest.param("DELETE", "/recommend", KEY, None, 405, id="no-method"),
        pytest.param("POST", "/recommend", KEY, b"", 400, id="not-json"),
        pytest.param("POST", "/recommend", KEY, b"{" * 99, 413, id="too-large"),
        pytest.param(
            "POST", "/recommend", KEY | {"Content-Encoding": "br"}, b"{}", 415, id="encoding"
        ),
        pytest.param("POST", "/detail", KEY, b"{}", 422, id="invalid"),
        pytest.param("GET", "/broken", KEY, None, 500, id="bug"),
        pytest.param("GET", "/gateway", KEY, None, 503, id="away"),
        pytest.param("GET", "/slow", KEY, None, 503, id="timeout"),
    ],
)
def test_page_sees_every_answer(
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None,
    status: int,
) -> None:
    monkeypatch.setattr(middleware, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(request_body, "MAX_BODY_BYTES", 50)
    headers = {"Content-Type": "application/json", "Origin": PAGE} | headers
    answer = client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["access-control-allow-origin"] == PAGE
    exposed = answer.headers["access-control-expose-headers"].lower()
    for name in {"x-request-id", "retry-after", "allow"} & set(answer.headers):
        assert name in exposed
    assert answer.headers["x-request-id"]


def test_page_sees_that_the_service_is_busy(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "MAX_IN_FLIGHT", 0)
    answer = client.get("/recommend", headers=KEY | {"Origin": PAGE})
    assert_shape(answer, 429, "busy")
    assert answer.headers["access-control-allow-origin"] == PAGE


def test_any_page_may_call_with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEYS", "a")
    monkeypatch.setenv("CORS_ORIGINS", "*")
    client = client_of(monkeypatch)
    assert preflight(client, origin="https://other.example").status_code == 200
    answer = client.get("/recommend", headers=KEY | {"Origin": "https://other.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
