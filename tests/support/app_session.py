"""The app in this process, against the fake service: open a page, and read what it shows.

with service_of_the_app(monkeypatch, tmp_path) as fake:
    at = checked(open_page("movie", movie="3"))
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app_pages import api, parameters
from marquee_client import Retries
from tests.support.fake_service import FakeService, fake_service
from tests.support.paths import ROOT

PAGES = ("start", "for_you", "rate", "taste", "night", "profile", "findings", "about", "movie")
TIMEOUT_S = 30


@contextmanager
def service_of_the_app(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[FakeService]:
    """Yield a fake service that the app calls; its files are in the folder."""
    st.cache_data.clear()
    with fake_service() as service:
        monkeypatch.setenv("MARQUEE_URL", service.url)
        monkeypatch.setattr(api, "RETRIES", Retries(times=0))
        # Each AppTest reads what every installed package says of itself: half a second.
        monkeypatch.setattr(manifest_scanner, "scan_component_manifests", list)
        monkeypatch.setenv("APP_CACHE", str(folder / "cache"))
        monkeypatch.setenv("FINDINGS", str(folder / "reports"))
        monkeypatch.delenv("POSTERS", raising=False)
        monkeypatch.delenv("MARQUEE_KEY", raising=False)
        yield service


def add_ratings(fake: FakeService, user_id: str, stars: dict[int, float]) -> None:
    """Store ratings of a user, movie_id -> stars, a second apart."""
    for movie_id, value in stars.items():
        at = datetime(2026, 1, 1, 0, 0, len(fake.events), tzinfo=UTC).isoformat()
        event = {"event_id": f"e{len(fake.events)}", "user_id": user_id, "kind": "rating"}
        event |= {"movie_id": movie_id, "stars": value, "at": at}
        fake.events[event["event_id"]] = event


def open_page(page: str, tab: str = "", **query: Any) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    at.query_params.update({"me": "ana"} | query)
    if tab:
        at.session_state[f"{page}-tab"] = tab
    return at.switch_page(f"app_pages/{page}.py").run()


def checked(at: AppTest) -> AppTest:
    """Return the page, which shows no error."""
    assert not at.exception, at.exception[0].message
    assert not at.error, at.error[0].value
    return at


def page_text(at: AppTest) -> str:
    """Return what can be read on the page."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "info",
        "warning",
        "error",
        "success",
    )
    parts = [element.value for kind in kinds for element in getattr(at, kind)]
    return "\n".join([*parts, *(html.value for html in at.html)])


def literal(text: str) -> str:
    """Return what a reader sees of a text with escaped Markdown."""
    return text.replace("\\", "").replace(parameters.WORD_JOINER, "")


def query_param(at: AppTest, name: str) -> str:
    """Return a parameter of the address."""
    value = at.query_params[name]
    return value if isinstance(value, str) else value[0]
