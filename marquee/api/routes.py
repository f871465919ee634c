"""The routes that BentoML has no endpoints for: GET, DELETE and path parameters.

    routes = get_routes()
    routes.state.handlers = Handlers(…)      # before the first request

BentoML's own endpoints are POST routes of service.py; both kinds answer through `respond`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from marquee.api.errors import (
    error_response,
    json_response,
    request_error_response,
    validation_response,
)
from marquee.api.openapi import document
from marquee.api.requests import MovieParams, SearchParams, UserParams
from marquee.core.errors import InputError
from marquee.feedback.errors import StoreUnavailable
from marquee.recommender.errors import RequestError

Params = TypeVar("Params", bound=BaseModel)

log = logging.getLogger("bentoml.marquee")


class RouteHandlers(Protocol):
    """The handlers of these routes.

    It is marquee.api.handlers.Handlers, without its import cost.
    """

    def search(self, query: str, k: int) -> Awaitable[Any]: ...
    def movie(self, movie_id: int) -> Awaitable[Any]: ...
    def history(self, user_id: str) -> Awaitable[Any]: ...
    def delete_user(self, user_id: str) -> Awaitable[Any]: ...
    def model_card(self) -> Awaitable[Any]: ...
    def ready(self) -> Awaitable[Any]: ...


async def respond(result: Awaitable[Any]) -> Response:
    """Await a handler; return its result as JSON, or the caller's error."""
    try:
        return json_response(await result)
    except RequestError as error:
        return request_error_response(error)
    except StoreUnavailable as error:
        log.error("%s", error)
        return error_response("unavailable", "stored histories cannot be reached; try again")
    except InputError as error:  # the event store, which was in order at start
        log.error("%s", error)
        return error_response("unavailable", "stored histories cannot be read; see the log")


def get_routes() -> Starlette:
    """Return an application of these routes, to be mounted; set its `state.handlers`."""
    return Starlette(
        routes=[
            Route("/movies/search", _search),
            Route("/movies/{movie_id}", _movie),
            Route("/users/{user_id:path}/history", _history),
            Route("/users/{user_id:path}", _delete_user, methods=["DELETE"]),
            Route("/model", _model),
            Route("/ready", _ready),
            Route("/openapi.json", _openapi),
        ]
    )


async def _search(request: Request) -> Response:
    return await _validated(
        SearchParams,
        _query_params(request),
        lambda params: _handlers(request).search(params.q, params.k),
    )


async def _movie(request: Request) -> Response:
    return await _validated(
        MovieParams,
        request.path_params,
        lambda params: _handlers(request).movie(params.movie_id),
    )


async def _history(request: Request) -> Response:
    return await _validated(
        UserParams,
        request.path_params,
        lambda params: _handlers(request).history(params.user_id),
    )


async def _delete_user(request: Request) -> Response:
    if request.scope["raw_path"].endswith(b"/history"):  # the user "a/history" is a%2Fhistory
        response = error_response(
            "method_not_allowed", "a history is read-only; delete /users/{user_id} instead"
        )
        response.headers["Allow"] = "GET, HEAD"
        return response
    return await _validated(
        UserParams,
        request.path_params,
        lambda params: _handlers(request).delete_user(params.user_id),
    )


async def _model(request: Request) -> Response:
    return await respond(_handlers(request).model_card())


async def _ready(request: Request) -> Response:
    return await respond(_handlers(request).ready())


async def _openapi(_: Request) -> Response:
    return _openapi_response()


@cache
def _openapi_response() -> Response:
    """Build the document at the first request: it takes 17 ms that no start needs."""
    return json_response(document())


def _handlers(request: Request) -> RouteHandlers:
    handlers: RouteHandlers = request.app.state.handlers
    return handlers


async def _validated(
    schema: type[Params], values: Mapping[str, Any], handle: Callable[[Params], Awaitable[Any]]
) -> Response:
    try:
        params = schema.model_validate(dict(values))
    except ValidationError as error:
        errors = error.errors(include_input=False, include_url=False)
        return validation_response([dict(fault) for fault in errors])
    return await respond(handle(params))


def _query_params(request: Request) -> dict[str, Any]:
    """Return the query string; a parameter that comes twice is a list, which no schema takes."""
    params = request.query_params
    return {
        name: value if len(params.getlist(name)) == 1 else params.getlist(name)
        for name, value in params.items()
    }
