"""Write openapi.json, and the types of its responses for the Python client: `make openapi`.

The types of requests are written by hand: a caller may send a datetime, any sequence, or numbers of
numpy, which JSON Schema cannot say.
"""

import json
import re
import textwrap
from pathlib import Path
from typing import Any

from marquee.api.openapi import document

ROOT = Path(__file__).resolve().parent.parent
OPENAPI = ROOT / "openapi.json"
CLIENT_TYPES = ROOT / "clients/python/marquee_client/types.py"
HEADER = '''"""The responses of the service, generated from openapi.json by `make openapi`."""

from typing import Any, Literal, NotRequired, TypedDict
'''
SIMPLE_TYPES = {"boolean": "bool", "integer": "int", "null": "None", "number": "float"}
SIMPLE_TYPES |= {"string": "str", "object": "dict[str, Any]"}
INDENT = "    "
WIDTH = 100


def generated_files() -> dict[Path, str]:
    """Return the text of both files; a test compares it with what is committed."""
    openapi = document()
    text = json.dumps(openapi, indent=2, ensure_ascii=False) + "\n"
    return {OPENAPI: text, CLIENT_TYPES: client_types(openapi)}


def client_types(openapi: dict[str, Any]) -> str:
    """Return a module with a TypedDict, or a union, for each component of a response."""
    schemas = openapi["components"]["schemas"]
    fields = {
        name: fields_of(schema)
        for name, schema in schemas.items()
        if "properties" in schema and not name.endswith("Request")  # no response extends those
    }
    classes: dict[str, str] = {}

    def add(names: list[str]) -> None:
        for name in names:
            if name not in fields:  # MovieId, which is an integer or text
                text = f"{name} = {python_type(schemas[name])}"
                classes[name] = f"{text}  # {schemas[name].get('description', '')}"
                continue
            bases = [other for other in fields if fields[other].items() < fields[name].items()]
            base = max(bases, key=lambda other: len(fields[other]), default=None)
            if name not in classes:
                add([*references(schemas[name]), *([base] if base else [])])
                inherited = fields[base] if base else {}
                lines = [line for field, line in fields[name].items() if field not in inherited]
                head = [f"class {name}({base or 'TypedDict'}):", docstring(schemas[name]), ""]
                classes[name] = "\n".join(head + lines)

    operations = [one for path in openapi["paths"].values() for one in path.values()]
    add(references([operation["responses"] for operation in operations]))
    lines = [f"\n{text}\n" for text in classes.values()]
    return HEADER + "".join("\n" * text.startswith("\nclass ") + text for text in lines)


def references(part: Any) -> list[str]:
    return re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part))


def fields_of(schema: dict[str, Any]) -> dict[str, str]:
    lines = {}
    for name, field in schema.get("properties", {}).items():
        annotation = python_type(field)
        if name not in schema.get("required", ()):
            annotation = f"NotRequired[{annotation}]"
        line = f"{INDENT}{name}: {annotation}"
        if "description" in field and len(line) + len(field["description"]) + 4 <= WIDTH:
            line = f"{line}  # {field['description']}"
        elif "description" in field:
            line = f"{wrap(field['description'], INDENT + '# ')}\n{line}"
        lines[name] = line
    return lines


def python_type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return references(schema)[0]
    if "anyOf" in schema:
        return " | ".join(python_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return f"Literal[{', '.join(json.dumps(value) for value in schema['enum'])}]"
    if schema["type"] == "array":
        return f"list[{python_type(schema['items'])}]"
    return SIMPLE_TYPES[schema["type"]]


def docstring(schema: dict[str, Any]) -> str:
    paragraphs = f'"""{schema.get("description", "")}"""'.split("\n\n")
    return "\n\n".join(wrap(paragraph, INDENT) for paragraph in paragraphs)


def wrap(text: str, indent: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


if __name__ == "__main__":
    for path, text in generated_files().items():
        path.write_text(text)
