"""/openapi.json: the contract as OpenAPI 3.1, generated from the types of requests and responses.

    make openapi        # writes openapi.json and the client's types

BentoML's own document knows neither our errors nor the routes beside its endpoints.
"""

from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter

from marquee.api import requests, responses
from marquee.api.openapi_examples import REQUEST_EXAMPLES, RESPONSE_EXAMPLES

ABOUT = """What the schemas cannot say. Integers are written without a fraction: 10, not 10.0.
Genres and stars must be the bundle's, and one weight of a genre_profile above 0; else 422. Every
answer bears X-Request-ID. Another method than those listed here gets 405 with Allow; 429 and 503
bear Retry-After."""
REFERENCE = "#/components/schemas/{model}"
ERRORS = {
    "400": "the body is not JSON",
    "401": "no key, or a wrong one",
    "404": "no such movie",
    "409": "an event_id came before with other content; nothing of the request is stored",
    "413": "the body is too long",
    "422": "a field is missing, unknown or out of its range; `fields` says which",
    "429": "too many requests",
    "500": "the service failed",
    "503": "what is stored cannot be reached, or time is up; ask again after Retry-After seconds",
}


class ParamRoute(NamedTuple):
    """A route without a body: its parameters come in the path or the query string."""

    method: str
    params: type[BaseModel] | None
    response: type
    summary: str


POST_ENDPOINTS: dict[str, tuple[type[BaseModel], type]] = {
    "/recommend": (requests.RecommendRequest, responses.RecommendResponse),
    "/recommend_batch": (requests.BatchRequest, responses.BatchResponse),
    "/predict": (requests.PredictRequest, responses.PredictResponse),
    "/similar": (requests.SimilarRequest, responses.SimilarResponse),
    "/rerank": (requests.RerankRequest, responses.PredictResponse),
    "/charts": (requests.ChartsRequest, responses.ChartsResponse),
    "/rate_next": (requests.RateNextRequest, responses.RateNextResponse),
    "/events": (requests.EventsRequest, responses.EventsReceipt),
}
"""Path -> the types of its body and of its response."""
PARAM_ROUTES = {
    "/movies/search": ParamRoute(
        "get", requests.SearchParams, responses.SearchResponse, "Movies by title, as typed."
    ),
    "/movies/{movie_id}": ParamRoute("get", requests.MovieParams, responses.Movie, "One movie."),
    "/users/{user_id}/history": ParamRoute(
        "get",
        requests.UserParams,
        responses.HistoryResponse,
        "The stored history of a user, oldest first.",
    ),
    "/users/{user_id}": ParamRoute(
        "delete", requests.UserParams, responses.DeleteResponse, "Delete every row of a user."
    ),
    "/model": ParamRoute("get", None, responses.ModelCard, "The model card."),
    "/readyz": ParamRoute(
        "get", None, responses.ReadyResponse, "The model that answers, and whether the store does."
    ),
}
PUBLIC_PARAM_ROUTES = ("/readyz",)
"""Those that need no key."""
UNTYPED_ROUTES = {
    "/livez": ("text/plain", "200 while the process answers."),
    "/metrics": ("text/plain", "Prometheus metrics."),
    "/openapi.json": ("application/json", "This document."),
}
"""Media type and summary; they need no key, and clients are not written against them."""


def document() -> dict[str, Any]:
    """Return the complete document as JSON values."""
    paths: dict[str, Any] = {path: {"post": _post_operation(path)} for path in POST_ENDPOINTS}
    for path, route in PARAM_ROUTES.items():
        paths.setdefault(path, {})[route.method] = _param_operation(path, route)
    for path, (media_type, summary) in UNTYPED_ROUTES.items():
        paths[path] = {"get": _untyped_operation(path, media_type, summary)}
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Marquee", "version": "1", "description": ABOUT.replace("\n", " ")},
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": {"key": bearer}},
        "security": [{"key": []}, {}],
    }


def _schemas() -> dict[str, Any]:
    types = {schema for pair in POST_ENDPOINTS.values() for schema in pair}
    types |= {responses.ErrorResponse, *(route.response for route in PARAM_ROUTES.values())}
    _, definitions = TypeAdapter.json_schemas(
        [
            (schema.__name__, "validation", TypeAdapter(schema))
            for schema in sorted(types, key=lambda schema: schema.__name__)
        ],
        ref_template=REFERENCE,
    )
    schemas: dict[str, Any] = definitions["$defs"]
    for definition in schemas.values():
        for field in definition.get("properties", {}).values():
            if field.get("default", "") is None:  # it means absent, and null is no integer
                del field["default"]
    return schemas


def _post_operation(path: str) -> dict[str, Any]:
    request, response = POST_ENDPOINTS[path]
    codes = ["400", "401", "413", "422", "429", "500", "503"]
    codes += {"/events": ["409"], "/charts": []}.get(path, ["404"])
    return {
        "operationId": path.strip("/"),
        "summary": (request.__doc__ or "").strip(),
        "requestBody": {"required": True, "content": _content(request, REQUEST_EXAMPLES[path])},
        "responses": _responses(response, codes, RESPONSE_EXAMPLES[path]),
    }


def _param_operation(path: str, route: ParamRoute) -> dict[str, Any]:
    codes = ["401", "429", "500", "503"] + ["422"] * (route.params is not None)
    codes += ["404"] * path.startswith("/movies/{")
    is_public = path in PUBLIC_PARAM_ROUTES
    return {
        "operationId": path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
        "summary": route.summary,
        "parameters": _parameters(path, route.params),
        "responses": _responses(
            route.response, [] if is_public else codes, RESPONSE_EXAMPLES[path]
        ),
        **({"security": []} if is_public else {}),
    }


def _untyped_operation(path: str, media_type: str, summary: str) -> dict[str, Any]:
    schema = {"type": "object" if media_type == "application/json" else "string"}
    content = {media_type: {"schema": schema}}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": summary,
        "responses": {"200": {"description": "the answer", "content": content}},
        "security": [],
    }


def _parameters(path: str, params: type[BaseModel] | None) -> list[dict[str, Any]]:
    if params is None:
        return []
    schema = params.model_json_schema()
    return [
        {
            "name": name,
            "in": "path" if f"{{{name}}}" in path else "query",
            "required": name in schema.get("required", ()),
            "schema": field,
            "example": REQUEST_EXAMPLES[path][name],
        }
        for name, field in schema["properties"].items()
    ]


def _responses(response: type, codes: list[str], example: dict[str, Any]) -> dict[str, Any]:
    by_code = {"200": {"description": "the answer", "content": _content(response, example)}}
    for code in sorted(codes):
        content = _content(responses.ErrorResponse)
        by_code[code] = {"description": ERRORS[code], "content": content}
    return by_code


def _content(schema: type, example: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"schema": {"$ref": REFERENCE.format(model=schema.__name__)}}
    return {"application/json": content | ({"example": example} if example else {})}
