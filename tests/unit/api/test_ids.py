"""Test which JSON values are ids, and which ids are safe in a path."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from marquee.api import requests
from marquee.api.ids import MovieId, UserId, is_safe_in_path
from marquee.api.openapi_examples import REQUEST_EXAMPLES

EVENT = REQUEST_EXAMPLES["/events"]["events"][0]


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [("7", 7), ("7.0", 7), ("7e0", 7), ("-0.0", 0), ('"7"', 7), ('"0"', 0),
     ("9007199254740991.0", 2**53 - 1)],
)  # fmt: skip
def test_movie_id_number_or_its_digits_is_an_integer(text: str, movie_id: int) -> None:
    value: Any = TypeAdapter(MovieId).validate_json(text)
    assert value == movie_id and type(value) is int


@pytest.mark.parametrize(
    "text",
    ["7.5", "true", "null", "NaN", "1e400", "-1", "9007199254740992.0", "9223372036854775808",
     '"07"', '" 7"', '"7 "', '"7.0"', '"+7"', '"-7"', '"1_0"', '"７"', '""', '"7\\n"', "[7]",
     '"9223372036854775808"'],
)  # fmt: skip
def test_movie_id_other_value_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        TypeAdapter(MovieId).validate_json(text)
    (error,) = refusal.value.errors()
    assert (error["loc"], error["msg"]) == (
        (),
        "expected an integer from 0 to 9223372036854775807, or its digits as text",
    )


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
    for value in (7.5, True, float("nan")):
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
