"""What the pages ask of the service: one connection for all sessions, and what is the same for
everybody kept for minutes.

    api.service().recommend(user_id="ana", k=12)    # of one person: always asked
    api.chart("popular", 100)                       # of nobody: asked once in five minutes

The popular chart is also written to a file, for the time when nobody answers.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import streamlit as st

from app_pages import state
from marquee_client import Marquee, Retries
from marquee_client.types import Chart, Filters, Movie, Scored

TIMEOUT_S = 4.0
RETRIES = Retries(times=1, total_s=3.0)
"""A person waits for this: one more try, then the page says that nobody answers."""
KEPT_S = 300
CHART_K = 100
"""The most that the service gives at once."""


def address() -> str:
    return os.environ.get("MARQUEE_URL", "http://127.0.0.1:3000")


def service() -> Marquee:
    """The connection; a page that cannot have one says why and ends."""
    try:
        return _connection(address(), os.environ.get("MARQUEE_KEY"))
    except ValueError as error:
        st.error(f"The app is not set up: {error} (MARQUEE_URL, MARQUEE_KEY).")
        st.stop()


@st.cache_resource(show_spinner=False)
def _connection(url: str, key: str | None) -> Marquee:
    return Marquee(url, key, timeout_s=TIMEOUT_S, retries=RETRIES)


def chart(kind: Chart, k: int = CHART_K, filters: Filters | None = None) -> list[Movie]:
    """The first k of a chart, best first."""
    return _chart(address(), kind, k, filters or {})


@st.cache_data(ttl=KEPT_S, max_entries=256, show_spinner=False)
def _chart(url: str, kind: Chart, k: int, filters: Filters) -> list[Movie]:
    items = service().charts(kind, k=k, filters=filters)["items"]
    if kind == "popular" and not filters and k == CHART_K:
        _keep(items)
    return items


def similar(movie_id: int, k: int = CHART_K) -> list[Scored]:
    """The k films nearest to one."""
    return _similar(address(), movie_id, k)


@st.cache_data(ttl=KEPT_S, max_entries=512, show_spinner=False)
def _similar(url: str, movie_id: int, k: int) -> list[Scored]:
    return service().similar(movie_id, k=k)["items"]


def model() -> dict[str, Any]:
    """The model card."""
    return _model(address())


@st.cache_data(ttl=60, show_spinner=False)
def _model(url: str) -> dict[str, Any]:
    return service().model()


def genres() -> list[str]:
    """Those of the films that the charts name, by the alphabet: enough to pick from, and no film
    has to be listed for it."""
    films = chart("popular") + chart("new") + chart("hidden_gems")
    return sorted({genre for film in films for genre in film["genres"]})


def mixed() -> dict[str, Any]:
    """The mix that the person set, as a part of a question: genres that this catalogue has."""
    known = genres() if state.mix() else []
    mix = {genre: weight for genre, weight in state.mix().items() if genre in known}
    return {"genre_profile": mix} if mix else {}


def synthetic() -> bool:
    """Whether films and people are generated: the pages must say so."""
    return str(model()["data"].get("name")) == "demo"


def last_popular() -> list[Movie]:
    """The popular chart as it was last answered, on this machine; empty if it never was."""
    with suppress(OSError, ValueError):
        return cast(list[Movie], json.loads(_kept().read_text()))
    return []


def _keep(items: list[Movie]) -> None:
    """A disk that cannot be written to must not take the page away."""
    with suppress(OSError):
        _kept().parent.mkdir(parents=True, exist_ok=True)
        draft = _kept().with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(items))
        draft.replace(_kept())


def _kept() -> Path:
    return Path(os.environ.get("APP_CACHE", "runs/app")) / "popular.json"
