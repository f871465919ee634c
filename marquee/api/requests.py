"""The requests and answers of the HTTP interface. Unknown keys, NaN and wrong types are refused.

In a body numbers are not read from text and booleans are no integers: {"k": "10"} and {"k": true}
get 422.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from marquee.feedback.events import MAX_ID as MAX_TEXT

MAX_ID = 2**63 - 1
MAX_HISTORY = 10_000
MAX_IDS = 10_000
MAX_PREDICTIONS = 1_000
MAX_REQUESTS = 256
MAX_EVENTS = 1_000

MovieId = Annotated[int, Field(ge=0, le=MAX_ID)]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"^[^\x00-\x1f\x7f]+$")]
UserId = Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)] | Text
Year = Annotated[int, Field(ge=0, le=9999)]
Genre = Annotated[str, Field(max_length=64)]
Strength = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
ChartKind = Literal["popular", "trending", "new", "hidden_gems"]
K = Annotated[int, Field(ge=1, le=100, description="how many movies")]


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class Watched(_Request):
    """One film of a history."""

    movie_id: MovieId
    stars: float | None = None
    portion: float | None = Field(None, ge=0, le=1, description="share of the film watched")
    at: AwareDatetime | None = Field(None, description="RFC 3339, with its offset")


class Filters(_Request):
    """Which movies may be in the answer; all given ones must hold."""

    genres: list[Genre] | None = Field(None, max_length=100, description="at least one of these")
    exclude_genres: list[Genre] | None = Field(None, max_length=100, description="none of these")
    year_min: Year | None = None
    year_max: Year | None = None
    min_ratings: int | None = Field(None, ge=0, le=MAX_ID, description="training ratings")


class Person(_Request):
    """Who asks: a stored person, a history, or both, the stored part first."""

    user_id: UserId | None = Field(None, description="whose stored history comes first")
    history: list[Watched] | None = Field(None, max_length=MAX_HISTORY, description="oldest first")


class RecommendRequest(Person):
    """A list for one person."""

    k: K = 10
    offset: int = Field(0, ge=0, le=MAX_ID, description="an answer's next_offset")
    filters: Filters | None = None
    include_ids: list[MovieId] | None = Field(None, max_length=MAX_IDS, description="only these")
    exclude_ids: list[MovieId] | None = Field(None, max_length=MAX_IDS)
    exclude_seen: bool = True
    diversity: Strength = Field(0.0, description="away from movies that are alike")
    calibration: Strength = Field(0.0, description="towards the genre mix of the history")
    novelty: Strength = Field(0.0, description="away from what everybody watches")
    freshness: Strength = Field(0.0, description="towards the catalogue's newest years")
    genre_profile: dict[Genre, Weight] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="genre -> weight, one above 0: the mix to follow; fully where calibration is 0",
    )
    explain: bool = Field(False, description="say because of what each movie is listed")


class BatchRequest(_Request):
    """Lists for many; each is answered or refused by itself."""

    requests: list[RecommendRequest] = Field(min_length=1, max_length=MAX_REQUESTS)


class PredictRequest(Person):
    """Stars of these movies for one person."""

    movie_ids: list[MovieId] = Field(min_length=1, max_length=MAX_PREDICTIONS)


class RerankRequest(PredictRequest):
    """These movies, best first."""


class SimilarRequest(_Request):
    """Give movie_id or movie_ids."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [_given("movie_id"), _given("movie_ids")]}
    )
    movie_id: MovieId | None = None
    movie_ids: list[MovieId] | None = Field(None, min_length=1, max_length=100)
    k: K = 10
    filters: Filters | None = None


class ChartsRequest(_Request):
    """A list that is the same for everybody."""

    kind: ChartKind
    k: K = 10
    filters: Filters | None = None


class RateNextRequest(Person):
    """What to ask this person about."""

    k: K = 10


class Happened(_Request):
    """One thing that a person did. stars: with a rating, and only there; portion: with a watch."""

    event_id: Text
    user_id: UserId
    movie_id: MovieId
    kind: Literal["rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen"]
    stars: float | None = None
    portion: float | None = Field(None, ge=0, le=1, description="share of the film watched")
    at: AwareDatetime = Field(description="RFC 3339, with its offset")


class EventsRequest(_Request):
    """Things that people did, in any order."""

    events: list[Happened] = Field(min_length=1, max_length=MAX_EVENTS)


def _digits(text: object) -> object:
    """Python also reads "1_0" and " 10" as ten."""
    if not (isinstance(text, str) and text.isascii() and text.isdigit()):
        raise PydanticCustomError("digits", "expected digits only")
    return text


class _Query(BaseModel):
    """A path or query string: everything in it is text, so numbers are read from text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchQuery(_Query):
    q: str = Field(min_length=1, max_length=200)
    k: Annotated[K, BeforeValidator(_digits)] = 10


class MovieQuery(_Query):
    movie_id: Annotated[MovieId, BeforeValidator(_digits)]


class UserQuery(_Query):
    user_id: Text
