"""Requests from web pages of other origins (CORS), before keys and limits.

A browser asks by a preflight, which carries no key, and shows a page only answers that name its
origin: errors too, so this middleware stands outside of the one that refuses.
"""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Scope

from marquee.api.errors import error_response
from marquee.api.settings import Settings
from marquee.api.telemetry import header

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")
EXPOSED_HEADERS = ("X-Request-ID", "Retry-After", "Allow", "WWW-Authenticate")


def with_cors(app: ASGIApp) -> ASGIApp:
    """Return an application that pages of CORS_ORIGINS may call; itself without any."""
    origins = Settings.from_environment().cors_origins
    return Cors(app, origins) if origins else app


class Cors(CORSMiddleware):
    """Starlette's middleware, whose refusals have the one shape of errors."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=["*"],  # of the origins above; their browsers send tracing headers, too
            allow_private_network=True,
            expose_headers=EXPOSED_HEADERS,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        permission = super().preflight_response(request_headers)
        if permission.status_code == 200:
            return permission
        refusal = origin_refusal(request_headers["origin"])
        if self.is_allowed_origin(request_headers["origin"]):
            method = request_headers["access-control-request-method"][:20]
            message = f"method {method}: expected one of {', '.join(METHODS)}"
            refusal = error_response("method_not_allowed", message)
        for name, value in permission.headers.items():
            if name == "vary" or name.startswith("access-control-"):
                refusal.headers[name] = value
        return refusal


def is_preflight(scope: Scope) -> bool:
    return bool(
        scope["method"] == "OPTIONS"
        and header(scope, b"origin")
        and header(scope, b"access-control-request-method")
    )


def origin_refusal(origin: str) -> Response:
    message = (
        f"origin {origin[:200]}: expected one of CORS_ORIGINS; add it to the service's setting"
    )
    return error_response("origin_not_allowed", message)
