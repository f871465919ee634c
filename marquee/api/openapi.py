"""/openapi.json: the contract as OpenAPI 3.1, made from the schemas that requests are checked by.

BentoML's own document knows neither our errors nor the routes beside its endpoints.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from marquee.api import requests, responses
from marquee.api.openapi_examples import ANSWERED, ASKED

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
POSTS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "/recommend": (requests.RecommendRequest, responses.Recommendation),
    "/recommend_batch": (requests.BatchRequest, responses.Recommendations),
    "/predict": (requests.PredictRequest, responses.Prediction),
    "/similar": (requests.SimilarRequest, responses.Similar),
    "/rerank": (requests.RerankRequest, responses.Prediction),
    "/charts": (requests.ChartsRequest, responses.Chart),
    "/rate_next": (requests.RateNextRequest, responses.Questions),
    "/events": (requests.EventsRequest, responses.Stored),
}
READS: dict[str, tuple[str, type[BaseModel] | None, type[BaseModel], str]] = {
    "/movies/search": ("get", requests.SearchQuery, responses.Found, "Movies by title, as typed."),
    "/movies/{movie_id}": ("get", requests.MovieQuery, responses.Movie, "One movie."),
    "/users/{user_id}/history": (
        "get",
        requests.UserQuery,
        responses.Histories,
        "What is stored of a person, oldest first.",
    ),
    "/users/{user_id}": (
        "delete",
        requests.UserQuery,
        responses.Deleted,
        "Remove every trace of a person.",
    ),
    "/model": ("get", None, responses.Card, "The model card."),
    "/readyz": ("get", None, responses.Ready, "Which model answers, and whether the store does."),
}
OPEN = ("/readyz",)
PLAIN = {
    "/livez": ("text/plain", "200 while the process answers."),
    "/metrics": ("text/plain", "Prometheus metrics."),
    "/openapi.json": ("application/json", "This document."),
}
"""Open to anyone, as those above, and no part of what clients are written against."""


def document() -> dict[str, Any]:
    """The whole document, as JSON values."""
    models: set[type[BaseModel]] = {m for pair in POSTS.values() for m in pair}
    models |= {responses.Refusal, *(answer for _, _, answer, _ in READS.values())}
    _, defined = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template=REFERENCE,
    )
    for shape in defined["$defs"].values():
        for field in shape.get("properties", {}).values():
            if field.get("default", "") is None:  # absent is all it means, and null is no integer
                del field["default"]
    paths = {path: {"post": _post(path)} for path in POSTS}
    for path, (method, query, answer, summary) in READS.items():
        paths.setdefault(path, {})[method] = _read(path, query, answer, summary)
    paths |= {path: {"get": _plain(path, *said)} for path, said in PLAIN.items()}
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Marquee", "version": "1", "description": ABOUT.replace("\n", " ")},
        "paths": paths,
        "components": {"schemas": defined["$defs"], "securitySchemes": {"key": bearer}},
        "security": [{"key": []}, {}],
    }


def _post(path: str) -> dict[str, Any]:
    asked, answered = POSTS[path]
    codes = ["400", "401", "413", "422", "429", "500", "503"]
    codes += {"/events": ["409"], "/charts": []}.get(path, ["404"])
    return {
        "operationId": path.strip("/"),
        "summary": (asked.__doc__ or "").strip(),
        "requestBody": {"required": True, "content": _json(asked, ASKED[path])},
        "responses": _responses(answered, codes, ANSWERED[path]),
    }


def _read(
    path: str, query: type[BaseModel] | None, answered: type[BaseModel], summary: str
) -> dict[str, Any]:
    codes = ["401", "429", "500", "503"] + ["422"] * (query is not None)
    codes += ["404"] * path.startswith("/movies/{")
    return {
        "operationId": path.strip("/").replace("/", "_").replace("{", "").replace("}", ""),
        "summary": summary,
        "parameters": _parameters(path, query),
        "responses": _responses(answered, [] if path in OPEN else codes, ANSWERED[path]),
        **({"security": []} if path in OPEN else {}),
    }


def _plain(path: str, kind: str, summary: str) -> dict[str, Any]:
    shape = {"type": "object"} if kind == "application/json" else {"type": "string"}
    return {
        "operationId": path.strip("/").replace(".", "_"),
        "summary": summary,
        "responses": {"200": {"description": "the answer", "content": {kind: {"schema": shape}}}},
        "security": [],
    }


def _parameters(path: str, query: type[BaseModel] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    shape = query.model_json_schema()
    return [
        {
            "name": name,
            "in": "path" if f"{{{name}}}" in path else "query",
            "required": name in shape.get("required", ()),
            "schema": field,
            "example": ASKED[path][name],
        }
        for name, field in shape["properties"].items()
    ]


def _responses(
    answered: type[BaseModel], codes: list[str], example: dict[str, Any]
) -> dict[str, Any]:
    found = {"200": {"description": "the answer", "content": _json(answered, example)}}
    for code in sorted(codes):
        found[code] = {"description": ERRORS[code], "content": _json(responses.Refusal)}
    return found


def _json(model: type[BaseModel], example: dict[str, Any] | None = None) -> dict[str, Any]:
    said = {"schema": {"$ref": REFERENCE.format(model=model.__name__)}}
    return {"application/json": said | ({"example": example} if example else {})}
