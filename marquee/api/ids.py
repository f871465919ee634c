"""Ids of requests: which JSON values are one, and which of them are safe in a path.

    TypeAdapter(MovieId).validate_json("7.0")    # 7, as are 7 and "7"; 7.5, true and "07" are none
    TypeAdapter(UserId).validate_json('"a/b"')   # any text; 7.0 is 7, other fractions are no id
    is_safe_in_path("a/b")                       # False: a proxy may read two parts, or drop one

Every check of a plain id runs in pydantic's Rust code: a history has 10,000 of them.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType

from marquee.feedback.errors import MAX_ID_CHARS

MAX_INT64 = 2**63 - 1
EXACT_FLOATS = 2**53
"""From here on a float is the nearest of several integers: another id, perhaps."""
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f]+$"
DIGITS = r"^(0|[1-9][0-9]{0,18})$"
SAFE_IN_PATH = re.compile(r"[A-Za-z0-9._~@:+-]+")
PATH_RULE = (
    "expected ASCII letters, digits and . _ ~ @ : + - alone, no word of the API and no query"
)
PATH_TEXT = {"type": "string", "maxLength": MAX_ID_CHARS, "pattern": f"^{SAFE_IN_PATH.pattern}$"}
UNSAFE_NAMES = frozenset({".", "..", "history", "erase", "export", "settings"})
"""Text of safe letters that is a direction in a path, or a word of the API."""
_is_digits = re.compile(DIGITS.strip("^$")).fullmatch


def is_safe_in_path(value: str) -> bool:
    """Return whether no proxy and no router reads this id as anything else."""
    return SAFE_IN_PATH.fullmatch(value) is not None and value not in UNSAFE_NAMES


def movie_number(value: object) -> object:
    """Return the integer of 7.0 and "7"; every other value as it is."""
    if isinstance(value, str) and _is_digits(value):
        return int(value)
    return whole_number(value)


def whole_number(value: object) -> object:
    """Return the integer of a whole float that has one; every other value as it is."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOATS
    return int(value) if is_whole else value  # type: ignore[call-overload]


class _Id:
    """The schema of an id: plain values first, then what `convert` makes an integer of."""

    def __init__(
        self,
        integer: CoreSchema,
        text: CoreSchema | None,
        convert: Callable[[object], object],
        json_schema: dict[str, Any],
        expected: str,
    ) -> None:
        converted = core_schema.no_info_before_validator_function(convert, integer)
        self._schema = core_schema.union_schema(
            [integer, *([text] if text else []), converted],
            mode="left_to_right",
            custom_error_type="id",
            custom_error_message=f"expected {expected}",
        )
        self._json_schema = json_schema

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return self._schema.copy()  # pydantic adds a name to it

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return self._json_schema


MovieId = Annotated[
    int,
    _Id(
        core_schema.int_schema(ge=0, le=MAX_INT64, strict=True),
        None,
        movie_number,
        {"type": "integer", "minimum": 0, "maximum": MAX_INT64},  # no union: clients pass an int
        f"an integer from 0 to {MAX_INT64}, or its digits as text",
    ),
]
UserId = TypeAliasType(  # a component of the OpenAPI document: one class in a generated client
    "UserId",
    Annotated[
        int | str,
        _Id(
            core_schema.int_schema(
                gt=-(10 ** (MAX_ID_CHARS - 1)), lt=10**MAX_ID_CHARS, strict=True
            ),
            core_schema.str_schema(
                min_length=1, max_length=MAX_ID_CHARS, pattern=NO_CONTROL_CHARACTERS, strict=True
            ),
            whole_number,
            {
                "anyOf": [
                    {"type": "integer"},
                    {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": MAX_ID_CHARS,
                        "pattern": NO_CONTROL_CHARACTERS,
                    },
                ]
            },
            f"an integer, or text of 1 to {MAX_ID_CHARS} characters without control characters",
        ),
    ],
)
