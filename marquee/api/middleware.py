"""The middleware before every endpoint: keys, limits, request ids, one error shape. Pure ASGI.

BentoML reports an error in one of five shapes and answers every invalid body with 400: each is
rewritten to the shape of marquee/api/errors.py. BentoML's own limits answer outside of any
middleware of ours, so the limits that callers meet are here.
"""

import asyncio
import logging
import re
import time

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from marquee.api.access.auth import ApiKeyAuth
from marquee.api.access.cors import is_preflight, origin_refusal
from marquee.api.access.keys import KeyRing
from marquee.api.access.local_callers import LocalCallers
from marquee.api.compute.pool import current_request
from marquee.api.errors import error_response, request_error_response, validation_response
from marquee.api.openapi import OPEN_PATHS, PATHS_WITHOUT_POST, PUT_PATHS
from marquee.api.process.shared_state import SharedState
from marquee.api.request_body import read_body, replay
from marquee.api.settings import Settings
from marquee.api.telemetry import RequestLog, RouteLabels, header, request_id, restore_path
from marquee.recommender.errors import RequestError

ROUTES_WITHOUT_BODY = OPEN_PATHS | PATHS_WITHOUT_POST
# Starlette ignores a newline at the end of a path: `/users/a%0A` would reach the user `a`.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")
# BentoML's own pages: one loads a tag manager, one describes another contract than ours. Its
# /schema.json stays, behind the key: BentoML's client reads it.
HIDDEN_PATHS = ("/docs.json", "/static_content")
MAX_IN_FLIGHT = 64  # a worker answers one after another: at 1 ms each the last one waits 64 ms
TIMEOUT_S = 4.0  # a slow upload included; below BentoML's own, whose error has another shape
UNROUTED = ("not_found", "no such path; see /openapi.json")
INVALID = ("invalid", "the request cannot be answered")
UNAVAILABLE = ("unavailable", "the service cannot answer; see its log")
ERROR_OF_STATUS = {  # of BentoML and Starlette
    307: UNROUTED,
    400: ("not_json", "the request cannot be answered"),
    401: ("unauthorized", "the request cannot be answered"),
    404: UNROUTED,
    405: ("method_not_allowed", "this path takes another method; see /openapi.json"),
    500: ("internal", "the service cannot answer; see its log"),
}

log = logging.getLogger("bentoml.marquee")


class ApiMiddleware:
    """The middleware that refuses requests before they reach an endpoint."""

    def __init__(self, app: ASGIApp) -> None:
        settings = Settings.from_environment()
        self._app = app
        local_callers = LocalCallers(settings.trusted_proxies, settings.cors_origins)
        shared = SharedState.inherited()
        keys = KeyRing(settings.api_keys, settings.api_keys_file)
        self._auth = ApiKeyAuth(keys, settings.rate_limit, local_callers, shared=shared)
        self._request_log = RequestLog(settings.log_requests)
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" and "app" in scope:  # its middleware is built by now
            app = scope["app"]
            app.middleware_stack = RouteLabels(app.middleware_stack, app.routes)
            # Starlette tries one route after another, at 2 us each; most requests are for lists.
            app.router.routes.sort(key=lambda route: getattr(route, "path", "") != "/recommend")
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        route, start_s = restore_path(scope), time.perf_counter()
        sender = ResponseSender(scope, receive, send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await sender.respond(refusal)
        else:
            self._in_flight += 1
            try:
                await self._handle(scope, receive, sender, route)
            finally:
                self._in_flight -= 1
        seconds = time.perf_counter() - start_s
        self._request_log.write(sender.request_id, scope["method"], route, sender.status, seconds)

    def _refusal(self, scope: Scope) -> Response | None:
        path = scope["path"]
        if path in OPEN_PATHS:
            return None
        if path == "/" or path.startswith(HIDDEN_PATHS):
            return error_response("not_found", "no page at this path; see /openapi.json")
        if CONTROL_CHARACTERS.search(path):
            return error_response("invalid", "the path holds a control character, expected none")
        if is_preflight(scope):  # of a service without CORS_ORIGINS, which answers them before
            return origin_refusal(header(scope, b"origin"))
        refusal = self._auth.refusal(scope)
        if refusal is None and self._in_flight >= MAX_IN_FLIGHT:
            return error_response("busy", f"{MAX_IN_FLIGHT} requests are in progress; try again")
        return refusal

    async def _handle(
        self, scope: Scope, receive: Receive, sender: "ResponseSender", route: str
    ) -> None:
        """Call the endpoint; turn every failure into a response of the one shape."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if has_body(scope["method"], route):
                    current_request.set(Request(scope, receive))
                    try:
                        receive = replay(await read_body(scope, receive), receive)
                    except RequestError as error:
                        await sender.respond(request_error_response(error))
                        return
                if scope["path"] == "/readyz":
                    scope["path"], scope["raw_path"] = "/ready", b"/ready"  # our route says more
                await self._app(scope, receive, sender)
        except TimeoutError:
            message = f"not answered in {TIMEOUT_S:g} s; try again"
            await sender.respond(error_response("timeout", message))
        except Exception:
            log.exception("request %s failed", sender.request_id)
            await sender.respond(error_response("internal", "the service failed; see its log"))


class ResponseSender:
    """A `send` that adds the request id, records the status and rewrites errors."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.request_id = request_id(scope)
        self.status = 0  # until a response starts
        self._error_start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 300:
            self._error_start = message
        elif self._error_start is None:
            await self._forward(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self.respond(_normalized(self._error_start, self._body))

    async def respond(self, response: Response) -> None:
        """Send this response, unless another has started."""
        if not self.status:
            await response(self._scope, self._receive, self._forward)

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [pair for pair in message.get("headers", ()) if pair[0] != b"x-request-id"]
            headers.append((b"x-request-id", self.request_id.encode()))
            message = {**message, "headers": headers}
        await self._send(message)


def has_body(method: str, route: str) -> bool:
    """Return whether a route takes a body; elsewhere it is not read before the 405."""
    if method == "PUT":
        return route in PUT_PATHS
    return method == "POST" and route not in ROUTES_WITHOUT_BODY


def _normalized(start: Message, body: bytes) -> Response:
    """Return an error response in the one shape; unchanged where it has this shape already."""
    status, headers = start["status"], list(start.get("headers", ()))
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        response = Response(body, status)
        response.raw_headers = headers
        return response
    if isinstance(content, dict) and isinstance(content.get("detail"), list):
        response = validation_response(content["detail"])
    else:
        default = UNAVAILABLE if status > 500 else INVALID
        response = error_response(*ERROR_OF_STATUS.get(status, default))
    response.raw_headers += [pair for pair in headers if pair[0] == b"allow"]
    return response
