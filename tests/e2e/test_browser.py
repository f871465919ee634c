"""The app in chromium: with a real service from the first visit to an outage, and on a phone.

Needs Debian's chromium (`make setup-browser`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from deploy.local_processes import run_app
from tests.support import browser
from tests.support.fake_service import FakeService, fake_service
from tests.support.processes import free_port, output_of, serve, start_on_free_port, stop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        browser.CHROMIUM is None, reason="no chromium here: make setup-browser installs it"
    ),
]
PAGES = ("", "for_you", "rate", "taste", "night", "profile", "findings", "about", "movie")
UNNAMED_CONTROLS = """() => [...document.querySelectorAll(
    'button, input, a[href], [role=slider]')]
  .filter(e => e.checkVisibility() && !e.ariaLabel && !e.innerText?.trim() && !e.labels?.length
    && !e.getAttribute('aria-labelledby') && !e.title && !e.querySelector('img[alt]'))
  .map(e => e.outerHTML.slice(0, 120))"""
FOCUS_MATCHES = """([selector, text]) => {
  const e = document.activeElement;
  return e.matches(selector) && (e.innerText || '').includes(text);
}"""
MAX_TABS = 20


@contextmanager
def real_service(bundle: Path, home: Path, port: int) -> Iterator[httpx.Client]:
    """Yield a client of a service that is ready; stop the service at the end."""
    output_of(home).unlink(missing_ok=True)
    url, process = start_on_free_port(
        lambda fixed: serve(bundle, home, fixed), output_of(home), stop, fixed_port=port
    )
    try:
        with httpx.Client(base_url=url) as client:
            yield client
    finally:
        stop(process)


@contextmanager
def open_app(url: str, cache: Path) -> Iterator[Page]:
    """Yield the start page of an app of its own, for the service at the URL."""
    settings = {"MARQUEE_URL": url, "APP_CACHE": str(cache)}
    with run_app(free_port(), settings) as (address, _), browser.browser() as chromium:
        yield browser.open_page(chromium, address)


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with fake_service() as service:
        yield service


@pytest.fixture
def page(fake: FakeService, tmp_path: Path) -> Iterator[Page]:
    with open_app(fake.url, tmp_path / "cache") as page:
        yield page


def address_of(page: Page, path: str) -> str:
    """Return the address of another page of the app."""
    return f"{page.url.split('?')[0].rstrip('/')}/{path}"


def test_app_survives_an_outage_of_the_service(bundle_folder: Path, tmp_path: Path) -> None:
    """From the first visit to a list of one's own, an outage, and the same list again."""
    port = free_port()
    with open_app(f"http://127.0.0.1:{port}", tmp_path / "cache") as page:
        with real_service(bundle_folder, tmp_path, port) as client:
            page.reload()
            rate_five_movies(page)
            page.get_by_role("link", name="See your list").click()
            page.get_by_role("heading", name="For you").wait_for()
            page.get_by_text("Because: what put these movies here").click()
            reasons = page.locator(".st-key-because").inner_text()
            user_id = httpx.URL(page.url).params["me"]
            ratings = client.get(f"/users/{user_id}/history").json()["items"]
            assert len(ratings) == 5
            assert any(f"because of {entry['title']}" in reasons for entry in ratings)
            top = browser.row_links(page, "top")
            page.reload()
            browser.wait_until_settled(page)
            assert browser.row_links(page, "top") == top
        page.reload()
        page.get_by_text("The service does not answer").wait_for()
        assert page.get_by_text("Popular, as last known").is_visible()
        with real_service(bundle_folder, tmp_path, port):
            page.get_by_role("button", name="Try again").click()
            page.wait_for_selector(".st-key-row-top a")
            assert browser.row_links(page, "top") == top


def rate_five_movies(page: Page) -> None:
    """Rate on the first page, without an account, and see the list below change."""
    page.get_by_role("tab", name="Or rate five movies").click()
    before = browser.row_links(page, "now-start")
    for n in range(1, 6):
        page.get_by_role("button", name="Give 3.5 ★").click()
        page.get_by_text(f"{n} of 5 movies rated").wait_for()
    browser.wait_until_settled(page)
    assert browser.row_links(page, "now-start") not in ([], before)


def test_page_fits_a_phone_and_names_its_controls(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    addresses = {name: address_of(page, f"{name}?me=ana&movie=3") for name in PAGES}
    for name, address in addresses.items():
        page.goto(address)
        page.wait_for_selector("h1")
        browser.wait_until_settled(page)
        assert browser.overflow(page) <= 0, name
        assert page.evaluate(UNNAMED_CONTROLS) == [], name


def test_rating_works_by_keyboard_alone(fake: FakeService, page: Page) -> None:
    page.goto(address_of(page, "rate?me=ana"))
    browser.wait_until_settled(page)
    page.get_by_label("Search a movie by title").focus()
    tab_to(page, "[role=slider], input[type=range]")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Give 4 ★").wait_for()
    tab_to(page, "button", "Give 4")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo").wait_for()
    assert [(e["movie_id"], e["stars"]) for e in fake.events.values()] == [(1, 4.0)]


def test_slow_service_shows_a_spinner(fake: FakeService, page: Page) -> None:
    fake.slow_s = 1.0
    page.goto(address_of(page, "for_you?me=ana"))
    page.get_by_text("Asking the service").first.wait_for()
    fake.slow_s = 0.0
    page.wait_for_selector(".st-key-row-top a")
    page.get_by_text("Asking the service").first.wait_for(state="hidden")


def tab_to(page: Page, selector: str, text: str = "") -> None:
    """Press Tab until the focus is on such an element."""
    for _ in range(MAX_TABS):
        if page.evaluate(FOCUS_MATCHES, [selector, text]):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector} {text}")
