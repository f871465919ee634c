"""What stands before every endpoint: keys, limits, request ids, one error shape. Pure ASGI.

BentoML answers a fault in one of five shapes (a list among them) and says 400 for every invalid
body; this rewrites each to the shape of marquee/api/routes.py. Its own limits answer outside of any
middleware of ours, so the limits that callers meet are here.
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

from marquee.api.auth import Access
from marquee.api.metric_labels import RouteLabels, restore
from marquee.api.openapi import READS
from marquee.api.request_log import RequestLog, header, request_id
from marquee.api.routes import error, invalid
from marquee.api.settings import Settings

OPEN = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
"""Answered to anyone, key or not, and never counted as busy."""
READ = OPEN.union(READS)
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
"""Of a newline at an address's end the router takes no notice: it would be another's address."""
HIDDEN = ("/docs.json", "/schema.json", "/static_content")
"""BentoML's own pages: one loads a tag manager, one tells another contract than ours."""
MAX_BODY_BYTES = 1 << 20
MAX_IN_FLIGHT = 64
"""Requests at once per worker; the next gets 429. They are answered one after another, so with 1 ms
each the last of them waits 64 ms."""
TIMEOUT_S = 4.0
"""For one request, a slow upload included; below BentoML's own, whose answer has another shape."""
CODES = {
    307: "not_found",
    400: "not_json",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
}

log = logging.getLogger("bentoml.marquee")


class ApiMiddleware:
    """Refuses what must not come in, and reshapes what goes out that is not 200."""

    def __init__(self, app: ASGIApp, read: Callable[[], Settings] = Settings.read) -> None:
        """read: asked once, when the application is made."""
        settings = read()
        self._app = app
        self._access = Access(settings.api_keys, settings.rate_limit)
        self._requests = RequestLog(settings.log_requests)
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and "app" in scope:
            RouteLabels.install(scope["app"])
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, name, begun = restore(scope), request_id(scope), time.perf_counter()
        signed = _Signed(send, name)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, signed)
        else:
            self._in_flight += 1
            try:
                await self._answer(scope, receive, _Reshape(signed), name, route)
            finally:
                self._in_flight -= 1
        seconds = time.perf_counter() - begun
        if self._requests.wants(signed.status, seconds):
            self._requests.write(name, scope["method"], route, signed.status, seconds)

    async def _answer(
        self, scope: Scope, receive: Receive, send: "_Reshape", name: str, route: str
    ) -> None:
        """Every way to fail that is left becomes a response in the one shape."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if scope["method"] == "POST" and route not in READ:  # there it is a 405
                    body = await _body(receive)
                    fault = _body_fault(scope, body)
                    if fault is not None:
                        await fault(scope, receive, send)
                        return
                    receive = _replay(body or b"", receive)
                if scope["path"] == "/readyz":
                    scope["path"], scope["raw_path"] = "/ready", b"/ready"  # says more
                await self._app(scope, receive, send)
        except TimeoutError:
            await send.instead(
                scope, error("timeout", f"not answered in {TIMEOUT_S:g} s; ask again")
            )
        except Exception:
            log.exception("request %s failed", name)
            await send.instead(scope, error("internal", "the service failed; its log says why"))

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN:
            return None
        if scope["path"] == "/" or scope["path"].startswith(HIDDEN):
            return error("not_found", "there is no page here; see /openapi.json")
        if CONTROL.search(scope["path"]):
            return error("invalid", "the address holds a control character")
        refusal = self._access.refusal(scope)
        if refusal is None and self._in_flight >= MAX_IN_FLIGHT:
            return error("busy", f"{MAX_IN_FLIGHT} requests are being answered; ask again")
        return refusal


class _Signed:
    """A `send` that adds the request's id to the response, and notes the status."""

    def __init__(self, send: Send, name: str) -> None:
        self._send, self._name = send, (b"x-request-id", name.encode())
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kept = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            message = {**message, "headers": [*kept, self._name]}
        await self._send(message)


class _Reshape:
    """A `send` that holds back the start of a bad response until its body can be rewritten."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._bad: Message | None = None
        self._body = b""
        self._started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 300:
            self._bad = message
        elif self._bad is None:
            self._started = True
            await self._send(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._rewrite(self._bad)

    async def instead(self, scope: Scope, response: Response) -> None:
        """Answer this, unless an answer has begun."""
        if not self._started:
            self._started = True
            await response(scope, _never, self._send)

    async def _rewrite(self, start: Message) -> None:
        self._started = True
        shaped = _shaped(start["status"], self._body)
        if shaped is None:
            await self._send(start)
            await self._send({"type": "http.response.body", "body": self._body})
            return
        shaped.raw_headers += [pair for pair in start.get("headers", ()) if pair[0] == b"allow"]
        await shaped({"type": "http"}, _never, self._send)


def _shaped(status: int, body: bytes) -> Response | None:
    """The response to give instead, or None where it has the one shape already."""
    try:
        found: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        return None
    if isinstance(found, dict) and isinstance(found.get("detail"), list):
        return invalid(found["detail"])
    if status >= 500:
        code = "internal" if status == 500 else "unavailable"
        return error(code, "the service cannot answer; its log says why")
    code = CODES.get(status, "invalid")
    message = {
        "not_found": "there is no such address; see /openapi.json for the ones there are",
        "method_not_allowed": "this address answers another method; see /openapi.json",
    }.get(code, "the request cannot be answered")
    return error(code, message)


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None as soon as it is longer than MAX_BODY_BYTES."""
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


def _body_fault(scope: Scope, body: bytes | None) -> Response | None:
    if body is None:
        return error("too_large", f"the body is longer than {MAX_BODY_BYTES:,} bytes; send less")
    kind = header(scope, b"content-type", "application/json").split(";")[0].strip()
    if kind.lower() != "application/json":
        return error("not_json", f"the body is {kind[:80]}, expected Content-Type application/json")
    if not body.strip():
        return error("not_json", "the body is empty; send a JSON object, at least {}")
    return None


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, then what the server says (a disconnect)."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


async def _never() -> Message:
    raise AssertionError("an error response reads nothing")
