"""Test how documents of titles are put together and written."""

from typing import Any

import pytest

from marquee.catalog.documents import changes_by_key, decoded, encoded, merged
from marquee.core.errors import InputError

HEAT = {"title": "Heat", "year": 1995, "attributes": {"studio": "Regency", "cast": ["Pacino"]}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, HEAT, id="nothing"),
        pytest.param({"year": None}, HEAT | {"year": None}, id="null-is-stored"),
        pytest.param({"genres": ["Crime"]}, HEAT | {"genres": ["Crime"]}, id="new-field"),
        pytest.param(
            {"attributes": {"studio": None, "plan": "gold"}},
            HEAT | {"attributes": {"studio": None, "cast": ["Pacino"], "plan": "gold"}},
            id="attributes-by-name",
        ),
        pytest.param({"attributes": {}}, HEAT, id="no-attributes"),
        pytest.param({"attributes": None}, HEAT | {"attributes": None}, id="attributes-cleared"),
        pytest.param({"titles": {"de": "Hitze"}}, HEAT | {"titles": {"de": "Hitze"}}, id="titles"),
    ],
)
def test_merged_document_has_the_fields_of_both(
    change: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert merged(HEAT, change) == expected
    assert merged(merged(HEAT, change), change) == expected


def test_merged_document_after_cleared_attributes_has_the_new() -> None:
    assert merged({"attributes": None}, {"attributes": {"a": 1}}) == {"attributes": {"a": 1}}


def test_changes_by_key_are_in_the_order_of_documents() -> None:
    documents = [
        {"movie_id": 6, "year": 1995, "attributes": {"a": 1, "b": 1}},
        {"movie_id": "6", "year": 2000},
        {"movie_id": 6, "title": "Heat", "attributes": {"b": 2}},
    ]
    assert changes_by_key(documents) == {
        "6": [
            {"year": 1995, "attributes": {"a": 1, "b": 1}},
            {"title": "Heat", "attributes": {"b": 2}},
        ],
        '"6"': [{"year": 2000}],
    }
    assert "movie_id" in documents[0]


def test_encoded_documents_of_other_types_differ() -> None:
    texts = {encoded("movie 6", {"a": value}) for value in (1, 1.0, True, "1", [1], None)}
    assert len(texts) == 6


def test_encoded_document_ignores_the_order_of_fields() -> None:
    document = {"b": {"d": 1, "c": [2, 1]}, "a": "é\0\N{GRINNING FACE}"}
    text = encoded("movie 6", document)
    assert text == encoded("movie 6", {"a": document["a"], "b": {"c": [2, 1], "d": 1}})
    assert decoded(text) == document and "\0" not in text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("\ud800", id="surrogate"),
        pytest.param(2**64, id="65-bits"),
        pytest.param({1: 2}, id="number-as-name"),
        pytest.param(object(), id="object"),
    ],
)
def test_encoded_document_that_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"movie 6: .*, expected values of JSON; correct"):
        encoded("movie 6", {"title": value})
