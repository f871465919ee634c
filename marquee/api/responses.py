"""The responses of the HTTP interface, beside those of the library: events, users, errors, health.

A class is a component of the OpenAPI document, its docstring the description.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from marquee.recommender.responses import (
    ModelVersion,
    Movie,
    MovieReference,
    RecommendResponse,
    Strict,
)

Availability = Literal["up", "away"]


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
    """An event that is not stored, and the reason."""

    event_id: str
    code: str
    message: str


class EventsReceipt(Strict):
    """accepted: new ones; duplicates: the same event as before; rejected: not stored."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


class SearchResponse(Strict):
    """Movies by title, the nearest first."""

    items: list[Movie]
    model_version: ModelVersion


class HistoryItem(MovieReference):
    """A movie of a stored history; one that the bundle does not hold is its id only."""

    stars: NotRequired[float]
    watched: NotRequired[float]
    at: NotRequired[Annotated[str, Field(json_schema_extra={"format": "date-time"})]]
    not_interested: NotRequired[bool]


class HistoryResponse(Strict):
    """The stored history of a user, oldest first."""

    user_id: str
    items: list[HistoryItem]


class DeleteResponse(Strict):
    """The number of rows that are deleted."""

    deleted: int


class ReadyResponse(Strict):
    """The state of a service that is ready.

    events: "away" while the event store does not answer; lists go on without it. releases, only if
    a store of releases is followed: "away" while it does not answer; the model stays.
    """

    ready: bool
    model_version: ModelVersion
    events: Availability
    releases: NotRequired[Availability | None]


@with_config(extra="allow")
class ModelCard(TypedDict):
    """The model card: the bundle's manifest without its list of files."""

    model_version: ModelVersion
    name: str
    metrics: dict[str, Any]
    data: dict[str, Any]
