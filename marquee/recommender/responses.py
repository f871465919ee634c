"""The responses of the recommender: one type for library and HTTP.

They are plain dicts at run time.

    response: RecommendResponse = recommender.recommend([1193], k=10)
    response["items"][0]["stars"]["expected"]

The OpenAPI document is generated from these types: a class is a component of its name, a docstring
its description. A key marked NotRequired is absent where it does not apply.
"""

from typing import Annotated, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

Strategy = Literal["popular", "history", "content"]
"""The input that ranked the list: number of ratings, the history, or a genre profile."""
ChartKind = Literal["popular", "trending", "new", "hidden_gems"]

Logit = Annotated[
    float,
    Field(description="logit: larger is better; scores of different users do not compare"),
]
ModelVersion = Annotated[str, Field(description="64 hex digits that name the bundle's content")]


@with_config(extra="forbid")
class Stars(TypedDict):
    """The expected stars of one user and movie, with the central 90% interval."""

    expected: Annotated[float, Field(description="mean, within the scale")]
    low: Annotated[float, Field(description="5% quantile, a value of the scale or `expected`")]
    high: Annotated[float, Field(description="95% quantile, a value of the scale or `expected`")]
    p_like: Annotated[float, Field(ge=0, le=1, description="P(4 stars or more)")]


@with_config(extra="forbid")
class Movie(TypedDict):
    """A movie of the catalog."""

    movie_id: int
    title: str
    year: Annotated[int | None, Field(description="year of release; null: unknown")]
    genres: list[str]
    num_ratings: Annotated[int, Field(description="ratings in the training data")]


@with_config(extra="forbid")
class MovieReference(TypedDict):
    """A movie; one that the bundle does not hold is its id only."""

    movie_id: int
    title: NotRequired[str]
    year: NotRequired[int | None]
    genres: NotRequired[list[str]]
    num_ratings: NotRequired[int]


@with_config(extra="forbid")
class SimilarMovie(Movie):
    """A movie and its similarity to the movies of the request."""

    score: Annotated[float, Field(description="cosine, -1 to 1")]


@with_config(extra="forbid")
class ScoredMovie(Movie):
    """A movie, its score and its expected stars for one user."""

    score: Logit
    stars: Stars


@with_config(extra="forbid")
class Explanation(TypedDict):
    """A reason for a listed movie: an entry of the history, or a genre of the profile.

    Entry: the score falls by `effect` without it. Genre: its share of the profile times its share
    of the movie.
    """

    movie_id: NotRequired[int]
    title: NotRequired[str]
    genre: NotRequired[str]
    effect: Annotated[float, Field(gt=0)]


@with_config(extra="forbid")
class RecommendedMovie(ScoredMovie):
    """A movie of a recommended list."""

    because: NotRequired[
        Annotated[
            list[Explanation],
            Field(description="with `explain`: at most three, the largest effect first"),
        ]
    ]


@with_config(extra="forbid")
class RecommendResponse(TypedDict):
    """One page of a recommended list."""

    items: list[RecommendedMovie]
    strategy: Strategy
    model_version: ModelVersion
    next_offset: Annotated[int | None, Field(description="null on the last page")]


@with_config(extra="forbid")
class PredictResponse(TypedDict):
    """Scores and expected stars of the movies of the request."""

    items: list[ScoredMovie]
    strategy: Strategy
    model_version: ModelVersion


@with_config(extra="forbid")
class SimilarResponse(TypedDict):
    """The movies nearest to those of the request."""

    items: list[SimilarMovie]
    model_version: ModelVersion


@with_config(extra="forbid")
class ChartMovie(Movie):
    """A movie of a chart, with the stars that a user without a history would give."""

    score: Annotated[
        float,
        Field(
            description="popular: log(1 + ratings); trending: standard deviations above its share; "
            "new: year; hidden_gems: 5% quantile of the expected stars"
        ),
    ]
    stars: Stars


@with_config(extra="forbid")
class ChartsResponse(TypedDict):
    """A list that is the same for all users."""

    items: list[ChartMovie]
    kind: ChartKind
    model_version: ModelVersion


@with_config(extra="forbid")
class ElicitationFactors(TypedDict):
    """The factors whose product orders the movies to rate."""

    seen_probability: Annotated[float, Field(ge=0, le=1, description="P(the user has seen it)")]
    information: Annotated[
        float, Field(ge=0, description="bits that a rating tells, times (stars / highest)^4")
    ]
    scarcity: Annotated[float, Field(ge=0, description="1 without ratings, falls with each")]


@with_config(extra="forbid")
class MovieToRate(Movie):
    """A movie that the user should rate next."""

    stars: Stars
    why: ElicitationFactors


@with_config(extra="forbid")
class RateNextResponse(TypedDict):
    """Movies to rate next, the largest product of the factors first."""

    items: list[MovieToRate]
    strategy: Strategy
    model_version: ModelVersion
