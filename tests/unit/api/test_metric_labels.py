"""Test that metrics are labelled by route, and that routing sees the request's own path."""

import asyncio
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from marquee.api.telemetry import OTHER, RouteLabels, restore_path


async def respond(_: Request) -> Response:
    return Response()


ROUTES = [
    Route("/recommend", respond, methods=["POST"]),
    Mount(
        "",
        Starlette(
            routes=[
                Route("/movies/search", respond),
                Route("/movies/{movie_id}", respond),
                Route("/users/{user_id:path}/history", respond),
                Route("/users/{user_id:path}", respond, methods=["DELETE"]),
            ]
        ),
    ),
]


def scopes_of(path: str, kind: str = "http") -> tuple[Scope, Scope]:
    """Return the scope before, and the one that the application gets."""
    inner: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        inner.append(scope)

    outer: dict[str, Any] = {"type": kind, "path": path}
    asyncio.run(RouteLabels(app, ROUTES)(outer, None, None))  # type: ignore[arg-type]
    return outer, inner[0]


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/recommend", "/recommend"),
        ("/movies/search", "/movies/search"),
        ("/movies/6", "/movies/{movie_id}"),
        ("/users/42", "/users/{user_id}"),
        ("/users/a/b/history", "/users/{user_id}/history"),
        ("/wp-admin/setup.php", OTHER),
        ("/movies/6/7", OTHER),
        ("", OTHER),
    ],
)
def test_route_labels_put_the_route_for_the_path(path: str, route: str) -> None:
    outer, inner = scopes_of(path)
    assert inner["path"] == route and outer["path"] == path


def test_restore_path_returns_the_route() -> None:
    _, inner = scopes_of("/movies/6")
    assert restore_path(inner) == "/movies/{movie_id}"
    assert inner["path"] == "/movies/6"


def test_restore_path_without_labels_is_other() -> None:
    scope: dict[str, Any] = {"path": "/movies/6"}
    assert restore_path(scope) == OTHER and scope["path"] == "/movies/6"


def test_route_labels_other_connections_pass() -> None:
    _, inner = scopes_of("/movies/6", kind="websocket")
    assert inner["path"] == "/movies/6"
