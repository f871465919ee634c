"""The one error shape, and the routes that BentoML has no endpoints for.

    {"error": {"code": "unknown_movie", "message": "…", "fields": [{"field": "…", "message": "…"}]}}

`fields` is there where the fault can be placed. Codes and their status:

    not_json 400   unauthorized 401   not_found, unknown_movie 404   method_not_allowed 405
    conflict 409   too_large 413   invalid, unknown_genre 422   busy 429   internal 500
    unavailable, timeout 503
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from marquee.api.openapi import document
from marquee.api.requests import MovieQuery, SearchQuery, UserQuery
from marquee.core.errors import InputError
from marquee.feedback.errors import StoreUnavailable
from marquee.recommender.errors import RequestError

if TYPE_CHECKING:
    from marquee.api.handlers import Answers

Model = TypeVar("Model", bound=BaseModel)

log = logging.getLogger("bentoml.marquee")

STATUS = {
    "not_json": 400,
    "unauthorized": 401,
    "not_found": 404,
    "unknown_movie": 404,
    "method_not_allowed": 405,
    "conflict": 409,
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
    return _json({"error": _fault(code, message, fields)}, STATUS[code])


def _fault(code: str, message: str, fields: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    fault: dict[str, Any] = {"code": code, "message": message}
    return fault | ({"fields": list(fields)} if fields else {})


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


async def answer(asked: Awaitable[Any]) -> Response:
    """What is answered as JSON, or the error that was raised for the caller."""
    try:
        return _json(await asked, 200)
    except RequestError as fault:
        return _json(refusal(fault), STATUS[fault.code])
    except StoreUnavailable as fault:
        log.error("%s", fault)
        return error("unavailable", "stored histories cannot be reached; ask again")
    except InputError as fault:  # the event store, which was in order at start
        log.error("%s", fault)
        return error("unavailable", "stored histories cannot be read; the log says why")


def refusal(fault: RequestError) -> dict[str, Any]:
    """What a question that cannot be answered looks like."""
    placed = [{"field": fault.field, "message": str(fault)}] if fault.field else []
    return {"error": _fault(fault.code, str(fault), placed)}


def get_routes(answers: "Callable[[], Answers]") -> Starlette:
    """The addresses with a path parameter, and those that are read.

    answers: called at each request, since the service makes its Answers after its routes.
    """

    async def search(request: Request) -> Response:
        return await _checked(
            SearchQuery, _given(request), lambda asked: answers().search(asked.q, asked.k)
        )

    async def movie(request: Request) -> Response:
        return await _checked(
            MovieQuery, request.path_params, lambda asked: answers().movie(asked.movie_id)
        )

    async def history(request: Request) -> Response:
        return await _checked(
            UserQuery, request.path_params, lambda asked: answers().history(asked.user_id)
        )

    async def forget(request: Request) -> Response:
        if request.scope["raw_path"].endswith(b"/history"):  # a person "a/history" is a%2Fhistory
            refused = error("method_not_allowed", "a history is read; to delete: /users/{user_id}")
            refused.headers["Allow"] = "GET, HEAD"
            return refused
        return await _checked(
            UserQuery, request.path_params, lambda asked: answers().forget(asked.user_id)
        )

    async def model(_: Request) -> Response:
        return await answer(answers().card())

    async def ready(_: Request) -> Response:
        return await answer(answers().ready())

    described = cache(lambda: _json(document(), 200))  # 17 ms, of which no start has need

    async def openapi(_: Request) -> Response:
        return described()

    return Starlette(
        routes=[
            Route("/movies/search", search),
            Route("/movies/{movie_id}", movie),
            Route("/users/{user_id:path}/history", history),
            Route("/users/{user_id:path}", forget, methods=["DELETE"]),
            Route("/model", model),
            Route("/ready", ready),
            Route("/openapi.json", openapi),
        ]
    )


async def _checked(
    schema: type[Model], given: Mapping[str, Any], ask: Callable[[Model], Awaitable[Any]]
) -> Response:
    try:
        asked = schema.model_validate(dict(given))
    except ValidationError as fault:
        return invalid([dict(one) for one in fault.errors(include_input=False, include_url=False)])
    return await answer(ask(asked))


def _given(request: Request) -> dict[str, Any]:
    """The query string; a parameter that comes twice is a list, which no schema takes."""
    given = request.query_params
    return {
        name: value if len(given.getlist(name)) == 1 else given.getlist(name)
        for name, value in given.items()
    }


def _default(value: object) -> Any:
    if isinstance(value, RequestError):  # in the place of one answer of many
        return refusal(value)
    raise TypeError


def _json(body: Any, status: int) -> Response:
    return Response(
        orjson.dumps(body, default=_default),
        status_code=status,
        headers=HEADERS.get(status),
        media_type="application/json",
    )
