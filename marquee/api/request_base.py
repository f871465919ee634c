"""The base of requests, and the types that several share.

Unknown keys, NaN and wrong types ({"k": "10"}) get 422.
"""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from marquee.api.ids import NO_CONTROL_CHARACTERS
from marquee.api.validation import bounded, parsable
from marquee.core.id_limits import MAX_ID_LENGTH, MAX_INT64

Text = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH, pattern=NO_CONTROL_CHARACTERS)]
Year = Annotated[int, Field(ge=0, le=9999)]
Genre = Annotated[str, Field(max_length=64)]
Strength = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Offset = Annotated[int, Field(ge=0, le=MAX_INT64, description="an answer's next_offset")]
ShortText = Annotated[str, Field(max_length=MAX_ID_LENGTH)]
Int64 = Annotated[int, Field(ge=-MAX_INT64 - 1, le=MAX_INT64)]
Value = (
    ShortText
    | Int64
    | float
    | bool
    | Annotated[list[ShortText | Int64 | float], Field(max_length=100)]
    | None
)
K = Annotated[int, Field(ge=1, le=100, description="how many movies")]
Viewer = Annotated[
    dict[Genre, Value],
    Field(
        max_length=100,
        description="what is known of the user, by name: country and max_age decide what may be "
        "seen, /model names the features that count",
    ),
]
Surface = Annotated[
    str, Field(min_length=1, max_length=64, description="where the list is shown, for rules")
]


class Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Validate a body, as BentoML does; an error names few of its faults."""
        try:
            return cls.__pydantic_validator__.validate_json(json_data, **options)
        except ValidationError as error:
            raise bounded(error) from None


class ListRequest(Request):
    """A list whose elements are judged one by one.

    Text and numbers that no parser takes are judged, too."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        try:
            return super().model_validate_json(json_data, **options)
        except ValidationError as error:
            if error.errors(include_input=False)[0]["type"] != "json_invalid":
                raise
            body = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
            return super().model_validate_json(parsable(body), **options)
