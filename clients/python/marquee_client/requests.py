"""The requests that the clients take. The service has defaults for absent keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Required, TypedDict

from marquee_client.types import MovieId

UserId = int | str  # 42 and "42" are the same user
Time = datetime | str  # aware, or RFC 3339
EventKind = Literal[
    "rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen"
]
ViewerValue = str | float | bool | Sequence[str] | Sequence[float] | None
AttributeValue = str | float | bool | Sequence[str] | Sequence[float] | None
Viewer = Mapping[str, ViewerValue]  # country and max_age; features that GET /model names
ChartKind = Literal["popular", "trending", "new", "hidden_gems"]


class HistoryEntry(TypedDict, total=False):
    """One movie of a history that is sent along."""

    movie_id: Required[MovieId]
    stars: float | None
    watched: float | None  # share of the movie, 0 to 1
    at: Time | None


class Filters(TypedDict, total=False):
    """The movies that the answer may hold; every filter given must hold."""

    genres: Sequence[str] | None
    exclude_genres: Sequence[str] | None
    year_min: int | None
    year_max: int | None
    min_ratings: int | None
    where: Mapping[str, Any] | None


class UserRequest(TypedDict, total=False):
    """The user of a request: the stored history of user_id first, then `history`."""

    user_id: UserId | None
    history: Sequence[HistoryEntry] | None
    require_history: bool  # a MarqueeError "unavailable" where the stored history cannot be read
    personalized: bool | None  # False: nothing that is known of the user counts


class RecommendRequest(UserRequest, total=False):
    """A list for one user; the controls, diversity to freshness, are 0 to 1."""

    k: int
    offset: int
    filters: Filters | None
    include_ids: Sequence[MovieId] | None
    exclude_ids: Sequence[MovieId] | None
    exclude_seen: bool
    diversity: float
    calibration: float
    novelty: float
    freshness: float
    genre_profile: Mapping[str, float] | None
    explain: bool
    viewer: Viewer | None
    surface: str  # where the list is shown, for rules


class CommonListRequest(TypedDict, total=False):
    """A page of a list in one order for all, without what this user knows or refused."""

    user_id: UserId | None
    k: int
    offset: int
    filters: Filters | None
    exclude_ids: Sequence[MovieId] | None
    viewer: Viewer | None
    surface: str  # where the list is shown, for rules
    personalized: bool | None


class RerankUser(UserRequest, total=False):
    """The user for whom movies are sorted, and what is known of the viewer."""

    viewer: Viewer | None
    surface: str  # where the list is shown, for rules


class RateNextRequest(UserRequest, total=False):
    """Movies to ask a user about."""

    k: int
    viewer: Viewer | None
    surface: str  # where the list is shown, for rules


class CatalogMovie(TypedDict, total=False):
    """A title as a platform describes it: an absent key stays, None clears it."""

    movie_id: Required[MovieId]
    title: str | None
    titles: Mapping[str, str] | None  # by language
    year: int | None
    genres: Sequence[str] | None
    kind: Literal["movie", "series", "season", "episode"] | None
    parent_id: MovieId | None
    number: int | None  # within the parent, from 1
    runtime_min: float | None
    attributes: Mapping[str, AttributeValue] | None
    countries: Sequence[str] | None  # ISO 3166; None: everywhere
    available_from: Time | None
    available_until: Time | None
    min_age: int | None
    artwork_url: str | None
    vector: Sequence[float] | None


class Event(TypedDict, total=False):
    """One interaction of a user.

    An absent `event_id` is filled in. Without `at`, the event is of the moment at which it arrives.
    """

    event_id: str
    user_id: Required[UserId]
    movie_id: Required[MovieId]
    kind: Required[EventKind]
    stars: float
    watched: float  # share of the movie, 0 to 1
    at: Time
