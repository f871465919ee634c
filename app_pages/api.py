"""The service as the pages see it: one connection for all sessions, and a cache of shared answers.

    api.service().recommend(user_id="ana", k=12)    # of one user: always requested
    api.chart("popular", 100)                       # of every user: requested once in five minutes

The popular chart is also written to a file, for the time when the service does not answer.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import streamlit as st

from app_pages import state
from marquee_client import Marquee, MarqueeError, Retries
from marquee_client.requests import ChartKind, Filters, RecommendRequest
from marquee_client.types import ChartMovie, RecommendResponse, SimilarMovie

TIMEOUT_S = 4.0
RETRIES = Retries(times=1, total_s=3.0)
"""A visitor waits for this: one more try, then the page says that the service does not answer."""
CACHE_S = 300
MAX_CHART_K = 100
"""The most that the service gives at once."""


def address() -> str:
    """Return the URL of the service."""
    return os.environ.get("MARQUEE_URL", "http://127.0.0.1:3000")


def service() -> Marquee:
    """Return the connection to the service.

    Without settings for one, show the reason and end the page.
    """
    try:
        return _connection(address(), os.environ.get("MARQUEE_KEY"))
    except ValueError as error:
        st.error(f"The app is not set up: {error} (MARQUEE_URL, MARQUEE_KEY).")
        st.stop()


@st.cache_resource(show_spinner=False)
def _connection(url: str, key: str | None) -> Marquee:
    return Marquee(url, key, timeout_s=TIMEOUT_S, retries=RETRIES)


def recommend_batch(queries: Sequence[RecommendRequest]) -> list[RecommendResponse]:
    """Return one response per query, in their order; raise the error of any of them."""
    responses = []
    for response in service().recommend_batch(queries)["results"]:
        if error := cast(dict[str, Any], response).get("error"):
            raise MarqueeError(error["message"], code=error["code"])
        responses.append(cast(RecommendResponse, response))
    return responses


def chart(
    kind: ChartKind, k: int = MAX_CHART_K, filters: Filters | None = None
) -> list[ChartMovie]:
    """Return the first k movies of a chart, best first."""
    return _chart(address(), kind, k, filters or {})


@st.cache_data(ttl=CACHE_S, max_entries=256, show_spinner=False)
def _chart(url: str, kind: ChartKind, k: int, filters: Filters) -> list[ChartMovie]:
    items = service().charts(kind, k=k, filters=filters)["items"]
    if kind == "popular" and not filters and k == MAX_CHART_K:
        _save_popular(items)
    return items


def similar(movie_id: int, k: int = MAX_CHART_K) -> list[SimilarMovie]:
    """Return the k movies most similar to one."""
    return _similar(address(), movie_id, k)


@st.cache_data(ttl=CACHE_S, max_entries=512, show_spinner=False)
def _similar(url: str, movie_id: int, k: int) -> list[SimilarMovie]:
    return service().similar(movie_id, k=k)["items"]


def model() -> dict[str, Any]:
    """Return the model card."""
    return _model(address())


@st.cache_data(ttl=60, show_spinner=False)
def _model(url: str) -> dict[str, Any]:
    return service().model()


def genres() -> list[str]:
    """Return the genres of the movies in the charts, sorted.

    That is enough to choose from, and saves a list of the whole catalog.
    """
    movies = chart("popular") + chart("new") + chart("hidden_gems")
    return sorted({genre for movie in movies for genre in movie["genres"]})


def genre_profile() -> RecommendRequest:
    """Return the user's own genre mix as part of a query.

    It holds only genres that the catalog has.
    """
    catalog_genres = genres() if state.mix() else []
    mix = {genre: weight for genre, weight in state.mix().items() if genre in catalog_genres}
    return {"genre_profile": mix} if mix else {}


def is_synthetic() -> bool:
    """Return whether movies and users are generated; the pages must say so."""
    return str(model()["data"].get("name")) == "demo"


def last_popular() -> list[ChartMovie]:
    """Return the popular chart as this machine last received it.

    It is empty if the machine never did.
    """
    with suppress(OSError, ValueError):
        return cast(list[ChartMovie], json.loads(_popular_path().read_text()))
    return []


def _save_popular(items: list[ChartMovie]) -> None:
    """Write the chart; a full or read-only disk must not fail the page."""
    with suppress(OSError):
        # An atomic write of its own: the pages import marquee_client only, not marquee.core.files.
        path = _popular_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(items))
        draft.replace(path)


def _popular_path() -> Path:
    return Path(os.environ.get("APP_CACHE", "runs/app")) / "popular.json"
