"""Test the limits of the requests, and what is read strictly."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from marquee.api import requests
from marquee.api.openapi_examples import REQUEST_EXAMPLES


def is_valid(model: type[BaseModel], body: Any) -> bool:
    try:
        model.model_validate_json(TypeAdapter(Any).dump_json(body))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    ("field", "lowest", "highest"),
    [
        ("k", 1, 100),
        ("offset", 0, 2**63 - 1),
        ("user_id", -(10**127) + 1, 10**128 - 1),
        ("diversity", 0, 1),
        ("calibration", 0, 1),
        ("novelty", 0, 1),
        ("freshness", 0, 1),
    ],
)
def test_recommend_request_number_has_limits(field: str, lowest: int, highest: int) -> None:
    for value in (lowest, highest):
        assert is_valid(requests.RecommendRequest, {field: value})
    for value in (lowest - 1, highest + 1):
        assert not is_valid(requests.RecommendRequest, {field: value})


@pytest.mark.parametrize(
    ("model", "field", "max_length", "element"),
    [
        (requests.RecommendRequest, "history", requests.MAX_HISTORY, {"movie_id": 1}),
        (requests.RecommendRequest, "include_ids", requests.MAX_IDS, 1),
        (requests.RecommendRequest, "exclude_ids", requests.MAX_IDS, 1),
        (requests.PredictRequest, "movie_ids", requests.MAX_PREDICTIONS, 1),
        (requests.SimilarRequest, "movie_ids", 100, 1),
        (requests.BatchRequest, "requests", requests.MAX_REQUESTS, {}),
        (requests.EventsRequest, "events", 1000, REQUEST_EXAMPLES["/events"]["events"][0]),
    ],
)
def test_request_list_has_a_longest_length(
    model: type[BaseModel], field: str, max_length: int, element: Any
) -> None:
    assert is_valid(model, {field: [element] * max_length})
    assert not is_valid(model, {field: [element] * (max_length + 1)})


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"k": "10"}, id="number-as-text"),
        pytest.param({"k": True}, id="boolean-as-integer"),
        pytest.param({"k": 1.5}, id="fraction"),
        pytest.param({"explain": 1}, id="integer-as-boolean"),
        pytest.param({"exclude_seen": "true"}, id="text-as-boolean"),
        pytest.param({"mood": "sad"}, id="unknown-field"),
        pytest.param({"filters": {"mood": 1}}, id="unknown-filter"),
        pytest.param({"user_id": ""}, id="empty-user"),
        pytest.param({"user_id": "x" * 129}, id="long-user"),
        pytest.param({"user_id": "a\x00"}, id="control-character"),
        pytest.param({"user_id": 1.5}, id="user-as-fraction"),
        pytest.param({"history": [{"movie_id": 1, "watched": 1.1}]}, id="share-above-1"),
        pytest.param({"history": [{"movie_id": 1, "at": "2020-01-01T00:00:00"}]}, id="no-offset"),
        pytest.param({"history": [{"movie_id": 1, "at": "20261101"}]}, id="digits-as-time"),
        pytest.param({"history": [{"movie_id": 1, "at": 1793527200}]}, id="number-as-time"),
        pytest.param({"history": [{"stars": 4.0}]}, id="entry-without-movie"),
        pytest.param({"genre_profile": {}}, id="empty-profile"),
        pytest.param({"genre_profile": {"Action": -1}}, id="negative-weight"),
        pytest.param({"viewer": {"plan": {}}}, id="viewer-as-object"),
        pytest.param({"viewer": {"age": 10**400}}, id="viewer-beyond-float"),
    ],
)
def test_recommend_request_is_strict(body: dict[str, Any]) -> None:
    assert not is_valid(requests.RecommendRequest, body)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        pytest.param(requests.RecommendRequest, {"history": [{}] * 10_000}, id="history"),
        pytest.param(requests.RecommendRequest, {"include_ids": [[]] * 10_000}, id="ids"),
        pytest.param(requests.PredictRequest, {"movie_ids": [[]] * 1_000}, id="predictions"),
        pytest.param(requests.EventsRequest, {"events": [{}] * 1_000}, id="events"),
        pytest.param(
            requests.RecommendRequest, {f"key {n}": 1 for n in range(10_000)}, id="unknown-keys"
        ),
    ],
)
def test_request_error_names_few_faults(model: type[BaseModel], body: Any) -> None:
    with pytest.raises(ValidationError) as error:  # a body of 250,000 faults took 9 s to answer
        model.model_validate_json(TypeAdapter(Any).dump_json(body))
    assert error.value.error_count() <= 5


@pytest.mark.parametrize(
    ("model", "field"), [(requests.BatchRequest, "requests"), (requests.EventsRequest, "events")]
)
def test_malformed_element_names_few_faults(model: type[BaseModel], field: str) -> None:
    example: Any = REQUEST_EXAMPLES["/recommend" if field == "requests" else "/events"]
    good = example if field == "requests" else example["events"][0]
    body = {field: [{f"key {n}": 1 for n in range(60)}, good]}
    malformed, _ = getattr(model.model_validate_json(TypeAdapter(Any).dump_json(body)), field)
    (fault,) = malformed.faults
    assert fault["msg"].startswith("6") and "faults, expected none" in fault["msg"]


@pytest.mark.parametrize("user_id", [42, -1, "42", "é𝕳", "x" * 128, "a b/..", "\u202e"])
def test_user_id_is_an_integer_or_short_text(user_id: Any) -> None:
    assert is_valid(requests.RecommendRequest, {"user_id": user_id})


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_request_number_is_finite(text: str) -> None:
    with pytest.raises(ValidationError):
        requests.RecommendRequest.model_validate_json(f'{{"novelty": {text}}}')


@pytest.mark.parametrize("value", ["6", "06", "6.0", "-6", "x", "1_0", str(2**63)])
def test_movie_params_id_is_text(value: str) -> None:
    assert requests.MovieParams.model_validate({"movie_id": value}).movie_id == value


@pytest.mark.parametrize("value", ["", "x" * 129, "6\n", 6])
def test_movie_params_other_text_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError):
        requests.MovieParams.model_validate({"movie_id": value})


def test_search_params_default_and_unknown_parameter() -> None:
    assert requests.SearchParams.model_validate({"q": "heat"}).k == 10
    for params in ({}, {"q": ""}, {"q": "x" * 201}, {"q": "heat", "page": "2"}, {"q": ["a", "b"]}):
        with pytest.raises(ValidationError):
            requests.SearchParams.model_validate(params)
