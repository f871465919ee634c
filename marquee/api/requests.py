"""The requests of the HTTP interface. Unknown keys, NaN and wrong types ({"k": "10"}) get 422."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from marquee.api.ids import PATH_TEXT, MovieIdIn, UserId
from marquee.api.request_base import (
    Genre,
    K,
    ListRequest,
    Offset,
    Request,
    Strength,
    Surface,
    Text,
    Viewer,
    Weight,
    Year,
)
from marquee.api.validation import ABOUT_TIME, EachByItself, Malformed, Time
from marquee.core.id_limits import MAX_INT64
from marquee.recommender.responses import ChartKind

MAX_HISTORY = 10_000
MAX_IDS = 10_000
MAX_PREDICTIONS = 1_000
MAX_REQUESTS = 256
MAX_OFFSET = 1_000_000  # of a search, which finds some hundred titles
MAX_EVENTS = 1_000


class HistoryEntry(Request):
    """One movie of a history."""

    movie_id: MovieIdIn
    stars: float | None = None
    watched: float | None = Field(None, ge=0, le=1, description="share of the movie watched")
    at: Time | None = Field(None, description=ABOUT_TIME)


WHERE = (
    "conditions on attributes, {NAME: VALUE} or {NAME: {OPERATOR: VALUE}} with eq, ne, in, not_in, "
    'lt, lte, gt, gte and exists; {"all": [...]}, {"any": [...]} and {"not": {...}} combine them'
)


PERSONALIZED = "false: nothing that is known of the user counts; null: as the user has chosen"


class Filters(Request):
    """The movies that the answer may hold; every filter given must hold."""

    genres: list[Genre] | None = Field(None, max_length=100, description="at least one of these")
    exclude_genres: list[Genre] | None = Field(None, max_length=100, description="none of these")
    year_min: Year | None = None
    year_max: Year | None = None
    min_ratings: int | None = Field(None, ge=0, le=MAX_INT64, description="training ratings")
    where: dict[str, Any] | None = Field(None, description=WHERE)


class UserRequest(Request):
    """A stored user, a history, or both, the stored part first."""

    user_id: UserId | None = Field(None, description="whose stored history comes first")
    history: list[HistoryEntry] | None = Field(
        None, max_length=MAX_HISTORY, fail_fast=True, description="oldest first"
    )
    require_history: bool = Field(
        False, description="answer 503 where the stored history cannot be read"
    )
    personalized: bool | None = Field(None, description=PERSONALIZED)


class RecommendRequest(UserRequest):
    """A list for one user."""

    k: K = 10
    offset: Offset = 0
    filters: Filters | None = None
    include_ids: list[MovieIdIn] | None = Field(
        None, max_length=MAX_IDS, fail_fast=True, description="only these"
    )
    exclude_ids: list[MovieIdIn] | None = Field(None, max_length=MAX_IDS, fail_fast=True)
    exclude_seen: bool = True
    diversity: Strength = Field(0.0, description="away from movies that are alike")
    calibration: Strength = Field(0.0, description="towards the genre mix of the history")
    novelty: Strength = Field(0.0, description="away from what all users watch")
    freshness: Strength = Field(0.0, description="towards the catalog's newest years")
    genre_profile: dict[Genre, Weight] | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="genre -> weight, one above 0: the mix to follow; fully where calibration is 0",
    )
    explain: bool = Field(False, description="say because of what each movie is listed")
    viewer: Viewer | None = None
    surface: Surface = "recommend"


class BatchRequest(ListRequest):
    """Lists for many; each is answered or refused by itself."""

    requests: Annotated[
        list[RecommendRequest | Malformed], EachByItself(RecommendRequest, MAX_REQUESTS)
    ]


class PredictRequest(UserRequest):
    """Stars of these movies for one user."""

    movie_ids: list[MovieIdIn] = Field(min_length=1, max_length=MAX_PREDICTIONS, fail_fast=True)


class RerankRequest(PredictRequest):
    """These movies, best first; those that the viewer may not see now are left out."""

    viewer: Viewer | None = None
    surface: Surface = "rerank"


class CommonListRequest(Request):
    """A page of a list in one order for all, without what this user knows."""

    user_id: UserId | None = Field(
        None, description="whose stored history, and refused movies, are left out"
    )
    k: K = 10
    offset: Offset = 0
    filters: Filters | None = None
    exclude_ids: list[MovieIdIn] | None = Field(None, max_length=MAX_IDS, fail_fast=True)
    viewer: Viewer | None = None
    personalized: bool | None = Field(None, description=PERSONALIZED)


class SimilarRequest(CommonListRequest):
    """Give movie_id or movie_ids, one of the two."""

    surface: Surface = "similar"

    # The service checks the rule: of a `oneOf` beside properties, generators make other classes.
    movie_id: MovieIdIn | None = None
    movie_ids: list[MovieIdIn] | None = Field(None, min_length=1, max_length=100)


class ChartsRequest(CommonListRequest):
    """A list in one order for all users."""

    surface: Surface = "charts"

    kind: ChartKind


class RateNextRequest(UserRequest):
    """Movies to ask this user about."""

    k: K = 10
    viewer: Viewer | None = None
    surface: Surface = "rate_next"


class EventIn(Request):
    """One interaction of a user.

    stars: with a rating, and only there; watched: with a watch. Without `at` it is of the moment
    at which it arrives.
    """

    event_id: Text
    user_id: UserId
    movie_id: MovieIdIn
    kind: Literal["rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen"]
    stars: float | None = None
    watched: float | None = Field(None, ge=0, le=1, description="share of the movie watched")
    at: Time | None = Field(None, description=ABOUT_TIME)


class UserIdRequest(Request):
    """A user, whose id may be any text."""

    user_id: UserId


class UserSettingsRequest(UserIdRequest):
    """The choice of a user: lists with or without the history."""

    personalized: bool


class MovieIdRequest(Request):
    """A movie, by its id."""

    movie_id: MovieIdIn


class EventsRequest(ListRequest):
    """Interactions of users, in any order; each is stored or rejected by itself."""

    events: Annotated[list[EventIn | Malformed], EachByItself(EventIn, MAX_EVENTS)]


def digits(text: object) -> object:
    """Refuse text that Python alone would read as a number: "1_0" and " 10"."""
    if not (isinstance(text, str) and text.isascii() and text.isdigit()):
        raise PydanticCustomError("digits", "expected digits only")
    return text


class Params(BaseModel):
    """Parameters of a path or a query string, all of them text."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchParams(Params):
    q: str = Field(min_length=1, max_length=200)
    k: Annotated[K, BeforeValidator(digits)] = 10
    offset: Annotated[int, BeforeValidator(digits), Field(ge=0, le=MAX_OFFSET)] = 0
    surface: Surface = "search"
    country: str | None = Field(None, max_length=64, description="of the viewer, such as DE")
    max_age: Annotated[int, BeforeValidator(digits), Field(ge=0, le=200)] | None = Field(
        None, description="the viewer's age, or the highest that a title may require"
    )

    @property
    def viewer(self) -> dict[str, Any]:
        """Return what the query string says of the viewer."""
        viewer = {"country": self.country, "max_age": self.max_age}
        return {name: value for name, value in viewer.items() if value is not None}


class MovieParams(Params):
    movie_id: Annotated[Text, WithJsonSchema(PATH_TEXT)]


class UserParams(Params):
    user_id: Annotated[Text, WithJsonSchema(PATH_TEXT)]
