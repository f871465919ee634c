"""The routes that BentoML has no endpoints for: GET, DELETE and path parameters.

routes = get_routes()
routes.state.handlers = Handlers(…)      # before the first request
"""

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from marquee.api import errors
from marquee.api.openapi import document
from marquee.api.requests import MovieParams, SearchParams, UserParams
from marquee.core.errors import InputError
from marquee.feedback.errors import StoreUnavailable
from marquee.recommender.errors import RequestError

log = logging.getLogger("bentoml.marquee")
_document = cache(document)  # built at the first request: 17 ms that no start needs


def get_routes() -> Starlette:
    return Starlette(
        routes=[
            Route("/movies/search", _endpoint("search", SearchParams)),
            Route("/movies/{movie_id}", _endpoint("movie", MovieParams)),
            Route("/users/{user_id:path}/history", _endpoint("history", UserParams)),
            Route("/users/{user_id:path}", _delete_user, methods=["DELETE"]),
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
        return errors.json_response(errors.request_error_body(error), errors.STATUS[error.code])
    except InputError as error:  # of the event store, which was in order at start
        log.error("%s", error)
        is_away = isinstance(error, StoreUnavailable)
        reason = "reached; try again" if is_away else "read; see the log"
        return errors.error_response("unavailable", f"stored histories cannot be {reason}")


def _endpoint(
    handler: str, schema: type[BaseModel] | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a method of Handlers, which takes the parameters of the request."""

    async def answer(request: Request) -> Response:
        handle = getattr(request.app.state.handlers, handler)
        if schema is None:
            return await respond(handle())
        try:
            params = schema.model_validate(request.path_params or _query_params(request))
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            return errors.validation_response(faults)
        return await respond(handle(params))

    return answer


_delete = _endpoint("delete_user", UserParams)


async def _delete_user(request: Request) -> Response:
    if not request.scope["raw_path"].endswith(b"/history"):  # the user "a/history" is a%2Fhistory
        return await _delete(request)
    message = "a history is read-only; delete /users/{user_id} instead"
    response = errors.error_response("method_not_allowed", message)
    response.headers["Allow"] = "GET, HEAD"
    return response


async def _openapi(_: Request) -> Response:
    return errors.json_response(_document())


def _query_params(request: Request) -> dict[str, Any]:
    """Return the query string; a parameter that comes twice is a list, which no schema takes."""
    params = request.query_params
    lists = {name: params.getlist(name) for name in params}
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}
