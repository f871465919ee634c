"""Metrics by route instead of by address: /movies/1 and /movies/6 count as /movies/{movie_id}.

BentoML labels its metrics with the raw path, so that each movie, each user and each address that a
scanner tries would make some 15 series that stay for good. Its metrics stand outside all middleware
of ours; so this wraps the whole application, names the route where the metrics look for the path,
and `restore` gives the path back before anything is routed.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

OTHER = "other"
_REAL = "marquee.path"


class RouteLabels:
    """Names the route of each request in scope["path"]; unknown addresses share one name."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        found = list(_routes(routes))
        self._plain = frozenset(route.path for route in found if "{" not in route.path)
        self._patterns = [(r.path_regex, r.path_format) for r in found if "{" in r.path]

    @classmethod
    def install(cls, app: Any) -> None:
        """Wrap a Starlette application whose middleware stands already (at its lifespan)."""
        app.middleware_stack = cls(app.middleware_stack, app.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            scope = {**scope, "path": self._label(path), _REAL: path}
        await self._app(scope, receive, send)

    def _label(self, path: str) -> str:
        if path in self._plain:
            return path
        return next((name for regex, name in self._patterns if regex.match(path)), OTHER)


def restore(scope: Scope) -> str:
    """Give the request its own path back; its route."""
    route: str = scope["path"] if _REAL in scope else OTHER
    scope["path"] = scope.pop(_REAL, scope["path"])
    return route


def _routes(routes: Iterable[BaseRoute]) -> Iterator[Route]:
    for route in routes:
        if isinstance(route, Route):
            yield route
        elif isinstance(getattr(route, "app", None), Starlette):
            yield from _routes(route.app.routes)  # type: ignore[attr-defined]
