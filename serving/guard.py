"""What stands before every endpoint: keys, limits, and one error shape. Pure ASGI, one class.

BentoML answers a fault in one of five shapes (a list among them) and says 400 for every invalid
body; this rewrites each to the shape of serving/http.py. Its own limits answer outside of any
middleware of ours, so the limits that callers meet are here.
"""

import asyncio
import hmac
import ipaddress
import logging
from typing import Any

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.http import error, invalid
from serving.labels import RouteLabels, restore
from serving.settings import api_keys

OPEN = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json"})
"""Answered to anyone, key or not, and never counted as busy."""
READS = frozenset({"/recommend", "/predict", "/similar"})
"""POST that changes nothing; every other POST, PUT, PATCH and DELETE is a write."""
MAX_BODY_BYTES = 1 << 20
MAX_IN_FLIGHT = 64
"""Requests at once per worker; the next gets 429. They are answered one after another, so with 1 ms
each the last of them waits 64 ms."""
TIMEOUT_S = 4.0
"""For one request, a slow upload included; below BentoML's own, whose answer has another shape."""
CODES = {400: "not_json", 401: "unauthorized", 404: "not_found", 405: "method_not_allowed"}

log = logging.getLogger("bentoml.marquee")


class Guard:
    """Refuses what must not come in, and reshapes what goes out with a status of 400 or more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._keys = [key.encode() for key in api_keys()]
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and "app" in scope:
            RouteLabels.install(scope["app"])
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        restore(scope)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._in_flight += 1
        try:
            await self._answer(scope, receive, _Reshape(send))
        finally:
            self._in_flight -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: "_Reshape") -> None:
        """Every way to fail that is left becomes a response in the one shape."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if scope["method"] == "POST":
                    body = await _body(receive)
                    fault = _body_fault(scope, body)
                    if fault is not None:
                        await fault(scope, receive, send)
                        return
                    receive = _replay(body or b"", receive)
                await self._app(scope, receive, send)
        except TimeoutError:
            await send.instead(
                scope, error("timeout", f"not answered in {TIMEOUT_S:g} s; ask again")
            )
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            await send.instead(scope, error("internal", "the service failed; its log says why"))

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["path"] in OPEN:
            return None
        if not self._allowed(scope):
            if self._keys:
                return error("unauthorized", "send the header Authorization: Bearer KEY")
            return error("unauthorized", "API_KEYS is not set: only this machine is served")
        if self._in_flight >= MAX_IN_FLIGHT:
            return error("busy", f"{MAX_IN_FLIGHT} requests are being answered; ask again")
        return None

    def _allowed(self, scope: Scope) -> bool:
        if self._keys and self._has_key(scope):
            return True
        return _is_loopback(scope) and not (self._keys and _is_write(scope))

    def _has_key(self, scope: Scope) -> bool:
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        given = key.strip().encode("latin-1", "replace")
        same = [hmac.compare_digest(given, known) for known in self._keys]
        return scheme.lower() == "bearer" and any(same)


class _Reshape:
    """A `send` that holds back the start of a bad response until its body can be rewritten."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._bad: Message | None = None
        self._body = b""
        self._started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
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
        "not_found": "there is no such address; see the README for the ones there are",
        "method_not_allowed": "this address answers another method; see the README",
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
    kind = Headers(scope=scope).get("content-type", "application/json").split(";")[0].strip()
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


def _is_write(scope: Scope) -> bool:
    if scope["method"] == "POST":
        return scope["path"] not in READS
    return scope["method"] not in ("GET", "HEAD", "OPTIONS")


def _is_loopback(scope: Scope) -> bool:
    """Whether the peer is this machine; one that is not known is not."""
    try:
        address = ipaddress.ip_address((scope.get("client") or ("",))[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
