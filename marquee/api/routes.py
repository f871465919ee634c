"""The routes that BentoML has no endpoints for: GET, DELETE and path parameters.

routes = get_routes()
routes.state.handlers = Handlers(…)      # before the first request
"""

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from operator import attrgetter
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from marquee.api import errors
from marquee.api.catalog.catalog_requests import MoviesPageParams, MoviesRequest
from marquee.api.catalog.rule_requests import RuleIn, RuleParams, RulePreviewRequest
from marquee.api.ids import PATH_RULE, is_safe_in_path
from marquee.api.openapi import document
from marquee.api.requests import (
    MovieIdRequest,
    MovieParams,
    SearchParams,
    UserParams,
    UserSettingsRequest,
)
from marquee.core.errors import InputError
from marquee.feedback.errors import StoreUnavailable
from marquee.recommender.errors import RequestError

POST_ONLY_PATHS = (
    "/users/history",
    "/users/erase",
    "/users/export",
    "/movies/get",
)
POST_ROUTES: dict[str, tuple[str, type[BaseModel]]] = {  # beside those of service.py
    "/users/settings": ("settings", UserSettingsRequest),
    "/movies/delete": ("catalog.delete_movie", MovieIdRequest),
    "/rules/preview": ("rules.preview", RulePreviewRequest),
}
Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

log = logging.getLogger("bentoml.marquee")
_document = cache(document)  # built at the first request: 17 ms that no start needs


def get_routes() -> Starlette:
    movie = _endpoint("catalog.movie", MovieParams)
    delete_movie = _endpoint("catalog.delete_movie", MovieParams)
    movies = _endpoint("catalog.movies", MoviesPageParams)
    put_rule = _body_endpoint("rules.put_rule", RuleIn, RuleParams)
    delete_rule = _endpoint("rules.delete_rule", RuleParams)
    put_movies = _body_endpoint("catalog.put_movies", MoviesRequest)
    history, delete = _endpoint("history", UserParams), _endpoint("delete_user", UserParams)
    read_only = _safe("/users/erase", _not_allowed("GET, HEAD"))
    return Starlette(
        routes=[
            *(Route(path, _not_allowed("POST")) for path in POST_ONLY_PATHS),
            *(
                Route(path, _body_endpoint(handler, schema), methods=["POST"])
                for path, (handler, schema) in POST_ROUTES.items()
            ),
            Route("/movies/search", _endpoint("search", SearchParams)),
            Route("/movies", _by_method(GET=movies, PUT=put_movies), methods=["GET", "PUT"]),
            Route(
                "/movies/{movie_id:path}",
                _by_method(
                    GET=_safe("/movies/get", movie), DELETE=_safe("/movies/delete", delete_movie)
                ),
                methods=["GET", "DELETE"],
            ),
            Route("/rules", _endpoint("rules.rules")),
            Route(
                "/rules/{name}",
                _by_method(PUT=put_rule, DELETE=delete_rule),
                methods=["PUT", "DELETE"],
            ),
            Route("/users/{user_id:path}/history", _safe("/users/history", history)),
            Route("/users/{user_id:path}/history", read_only, methods=["DELETE"]),
            Route("/users/{user_id:path}", _safe("/users/erase", delete), methods=["DELETE"]),
            Route("/model", _endpoint("model_card")),
            Route("/ready", _endpoint("ready")),
            Route("/openapi.json", _openapi),
        ]
    )


async def respond(result: Awaitable[Any]) -> Response:
    """Await a handler; return its result as JSON, or the caller's error."""
    try:
        return errors.json_response(await result)
    except RequestError as error:
        return errors.request_error_response(error)
    except InputError as error:  # of the event store, which was in order at start
        log.error("%s", error)
        is_away = isinstance(error, StoreUnavailable)
        reason = "reached; try again" if is_away else "read; see the log"
        return errors.error_response("unavailable", f"the event store cannot be {reason}")


def _endpoint(handler: str, schema: type[BaseModel] | None = None) -> Endpoint:
    """Return the endpoint of a method of Handlers, which takes the parameters of the request."""

    async def answer(request: Request) -> Response:
        handle = attrgetter(handler)(request.app.state.handlers)
        if schema is None:
            return await respond(handle())
        try:
            params = schema.model_validate(request.path_params or _query_params(request))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            return errors.validation_response(faults)
        return await respond(handle(params))

    return answer


def _by_method(**endpoints: Endpoint) -> Endpoint:
    """Return one endpoint of several methods, so that a 405 names them all."""

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await endpoints[method](request)

    return answer


def _body_endpoint(
    handler: str, schema: type[BaseModel], path_schema: type[BaseModel] | None = None
) -> Endpoint:
    """Return the endpoint of a method of Handlers, which takes path parameters and the body."""

    async def answer(request: Request) -> Response:
        handle = attrgetter(handler)(request.app.state.handlers)
        try:
            params = [path_schema.model_validate(request.path_params)] if path_schema else []
            body = schema.model_validate_json(await request.body())
        except ValidationError as error:
            return errors.validation_response(error.errors(include_input=False, include_url=False))
        return await respond(handle(*params, body))

    return answer


def _safe(body_route: str, answer: Endpoint) -> Endpoint:
    """Return the endpoint, which refuses ids that a proxy may have changed on their way."""

    async def answer_safely(request: Request) -> Response:
        ((name, value),) = request.path_params.items()
        is_rewritten = b"%2f" in request.scope["raw_path"].lower()  # by the router: a slash by now
        is_cut = request.scope["query_string"] != b""  # at the "?" of an id
        if is_safe_in_path(value) and not (is_rewritten or is_cut):
            return await answer(request)
        message = f"{name}: not safe in a path, {PATH_RULE}; send it in the body: POST {body_route}"
        return errors.error_response(
            "unsafe_in_path", message, [{"field": name, "message": message}]
        )

    return answer_safely


def _not_allowed(methods: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        message = f"this path takes {methods} alone; see /openapi.json"
        response = errors.error_response("method_not_allowed", message)
        response.headers["Allow"] = methods
        return response

    return answer


async def _openapi(_: Request) -> Response:
    return errors.json_response(_document())


def _query_params(request: Request) -> dict[str, Any]:
    """Return the query string; a parameter that comes twice is a list, which no schema takes."""
    params = request.query_params
    lists = {name: params.getlist(name) for name in params}
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}
