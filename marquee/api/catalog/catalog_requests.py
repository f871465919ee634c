"""The requests that change the catalog and its rules, and their limits."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from marquee.api.ids import MovieIdIn
from marquee.api.request_base import Genre, Int64, ListRequest, Request, ShortText, Text, Year
from marquee.api.requests import Params, digits
from marquee.api.validation import ABOUT_TIME, EachByItself, Malformed, Time
from marquee.core.times import rfc3339, unix_us

MAX_MOVIES = 1_000
MAX_MOVIES_PAGE = 1_000
MAX_TITLE_LENGTH = 1_000
MAX_VALUES = 100  # of one list
MAX_VECTOR_LENGTH = 4_096
MICROS = 1_000_000

Title = Annotated[str, Field(max_length=MAX_TITLE_LENGTH)]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166, such as DE")]
AttributeValue = (
    ShortText
    | Int64
    | float
    | bool
    | Annotated[list[ShortText | Int64 | float], Field(max_length=MAX_VALUES)]
    | None
)


class MovieIn(Request):
    """A title as a platform describes it: an absent field stays, null clears it."""

    movie_id: MovieIdIn
    title: Title | None = None
    titles: dict[ShortText, Title] | None = Field(
        None, max_length=MAX_VALUES, description="by language; search finds them, too"
    )
    year: Year | None = None
    genres: list[Annotated[Genre, Field(min_length=1)]] | None = Field(None, max_length=MAX_VALUES)
    kind: Literal["movie", "series", "season", "episode"] | None = None
    parent_id: MovieIdIn | None = Field(None, description="the series of a season, and so on")
    number: int | None = Field(None, ge=0, le=1_000_000, description="within the parent, from 1")
    runtime_min: float | None = Field(None, gt=0, le=100_000)
    attributes: dict[Text, AttributeValue] | None = Field(None, max_length=MAX_VALUES)
    countries: list[Country] | None = Field(
        None, min_length=1, max_length=300, description="where it may be seen; null: everywhere"
    )
    available_from: Time | None = Field(None, description=ABOUT_TIME)
    available_until: Time | None = Field(None, description=ABOUT_TIME)
    min_age: int | None = Field(None, ge=0, le=200)
    artwork_url: str | None = Field(None, max_length=2_000, pattern="^https?://")
    vector: list[float] | None = Field(None, min_length=1, max_length=MAX_VECTOR_LENGTH)

    def document(self) -> dict[str, Any]:
        """Return the fields that were sent, as the store keeps them."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("available_from", "available_until"):
            if fields.get(name) is not None:  # whole seconds: text in the order of time
                fields[name] = rfc3339(unix_us(fields[name]) // MICROS * MICROS)
        return fields


class MoviesRequest(ListRequest):
    """Titles of the catalog; each is taken or rejected by itself."""

    movies: Annotated[list[MovieIn | Malformed], EachByItself(MovieIn, MAX_MOVIES)]


class MoviesPageParams(Params):
    cursor: str | None = Field(None, max_length=1_000, description="an answer's next_cursor")
    limit: Annotated[
        int, BeforeValidator(digits), Field(ge=1, le=MAX_MOVIES_PAGE, description="how many")
    ] = 100
