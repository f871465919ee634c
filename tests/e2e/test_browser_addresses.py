"""Address, Back, reload and a copied link agree on every page, in chromium.

Needs Debian's chromium (`make setup-browser`).
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page

from deploy.local_processes import run_app
from tests.support import browser
from tests.support.fake_service import MOVIES, fake_service
from tests.support.processes import free_port, wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(
        browser.CHROMIUM is None, reason="no chromium here: make setup-browser installs it"
    ),
]
CONTENT = """() => {
  const fields = [...document.querySelectorAll('input')];
  const sliders = [...document.querySelectorAll('[role=slider]')];
  return [
    ...[...document.querySelectorAll('h1, h3, .stMarkdown, [data-testid=stCaptionContainer]')]
      .filter(e => e.checkVisibility()).map(e => e.innerText),
    ...fields.map(e => ['checkbox', 'radio'].includes(e.type) ? e.checked : e.value),
    ...sliders.map(e => e.ariaValueNow),
  ].join('|');
}"""
"""The text that a visitor reads, and the content of the fields."""
TOO_WIDE = """() => [...document.querySelectorAll('body *')]
  .filter(e => e.checkVisibility() && e.getBoundingClientRect().width > innerWidth)
  .map(e => e.outerHTML.slice(0, 120))"""
PAGES = ("", "for_you", "rate", "taste", "night", "profile", "findings", "about")


class App(NamedTuple):
    address: str
    chromium: Browser


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    settings = {"APP_CACHE": str(folder / "cache"), "FINDINGS": str(folder / "reports")}
    with fake_service() as fake, browser.browser() as chromium:
        fake.events["e"] = {
            "event_id": "e", "user_id": "ana", "movie_id": 9, "kind": "rating", "stars": 4.0,
            "at": "2026-01-01T00:00:00+00:00",
        }  # fmt: skip
        with run_app(free_port(), settings | {"MARQUEE_URL": fake.url}) as (address, _):
            yield App(address, chromium)


@pytest.fixture
def page(app: App) -> Iterator[Page]:
    page = app.chromium.new_page()
    page.set_default_timeout(browser.WAIT_MS)
    yield page
    page.close()


def goto(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("h1")
    browser.wait_until_settled(page)


def content(page: Page) -> str:
    browser.wait_until_settled(page)
    return str(page.evaluate(CONTENT))


def check_shows(page: Page, expected: str, url: str) -> None:
    """Wait for content at its address: the app draws some time after the address changes."""
    with suppress(AssertionError):
        wait_until(lambda: (content(page), page.url) == (expected, url), "", timeout_s=15)
    assert (content(page), page.url) == (expected, url)


def click(selector: str) -> Callable[[Page], None]:
    return lambda page: page.locator(selector).first.click()


def search(page: Page) -> None:
    page.get_by_label("Search a movie by title").fill("alpha")
    page.get_by_text("Found 10").wait_for()


def move_slider(page: Page) -> None:
    page.get_by_text("Filters and controls").click()
    page.get_by_role("slider", name="Surprise me").press("ArrowRight")
    page.wait_for_url("**novelty=0.1*")
    page.get_by_text("Filters and controls").click()


def use_name(page: Page) -> None:
    page.get_by_label("Name", exact=True).fill("Ana B")
    page.get_by_role("button", name="Use this name").click()


def use_mix(page: Page) -> None:
    page.get_by_text("Set a mix of your own").click()
    page.get_by_role("button", name="Use this mix").click()
    page.get_by_text("the mix you set").first.wait_for()
    page.get_by_text("Set a mix of your own").click()
    page.get_by_text("0 leaves a genre to chance").first.wait_for(state="hidden")


CHOICES = [
    pytest.param("movie?me=ana&movie=3", click(".st-key-row-like a"), id="movie-like-it"),
    pytest.param("for_you?me=ana", click(".st-key-row-top a"), id="for-you-movie"),
    pytest.param("for_you?me=ana", move_slider, id="for-you-controls"),
    pytest.param("?me=ana", click(".st-key-taste-0 label"), id="start-taste"),
    pytest.param("?me=ana", click("[role=tab]:has-text('rate five')"), id="start-tab"),
    pytest.param("rate?me=ana", click("[role=tab]:has-text('What you')"), id="rate-tab"),
    pytest.param("rate?me=ana", click(".st-key-row-queue-rate .stButton button"), id="rate-pick"),
    pytest.param("rate?me=ana", search, id="rate-search"),
    pytest.param("rate?me=ana", click("button:has-text('stars say most')"), id="rate-queue"),
    pytest.param("taste?me=ana", use_mix, id="genre-mix"),
    pytest.param("night?me=ana", click("button:has-text('Best on')"), id="night-fairness"),
    pytest.param("profile?me=ana", use_name, id="profile-name"),
]


@pytest.mark.parametrize(("path", "choose"), CHOICES)
def test_address_back_reload_and_copy_agree(
    app: App, page: Page, path: str, choose: Callable[[Page], None]
) -> None:
    goto(page, f"{app.address}/{path}")
    before, first = content(page), page.url
    choose(page)
    after = content(page)
    assert after != before
    second = page.url
    assert second != first
    page.go_back()
    check_shows(page, before, first)
    page.go_forward()
    check_shows(page, after, second)
    page.reload()
    page.wait_for_selector("h1")
    check_shows(page, after, second)
    copy = app.chromium.new_page()
    goto(copy, second)
    check_shows(copy, after, second)
    copy.close()


@pytest.mark.parametrize("path", PAGES)
def test_page_link_adds_one_step_of_back(app: App, page: Page, path: str) -> None:
    """Its address names the visitor: a link in a new tab opens no new profile."""
    goto(page, f"{app.address}/movie?me=ana&movie=3&name=Ana")
    before, first = content(page), page.url
    link = page.locator(f".st-key-nav a[href^='{path}?'], .st-key-nav a[href^='./?']").first
    assert "me=ana&name=Ana" in str(link.get_attribute("href"))
    link.click()
    page.wait_for_url(f"**/{path}?me=ana&name=Ana")
    page.go_back()
    check_shows(page, before, first)


def test_filters_outlive_a_look_at_a_movie(app: App, page: Page) -> None:
    goto(page, f"{app.address}/for_you?me=ana&decade=2000s")
    before, first = content(page), page.url
    page.locator(".st-key-row-top a").first.click()
    page.get_by_role("heading", name="What moved this").wait_for()
    page.locator(".st-key-nav a[href^='for_you']").click()
    page.get_by_role("heading", name="Top picks").wait_for()
    check_shows(page, before, first)
    page.go_back()
    page.get_by_role("heading", name="What moved this").wait_for()
    page.go_back()
    check_shows(page, before, first)


def test_old_address_of_a_movie_shows_it(app: App, page: Page) -> None:
    goto(page, f"{app.address}/film?me=ana&movie=3")
    assert page.locator("h1").inner_text() == MOVIES[3]["title"]
    link = page.locator(".st-key-row-like a").first
    assert str(link.get_attribute("href")).startswith("movie?")
    goto(page, f"{app.address}/film?me=ana&movie=²")
    page.get_by_text("The address names no movie").wait_for()


@pytest.mark.parametrize("width", [320, 375, 800, 801, 1280])
def test_page_links_are_in_the_header(app: App, page: Page, width: int) -> None:
    """Each is in sight, as Streamlit's own links would be; none covers another or the page."""
    page.set_viewport_size({"width": width, "height": 800})
    goto(page, f"{app.address}/about?me=ana")
    header, title = (page.locator(s).bounding_box() for s in ("[data-testid=stHeader]", "h1"))
    assert header and title
    assert header["height"] <= title["y"]
    boxes = [link.bounding_box() for link in page.locator(".st-key-nav a").all()]
    assert len(boxes) == len(PAGES)
    for n, box in enumerate(boxes):
        assert box and box["x"] >= 56 and box["x"] + box["width"] <= width
        assert box["y"] >= 0 and box["y"] + box["height"] <= header["height"]
        for other in filter(None, boxes[:n]):
            is_beside = other["x"] + other["width"] <= box["x"] + 0.5
            assert is_beside or other["y"] + other["height"] <= box["y"] + 0.5


@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("path", ["for_you", "profile", "night"])
def test_long_name_fits_the_window(app: App, page: Page, path: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    goto(page, f"{app.address}/{path}?me=ana&name={'W' * 3000}")
    assert page.evaluate(TOO_WIDE) == []
    assert browser.overflow(page) <= 0


def test_markup_in_a_name_is_shown_literally(app: App, page: Page) -> None:
    name = ":material/star: $x$ -> <b>:red[y]"
    page.goto(f"{app.address}/for_you")
    goto(page, f"{app.address}/for_you?me=ana&name=%3Amaterial/star:%20$x$%20->%20<b>:red[y]")
    assert page.locator("h1").inner_text().replace("\u2060", "") == f"For {name}"
