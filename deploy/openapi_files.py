"""Write openapi.json, and the types of its responses for the Python client.

    make openapi        # python -m deploy.openapi_files

Every component that a response refers to becomes a TypedDict of the same name. A key that is not
required is NotRequired, a description is a docstring. Constraints (ge, le) have no type and stay in
openapi.json. Requests are written by hand (marquee_client/requests.py): a caller may send a
datetime, any sequence, or numbers of numpy, which JSON Schema cannot say.
"""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marquee.api.openapi import document

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "openapi.json"
CLIENT_TYPES = ROOT / "clients/python/marquee_client/types.py"
HEADER = '''"""The responses of the service, generated from openapi.json by `make openapi`."""

from typing import Any, Literal, NotRequired, TypedDict
'''
SIMPLE_TYPES = {
    "boolean": "bool",
    "integer": "int",
    "null": "None",
    "number": "float",
    "string": "str",
}
MAX_LINE = 100


def main() -> None:
    """Write both files."""
    for path, text in generated_files().items():
        path.write_text(text)


def generated_files() -> dict[Path, str]:
    """Return the text of both files; a test compares it with what is committed."""
    openapi = document()
    text = json.dumps(openapi, indent=2, ensure_ascii=False) + "\n"
    return {OPENAPI: text, CLIENT_TYPES: client_types(openapi)}


def client_types(openapi: dict[str, Any]) -> str:
    """Return the source of a module with the TypedDicts of all responses."""
    schemas = openapi["components"]["schemas"]
    names: dict[str, None] = {}  # in the order of their definition: what a class needs comes first
    for operations in openapi["paths"].values():
        for operation in operations.values():
            for reference in references(operation["responses"]):
                collect(reference, schemas, names)
    return HEADER + "".join(f"\n\n{typed_dict(name, schemas[name])}" for name in names)


def collect(name: str, schemas: dict[str, Any], names: dict[str, None]) -> None:
    """Add a component's name after the names of the components that it refers to."""
    for reference in references(schemas[name]):
        collect(reference, schemas, names)
    names[name] = None


def references(value: Any) -> Iterator[str]:
    """Yield the names of the components that a part of the document refers to."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def typed_dict(name: str, schema: dict[str, Any]) -> str:
    """Return the source of one class."""
    lines = [f"class {name}(TypedDict):"]
    if "description" in schema:
        lines += [*docstring(schema["description"]), ""]
    for key, field in schema["properties"].items():
        annotation = python_type(field)
        if key not in schema.get("required", ()):
            annotation = f"NotRequired[{annotation}]"
        lines.append(f"    {key}: {annotation}")
        lines += docstring(field["description"]) if "description" in field else []
    return "\n".join(lines) + "\n"


def python_type(schema: dict[str, Any]) -> str:
    """Return the annotation for one JSON Schema."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(python_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(value) for value in schema['enum'])}]"
    if schema["type"] == "array":
        return f"list[{python_type(schema['items'])}]"
    if schema["type"] == "object":
        return "dict[str, Any]"
    return SIMPLE_TYPES[schema["type"]]


def docstring(text: str) -> list[str]:
    """Return an indented docstring, wrapped; paragraphs stay apart."""
    lines: list[str] = []
    for paragraph in f'"""{text}"""'.split("\n\n"):
        lines += [*textwrap.wrap(paragraph, MAX_LINE - 4), ""]
    return [f"    {line}".rstrip() for line in lines[:-1]]


if __name__ == "__main__":
    main()
