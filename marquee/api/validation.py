"""Types of request fields that pydantic lacks: a time on the wire, and a list judged one by one.

    TypeAdapter(Time).validate_json('"2026-11-01T10:00:00+02:00"')    # a datetime
    TypeAdapter(Time).validate_json('"20261101"')                     # ValidationError
    Annotated[list[EventIn | Malformed], EachByItself(EventIn, max_length=1000)]

RFC 3339 leaves two choices: a space may stand for the T, and a leap second (":60") is refused,
because Unix time has none. Fractions beyond a microsecond are cut off.

A body of 1 MiB can hold 250,000 faults, whose report would cost nine seconds. So a list of a
request names its first faulty element alone, and MAX_FAULTS bounds the unknown keys.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
)
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

ABOUT_TIME = "RFC 3339 with its zone, such as 2026-11-01T10:00:00Z or 2026-11-01T12:00:00+02:00"
# Alone, digits would be Unix time, and a time without a zone would be that of any zone.
RFC3339 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)

MAX_FAULTS = 50  # of one error; above that a body is of keys that we do not know
# What is JSON by its grammar, but no value of pydantic's parser. Escapes are read in pairs.
ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
LONG_INTEGER = re.compile(rb"(?<![0-9.eE+])(?<![eE]-)([0-9]{1000})[0-9]{3000,}(?![0-9eE])")


class _Rfc3339:
    """The schema of a time. Pydantic's Rust code checks it: a history has 10,000 of them."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=RFC3339, strict=True)
        time = core_schema.datetime_schema(tz_constraint="aware", strict=False)
        return core_schema.custom_error_schema(
            core_schema.chain_schema([text, time]),
            custom_error_type="time",
            custom_error_message=f"expected {ABOUT_TIME}",
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


Time = Annotated[datetime, _Rfc3339()]


@dataclass(frozen=True)
class Malformed:
    """An element of a list that has not the form of an item, and every fault in it."""

    value: object
    faults: list[ErrorDetails]


class EachByItself:
    """The schema of a list whose malformed elements become Malformed, in their places.

    All elements are validated together; one by one only after an error. A list without a single
    element of the right form is an error.
    """

    def __init__(self, item: type[BaseModel], max_length: int) -> None:
        self._item, self._max_length = item, max_length

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        items = handler.generate_schema(self._item)
        elements = core_schema.list_schema(items, min_length=1, max_length=self._max_length)
        return core_schema.no_info_wrap_validator_function(self._validate, elements)

    def _validate(self, elements: object, validate: ValidatorFunctionWrapHandler) -> list[Any]:
        try:
            judged: list[Any] = validate(elements)
            return judged
        except ValidationError:
            if not isinstance(elements, list) or not 1 <= len(elements) <= self._max_length:
                raise
            judged = [_judge(element, validate) for element in elements]
            if all(isinstance(element, Malformed) for element in judged):
                validate(elements[:1])  # raises the error of the first, in place of all
            return judged


def _judge(element: object, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate([element])[0]
    except ValidationError as error:
        faults = bounded(error).errors(include_input=False, include_url=False)
        for fault in faults:
            fault["loc"] = fault["loc"][1:]  # without the place in this list of one
        return Malformed(element, faults)


def bounded(error: ValidationError) -> ValidationError:
    """Return an error of at most MAX_FAULTS faults: the same, or one that counts them."""
    count = error.error_count()
    if count <= MAX_FAULTS:
        return error
    message = f"{count:,} faults, expected none; compare a smaller body with /openapi.json"
    fault = PydanticCustomError("faults", "{message}", {"message": message})
    return ValidationError.from_exception_data(error.title, [{"type": fault, "input": None}])


def parsable(body: bytes) -> bytes:
    """Return a body that pydantic's parser reads, as far as its values are to blame.

    Half a surrogate pair becomes U+0000, which no id and no time holds. An integer of thousands of
    digits, beyond every limit, loses some. So the element that holds it is refused, and no other.
    """
    body = ESCAPE.sub(lambda match: rb"\u0000" if match[1] else match[0], body)
    return LONG_INTEGER.sub(rb"\1", body)
