"""Test which JSON values are ids, and which ids are safe in a path."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from marquee.api import requests
from marquee.api.ids import MovieIdIn, UserId, is_safe_in_path
from marquee.api.openapi_examples import REQUEST_EXAMPLES
from marquee.recommender.foreign_ids import catalog_id

EVENT = REQUEST_EXAMPLES["/events"]["events"][0]


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [("7", 7), ("7.0", 7), ("7e0", 7), ("-0.0", 0), ("-5", -5), ("7.5", 7.5), ('"7"', "7"),
     ('"07"', "07"), ('" 7"', " 7"), ('"７"', "７"), ('"a\\n/b?"', "a\n/b?"),
     ("9007199254740991.0", 2**53 - 1), ("9223372036854775808", "9223372036854775808")],
)  # fmt: skip
def test_movie_id_is_read_as_it_was_sent(text: str, movie_id: Any) -> None:
    value: Any = TypeAdapter(MovieIdIn).validate_json(text)
    assert value == movie_id and type(value) is type(movie_id)


@pytest.mark.parametrize(
    "text",
    ["true", "null", "NaN", "1e400", "1e22", "9007199254740992.0", "1" * 129, '""', "[7]", "{}",
     '"a\\u0000"', json.dumps("x" * 129)],
)  # fmt: skip
def test_movie_id_other_value_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        TypeAdapter(MovieIdIn).validate_json(text)
    (error,) = refusal.value.errors()
    assert (error["loc"], error["msg"]) == (
        (),
        "expected an integer, or text of 1 to 128 characters",
    )


@pytest.mark.parametrize(
    ("sent", "integer", "text"),
    [
        (5, 5, "5"),
        (-5, -5, "-5"),
        ("5", 5, "5"),
        ("-5", -5, "-5"),
        ("0", 0, "0"),
        ("05", None, "05"),
        ("-0", None, "-0"),
        ("+5", None, "+5"),
        (" 5", None, " 5"),
        ("5.0", None, "5.0"),
        ("５", None, "５"),
        ("5\n", None, "5\n"),
        ("abc", None, "abc"),
        (5.5, None, None),
        (str(2**63 - 1), 2**63 - 1, str(2**63 - 1)),
        (str(-(2**63)), -(2**63), str(-(2**63))),
        (str(2**63), None, str(2**63)),
        ("1_0", None, "1_0"),
    ],
)
def test_catalog_id_is_of_the_type_or_none(
    sent: Any, integer: int | None, text: str | None
) -> None:
    assert catalog_id(sent, "int") == integer
    assert catalog_id(sent, "text") == text


@pytest.mark.parametrize(
    ("text", "user_id"),
    [("7", 7), ("7.0", 7), ("-5", -5), ("1" * 128, int("1" * 128)), ('"7.0"', "7.0"),
     ('"07"', "07"), ('" 7"', " 7"), ('"a/../b"', "a/../b"), (json.dumps("é" * 128), "é" * 128)],
)  # fmt: skip
def test_user_id_text_stays_and_whole_number_is_an_integer(text: str, user_id: int | str) -> None:
    value: Any = TypeAdapter(UserId).validate_json(text)
    assert value == user_id and type(value) is type(user_id)


@pytest.mark.parametrize(
    "text",
    ["7.5", "true", "null", "NaN", "1e300", "1" * 129, "9007199254740992.0", "[7]", '""',
     '"a\\u0000"', '"a\\n"', json.dumps("x" * 129), '"\\ud800"'],
)  # fmt: skip
def test_user_id_other_value_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(UserId).validate_json(text)


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        (requests.RecommendRequest, lambda value: {"history": [{"movie_id": value}]}),
        (requests.RecommendRequest, lambda value: {"include_ids": [value]}),
        (requests.RecommendRequest, lambda value: {"exclude_ids": [value]}),
        (requests.RecommendRequest, lambda value: {"user_id": value}),
        (requests.BatchRequest, lambda value: {"requests": [{"user_id": value}]}),
        (requests.PredictRequest, lambda value: {"movie_ids": [value]}),
        (requests.RerankRequest, lambda value: {"movie_ids": [value]}),
        (requests.SimilarRequest, lambda value: {"movie_id": value}),
        (requests.SimilarRequest, lambda value: {"movie_ids": [value]}),
        (requests.RateNextRequest, lambda value: {"user_id": value}),
        (requests.EventIn, lambda value: EVENT | {"user_id": value}),
        (requests.EventIn, lambda value: EVENT | {"movie_id": value}),
        (requests.UserIdRequest, lambda value: {"user_id": value}),
        (requests.MovieIdRequest, lambda value: {"movie_id": value}),
    ],
)
def test_request_whole_float_is_the_same_id(schema: type[BaseModel], place: Any) -> None:
    integer = schema.model_validate_json(json.dumps(place(7)))
    assert schema.model_validate_json(json.dumps(place(7.0))) == integer
    is_user = "user_id" in json.dumps(place(7)) and "movie_id" not in json.dumps(place(7))
    for value in (True, float("nan"), *([7.5] if is_user else [])):
        with pytest.raises(ValidationError):
            schema.model_validate_json(json.dumps(place(value)))


@pytest.mark.parametrize("user_id", ["anna", "42", "-5", "a.b", "...", "0._~@:+-Z", "Export"])
def test_safe_id_is_safe_in_a_path(user_id: str) -> None:
    assert is_safe_in_path(user_id)


@pytest.mark.parametrize(
    "user_id",
    ["", ".", "..", "a/b", "a%2Fb", "a b", "a?", "a#", "a;", "a\\b", "a\n", "é", "history", "erase",
     "export", "settings", "a,b", "\u202ea"],
)  # fmt: skip
def test_other_id_is_not_safe_in_a_path(user_id: str) -> None:
    assert not is_safe_in_path(user_id)
