"""The answers of the HTTP interface, as /openapi.json tells them. What does not apply is absent."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.json_schema import SkipJsonSchema

from marquee.api.requests import ChartKind

Strategy = Literal["popular", "history", "content"]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Stars(_Answer):
    """low..high holds the person's stars nine times in ten; p_like is P(4 stars or more)."""

    expected: float
    low: float
    high: float
    p_like: float = Field(ge=0, le=1)


class Movie(_Answer):
    """A movie; support counts its training ratings."""

    movie_id: int
    title: str
    year: int | None
    genres: list[str]
    support: int


class Similarity(Movie):
    score: float = Field(description="cosine, -1 to 1")


class Predicted(Movie):
    score: float = Field(description="logit: larger is better; people's scores do not compare")
    stars: Stars


class Reason(_Answer):
    """What the score loses without this film of the history; or, of who has none, the part of the
    asked genre in the film."""

    movie_id: int | SkipJsonSchema[None] = None
    title: str | SkipJsonSchema[None] = None
    genre: str | SkipJsonSchema[None] = None
    effect: float = Field(gt=0)


class Recommended(Predicted):
    because: list[Reason] | SkipJsonSchema[None] = Field(
        None, description="with explain: the best three, largest effect first"
    )


class Recommendation(_Answer):
    items: list[Recommended]
    strategy: Strategy
    model_version: str
    next_offset: int | None


class Problem(_Answer):
    """What was wrong, where, and in words."""

    field: str
    message: str


class Fault(_Answer):
    code: str
    message: str
    fields: list[Problem] | SkipJsonSchema[None] = None


class Refusal(_Answer):
    """Every answer that is not a 200."""

    error: Fault


class Recommendations(_Answer):
    """In the order of the requests; one that cannot be answered has its error in its place."""

    results: list[Recommendation | Refusal]


class Prediction(_Answer):
    items: list[Predicted]
    strategy: Strategy
    model_version: str


class Similar(_Answer):
    items: list[Similarity]
    model_version: str


class Chart(_Answer):
    items: list[Predicted]
    kind: ChartKind
    model_version: str


class Why(_Answer):
    """What makes a film worth asking about; the list stands by the product."""

    seen_probability: float = Field(ge=0, le=1)
    information: float = Field(ge=0)
    scarcity: float = Field(ge=0)


class Asked(Movie):
    stars: Stars
    why: Why


class Questions(_Answer):
    items: list[Asked]
    strategy: Strategy
    model_version: str


class Rejected(_Answer):
    event_id: str
    code: str
    message: str


class Stored(_Answer):
    """accepted: new ones; duplicates: the same event as before; rejected: not stored."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class Found(_Answer):
    items: list[Movie]
    model_version: str


class Past(_Answer):
    """A film of a stored history; one that the bundle does not hold is its id only."""

    movie_id: int
    title: str | SkipJsonSchema[None] = None
    year: int | None = None
    genres: list[str] | SkipJsonSchema[None] = None
    support: int | SkipJsonSchema[None] = None
    stars: float | SkipJsonSchema[None] = None
    portion: float | SkipJsonSchema[None] = None
    at: str | SkipJsonSchema[None] = Field(None, json_schema_extra={"format": "date-time"})
    not_interested: bool | SkipJsonSchema[None] = None


class Histories(_Answer):
    user_id: str
    items: list[Past]


class Deleted(_Answer):
    deleted: int


class Ready(_Answer):
    """events: "away" while the event store does not answer; lists go on without it. releases, only
    where a store of releases is followed: "away" while it does not answer; the model stays."""

    ready: bool
    model_version: str
    events: Literal["up", "away"]
    releases: Literal["up", "away"] | None = None


Card: type[BaseModel] = create_model(
    "Card",
    __config__=ConfigDict(extra="allow"),
    __doc__="The model card: the bundle's manifest without its list of files.",
    model_version=(str, ...),
    name=(str, ...),
    metrics=(dict[str, Any], ...),
    data=(dict[str, Any], ...),
)
