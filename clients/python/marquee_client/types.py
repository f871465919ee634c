"""The responses of the service, generated from openapi.json by `make openapi`."""

from typing import Any, Literal, NotRequired, TypedDict

MovieId = int | str  # as in the data set: integers, or text that is compared exactly


class Stars(TypedDict):
    """The expected stars of one user and movie, with the central 90% interval."""

    expected: float  # mean, within the scale
    low: float  # 5% quantile, a value of the scale or `expected`
    high: float  # 95% quantile, a value of the scale or `expected`
    p_like: float  # P(4 of 5 stars or more, 8 of 10, …)


class Explanation(TypedDict):
    """A reason for a listed movie: an entry of the history, or a genre of the profile.

    Entry: the score falls by `effect` without it. Genre: its share of the profile times its share
    of the movie."""

    movie_id: NotRequired[MovieId]
    title: NotRequired[str]
    genre: NotRequired[str]
    effect: float


class Movie(TypedDict):
    """A movie of the catalog."""

    movie_id: MovieId
    title: str
    year: int | None  # year of release; null: unknown
    genres: list[str]
    num_ratings: int  # ratings in the training data


class FoundMovie(Movie):
    """A movie that a title leads to."""

    rules: NotRequired[list[str]]  # rules that touched the item; absent where none did


class ScoredMovie(FoundMovie):
    """A movie, its score and its expected stars for one user."""

    score: float  # logit: larger is better; scores of different users do not compare
    stars: NotRequired[Stars]  # absent where the data set has no ratings


class RecommendedMovie(ScoredMovie):
    """A movie of a recommended list."""

    # with `explain`: at most three, the largest effect first
    because: NotRequired[list[Explanation]]


class RecommendResponse(TypedDict):
    """One page of a recommended list."""

    items: list[RecommendedMovie]
    strategy: Literal["popular", "history", "content"]
    model_version: str  # 64 hex digits that name the bundle's content
    # the stored history could not be read and is not in this answer
    history: NotRequired[Literal["unavailable"]]
    # movies of the request that the catalog does not hold; they are skipped
    unknown_ids: NotRequired[list[MovieId | float]]
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
    # the stored history could not be read and is not in this answer
    history: NotRequired[Literal["unavailable"]]
    # movies of the request that the catalog does not hold; they are skipped
    unknown_ids: NotRequired[list[MovieId | float]]


class SimilarMovie(FoundMovie):
    """A movie and its similarity to the movies of the request."""

    score: float  # cosine, -1 to 1


class SimilarResponse(TypedDict):
    """The movies nearest to those of the request."""

    items: list[SimilarMovie]
    model_version: str  # 64 hex digits that name the bundle's content
    next_offset: int | None  # null on the last page
    # the stored history could not be read and is not in this answer
    history: NotRequired[Literal["unavailable"]]
    # movies of the request that the catalog does not hold; they are skipped
    unknown_ids: NotRequired[list[MovieId | float]]


class ChartMovie(FoundMovie):
    """A movie of a chart, with the stars that a user without a history would give."""

    # popular: log(1 + ratings); trending: standard deviations above its share; new: year;
    # hidden_gems: 5% quantile of the expected stars
    score: float
    stars: NotRequired[Stars]  # absent where the data set has no ratings


class ChartsResponse(TypedDict):
    """A list in one order for all users."""

    items: list[ChartMovie]
    kind: Literal["popular", "trending", "new", "hidden_gems"]
    model_version: str  # 64 hex digits that name the bundle's content
    next_offset: int | None  # null on the last page
    # the stored history could not be read and is not in this answer
    history: NotRequired[Literal["unavailable"]]
    # movies of the request that the catalog does not hold; they are skipped
    unknown_ids: NotRequired[list[MovieId | float]]


class ElicitationFactors(TypedDict):
    """The factors whose product orders the movies to rate."""

    seen_probability: float  # P(the user has seen it)
    information: NotRequired[float]  # bits that a rating tells, times (stars / highest)^4
    scarcity: float  # 1 without ratings, falls with each


class MovieToRate(Movie):
    """A movie that the user should rate next."""

    stars: NotRequired[Stars]  # absent where the data set has no ratings
    why: ElicitationFactors


class RateNextResponse(TypedDict):
    """Movies to rate next, the largest product of the factors first."""

    items: list[MovieToRate]
    strategy: Literal["popular", "history", "content"]
    model_version: str  # 64 hex digits that name the bundle's content
    # the stored history could not be read and is not in this answer
    history: NotRequired[Literal["unavailable"]]
    # movies of the request that the catalog does not hold; they are skipped
    unknown_ids: NotRequired[list[MovieId | float]]


class RejectedEvent(TypedDict):
    """An event that is not stored, its place in the request (from 0), and the reason.

    event_id: null where it is missing or no id."""

    index: int
    event_id: str | None
    code: str
    message: str


class EventsReceipt(TypedDict):
    """accepted: new ones; duplicates: the same event as before; rejected: not stored.

    unknown_ids: movies of stored events that the bundle does not hold; the events count once a
    bundle does."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]
    unknown_ids: NotRequired[list[MovieId]]


class HistoryItem(TypedDict):
    """A movie of a stored history; one that the bundle does not hold is its id only."""

    movie_id: MovieId
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


class EraseResponse(DeleteResponse):
    """The number of rows that are deleted; receipt: what is gone, and what goes when."""

    receipt: str


class ExportedEvent(TypedDict):
    """A stored row; an imported rating has no event_id."""

    event_id: NotRequired[str]
    movie_id: MovieId
    kind: str
    stars: NotRequired[float]
    watched: NotRequired[float]
    at: str


class ExportResponse(TypedDict):
    """Everything that is stored of a user, oldest first.

    user_key: the user's pseudonym in the log of lists; null, as this service keeps no such log.
    settings: what the user has chosen, `personalized`; empty for one who never chose."""

    user_id: str
    user_key: str | None
    events: list[ExportedEvent]
    settings: dict[str, Any]


class UserSettingsResponse(TypedDict):
    """The choices of a user."""

    user_id: str
    personalized: bool


class CatalogMovie(Movie):
    """A title of the catalog with all that was said of it."""

    titles: NotRequired[dict[str, Any]]
    kind: NotRequired[Literal["movie", "series", "season", "episode"]]
    parent_id: NotRequired[MovieId]
    number: NotRequired[int]
    next_episode: NotRequired[MovieId]
    runtime_min: NotRequired[float]
    attributes: NotRequired[dict[str, Any]]
    countries: NotRequired[list[str]]
    available_from: NotRequired[str]
    available_until: NotRequired[str]
    min_age: NotRequired[int]
    artwork_url: NotRequired[str]


class ListChange(TypedDict):
    """The movie ids of a list, before and after."""

    before: list[MovieId]
    after: list[MovieId]


class RulePreview(TypedDict):
    """The number of lists tried, and of those that would change, with three."""

    lists: int
    changed: int
    examples: list[ListChange]
    warnings: list[str]


class SearchResponse(TypedDict):
    """Movies by title, the nearest first."""

    items: list[FoundMovie]
    model_version: str  # 64 hex digits that name the bundle's content
    next_offset: int | None  # null on the last page


class MoviesPage(TypedDict):
    """A page of the catalog in the order of ids, without deleted titles."""

    items: list[CatalogMovie]
    next_cursor: str | None  # null on the last page


class RejectedMovie(TypedDict):
    """A title that is not stored, and the reason.

    movie_id: as it was sent, a fraction as text; absent where it is missing or no id."""

    movie_id: NotRequired[MovieId]
    code: str
    message: str


class MoviesReceipt(TypedDict):
    """The titles that are stored, unchanged ones among them, and the others."""

    accepted: int
    rejected: list[RejectedMovie]


class StoredRule(TypedDict):
    """A rule as it was written, and when."""

    name: str
    rule: dict[str, Any]
    changed_at: str


class RulesResponse(TypedDict):
    """All rules in the order in which they win, and how they are in conflict."""

    items: list[StoredRule]
    version: int  # of the catalog, which rules are part of
    warnings: list[str]


class RuleReceipt(TypedDict):
    """A rule that holds from now on, and how it is in conflict with others."""

    name: str
    warnings: list[str]


class ModelCard(TypedDict):
    """The model card: the bundle's manifest without its files, and its answers.

    id_type: of movie ids. scale: the values of a rating; null without ratings, and then no answer
    holds stars. features: of items and of users, beside genres, year and title. charts: the kinds
    that /charts takes.

    sibling: the model_version of the bundle that was evaluated in place of this one."""

    model_version: str  # 64 hex digits that name the bundle's content
    name: str
    metrics: dict[str, Any]
    data: dict[str, Any]
    format: NotRequired[int]
    created: NotRequired[str]
    recipe: NotRequired[str]
    config: NotRequired[dict[str, Any]]
    refit: NotRequired[str]
    id_type: NotRequired[Literal["int", "text"]]
    has_ratings: NotRequired[bool]
    scale: NotRequired[list[float] | None]
    features: NotRequired[dict[str, Any]]
    charts: NotRequired[list[str]]
    history_length: NotRequired[int]
    stars: NotRequired[dict[str, Any]]
    commit: NotRequired[str | None]
    sibling: NotRequired[str | None]
    epochs: NotRequired[int | None]


class ReadyResponse(TypedDict):
    """The state of a service that is ready.

    events: "away" while the event store does not answer; lists go on without it. event_writes, only
    where it answers and does not store: a write failed in the last ten seconds, and none succeeded
    since. releases, only if a store of releases is followed: "away" while it does not answer; the
    model stays. catalog, only until the store was read once: the titles are the bundle's."""

    ready: bool
    model_version: str  # 64 hex digits that name the bundle's content
    events: Literal["up", "away"]
    event_writes: NotRequired[Literal["away"]]
    releases: NotRequired[Literal["up", "away"] | None]
    catalog: NotRequired[Literal["away"]]
