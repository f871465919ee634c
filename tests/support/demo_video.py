"""Record a walk through the app as a GIF: `make demo-video`.

    python -m tests.support.demo_video --bundle bundles/ml-latest-small --out docs/demo.gif

Three tastes, a list, a movie and its reasons, five ratings, and the changed list. A frame is taken
when the app has answered, and lasts as long as a reader needs.
"""

import argparse
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.support import browser
from tests.support.screenshot_session import picture, reduce_colours, screenshot_session

WINDOW = (1120, 700)
FRAME = (800, 500)
GLANCE_MS, READ_MS = 700, 2200
TASTES = ("Edge of the seat", "A good laugh", "Other worlds")


class Recording:
    """Frames, and the duration of each."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.durations_ms: list[int] = []

    def take(self, duration_ms: int = GLANCE_MS) -> None:
        browser.wait_until_settled(self.page)
        self.frames.append(
            reduce_colours(picture(self.page).resize(FRAME, Image.Resampling.LANCZOS))
        )
        self.durations_ms.append(duration_ms)

    def save(self, path: Path) -> None:
        first, *others = self.frames
        path.parent.mkdir(parents=True, exist_ok=True)
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=self.durations_ms,
            loop=0,
            optimize=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Record a walk through the app as a GIF.")
    parser.add_argument("--bundle", default="bundles/ml-latest-small")
    parser.add_argument("--out", type=Path, default=Path("docs/demo.gif"))
    args = parser.parse_args()
    with screenshot_session(args.bundle) as (chromium, address):
        page = browser.open_page(chromium, address)
        page.set_viewport_size({"width": WINDOW[0], "height": WINDOW[1]})
        page.emulate_media(color_scheme="dark")
        page.reload()
        page.wait_for_selector("h1")
        recording = Recording(page)
        walk(page, recording)
        recording.save(args.out)
    size = f"{sum(recording.durations_ms) / 1000:.0f} s, {args.out.stat().st_size / 1e6:.1f} MB"
    print(f"{args.out}: {len(recording.frames)} frames, {size}")


def walk(page: Page, recording: Recording) -> None:
    recording.take(READ_MS)
    for taste in TASTES:
        page.get_by_text(taste).click()
        recording.take()
    page.locator(".st-key-show a").click()
    page.get_by_role("heading", name="For you").wait_for()
    recording.take(READ_MS)
    page.locator(".st-key-row-top a").nth(2).click()
    page.get_by_role("heading", name="What moved this").wait_for()
    recording.take(READ_MS)
    page.get_by_role("link", name="Rate", exact=True).first.click()
    page.get_by_role("heading", name="Rate", exact=True).wait_for()
    page.locator(".st-key-row-now-rate").scroll_into_view_if_needed()
    recording.take()
    for _ in range(5):
        page.get_by_role("slider").first.focus()
        page.keyboard.press("ArrowRight")
        recording.take()
        page.get_by_role("button", name="Give").first.click()
        recording.take()
    page.locator(".st-key-row-now-rate").scroll_into_view_if_needed()
    recording.take(READ_MS)
    page.get_by_role("link", name="For you", exact=True).first.click()
    page.get_by_role("heading", name="For you").wait_for()
    recording.take(READ_MS)
    page.get_by_text("Because: what put these movies here").click()
    page.locator(".st-key-because").scroll_into_view_if_needed()
    recording.take(2 * READ_MS)


if __name__ == "__main__":
    main()
