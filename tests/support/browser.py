"""Debian's chromium, headless, by playwright; and the app as a person sees it.

with browser() as chromium:
    page = opened(chromium, address, "for_you", me="ana")
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
    sandbox = [] if os.getuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=sandbox)
        try:
            yield found
        finally:
            found.close()


def opened(chromium: Browser, address: str, page: str = "", **query: str) -> Page:
    """A page whose heading stands."""
    shown = chromium.new_page()
    shown.set_default_timeout(WAIT_MS)
    shown.goto(f"{address}/{page}?{urlencode(query)}")
    shown.wait_for_selector("h1")
    return shown


def settled(page: Page) -> None:
    """Wait until the app has answered what was last asked."""
    page.wait_for_timeout(150)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(100)


def listed(page: Page, row: str) -> list[str]:
    """The links of a row of films, in their order."""
    return [str(text) for text in page.locator(f".st-key-row-{row} a").all_inner_texts()]


def overflow(page: Page) -> Any:
    """Pixels by which the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - innerWidth")
