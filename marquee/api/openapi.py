"""/openapi.json: the contract as OpenAPI 3.1, generated from the types of requests and responses.

BentoML's own document knows neither our errors nor the routes beside its endpoints.
"""

import json
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter

from marquee.api import requests, responses
from marquee.api.catalog import catalog_requests, rule_requests
from marquee.api.openapi_examples import REQUEST_EXAMPLES, RESPONSE_EXAMPLES
from marquee.recommender import responses as lists

ABOUT = """What the schemas cannot say. Integers are written without a fraction: 10, not 10.0.
In an id 7.0 is 7. A movie_id is an integer or text as in the data set; GET /model says which as
id_type. Each is read as the other: "7" as 7, where ids are integers, but not "07". An id in a path
is of ASCII letters, digits and . _ ~ @ : + -, and no word of the API; POST /users/… and
/movies/get take any. Genres and stars must be the bundle's, and one weight of a genre_profile
above 0; else 422. Every answer bears X-Request-ID. Another method than those listed here gets 405
with Allow; 429 and 503 bear Retry-After."""
REFERENCE = "#/components/schemas/{model}"
ERRORS = {
    "400": "the body is not JSON",
    "401": "no key, or a wrong one",
    "403": "the key lacks the scope that the path needs",
    "404": "no such movie",
    "409": "every event_id is stored with other content; nothing of the request is stored",
    "413": "the body is too long",
    "415": "the body is compressed or encoded in another way than gzip, deflate and UTF-8",
    "422": "a field is missing, unknown or out of its range; `fields` says which",
    "429": "too many requests",
    "500": "the service failed",
    "503": "what is stored cannot be reached, or time is up; ask again after Retry-After seconds",
}


BODY_ERRORS = ["400", "413", "415"]


class Route(NamedTuple):
    """A route of another method than POST.

    request: its body with PUT, else its parameters, in the path or the query string; None: none.
    operation_id: the name of the function in a generated client.
    """

    request: type[BaseModel] | None
    response: type
    operation_id: str
    summary: str
    path_params: type[BaseModel] | None = None
    """Beside a body."""


POST_ENDPOINTS: dict[str, tuple[type[BaseModel], type]] = {  # types of its body, of its response
    "/recommend": (requests.RecommendRequest, lists.RecommendResponse),
    "/recommend_batch": (requests.BatchRequest, responses.BatchResponse),
    "/predict": (requests.PredictRequest, lists.PredictResponse),
    "/similar": (requests.SimilarRequest, lists.SimilarResponse),
    "/rerank": (requests.RerankRequest, lists.PredictResponse),
    "/charts": (requests.ChartsRequest, lists.ChartsResponse),
    "/rate_next": (requests.RateNextRequest, lists.RateNextResponse),
    "/events": (requests.EventsRequest, responses.EventsReceipt),
    "/users/history": (requests.UserIdRequest, responses.HistoryResponse),
    "/users/erase": (requests.UserIdRequest, responses.EraseResponse),
    "/users/export": (requests.UserIdRequest, responses.ExportResponse),
    "/users/settings": (requests.UserSettingsRequest, responses.UserSettingsResponse),
    "/movies/get": (requests.MovieIdRequest, responses.CatalogMovie),
    "/movies/delete": (requests.MovieIdRequest, responses.DeleteResponse),
    "/rules/preview": (rule_requests.RulePreviewRequest, responses.RulePreview),
}
SEARCH = "Movies by title, as typed."
HISTORY = "The stored history of a user, oldest first."
DELETE = "Delete every row of a user."
MOVIE = "One movie, with all that the catalog has of it."
DELETE_MOVIE = "Delete a movie from the catalog: no list holds it again, histories keep it."
EXPORT = "Every row that is stored of a user."
SUMMARIES = {  # of endpoints whose body is no summary
    "/users/history": HISTORY,
    "/users/erase": DELETE,
    "/users/export": EXPORT,
    "/users/settings": "Store whether the lists of a user use the history.",
    "/movies/get": MOVIE,
    "/movies/delete": DELETE_MOVIE,
    "/rules/preview": "How many of a sample of lists a rule would change, and three of them.",
}
READY = "The model that answers, and whether the store does."
ROUTES = {
    "GET /movies/search": Route(
        requests.SearchParams, responses.SearchResponse, "search_movies", SEARCH
    ),
    "GET /movies": Route(
        catalog_requests.MoviesPageParams,
        responses.MoviesPage,
        "list_movies",
        "The catalog, in the order of ids.",
    ),
    "PUT /movies": Route(
        catalog_requests.MoviesRequest,
        responses.MoviesReceipt,
        "put_movies",
        "Add titles to the catalog, or change them; what is acknowledged counts in the next list.",
    ),
    "GET /movies/{movie_id}": Route(
        requests.MovieParams, responses.CatalogMovie, "get_movie", MOVIE
    ),
    "DELETE /movies/{movie_id}": Route(
        requests.MovieParams, responses.DeleteResponse, "delete_movie", DELETE_MOVIE
    ),
    "GET /rules": Route(
        None, responses.RulesResponse, "list_rules", "All rules, in the order in which they win."
    ),
    "PUT /rules/{name}": Route(
        rule_requests.RuleIn,
        responses.RuleReceipt,
        "put_rule",
        "Store a rule; every list keeps it from the next request on.",
        rule_requests.RuleParams,
    ),
    "DELETE /rules/{name}": Route(
        rule_requests.RuleParams, responses.DeleteResponse, "delete_rule", "Delete a rule."
    ),
    "GET /users/{user_id}/history": Route(
        requests.UserParams, responses.HistoryResponse, "get_history", HISTORY
    ),
    "DELETE /users/{user_id}": Route(
        requests.UserParams, responses.DeleteResponse, "delete_user", DELETE
    ),
    "GET /model": Route(None, responses.ModelCard, "get_model", "The model card."),
    "GET /readyz": Route(None, responses.ReadyResponse, "readyz", READY),
}
"""By method and path."""
PUT_PATHS = frozenset(route[4:] for route in ROUTES if route.startswith("PUT "))
PATHS_WITHOUT_POST = frozenset(route.partition(" ")[2] for route in ROUTES)
PUBLIC_ROUTES = {  # media type and summary; clients are not written against them
    "/livez": ("text/plain", "200 while the process answers."),
    "/metrics": ("text/plain", "Prometheus metrics."),
    "/openapi.json": ("application/json", "This document."),
}
# Answered to every caller, with a key or without, and never counted as busy.
OPEN_PATHS = frozenset({"/readyz", *PUBLIC_ROUTES})


def document() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]]
    paths = {path: {"post": _post_operation(path)} for path in POST_ENDPOINTS}
    for route in ROUTES:
        method, _, path = route.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(route, method, path)
    paths |= {path: {"get": _public_operation(path)} for path in PUBLIC_ROUTES}
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
    types |= {responses.ErrorResponse, lists.Movie, *(route.response for route in ROUTES.values())}
    types |= {
        route.request for name, route in ROUTES.items() if route.request and name.startswith("PUT")
    }
    by_name = sorted(types, key=lambda schema: schema.__name__)
    _, definitions = TypeAdapter.json_schemas(
        [(schema.__name__, "validation", TypeAdapter(schema)) for schema in by_name],
        ref_template=REFERENCE,
    )
    schemas: dict[str, Any] = definitions["$defs"]
    for definition in schemas.values():
        for field in definition.get("properties", {}).values():
            _simplify(field)
    del schemas["MovieIdIn"]  # the same as MovieId, which is one class in a generated client
    text = json.dumps(schemas).replace(
        REFERENCE.format(model="MovieIdIn"), REFERENCE.format(model="MovieId")
    )
    return dict(json.loads(text))


def _simplify(field: dict[str, Any]) -> None:
    """Write a field so that every generator of clients takes it as it is meant.

    A default is words: openapi-typescript requires a field that has one.
    """
    default = field.pop("default", None)  # None means absent, and null is no integer
    if default is not None:
        words = f"by default {json.dumps(default)}"
        field["description"] = "; ".join(filter(None, [field.get("description"), words]))
    if "const" in field:
        field["enum"] = [field.pop("const")]


def _post_operation(path: str) -> dict[str, Any]:
    request, response = POST_ENDPOINTS[path]
    codes = ["401", "403", "422", "429", "500", "503", *BODY_ERRORS]
    codes += {"/events": ["409"], "/similar": ["404"]}.get(path, [])
    codes += ["404"] * path.startswith("/movies/")
    return {
        "operationId": path.strip("/").replace("/", "_"),
        "summary": SUMMARIES.get(path, (request.__doc__ or "").strip()),
        "requestBody": {"required": True, "content": _content(request, REQUEST_EXAMPLES[path])},
        "responses": _responses(path, response, codes),
    }


def _operation(name: str, method: str, path: str) -> dict[str, Any]:
    route, is_public = ROUTES[name], path in OPEN_PATHS
    codes = ["401", "403", "429", "500", "503"] + ["422"] * (route.request is not None)
    codes += ["404"] * path.startswith("/movies/{") + BODY_ERRORS * (method == "PUT")
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "responses": _responses(name, route.response, [] if is_public else codes),
    }
    if method == "PUT" and route.request:
        content = _content(route.request, REQUEST_EXAMPLES[name])
        operation["requestBody"] = {"required": True, "content": content}
        if route.path_params:
            operation["parameters"] = _parameters(f"DELETE {path}", path, route.path_params)
    else:
        operation["parameters"] = _parameters(name, path, route.request) if route.request else []
    return operation | ({"security": []} if is_public else {})


def _public_operation(path: str) -> dict[str, Any]:
    media_type, summary = PUBLIC_ROUTES[path]
    schema = {"type": "object" if media_type == "application/json" else "string"}
    content = {media_type: {"schema": schema}}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": summary,
        "responses": {"200": {"description": "the answer", "content": content}},
        "security": [],
    }


def _parameters(name: str, path: str, params: type[BaseModel]) -> list[dict[str, Any]]:
    schema = params.model_json_schema()
    for field in schema["properties"].values():
        _simplify(field)
    return [
        {
            "name": parameter,
            "in": "path" if f"{{{parameter}}}" in path else "query",
            "required": parameter in schema.get("required", ()),
            "schema": field,
            "example": REQUEST_EXAMPLES[name][parameter],
        }
        for parameter, field in schema["properties"].items()
    ]


def _responses(path: str, response: type, codes: list[str]) -> dict[str, Any]:
    content = _content(response, RESPONSE_EXAMPLES[path])
    error = _content(responses.ErrorResponse)
    errors = {code: {"description": ERRORS[code], "content": error} for code in sorted(codes)}
    return {"200": {"description": "the answer", "content": content}, **errors}


def _content(schema: type, example: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"schema": {"$ref": REFERENCE.format(model=schema.__name__)}}
    return {"application/json": content | ({"example": example} if example else {})}
