"""What is asked and what is answered, as typed dicts: the shapes of the service's JSON.

A key that may be absent is `NotRequired` (in questions: every key of a `total=False` class). Times
are RFC 3339 text in answers, text or an aware datetime in questions.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NotRequired, Required, TypedDict

UserId = int | str
"""42 and "42" are the same person."""
Kind = Literal["rating", "unrate", "watch", "click", "impression", "not_interested", "not_seen"]
Chart = Literal["popular", "trending", "new", "hidden_gems"]


class Film(TypedDict, total=False):
    """One film of a history that is sent along."""

    movie_id: Required[int]
    stars: float | None
    portion: float | None
    at: datetime | str | None


class Filters(TypedDict, total=False):
    """Which movies may be in the answer; all given ones must hold."""

    genres: Sequence[str] | None
    exclude_genres: Sequence[str] | None
    year_min: int | None
    year_max: int | None
    min_ratings: int | None


class Person(TypedDict, total=False):
    """Who is asked for: the stored history of user_id first, then the history given."""

    user_id: UserId | None
    history: Sequence[Film] | None


class RecommendRequest(Person, total=False):
    """The controls (diversity to freshness) are 0..1; the service's README says what they do."""

    k: int
    offset: int
    filters: Filters | None
    include_ids: Sequence[int] | None
    exclude_ids: Sequence[int] | None
    exclude_seen: bool
    diversity: float
    calibration: float
    novelty: float
    freshness: float
    genre_profile: Mapping[str, float] | None
    explain: bool


class ListRequest(TypedDict, total=False):
    k: int
    filters: Filters | None


class RateNextRequest(Person, total=False):
    k: int


class Event(TypedDict, total=False):
    """What somebody did; `event_id` and `at` (now) are filled in where they are absent."""

    event_id: str
    user_id: Required[UserId]
    movie_id: Required[int]
    kind: Required[Kind]
    stars: float
    portion: float
    at: datetime | str


class Movie(TypedDict):
    movie_id: int
    title: str
    year: int | None
    genres: list[str]
    support: int
    """Ratings it was trained on."""


class Stars(TypedDict):
    """low..high holds the person's stars nine times in ten; p_like is P(4 stars or more)."""

    expected: float
    low: float
    high: float
    p_like: float


class Because(TypedDict):
    """What raised the film, and by how much: a film of the history, or for a cold list a genre."""

    movie_id: NotRequired[int]
    title: NotRequired[str]
    genre: NotRequired[str]
    effect: float


class Why(TypedDict):
    """Why a rating of this film is worth asking for."""

    seen_probability: float
    information: float
    scarcity: float


class Scored(Movie):
    score: float


class Item(Scored):
    """`score` compares movies of one list; `because` is there where explain was asked for."""

    stars: Stars
    because: NotRequired[list[Because]]


class RateNextItem(Movie):
    why: Why


class HistoryItem(TypedDict):
    """A stored entry; of a movie that the bundle does not hold there is its id only."""

    movie_id: int
    title: NotRequired[str]
    year: NotRequired[int | None]
    genres: NotRequired[list[str]]
    support: NotRequired[int]
    stars: NotRequired[float]
    portion: NotRequired[float]
    not_interested: NotRequired[bool]
    at: str


class Ranking(TypedDict):
    items: list[Item]
    strategy: Literal["popular", "history", "content"]
    model_version: str


class Recommendation(Ranking):
    next_offset: int | None
    """Where the next page begins; None on the last."""


class Recommendations(TypedDict):
    results: list[Recommendation]


class Similar(TypedDict):
    items: list[Scored]
    model_version: str


class Movies(TypedDict):
    items: list[Movie]
    model_version: str


class Charts(Movies):
    kind: Chart


class RateNext(TypedDict):
    items: list[RateNextItem]
    model_version: str


class History(TypedDict):
    user_id: str
    items: list[HistoryItem]


class Rejected(TypedDict):
    event_id: str
    code: str
    message: str


class Accepted(TypedDict):
    """`duplicates` had been stored before: what a repeated request leads to, and no fault."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]


class Deleted(TypedDict):
    deleted: int


def label(movie: Movie | HistoryItem) -> str:
    """A movie as people read it: "Heat (1995)", or its id where only that is known."""
    name = movie.get("title", f"movie {movie['movie_id']}")
    year = movie.get("year")
    return name if year is None else f"{name} ({year})"
