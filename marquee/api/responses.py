"""The responses of the HTTP interface: those of the library, and events, users, errors, health.

A class is a component of the OpenAPI document, its docstring the description. A key marked
NotRequired is absent where it does not apply. The types of the library's answers come from
marquee/recommender/responses.py as they are.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, with_config
from typing_extensions import TypedDict

from marquee.recommender.responses import (
    ChartsResponse,
    ModelVersion,
    Movie,
    MovieReference,
    PredictResponse,
    RateNextResponse,
    RecommendResponse,
    SimilarResponse,
)

__all__ = [
    "BatchResponse",
    "ChartsResponse",
    "DeleteResponse",
    "ErrorResponse",
    "EventsReceipt",
    "HistoryResponse",
    "ModelCard",
    "Movie",
    "PredictResponse",
    "RateNextResponse",
    "ReadyResponse",
    "RecommendResponse",
    "SearchResponse",
    "SimilarResponse",
]

Availability = Literal["up", "away"]


@with_config(extra="forbid")
class FieldError(TypedDict):
    """One error of a request, with its place."""

    field: str
    message: str


@with_config(extra="forbid")
class Error(TypedDict):
    """An error: a code for programs, a message for readers."""

    code: str
    message: str
    fields: NotRequired[list[FieldError]]


@with_config(extra="forbid")
class ErrorResponse(TypedDict):
    """Every answer that is not a 200."""

    error: Error


@with_config(extra="forbid")
class BatchResponse(TypedDict):
    """The results in the order of the requests.

    A request that cannot be answered has its error in its place.
    """

    results: list[RecommendResponse | ErrorResponse]


@with_config(extra="forbid")
class RejectedEvent(TypedDict):
    """An event that is not stored, and the reason."""

    event_id: str
    code: str
    message: str


@with_config(extra="forbid")
class EventsReceipt(TypedDict):
    """accepted: new ones; duplicates: the same event as before; rejected: not stored."""

    accepted: int
    duplicates: int
    rejected: list[RejectedEvent]


@with_config(extra="forbid")
class SearchResponse(TypedDict):
    """Movies by title, the nearest first."""

    items: list[Movie]
    model_version: ModelVersion


@with_config(extra="forbid")
class HistoryItem(MovieReference):
    """A movie of a stored history; one that the bundle does not hold is its id only."""

    stars: NotRequired[float]
    watched: NotRequired[float]
    at: NotRequired[Annotated[str, Field(json_schema_extra={"format": "date-time"})]]
    not_interested: NotRequired[bool]


@with_config(extra="forbid")
class HistoryResponse(TypedDict):
    """The stored history of a user, oldest first."""

    user_id: str
    items: list[HistoryItem]


@with_config(extra="forbid")
class DeleteResponse(TypedDict):
    """The number of rows that are deleted."""

    deleted: int


@with_config(extra="forbid")
class ReadyResponse(TypedDict):
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
