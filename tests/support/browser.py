"""Debian's chromium, headless, by playwright; and the app as a visitor sees it.

with browser() as chromium:
    page = open_page(chromium, address, "for_you", me="ana")
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_MS = 30_000


@contextmanager
def browser() -> Iterator[Browser]:
    # Root has no user namespaces to build a sandbox from.
    arguments = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield chromium
        finally:
            chromium.close()


def open_page(chromium: Browser, address: str, path: str = "", /, **query: str) -> Page:
    """Open a page of the app, and wait for its heading."""
    page = chromium.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto(f"{address}/{path}?{urlencode(query)}")
    page.wait_for_selector("h1")
    return page


def wait_until_settled(page: Page) -> None:
    """Wait until the app has answered the last action."""
    page.wait_for_timeout(150)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(100)


def row_links(page: Page, row: str) -> list[str]:
    """Return the texts of a row's links, in their order."""
    return [str(text) for text in page.locator(f".st-key-row-{row} a").all_inner_texts()]


def overflow(page: Page) -> Any:
    """Return the pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
