"""Every page as a picture, light and dark, wide and on a telephone: `make screenshots`.

    python -m tests.support.screenshots --bundle bundles/ml-latest-small --out docs/screenshots

Two minutes; 36 files NAME-THEME-WIDTH.png.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support import browser
from tests.support.screenshot_session import picture, small, staged

GODFATHER = "858"
SIZES = {"wide": (1280, 900), "phone": (390, 844)}


def invite(page: Page) -> None:
    page.get_by_label("Person 2").fill("ben")
    page.get_by_label("Person 2").press("Enter")
    page.wait_for_selector(".st-key-row-night a")


PAGES: dict[str, Callable[[Page], None] | None] = {
    "start": None,
    "for_you": None,
    "movie": None,
    "rate": None,
    "taste": None,
    "night": invite,
    "profile": None,
    "findings": None,
    "about": None,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Every page as a picture.")
    parser.add_argument("--bundle", default="bundles/ml-latest-small")
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--only", nargs="*", choices=PAGES, default=list(PAGES))
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with staged(chosen.bundle, report=True) as (chromium, address):
        for theme in ("light", "dark"):
            for size in SIZES:
                for name in chosen.only:
                    path = chosen.out / f"{name.replace('_', '-')}-{theme}-{size}.png"
                    taken(chromium, address, name, theme, size, path)
                    print(path, flush=True)


def taken(chromium: Browser, address: str, name: str, theme: str, size: str, path: Path) -> None:
    query = {"me": "ana", "name": "Ana"} | ({"movie": GODFATHER} if name == "movie" else {})
    page = browser.opened(chromium, address, "" if name == "start" else name, **query)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.reload()
    page.wait_for_selector("h1")
    browser.settled(page)
    if act := PAGES[name]:
        act(page)
        browser.settled(page)
    page.wait_for_timeout(400)
    small(picture(page)).save(path, optimize=True)
    page.close()


if __name__ == "__main__":
    main()
