"""The app in a real browser: with a real service from the first look to its end, and every page
on a telephone.

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
from tests.support.fake_service import fake_service
from tests.support.processes import free_port, serve, wait_until_ready

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="no chromium here: make setup-browser installs it"
)
PAGES = ("", "for_you", "rate", "taste", "night", "profile", "findings", "about", "movie")
UNNAMED = """() => [...document.querySelectorAll('button, input, a[href], [role=slider]')]
  .filter(e => e.checkVisibility() && !e.ariaLabel && !e.innerText?.trim() && !e.labels?.length
    && !e.getAttribute('aria-labelledby') && !e.title && !e.querySelector('img[alt]'))
  .map(e => e.outerHTML.slice(0, 120))"""


@contextmanager
def service(bundle: Path, home: Path, port: int) -> Iterator[httpx.Client]:
    """The real one, ready; stopped at the end."""
    process = serve(bundle, home, port, (home / "output").open("a"))
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until_ready(client, process)
            yield client
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def looking(url: str, cache: Path) -> Iterator[Page]:
    settings = {"MARQUEE_URL": url, "APP_CACHE": str(cache)}
    with run_app(free_port(), settings) as (address, _), browser.browser() as chromium:
        yield browser.opened(chromium, address)


def test_from_the_first_look_to_a_list_of_ones_own(bundle_folder: Path, tmp_path: Path) -> None:
    port = free_port()
    with looking(f"http://127.0.0.1:{port}", tmp_path / "cache") as page:
        with service(bundle_folder, tmp_path, port) as client:
            page.reload()
            rate_five(page)
            page.get_by_role("link", name="See your list").click()
            page.get_by_role("heading", name="For you").wait_for()
            page.get_by_text("Because: what put these movies here").click()
            told = page.locator(".st-key-because").inner_text()
            user_id = httpx.URL(page.url).params["me"]
            rated = client.get(f"/users/{user_id}/history").json()["items"]
            assert len(rated) == 5
            assert any(f"because of {one['title']}" in told for one in rated)
            mine = browser.listed(page, "top")
            page.reload()
            browser.settled(page)
            assert browser.listed(page, "top") == mine
        page.reload()
        page.get_by_text("The service is away").wait_for()
        assert page.get_by_text("Popular, as last known").is_visible()
        with service(bundle_folder, tmp_path, port):
            page.get_by_role("button", name="Try again").click()
            page.wait_for_selector(".st-key-row-top a")
            assert browser.listed(page, "top") == mine


def rate_five(page: Page) -> None:
    """On the first page, without an account; the list below moves."""
    page.get_by_role("tab", name="Or rate five movies").click()
    before = browser.listed(page, "now-start")
    for n in range(1, 6):
        page.get_by_role("button", name="Give 3.5 ★").click()
        page.get_by_text(f"{n} of 5 movies rated").wait_for()
    browser.settled(page)
    assert browser.listed(page, "now-start") not in ([], before)


def test_every_page_fits_a_telephone_and_names_its_controls(tmp_path: Path) -> None:
    with fake_service() as fake, looking(fake.url, tmp_path / "cache") as page:
        page.set_viewport_size({"width": 390, "height": 844})
        address = page.url.split("?")[0].rstrip("/")
        for name in PAGES:
            page.goto(f"{address}/{name}?me=ana&movie=3")
            page.wait_for_selector("h1")
            browser.settled(page)
            assert browser.overflow(page) <= 0, name
            assert page.evaluate(UNNAMED) == [], name


def test_a_film_is_rated_by_keyboard_alone(tmp_path: Path) -> None:
    with fake_service() as fake, looking(fake.url, tmp_path / "cache") as page:
        page.goto(page.url.split("?")[0].rstrip("/") + "/rate?me=ana")
        browser.settled(page)
        page.get_by_label("Search a movie by title").focus()
        reach(page, "[role=slider], input[type=range]")
        page.keyboard.press("ArrowRight")
        page.get_by_role("button", name="Give 4 ★").wait_for()
        reach(page, "button", "Give 4")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Undo").wait_for()
        assert [(e["movie_id"], e["stars"]) for e in fake.events.values()] == [(1, 4.0)]


def test_a_slow_service_is_waited_for_in_sight(tmp_path: Path) -> None:
    with fake_service() as fake, looking(fake.url, tmp_path / "cache") as page:
        fake.slow_s = 1.0
        page.goto(page.url.split("?")[0].rstrip("/") + "/for_you?me=ana")
        page.get_by_text("Asking the service").first.wait_for()
        fake.slow_s = 0.0
        page.wait_for_selector(".st-key-row-top a")
        page.get_by_text("Asking the service").first.wait_for(state="hidden")


def reach(page: Page, what: str, said: str = "") -> None:
    """Press Tab until the focus is on what is asked for."""
    here = "([what, said]) => { const e = document.activeElement;"
    here += " return e.matches(what) && (e.innerText || '').includes(said); }"
    for _ in range(20):
        if page.evaluate(here, [what, said]):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {what} {said}")
