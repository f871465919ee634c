"""Metrics by route instead of by path: /movies/1 and /movies/6 count as /movies/{movie_id}.

BentoML labels its metrics with the raw path. Each movie, each user and each path that a scanner
tries would make some 15 series that stay for good. Its metrics sit outside all middleware of ours.
So this class wraps the complete application and puts the route where the metrics look for the path;
`restore_path` puts the path back before anything is routed.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

OTHER = "other"
_REAL_PATH = "marquee.path"


class RouteLabels:
    """The middleware that puts the route of a request into scope["path"].

    Unknown paths share one label.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        leaves = list(_leaf_routes(routes))
        self._fixed_paths = frozenset(route.path for route in leaves if "{" not in route.path)
        self._patterns = [(r.path_regex, r.path_format) for r in leaves if "{" in r.path]

    @classmethod
    def install(cls, app: Any) -> None:
        """Wrap a Starlette application whose middleware is built already.

        That is so at its lifespan.
        """
        app.middleware_stack = cls(app.middleware_stack, app.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            path = scope["path"]
            scope = {**scope, "path": self._label(path), _REAL_PATH: path}
        await self._app(scope, receive, send)

    def _label(self, path: str) -> str:
        if path in self._fixed_paths:
            return path
        return next((label for regex, label in self._patterns if regex.match(path)), OTHER)


def restore_path(scope: Scope) -> str:
    """Put the request's own path back, and return its route."""
    route: str = scope["path"] if _REAL_PATH in scope else OTHER
    scope["path"] = scope.pop(_REAL_PATH, scope["path"])
    return route


def _leaf_routes(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif isinstance(getattr(route, "app", None), Starlette):
            yield from _leaf_routes(route.app.routes)  # type: ignore[attr-defined]
