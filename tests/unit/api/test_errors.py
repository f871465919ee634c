"""Test the one shape of error responses."""

import json
from typing import Any

import pytest

from marquee.api.errors import (
    STATUS,
    error_response,
    json_response,
    request_error_body,
    validation_response,
)
from marquee.recommender.errors import RequestError, unknown_movie


def body_of(response: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(response.body)
    return body


@pytest.mark.parametrize("code", STATUS)
def test_error_response_has_code_and_status(code: str) -> None:
    response = error_response(code, "a message")
    assert response.status_code == STATUS[code]
    assert body_of(response) == {"error": {"code": code, "message": "a message"}}
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("code", "header", "value"),
    [
        ("unauthorized", "WWW-Authenticate", "Bearer"),
        ("busy", "Retry-After", "1"),
        ("unavailable", "Retry-After", "1"),
        ("timeout", "Retry-After", "1"),
    ],
)
def test_error_response_has_header_of_status(code: str, header: str, value: str) -> None:
    assert error_response(code, "").headers[header] == value


def test_error_response_without_header_of_status() -> None:
    assert set(error_response("invalid", "").headers) == {"content-length", "content-type"}


def test_request_error_body_names_its_field() -> None:
    error = RequestError("k: 0, expected 1 or more", field="k")
    message = "k: 0, expected 1 or more"
    fields = [{"field": "k", "message": message}]
    assert request_error_body(error) == {
        "error": {"code": "invalid", "message": message, "fields": fields}
    }


def test_request_error_body_without_field_has_no_fields() -> None:
    assert "fields" not in request_error_body(RequestError("no"))["error"]


def test_json_response_request_error_inside_becomes_its_body() -> None:
    error = unknown_movie(7, "history.0.movie_id")
    response = json_response({"results": [error, 1]})
    assert response.status_code == 200
    assert body_of(response) == {"results": [request_error_body(error), 1]}


def test_json_response_other_object_is_refused() -> None:
    with pytest.raises(TypeError):
        json_response({"results": [object()]})


def test_validation_response_invalid_json_is_400() -> None:
    response = validation_response([{"type": "json_invalid", "loc": (), "msg": "EOF"}])
    assert (response.status_code, body_of(response)["error"]["code"]) == (400, "not_json")


def test_validation_response_joins_messages_of_a_union() -> None:
    errors = [
        {"type": "int_type", "loc": ("user_id", "constrained-int"), "msg": "an integer"},
        {"type": "string_type", "loc": ("user_id", "constrained-str"), "msg": "a string"},
        {"type": "missing", "loc": ("events", 0, "at"), "msg": "required"},
    ]
    error = body_of(validation_response(errors))["error"]
    assert error["message"] == "user_id: an integer or a string"
    assert error["fields"] == [
        {"field": "user_id", "message": "an integer or a string"},
        {"field": "events.0.at", "message": "required"},
    ]


def test_validation_response_error_of_the_body_itself() -> None:
    response = validation_response([{"type": "dict_type", "loc": (), "msg": "an object"}])
    assert body_of(response)["error"]["fields"] == [{"field": "body", "message": "an object"}]
