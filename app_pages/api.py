"""The service as the pages see it: one connection for all sessions, and a cache of shared answers.

    api.service().recommend(user_id="ana", k=12)    # of one user: always requested
    api.chart("popular", 100)                       # of every user: requested once in five minutes

The popular chart is also written to a file, for the time when the service does not answer.
"""

import json
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import streamlit as st

from app_pages import parameters, rating_scale, state
from marquee_client import Marquee, MarqueeError, Retries, Unavailable
from marquee_client.requests import ChartKind, Filters, RecommendRequest, UserRequest
from marquee_client.types import (
    ChartMovie,
    HistoryItem,
    MovieId,
    RecommendResponse,
    SimilarMovie,
)

TIMEOUT_S = 4.0
RETRIES = Retries(times=1, total_s=3.0)
"""A visitor waits for this: one more try, then the page says that the service does not answer."""
CACHE_S = 300
MAX_CHART_K = 100  # the most that the service gives at once
CHART_KINDS: tuple[ChartKind, ...] = ("popular", "trending", "new", "hidden_gems")
AWAY = frozenset({"unavailable", "timeout", "busy"})
"""Codes of one result of a batch that may succeed a little later."""


def service() -> Marquee:
    """Return the connection to the service; without settings for one, end the page."""
    url = os.environ.get("MARQUEE_URL", "http://127.0.0.1:3000")
    try:
        return _connection(url, os.environ.get("MARQUEE_KEY"))
    except ValueError as error:
        st.error(f"The app is not set up: {error}. Set MARQUEE_URL and MARQUEE_KEY, and restart.")
        st.stop()


@st.cache_resource(show_spinner=False)
def _connection(url: str, key: str | None) -> Marquee:
    return Marquee(url, key, timeout_s=TIMEOUT_S, retries=RETRIES)


def history() -> list[HistoryItem]:
    """Return what the service stores of this visitor, oldest first."""
    return service().history(state.me())["items"]


def user(user_id: str = "") -> Any:
    """Return a user's keys of a request for lists; the visitor's by default.

    A page says that the service is away rather than show what most people like as a user's own.
    """
    keys: UserRequest = {"user_id": user_id or state.me(), "require_history": True}
    return keys


def recommend_batch(queries: Sequence[RecommendRequest]) -> list[RecommendResponse]:
    """Return one response per query, in their order; raise the error of any of them."""
    responses = []
    for response in service().recommend_batch(queries)["results"]:
        if error := cast(dict[str, Any], response).get("error"):
            error_type = Unavailable if error["code"] in AWAY else MarqueeError
            raise error_type(error["message"], code=error["code"])
        responses.append(cast(RecommendResponse, response))
    return responses


@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def chart(
    kind: ChartKind, k: int = MAX_CHART_K, filters: Filters | None = None
) -> list[ChartMovie]:
    """Return the first k movies of a chart, best first."""
    movies = service().charts(kind, k=k, filters=filters)["items"]
    if kind == "popular" and not filters and k == MAX_CHART_K:
        with suppress(OSError):  # a full or read-only disk must not fail the page
            _popular_path().parent.mkdir(parents=True, exist_ok=True)
            _popular_path().write_text(json.dumps(movies))
    return movies


@st.cache_data(ttl=CACHE_S, max_entries=512, show_spinner=False)
def similar(movie_id: MovieId, k: int = MAX_CHART_K) -> list[SimilarMovie]:
    return service().similar(movie_id, k=k)["items"]


@st.cache_data(ttl=60, show_spinner=False)
def model() -> dict[str, Any]:
    return service().model()


def data_name() -> str:
    """Return the name of the data set that the model learned from."""
    return str(model()["data"].get("name"))


def is_synthetic() -> bool:
    """Return whether movies and users are generated; the pages must say so."""
    return data_name() == "demo"


def scale() -> list[float]:
    """Return the values of a rating, ascending; empty for a catalog without ratings."""
    return cast(list[float], model().get("scale") or [])


def has_text_ids() -> bool:
    return bool(model().get("id_type") == "text")


def has_years() -> bool:
    return "new" in charts()


def charts() -> Collection[ChartKind]:
    """Return the service's kinds of charts; some need ratings, years or times."""
    return cast(Collection[ChartKind], model().get("charts", CHART_KINDS))


def movie_id(text: str) -> MovieId | None:
    """Return the id in an address, in the type of the catalog's ids; else None."""
    return parameters.movie_id(text, is_text=has_text_ids())


def answers(history: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Return a visitor's ratings, or without them movies watched, newest first."""
    items = rating_scale.rated_items if scale() else rating_scale.watched_items
    return items(history)


def genres() -> list[str]:
    """Return the genres of the movies in the charts, sorted: enough to choose from."""
    kinds = [kind for kind in ("popular", "new", "hidden_gems") if kind in charts()]
    movies = [movie for kind in kinds for movie in chart(cast(ChartKind, kind))]
    return sorted({genre for movie in movies for genre in movie["genres"]})


def genre_profile() -> RecommendRequest:
    """Return the visitor's own genre mix, genres of the catalog only, for a query."""
    catalog_genres = genres() if state.mix() else []
    mix = {genre: weight for genre, weight in state.mix().items() if genre in catalog_genres}
    return {"genre_profile": mix} if mix else {}


def last_popular() -> list[ChartMovie]:
    """Return the popular chart as last received; empty if it never was."""
    with suppress(OSError, ValueError):
        return cast(list[ChartMovie], json.loads(_popular_path().read_text()))
    return []


def _popular_path() -> Path:
    return Path(os.environ.get("APP_CACHE", "runs/app")) / "popular.json"
