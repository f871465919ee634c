"""Take pictures of the app's pages: `make screenshots`.

    python -m tests.support.screenshots --bundle bundles/ml-latest-small       # the six of docs/
    python -m tests.support.screenshots --all --out runs/screenshots           # all 36, 2 minutes

Files are PAGE-THEME-WIDTH.png: nine pages, light and dark, wide and on a phone.
"""

import argparse
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.support import browser
from tests.support.screenshot_session import picture, reduce_colours, screenshot_session

DOCS = Path("docs/screenshots")
PAGES = ("start", "for_you", "movie", "rate", "taste", "night", "profile", "findings", "about")
THEMES = ("light", "dark")
SIZES = {"wide": (1280, 900), "phone": (390, 844)}
DOCS_PICTURES = [
    ("for_you", "light", "wide"),
    ("for_you", "dark", "wide"),
    ("movie", "light", "wide"),
    ("taste", "light", "wide"),
    ("night", "light", "wide"),
    ("start", "light", "phone"),
]
GODFATHER = "858"


def main() -> None:
    parser = argparse.ArgumentParser(description="Take pictures of the app's pages.")
    parser.add_argument("--bundle", default="bundles/ml-latest-small", help="folder of a bundle")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder of the pictures")
    parser.add_argument("--all", action="store_true", help="every page, theme and width")
    args = parser.parse_args()
    if args.all and args.out == DOCS:
        parser.error(f"--all: {DOCS} holds six pictures only, expected --out FOLDER")
    pictures = list(product(PAGES, THEMES, SIZES)) if args.all else DOCS_PICTURES
    args.out.mkdir(parents=True, exist_ok=True)
    with screenshot_session(args.bundle, report=args.all) as (chromium, address):
        for name, theme, size in pictures:
            path = args.out / f"{name.replace('_', '-')}-{theme}-{size}.png"
            page = open_page(chromium, address, name, theme=theme, size=size)
            reduce_colours(picture(page)).save(path, optimize=True)
            page.close()
            print(path, flush=True)


def open_page(chromium: Browser, address: str, name: str, *, theme: str, size: str) -> Page:
    """Open a page of ana, in a theme and a size, and wait until it rests."""
    query = {"me": "ana", "name": "Ana"} | ({"movie": GODFATHER} if name == "movie" else {})
    page = browser.open_page(chromium, address, "" if name == "start" else name, **query)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    page.reload()
    page.wait_for_selector("h1")
    browser.wait_until_settled(page)
    if name == "night":
        page.get_by_label("Person 2").fill("ben")
        page.get_by_label("Person 2").press("Enter")
        page.wait_for_selector(".st-key-row-night a")
        browser.wait_until_settled(page)
    page.wait_for_timeout(400)
    return page


if __name__ == "__main__":
    main()
