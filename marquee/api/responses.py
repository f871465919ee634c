"""The responses of the HTTP interface, beside those of the library: events, users, errors, health.

A class is a component of the OpenAPI document, its docstring the description.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from marquee.recommender.responses import (
    ModelVersion,
    Movie,
    MovieId,
    MovieReference,
    NextOffset,
    RecommendResponse,
    RuleNames,
    Strict,
)

DateTime = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Availability = Literal["up", "away"]
ERASE_RECEIPT = (
    "Deleted at once: every row of this user in the event store, imported ratings included. Other "
    "replicas of the service forget the user within a second. No log of the service holds user "
    "ids. A SQLite file is overwritten at the rows' places; PostgreSQL frees theirs at its next "
    "vacuum. Not deleted: backups of the event store made before, which go when their operator "
    "deletes them, and the data set that ratings were imported from."
)


class FieldError(Strict):
    """One error of a request, with its place."""

    field: str
    message: str


class Error(Strict):
    """An error: a code for programs, a message for readers."""

    code: str
    message: str
    fields: NotRequired[list[FieldError]]


class ErrorResponse(Strict):
    """Every answer that is not a 200."""

    error: Error


class BatchResponse(Strict):
    """The results in the order of the requests.

    A request that cannot be answered has its error in its place.
    """

    results: list[RecommendResponse | ErrorResponse]


class RejectedEvent(Strict):
    """An event that is not stored, its place in the request (from 0), and the reason.

    event_id: null where it is missing or no id.
    """

    index: int
    event_id: str | None
    code: str
    message: str


class EventsReceipt(Strict):
    """accepted: new ones; duplicates: the same event as before; rejected: not stored.

    unknown_ids: movies of stored events that the bundle does not hold; the events count once a
    bundle does.
    """

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]
    unknown_ids: NotRequired[list[MovieId]]


class SearchResponse(Strict):
    """Movies by title, the nearest first."""

    items: list["FoundMovie"]
    model_version: ModelVersion
    next_offset: NextOffset


class CatalogMovie(Movie):
    """A title of the catalog with all that was said of it."""

    titles: NotRequired[dict[str, str]]
    kind: NotRequired[Literal["movie", "series", "season", "episode"]]
    parent_id: NotRequired[MovieId]
    number: NotRequired[int]
    next_episode: NotRequired[MovieId]
    runtime_min: NotRequired[float]
    attributes: NotRequired[dict[str, Any]]
    countries: NotRequired[list[str]]
    available_from: NotRequired[DateTime]
    available_until: NotRequired[DateTime]
    min_age: NotRequired[int]
    artwork_url: NotRequired[str]


class FoundMovie(Movie):
    """A movie that a title leads to."""

    rules: NotRequired[RuleNames]


class StoredRule(Strict):
    """A rule as it was written, and when."""

    name: str
    rule: dict[str, Any]
    changed_at: DateTime


class RulesResponse(Strict):
    """All rules in the order in which they win, and how they are in conflict."""

    items: list[StoredRule]
    version: Annotated[int, Field(description="of the catalog, which rules are part of")]
    warnings: list[str]


class RuleReceipt(Strict):
    """A rule that holds from now on, and how it is in conflict with others."""

    name: str
    warnings: list[str]


class ListChange(Strict):
    """The movie ids of a list, before and after."""

    before: list[MovieId]
    after: list[MovieId]


class RulePreview(Strict):
    """The number of lists tried, and of those that would change, with three."""

    lists: int
    changed: int
    examples: list[ListChange]
    warnings: list[str]


class MoviesPage(Strict):
    """A page of the catalog in the order of ids, without deleted titles."""

    items: list[CatalogMovie]
    next_cursor: Annotated[str | None, Field(description="null on the last page")]


class RejectedMovie(Strict):
    """A title that is not stored, and the reason.

    movie_id: as it was sent, a fraction as text; absent where it is missing or no id.
    """

    movie_id: NotRequired[MovieId]
    code: str
    message: str


class MoviesReceipt(Strict):
    """The titles that are stored, unchanged ones among them, and the others."""

    accepted: int
    rejected: list[RejectedMovie]


class HistoryItem(MovieReference):
    """A movie of a stored history; one that the bundle does not hold is its id only."""

    stars: NotRequired[float]
    watched: NotRequired[float]
    at: NotRequired[DateTime]
    not_interested: NotRequired[bool]


class HistoryResponse(Strict):
    """The stored history of a user, oldest first."""

    user_id: str
    items: list[HistoryItem]


class DeleteResponse(Strict):
    """The number of rows that are deleted."""

    deleted: int


class EraseResponse(DeleteResponse):
    """The number of rows that are deleted; receipt: what is gone, and what goes when."""

    receipt: str


class ExportedEvent(Strict):
    """A stored row; an imported rating has no event_id."""

    event_id: NotRequired[str]
    movie_id: MovieId
    kind: str
    stars: NotRequired[float]
    watched: NotRequired[float]
    at: DateTime


class UserSettingsResponse(Strict):
    """The choices of a user."""

    user_id: str
    personalized: bool


class ExportResponse(Strict):
    """Everything that is stored of a user, oldest first.

    user_key: the user's pseudonym in the log of lists; null, as this service keeps no such log.
    settings: what the user has chosen, `personalized`; empty for one who never chose.
    """

    user_id: str
    user_key: str | None
    events: list[ExportedEvent]
    settings: dict[str, Any]


class ReadyResponse(Strict):
    """The state of a service that is ready.

    events: "away" while the event store does not answer; lists go on without it. event_writes, only
    where it answers and does not store: a write failed in the last ten seconds, and none succeeded
    since. releases, only if a store of releases is followed: "away" while it does not answer; the
    model stays. catalog, only until the store was read once: the titles are the bundle's.
    """

    ready: bool
    model_version: ModelVersion
    events: Availability
    event_writes: NotRequired[Literal["away"]]
    releases: NotRequired[Availability | None]
    catalog: NotRequired[Literal["away"]]


@with_config(extra="allow")
class ModelCard(TypedDict):
    """The model card: the bundle's manifest without its files, and its answers.

    id_type: of movie ids. scale: the values of a rating; null without ratings, and then no answer
    holds stars. features: of items and of users, beside genres, year and title. charts: the kinds
    that /charts takes.

    sibling: the model_version of the bundle that was evaluated in place of this one.
    """

    model_version: ModelVersion
    name: str
    metrics: dict[str, Any]
    data: dict[str, Any]
    # Named, though optional: zod's schemas drop what no field names.
    format: NotRequired[int]
    created: NotRequired[DateTime]
    recipe: NotRequired[str]
    config: NotRequired[dict[str, Any]]
    refit: NotRequired[str]
    id_type: NotRequired[Literal["int", "text"]]
    has_ratings: NotRequired[bool]
    scale: NotRequired[list[float] | None]
    features: NotRequired[dict[str, list[str]]]
    charts: NotRequired[list[str]]
    history_length: NotRequired[int]
    stars: NotRequired[dict[str, Any]]
    commit: NotRequired[str | None]
    sibling: NotRequired[str | None]
    epochs: NotRequired[int | None]
