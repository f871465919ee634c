"""Ids of requests: which JSON values are one, and which of them are safe in a path.

    TypeAdapter(MovieIdIn).validate_json("7.0")  # 7; true, null and "" are no ids
    TypeAdapter(UserId).validate_json('"a/b"')   # any text; 7.0 is 7, other fractions are no id
    is_safe_in_path("a/b")                       # False: a proxy may read two parts, or drop one

Every check of a plain id runs in pydantic's Rust code: a history has 10,000 of them. What an id
means in a bundle is decided by marquee/recommender/foreign_ids.py alone, for all endpoints.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypeAliasType

from marquee.core.id_limits import MAX_ID_LENGTH, MAX_INT64
from marquee.recommender.responses import MOVIE_ID

EXACT_FLOATS = 2**53
"""From here on a float is the nearest of several integers: another id, perhaps."""
NO_CONTROL_CHARACTERS = r"^[^\x00-\x1f\x7f]+$"
NO_NUL = r"^[^\x00]+$"  # an id of a data set may hold any other character
SAFE_IN_PATH = re.compile(r"[A-Za-z0-9._~@:+-]+")
PATH_RULE = (
    "expected ASCII letters, digits and . _ ~ @ : + - alone, no word of the API and no query"
)
PATH_TEXT = {"type": "string", "maxLength": MAX_ID_LENGTH, "pattern": f"^{SAFE_IN_PATH.pattern}$"}
UNSAFE_NAMES = frozenset({".", "..", "history", "erase", "export", "settings"})
"""Text of safe letters that is a direction in a path, or a word of the API."""


def is_safe_in_path(value: str) -> bool:
    """Return whether no proxy and no router reads this id as anything else."""
    return SAFE_IN_PATH.fullmatch(value) is not None and value not in UNSAFE_NAMES


def whole_number(value: object) -> object:
    """Return the integer of a whole float that has one; every other value as it is."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOATS
    return int(value) if is_whole else value  # type: ignore[call-overload]


def _whole_or_text(value: object) -> object:
    """Return the integer of a whole float, and of an integer beyond 64 bits its digits."""
    return str(value) if type(value) is int else whole_number(value)


class _Id:
    """The schema of an id: plain values first, then what `convert` makes of others."""

    def __init__(
        self,
        plain: list[CoreSchema],
        converted: list[CoreSchema],
        convert: Callable[[object], object],
        json_schema: dict[str, Any],
        expected: str,
    ) -> None:
        others = core_schema.union_schema([*converted], mode="left_to_right")
        self._schema = core_schema.union_schema(
            [*plain, core_schema.no_info_before_validator_function(convert, others)],
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


def _text(pattern: str) -> CoreSchema:
    return core_schema.str_schema(
        min_length=1, max_length=MAX_ID_LENGTH, pattern=pattern, strict=True
    )


_INT64 = core_schema.int_schema(ge=-MAX_INT64 - 1, le=MAX_INT64, strict=True)
_FRACTION = core_schema.float_schema(
    gt=-EXACT_FLOATS, lt=EXACT_FLOATS, allow_inf_nan=False, strict=True
)
_LONG_INT = core_schema.int_schema(
    gt=-(10 ** (MAX_ID_LENGTH - 1)), lt=10**MAX_ID_LENGTH, strict=True
)

MovieIdIn = TypeAliasType(  # openapi.py calls it MovieId, as the id in a response
    "MovieIdIn",
    Annotated[
        int | str | float,
        _Id(
            [_INT64, _text(NO_NUL)],
            [_INT64, _text(NO_NUL), _FRACTION],
            _whole_or_text,
            MOVIE_ID,
            f"an integer, or text of 1 to {MAX_ID_LENGTH} characters",
        ),
    ],
)
UserId = TypeAliasType(  # a component of the OpenAPI document: one class in a generated client
    "UserId",
    Annotated[
        int | str,
        _Id(
            [_LONG_INT, _text(NO_CONTROL_CHARACTERS)],
            [_LONG_INT],
            whole_number,
            {
                "anyOf": [
                    {"type": "integer"},
                    {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": MAX_ID_LENGTH,
                        "pattern": NO_CONTROL_CHARACTERS,
                    },
                ]
            },
            f"an integer, or text of 1 to {MAX_ID_LENGTH} characters without control characters",
        ),
    ],
)
