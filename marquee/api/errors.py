"""Error responses: one shape for every status but 200.

    {"error": {"code": "unknown_movie", "message": "…", "fields": [{"field": "…", "message": "…"}]}}

`fields` is present where the error has a place in the request.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from starlette.responses import Response

from marquee.api.validation import Malformed
from marquee.recommender.errors import RequestError

STATUS = {
    "not_json": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "origin_not_allowed": 403,
    "not_found": 404,
    "unknown_movie": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "too_large": 413,
    "unsupported_encoding": 415,
    "invalid": 422,
    "too_costly": 422,
    "unknown_genre": 422,
    "unsafe_in_path": 422,
    "busy": 429,
    "disconnected": 499,  # nobody reads it; the log and the metrics count it
    "internal": 500,
    "unavailable": 503,
    "timeout": 503,
}
RETRY = {"Retry-After": "1"}
HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 429: RETRY, 503: RETRY} | {
    415: {"Accept-Encoding": "gzip, deflate"}
}
# Parts that pydantic adds to the place of an error in "an integer or text".
UNION_TAGS = ("constrained-int", "constrained-str", "int", "str")
NAMED_FAULTS = 3  # of one element of a list


def json_response(body: Any, status: int = 200) -> Response:
    """Return a body as JSON. A RequestError inside it becomes its error body."""
    return Response(
        orjson.dumps(body, default=request_error_body),
        status_code=status,
        headers=HEADERS.get(status),
        media_type="application/json",
    )


def error_response(code: str, message: str, fields: Sequence[dict[str, str]] = ()) -> Response:
    return json_response(_error_body(code, message, fields), STATUS[code])


def request_error_response(error: RequestError) -> Response:
    return json_response(request_error_body(error), STATUS[error.code])


def request_error_body(error: RequestError) -> dict[str, Any]:
    fields = [{"field": error.field, "message": str(error)}] if error.field else []
    return _error_body(error.code, str(error), fields)


def validation_response(errors: Sequence[Mapping[str, Any]]) -> Response:
    """Return 400 for a body that is no JSON, else 422 with every error of pydantic."""
    for error in errors:
        if error["type"] == "json_invalid":
            return error_response("not_json", f"{error['msg']}; send a JSON object")
    fields = field_errors(errors)
    return error_response("invalid", f"{fields[0]['field']}: {fields[0]['message']}", fields)


def malformed_error(element: Malformed, root: str) -> RequestError:
    """Return the error of one element of a list; root: what it should be."""
    fields = field_errors(element.faults, root)[:NAMED_FAULTS]
    message = "; ".join(f"{field['field']}: {field['message']}" for field in fields)
    return RequestError(message, field=fields[0]["field"])


def field_errors(errors: Sequence[Mapping[str, Any]], root: str = "body") -> list[dict[str, str]]:
    """Return errors of pydantic by field; root: the name of the value itself."""
    messages: dict[str, list[str]] = {}
    for error in errors:
        name = ".".join(str(part) for part in error["loc"] if part not in UNION_TAGS)
        is_no_object = error["type"] in ("model_type", "model_attributes_type")
        message = "expected an object" if is_no_object else str(error["msg"])
        messages.setdefault(name or root, []).append(message)
    return [{"field": name, "message": " or ".join(texts)} for name, texts in messages.items()]


def _error_body(code: str, message: str, fields: Sequence[dict[str, str]]) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"error": {**error, "fields": list(fields)} if fields else error}
