"""The middleware before every endpoint: keys, limits, request ids, one error shape. Pure ASGI.

BentoML reports an error in one of five shapes (one is a list) and answers every invalid body with
400. This middleware rewrites each to the shape of marquee/api/errors.py. BentoML's own limits
answer outside of any middleware of ours, so the limits that callers meet are here.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marquee.api.auth import ApiKeyAuth
from marquee.api.errors import error_response, validation_response
from marquee.api.metric_labels import RouteLabels, restore_path
from marquee.api.openapi import PARAM_ROUTES
from marquee.api.request_log import RequestLog, header, request_id
from marquee.api.settings import Settings

OPEN_PATHS = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
"""Answered to every caller, with a key or without, and never counted as busy."""
ROUTES_WITHOUT_BODY = OPEN_PATHS.union(PARAM_ROUTES)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
"""Starlette ignores a newline at the end of a path: `/users/a%0A` would reach the user `a`."""
HIDDEN_PATHS = ("/docs.json", "/schema.json", "/static_content")
"""BentoML's own pages: one loads a tag manager, one describes another contract than ours."""
MAX_BODY_BYTES = 1 << 20
MAX_IN_FLIGHT = 64
"""Requests at once per worker; the next one gets 429. They are answered one after another, so with
1 ms each the last of them waits 64 ms."""
TIMEOUT_S = 4.0
"""For one request, a slow upload included; below BentoML's own, whose error has another shape."""
CODE_OF_STATUS = {
    307: "not_found",
    400: "not_json",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
}

log = logging.getLogger("bentoml.marquee")


class ApiMiddleware:
    """The middleware that refuses requests before they reach an endpoint.

    It also normalizes every error response.
    """

    def __init__(
        self, app: ASGIApp, read_settings: Callable[[], Settings] = Settings.from_environment
    ) -> None:
        """Read the settings once, when the application is built."""
        settings = read_settings()
        self._app = app
        self._auth = ApiKeyAuth(settings.api_keys, settings.rate_limit)
        self._request_log = RequestLog(settings.log_requests)
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "lifespan" and "app" in scope:
            RouteLabels.install(scope["app"])
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, name, start_s = restore_path(scope), request_id(scope), time.perf_counter()
        sender = RequestIdSender(send, name)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, sender)
        else:
            self._in_flight += 1
            try:
                await self._handle(scope, receive, ErrorNormalizer(sender), name, route)
            finally:
                self._in_flight -= 1
        seconds = time.perf_counter() - start_s
        if self._request_log.includes(sender.status, seconds):
            self._request_log.write(name, scope["method"], route, sender.status, seconds)

    async def _handle(
        self, scope: Scope, receive: Receive, send: "ErrorNormalizer", name: str, route: str
    ) -> None:
        """Call the endpoint; turn every failure into a response of the one shape."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if scope["method"] == "POST" and route not in ROUTES_WITHOUT_BODY:  # those: 405
                    body = await _read_body(receive)
                    refusal = _body_refusal(scope, body)
                    if refusal is not None:
                        await refusal(scope, receive, send)
                        return
                    receive = _replay(body or b"", receive)
                if scope["path"] == "/readyz":
                    scope["path"], scope["raw_path"] = "/ready", b"/ready"  # our route says more
                await self._app(scope, receive, send)
        except TimeoutError:
            message = f"not answered in {TIMEOUT_S:g} s; try again"
            await send.replace(scope, error_response("timeout", message))
        except Exception:
            log.exception("request %s failed", name)
            message = "the service failed; see its log"
            await send.replace(scope, error_response("internal", message))

    def _refusal(self, scope: Scope) -> Response | None:
        path = scope["path"]
        if path in OPEN_PATHS:
            return None
        if path == "/" or path.startswith(HIDDEN_PATHS):
            return error_response("not_found", "no page at this path; see /openapi.json")
        if CONTROL_CHARACTERS.search(path):
            message = "the path holds a control character, expected none"
            return error_response("invalid", message)
        refusal = self._auth.refusal(scope)
        if refusal is None and self._in_flight >= MAX_IN_FLIGHT:
            return error_response("busy", f"{MAX_IN_FLIGHT} requests are in progress; try again")
        return refusal


class RequestIdSender:
    """A `send` that adds the request's id to the response, and records the status."""

    def __init__(self, send: Send, name: str) -> None:
        self._send, self._header = send, (b"x-request-id", name.encode())
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            message = {**message, "headers": [*headers, self._header]}
        await self._send(message)


class ErrorNormalizer:
    """A `send` that holds back the start of an error until its body can be rewritten."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._error_start: Message | None = None
        self._body = b""
        self._started = False

    async def __call__(self, message: Message) -> None:
        """Send one ASGI message, or keep it where it belongs to an error response."""
        if message["type"] == "http.response.start" and message["status"] >= 300:
            self._error_start = message
        elif self._error_start is None:
            self._started = True
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._rewrite(self._error_start)

    async def replace(self, scope: Scope, response: Response) -> None:
        """Send this response instead, unless one has started."""
        if not self._started:
            self._started = True
            await response(scope, _never, self._send)

    async def _rewrite(self, start: Message) -> None:
        self._started = True
        response = _normalized(start["status"], self._body)
        if response is None:
            await self._send(start)
            await self._send({"type": "http.response.body", "body": self._body})
            return
        response.raw_headers += [pair for pair in start.get("headers", ()) if pair[0] == b"allow"]
        await response({"type": "http"}, _never, self._send)


def _normalized(status: int, body: bytes) -> Response | None:
    """Return the response to send instead, or None where the body has the one shape already."""
    try:
        content: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        return None
    if isinstance(content, dict) and isinstance(content.get("detail"), list):
        return validation_response(content["detail"])
    if status >= 500:
        code = "internal" if status == 500 else "unavailable"
        return error_response(code, "the service cannot answer; see its log")
    code = CODE_OF_STATUS.get(status, "invalid")
    message = {
        "not_found": "no such path; see /openapi.json",
        "method_not_allowed": "this path takes another method; see /openapi.json",
    }.get(code, "the request cannot be answered")
    return error_response(code, message)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the complete body, or None as soon as it is longer than MAX_BODY_BYTES."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MAX_BODY_BYTES:
            return None
    return b"".join(parts)


def _body_refusal(scope: Scope, body: bytes | None) -> Response | None:
    if body is None:
        message = f"the body is too long, expected at most {MAX_BODY_BYTES:,} bytes"
        return error_response("too_large", message)
    media_type = header(scope, b"content-type", "application/json").split(";")[0].strip()
    if media_type.lower() != "application/json":
        message = f"Content-Type is {media_type[:80]}, expected application/json"
        return error_response("not_json", message)
    if not body.strip():
        return error_response("not_json", "the body is empty, expected a JSON object, at least {}")
    return None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body once, then what the server sends (a disconnect)."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def _never() -> Message:
    raise AssertionError("an error response reads nothing")
