"""The requests and answers of the HTTP interface. Unknown keys, NaN and wrong types are refused.

In a body numbers are not read from text and booleans are no integers: {"k": "10"} and {"k": true}
get 422.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from serving.events import MAX_USER_ID

MAX_ID = 2**63 - 1
MAX_HISTORY = 10_000
MAX_IDS = 10_000
MAX_PREDICTIONS = 1_000

MovieId = Annotated[int, Field(ge=0, le=MAX_ID)]
UserText = Annotated[
    str, Field(min_length=1, max_length=MAX_USER_ID, pattern=r"^[^\x00-\x1f\x7f]+$")
]
UserId = Annotated[int, Field(ge=-MAX_ID, le=MAX_ID)] | UserText
Year = Annotated[int, Field(ge=0, le=9999)]
Genre = Annotated[str, Field(max_length=64)]
Strength = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
K = Annotated[int, Field(ge=1, le=100, description="how many movies")]


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


class _Person(_Request):
    user_id: UserId | None = Field(None, description="whose stored history comes first")
    history: list[Watched] | None = Field(None, max_length=MAX_HISTORY, description="oldest first")


class RecommendRequest(_Person):
    k: K = 10
    offset: int = Field(0, ge=0, le=MAX_ID)
    filters: Filters | None = None
    include_ids: list[MovieId] | None = Field(None, max_length=MAX_IDS, description="only these")
    exclude_ids: list[MovieId] | None = Field(None, max_length=MAX_IDS)
    exclude_seen: bool = True
    calibration: Strength = Field(0.0, description="towards the genre mix of the history")
    novelty: Strength = Field(0.0, description="away from what everybody watches")
    freshness: Strength = Field(0.0, description="towards the catalogue's newest years")
    genre_profile: dict[Genre, Weight] | None = Field(
        None,
        max_length=100,
        description="genre -> weight: the mix to follow; fully where calibration is 0",
    )


class PredictRequest(_Person):
    movie_ids: list[MovieId] = Field(min_length=1, max_length=MAX_PREDICTIONS)


class SimilarRequest(_Request):
    """Give movie_id or movie_ids."""

    movie_id: MovieId | None = None
    movie_ids: list[MovieId] | None = Field(None, min_length=1, max_length=100)
    k: K = 10
    filters: Filters | None = None


class _Query(BaseModel):
    """A path or query string: everything in it is text, so numbers are read from text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchQuery(_Query):
    q: str = Field(min_length=1, max_length=200)
    k: K = 10


class MovieQuery(_Query):
    movie_id: MovieId


class UserQuery(_Query):
    user_id: UserText


class Stars(BaseModel):
    """low..high holds the person's stars nine times in ten; p_like is P(4 stars or more)."""

    expected: float
    low: float
    high: float
    p_like: float


class Item(BaseModel):
    """A movie; what does not apply is absent."""

    movie_id: int
    title: str
    year: int | None
    genres: list[str]
    score: float | None = None
    stars: Stars | None = None
    support: int


class Recommendation(BaseModel):
    items: list[Item]
    strategy: Literal["popular", "history"]
    model_version: str
    next_offset: int | None


class Prediction(BaseModel):
    items: list[Item]
    strategy: Literal["popular", "history"]
    model_version: str


class Similar(BaseModel):
    items: list[Item]
    model_version: str
