"""The responses of the recommender: one type for library and HTTP, plain dicts at run time.

The OpenAPI document is generated from these types: a docstring is a description there.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, WithJsonSchema, with_config
from typing_extensions import TypeAliasType, TypedDict

from marquee.core.id_limits import MAX_ID_LENGTH

Strategy = Literal["popular", "history", "content"]  # by ratings, the history, a genre profile
ChartKind = Literal["popular", "trending", "new", "hidden_gems"]

MOVIE_ID: dict[str, Any] = {
    "anyOf": [  # of oneOf, generators make other classes
        {"type": "integer"},
        {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
    ],
    "description": "as in the data set: integers, or text that is compared exactly",
}
MovieId = TypeAliasType(  # a component of the OpenAPI document: one class in a generated client
    "MovieId", Annotated[int | str, WithJsonSchema(MOVIE_ID)]
)
Logit = Annotated[
    float,
    Field(description="logit: larger is better; scores of different users do not compare"),
]
MissingHistory = Annotated[
    Literal["unavailable"],
    Field(description="the stored history could not be read and is not in this answer"),
]
UnknownIds = Annotated[
    list[MovieId | float],  # as they were sent: 5.5 is no id
    Field(description="movies of the request that the catalog does not hold; they are skipped"),
]
NextOffset = Annotated[int | None, Field(description="null on the last page")]
ModelVersion = Annotated[str, Field(description="64 hex digits that name the bundle's content")]


@with_config(extra="forbid")
class Strict(TypedDict):
    """A dict without any other keys."""


class Stars(Strict):
    """The expected stars of one user and movie, with the central 90% interval."""

    expected: Annotated[float, Field(description="mean, within the scale")]
    low: Annotated[float, Field(description="5% quantile, a value of the scale or `expected`")]
    high: Annotated[float, Field(description="95% quantile, a value of the scale or `expected`")]
    p_like: Annotated[float, Field(ge=0, le=1, description="P(4 of 5 stars or more, 8 of 10, …)")]


RatedStars = Annotated[Stars, Field(description="absent where the data set has no ratings")]


RuleNames = Annotated[
    list[str], Field(description="rules that touched the item; absent where none did")
]


class Movie(Strict):
    """A movie of the catalog."""

    movie_id: MovieId
    title: str
    year: Annotated[int | None, Field(description="year of release; null: unknown")]
    genres: list[str]
    num_ratings: Annotated[int, Field(description="ratings in the training data")]


class MovieReference(Strict):
    """A movie; one that the bundle does not hold is its id only."""

    movie_id: MovieId
    title: NotRequired[str]
    year: NotRequired[int | None]
    genres: NotRequired[list[str]]
    num_ratings: NotRequired[int]


class SimilarMovie(Movie):
    """A movie and its similarity to the movies of the request."""

    score: Annotated[float, Field(description="cosine, -1 to 1")]
    rules: NotRequired[RuleNames]


class ScoredMovie(Movie):
    """A movie, its score and its expected stars for one user."""

    score: Logit
    stars: NotRequired[RatedStars]
    rules: NotRequired[RuleNames]


class Explanation(Strict):
    """A reason for a listed movie: an entry of the history, or a genre of the profile.

    Entry: the score falls by `effect` without it. Genre: its share of the profile times its share
    of the movie.
    """

    movie_id: NotRequired[MovieId]
    title: NotRequired[str]
    genre: NotRequired[str]
    effect: Annotated[float, Field(gt=0)]


class RecommendedMovie(ScoredMovie):
    """A movie of a recommended list."""

    because: NotRequired[
        Annotated[
            list[Explanation],
            Field(description="with `explain`: at most three, the largest effect first"),
        ]
    ]


class RecommendResponse(Strict):
    """One page of a recommended list."""

    items: list[RecommendedMovie]
    strategy: Strategy
    model_version: ModelVersion
    history: NotRequired[MissingHistory]
    unknown_ids: NotRequired[UnknownIds]
    next_offset: NextOffset


class PredictResponse(Strict):
    """Scores and expected stars of the movies of the request."""

    items: list[ScoredMovie]
    strategy: Strategy
    model_version: ModelVersion
    history: NotRequired[MissingHistory]
    unknown_ids: NotRequired[UnknownIds]


class SimilarResponse(Strict):
    """The movies nearest to those of the request."""

    items: list[SimilarMovie]
    model_version: ModelVersion
    next_offset: NextOffset
    history: NotRequired[MissingHistory]
    unknown_ids: NotRequired[UnknownIds]


class ChartMovie(Movie):
    """A movie of a chart, with the stars that a user without a history would give."""

    score: Annotated[
        float,
        Field(
            description="popular: log(1 + ratings); trending: standard deviations above its share; "
            "new: year; hidden_gems: 5% quantile of the expected stars"
        ),
    ]
    stars: NotRequired[RatedStars]
    rules: NotRequired[RuleNames]


class ChartsResponse(Strict):
    """A list in one order for all users."""

    items: list[ChartMovie]
    kind: ChartKind
    model_version: ModelVersion
    next_offset: NextOffset
    history: NotRequired[MissingHistory]
    unknown_ids: NotRequired[UnknownIds]


class ElicitationFactors(Strict):
    """The factors whose product orders the movies to rate."""

    seen_probability: Annotated[float, Field(ge=0, le=1, description="P(the user has seen it)")]
    information: NotRequired[
        Annotated[
            float,
            Field(ge=0, description="bits that a rating tells, times (stars / highest)^4"),
        ]
    ]
    scarcity: Annotated[float, Field(ge=0, description="1 without ratings, falls with each")]


class MovieToRate(Movie):
    """A movie that the user should rate next."""

    stars: NotRequired[RatedStars]
    why: ElicitationFactors


class RateNextResponse(Strict):
    """Movies to rate next, the largest product of the factors first."""

    items: list[MovieToRate]
    strategy: Strategy
    model_version: ModelVersion
    history: NotRequired[MissingHistory]
    unknown_ids: NotRequired[UnknownIds]
