"""The one error shape, and the GET routes.

    {"error": {"code": "unknown_movie", "message": "…", "fields": [{"field": "…", "message": "…"}]}}

`fields` is there where the fault can be placed. Codes and their status:

    not_json 400   unauthorized 401   not_found, unknown_movie, unknown_user 404
    method_not_allowed 405   too_large 413   invalid, unknown_genre 422   busy 429
    internal 500   unavailable, timeout 503
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from catalogue.errors import UserError
from serving.answers import Answers
from serving.errors import RequestError
from serving.schemas import MovieQuery, SearchQuery, UserQuery

Model = TypeVar("Model", bound=BaseModel)

log = logging.getLogger("bentoml.marquee")

STATUS = {
    "not_json": 400,
    "unauthorized": 401,
    "not_found": 404,
    "unknown_movie": 404,
    "unknown_user": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "invalid": 422,
    "unknown_genre": 422,
    "busy": 429,
    "internal": 500,
    "unavailable": 503,
    "timeout": 503,
}
HEADERS = {
    401: {"WWW-Authenticate": "Bearer"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}
UNION_TAGS = ("constrained-int", "constrained-str", "int", "str")
"""What pydantic adds to the place of a fault in "an integer or text"."""


def error(code: str, message: str, fields: Sequence[dict[str, str]] = ()) -> Response:
    """The response for one of the codes of STATUS."""
    body: dict[str, Any] = {"code": code, "message": message}
    if fields:
        body["fields"] = list(fields)
    return _json({"error": body}, STATUS[code])


def invalid(faults: Sequence[dict[str, Any]]) -> Response:
    """The response for what pydantic found: 400 where it is no JSON, else 422 with every field."""
    for fault in faults:
        if fault["type"] == "json_invalid":
            return error("not_json", f"{fault['msg']}; send a JSON object")
    messages: dict[str, list[str]] = {}
    for fault in faults:
        place = ".".join(str(part) for part in fault["loc"] if part not in UNION_TAGS)
        messages.setdefault(place or "body", []).append(str(fault["msg"]))
    fields = [{"field": place, "message": " or ".join(said)} for place, said in messages.items()]
    return error("invalid", f"{fields[0]['field']}: {fields[0]['message']}", fields)


def answer(ask: Callable[[Any], Any], asked: Any) -> Response:
    """What `ask` answers as JSON, or the error that it raised for the caller."""
    try:
        return _json(ask(asked), 200)
    except RequestError as fault:
        placed = [{"field": fault.field, "message": str(fault)}] if fault.field else []
        return error(fault.code, str(fault), placed)
    except UserError as fault:  # the event store, which was there at start
        log.error("%s", fault)
        return error("unavailable", "stored histories cannot be read; the log says why")


def get_routes(answers: Callable[[], Answers]) -> Starlette:
    """GET /movies/search, /movies/{id}, /users/{id}/history and /model.

    answers: called at each request, since the service makes its Answers after its routes.
    """

    async def search(request: Request) -> Response:
        return _checked(SearchQuery, request.query_params, lambda a: answers().search(a.q, a.k))

    async def movie(request: Request) -> Response:
        return _checked(MovieQuery, request.path_params, lambda a: answers().movie(a.movie_id))

    async def history(request: Request) -> Response:
        return _checked(UserQuery, request.path_params, lambda a: answers().person(a.user_id))

    async def model(_: Request) -> Response:
        return answer(lambda _: answers().model(), None)

    return Starlette(
        routes=[
            Route("/movies/search", search),
            Route("/movies/{movie_id}", movie),
            Route("/users/{user_id}/history", history),
            Route("/model", model),
        ]
    )


def _checked(
    schema: type[Model], given: Mapping[str, str], ask: Callable[[Model], Any]
) -> Response:
    try:
        asked = schema.model_validate(dict(given))
    except ValidationError as fault:
        return invalid([dict(one) for one in fault.errors(include_input=False, include_url=False)])
    return answer(ask, asked)


def _json(body: Any, status: int) -> Response:
    return Response(
        orjson.dumps(body),
        status_code=status,
        headers=HEADERS.get(status),
        media_type="application/json",
    )
