"""The app, page by page, against a fake service whose lists can be worked out by eye.

What earlier Streamlit recommenders got wrong (a cut list of titles, a second favourite that counted
for nothing, a ranking sorted by row, errors turned into "Oops!") has a test each.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.fake_service import FILMS, Fake, fake_service

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("start", "for_you", "rate", "taste", "night", "profile", "findings", "about", "film")
WIDGETS = ("button", "checkbox", "multiselect", "radio", "select_slider", "selectbox", "slider")
TIMEOUT_S = 30


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fake]:
    st.cache_data.clear()
    with fake_service() as service:
        monkeypatch.setenv("MARQUEE_URL", service.url)
        monkeypatch.setenv("APP_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("FINDINGS", str(tmp_path / "reports"))
        monkeypatch.delenv("POSTERS", raising=False)
        monkeypatch.delenv("MARQUEE_KEY", raising=False)
        yield service


def rated(fake: Fake, user_id: str, **stars: float) -> None:
    """rated(fake, "ana", f3=5.0): film 3."""
    for n, (film, given) in enumerate(stars.items()):
        at = datetime(2026, 1, 1, 0, 0, len(fake.events) + n, tzinfo=UTC).isoformat()
        event = {"event_id": f"e{len(fake.events)}", "user_id": user_id, "kind": "rating"}
        fake.events[event["event_id"]] = event | {
            "movie_id": int(film[1:]),
            "stars": given,
            "at": at,
        }


def opened(page: str, **query: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    at.query_params.update({"me": "ana"} | query)
    at.run()
    if page != "start":
        at.switch_page(f"app_pages/{page}.py").run()
    return at


def fine(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].message
    assert not at.error, at.error[0].value
    return at


def said(at: AppTest) -> str:
    """Everything that can be read on the page."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "warning", "error", "success")
    parts = [element.value for kind in kinds for element in getattr(at, kind)]
    return "\n".join([*parts, *(html.value for html in at.html)])


def titles(at: AppTest, row: str) -> list[str]:
    """Of the cards of a row, in their order: the films that its links lead to."""
    links = at.get_by_key(f"row-{row}").page_link
    return [FILMS[int(dict(link.query_params)["movie"])]["title"] for link in links]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_and_labels_its_controls(fake: Fake, page: str) -> None:
    rated(fake, "ana", f1=5.0, f7=4.0, f8=3.0, f9=2.5, f10=4.5)
    at = fine(opened(page, movie="3"))
    assert at.title[0].value
    for kind in WIDGETS:
        for widget in getattr(at, kind):
            assert widget.label.strip(), (kind, widget.key)
