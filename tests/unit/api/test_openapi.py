"""Test the OpenAPI document, and the client's types that are generated from it."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.openapi_files import CLIENT_TYPES, OPENAPI, client_types, generated_files
from marquee.api.openapi import OPEN_PATHS, POST_ENDPOINTS, ROUTES, document
from marquee.api.openapi_examples import REQUEST_EXAMPLES, RESPONSE_EXAMPLES

OPERATIONS = [
    (path, method, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
]
IDS = [f"{method}-{path}" for path, method, _ in OPERATIONS]


@pytest.mark.parametrize("path", [OPENAPI, CLIENT_TYPES], ids=lambda path: path.name)
def test_openapi_files_are_up_to_date(path: Path) -> None:
    assert path.read_text() == generated_files()[path], "run make openapi"


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
def test_openapi_operation_needs_a_key_unless_it_is_open(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert (operation.get("security") == []) is (path in OPEN_PATHS)
    assert ("401" in operation["responses"]) is (path not in OPEN_PATHS)


def test_openapi_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(ids)) == len(ids) and all(name.isidentifier() for name in ids)


def test_openapi_examples_are_of_the_endpoints() -> None:
    assert set(RESPONSE_EXAMPLES) == {*POST_ENDPOINTS, *ROUTES}
    assert set(REQUEST_EXAMPLES) <= set(RESPONSE_EXAMPLES)


@pytest.mark.parametrize("word", ["default", "const", "oneOf", "allOf", "not"])
def test_openapi_has_no_word_that_generators_misread(word: str) -> None:
    """tests/e2e/test_generated_clients.py runs generators that did."""
    components, parameters = document()["components"], [o.get("parameters") for *_, o in OPERATIONS]
    assert f'"{word}":' not in json.dumps([components, parameters])


def test_openapi_default_is_in_the_description() -> None:
    fields = document()["components"]["schemas"]["RecommendRequest"]["properties"]
    assert fields["k"]["description"] == "how many movies; by default 10"
    assert fields["exclude_seen"]["description"] == "by default true"


def test_openapi_no_response_takes_unknown_keys() -> None:
    schemas = document()["components"]["schemas"]
    is_open = {name for name, schema in schemas.items() if schema.get("additionalProperties")}
    assert is_open == {"ModelCard"}


def module_of(schemas: dict[str, Any], *responses: str) -> dict[str, Any]:
    """Run the generated module of a small document."""
    content = [{"$ref": f"#/components/schemas/{name}"} for name in responses]
    paths = {"/x": {"get": {"responses": {"200": {"content": content}}}}}
    names: dict[str, Any] = {}
    exec(client_types({"paths": paths, "components": {"schemas": schemas}}), names)
    return names


TEXT = {"type": "string"}
BASE = {"properties": {"id": {"type": "integer"}}, "required": ["id"], "description": "A base."}


def test_client_types_of_every_json_type() -> None:
    fields = {
        "a": {"type": "array", "items": {"anyOf": [TEXT, {"type": "null"}]}},
        "b": {"enum": ["x", "y"], "type": "string"},
        "c": {"type": "object"},
        "d": {"type": "number"},
        "e": {"type": "boolean"},
    }
    names = module_of({"Thing": {"properties": fields, "required": list("abcd")}}, "Thing")
    thing = names["Thing"]
    assert thing.__annotations__["a"] == list[str | None]
    assert thing.__annotations__["d"] is float
    assert thing.__required_keys__ == set("abcd") and thing.__optional_keys__ == {"e"}


def test_client_types_component_inherits_from_the_one_it_extends() -> None:
    wider = {"properties": BASE["properties"] | {"name": TEXT}, "required": ["id", "name"]}
    widest = {
        "properties": wider["properties"] | {"year": {"type": "integer"}},  # type: ignore[dict-item]
        "required": ["id", "name"],
    }
    schemas = {"Widest": widest, "Wider": wider, "Base": BASE}
    source = client_types(
        {
            "paths": {"/": {"get": {"responses": {"$ref": "#/components/schemas/Widest"}}}},
            "components": {"schemas": schemas},
        }
    )
    assert "class Wider(Base):" in source and "class Widest(Wider):" in source
    assert (
        source.index("class Base(") < source.index("class Wider(") < source.index("class Widest(")
    )
    names = module_of(schemas, "Widest")
    assert names["Widest"].__required_keys__ == {"id", "name"}


def test_client_types_other_requirement_is_no_base() -> None:
    looser = {"properties": BASE["properties"] | {"name": TEXT}, "required": ["name"]}
    source = json.dumps(list(module_of({"Looser": looser, "Base": BASE}, "Looser")))
    assert '"Looser"' in source and '"Base"' not in source


def test_client_types_description_is_wrapped() -> None:
    text = "word " * 40
    schema = {"properties": {"id": TEXT}, "required": ["id"], "description": text.strip()}
    source = client_types(
        {
            "paths": {"/": {"get": {"responses": {"$ref": "#/components/schemas/Long"}}}},
            "components": {"schemas": {"Long": schema}},
        }
    )
    assert max(len(line) for line in source.splitlines()) <= 100
