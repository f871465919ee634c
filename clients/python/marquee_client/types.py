"""The responses of the service, generated from openapi.json by `make openapi`."""

from typing import Any, Literal, NotRequired, TypedDict


class Stars(TypedDict):
    """The expected stars of one user and movie, with the central 90% interval."""

    expected: float  # mean, within the scale
    low: float  # 5% quantile, a value of the scale or `expected`
    high: float  # 95% quantile, a value of the scale or `expected`
    p_like: float  # P(4 stars or more)


class Explanation(TypedDict):
    """A reason for a listed movie: an entry of the history, or a genre of the profile.

    Entry: the score falls by `effect` without it. Genre: its share of the profile times its share
    of the movie."""

    movie_id: NotRequired[int]
    title: NotRequired[str]
    genre: NotRequired[str]
    effect: float


class Movie(TypedDict):
    """A movie of the catalog."""

    movie_id: int
    title: str
    year: int | None  # year of release; null: unknown
    genres: list[str]
    num_ratings: int  # ratings in the training data


class ScoredMovie(Movie):
    """A movie, its score and its expected stars for one user."""

    score: float  # logit: larger is better; scores of different users do not compare
    stars: Stars


class RecommendedMovie(ScoredMovie):
    """A movie of a recommended list."""

    # with `explain`: at most three, the largest effect first
    because: NotRequired[list[Explanation]]


class RecommendResponse(TypedDict):
    """One page of a recommended list."""

    items: list[RecommendedMovie]
    strategy: Literal["popular", "history", "content"]
    model_version: str  # 64 hex digits that name the bundle's content
    next_offset: int | None  # null on the last page


class FieldError(TypedDict):
    """One error of a request, with its place."""

    field: str
    message: str


class Error(TypedDict):
    """An error: a code for programs, a message for readers."""

    code: str
    message: str
    fields: NotRequired[list[FieldError]]


class ErrorResponse(TypedDict):
    """Every answer that is not a 200."""

    error: Error


class BatchResponse(TypedDict):
    """The results in the order of the requests.

    A request that cannot be answered has its error in its place."""

    results: list[RecommendResponse | ErrorResponse]


class PredictResponse(TypedDict):
    """Scores and expected stars of the movies of the request."""

    items: list[ScoredMovie]
    strategy: Literal["popular", "history", "content"]
    model_version: str  # 64 hex digits that name the bundle's content


class SimilarMovie(Movie):
    """A movie and its similarity to the movies of the request."""

    score: float  # cosine, -1 to 1


class SimilarResponse(TypedDict):
    """The movies nearest to those of the request."""

    items: list[SimilarMovie]
    model_version: str  # 64 hex digits that name the bundle's content


class ChartMovie(Movie):
    """A movie of a chart, with the stars that a user without a history would give."""

    # popular: log(1 + ratings); trending: standard deviations above its share; new: year;
    # hidden_gems: 5% quantile of the expected stars
    score: float
    stars: Stars


class ChartsResponse(TypedDict):
    """A list that is the same for all users."""

    items: list[ChartMovie]
    kind: Literal["popular", "trending", "new", "hidden_gems"]
    model_version: str  # 64 hex digits that name the bundle's content


class ElicitationFactors(TypedDict):
    """The factors whose product orders the movies to rate."""

    seen_probability: float  # P(the user has seen it)
    information: float  # bits that a rating tells, times (stars / highest)^4
    scarcity: float  # 1 without ratings, falls with each


class MovieToRate(Movie):
    """A movie that the user should rate next."""

    stars: Stars
    why: ElicitationFactors


class RateNextResponse(TypedDict):
    """Movies to rate next, the largest product of the factors first."""

    items: list[MovieToRate]
    strategy: Literal["popular", "history", "content"]
    model_version: str  # 64 hex digits that name the bundle's content


class RejectedEvent(TypedDict):
    """An event that is not stored, and the reason."""

    event_id: str
    code: str
    message: str


class EventsReceipt(TypedDict):
    """accepted: new ones; duplicates: the same event as before; rejected: not stored."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


class SearchResponse(TypedDict):
    """Movies by title, the nearest first."""

    items: list[Movie]
    model_version: str  # 64 hex digits that name the bundle's content


class HistoryItem(TypedDict):
    """A movie of a stored history; one that the bundle does not hold is its id only."""

    movie_id: int
    title: NotRequired[str]
    year: NotRequired[int | None]
    genres: NotRequired[list[str]]
    num_ratings: NotRequired[int]
    stars: NotRequired[float]
    watched: NotRequired[float]
    at: NotRequired[str]
    not_interested: NotRequired[bool]


class HistoryResponse(TypedDict):
    """The stored history of a user, oldest first."""

    user_id: str
    items: list[HistoryItem]


class DeleteResponse(TypedDict):
    """The number of rows that are deleted."""

    deleted: int


class ModelCard(TypedDict):
    """The model card: the bundle's manifest without its list of files."""

    model_version: str  # 64 hex digits that name the bundle's content
    name: str
    metrics: dict[str, Any]
    data: dict[str, Any]


class ReadyResponse(TypedDict):
    """The state of a service that is ready.

    events: "away" while the event store does not answer; lists go on without it. releases, only if
    a store of releases is followed: "away" while it does not answer; the model stays."""

    ready: bool
    model_version: str  # 64 hex digits that name the bundle's content
    events: Literal["up", "away"]
    releases: NotRequired[Literal["up", "away"] | None]
