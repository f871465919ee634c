"""Service, app and a person with ratings, for pictures: `make screenshots`, `make demo-video`.

Pictures are palette PNGs of 256 colours, and the walk is a GIF, so that the README stays small.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from deploy.local_processes import run_app, run_service
from marquee.insights.findings_command import main as insights
from marquee_client import Marquee
from tests.support import browser
from tests.support.processes import free_port

DATA = "ml-latest-small"
RATED = {
    "Heat": 4.0,
    "The Usual Suspects": 5.0,
    "Toy Story": 3.5,
    "Fargo": 5.0,
    "The Matrix": 4.5,
    "Forrest Gump": 2.5,
    "Amelie": 4.5,
    "Blade Runner": 4.0,
    "The Big Lebowski": 5.0,
    "Titanic": 2.0,
    "Spirited Away": 4.5,
    "Casablanca": 4.0,
}
GUESTS = {"ben": {"Toy Story": 5.0, "Aladdin": 4.5, "The Lion King": 4.0, "Shrek": 4.5}}


@contextmanager
def staged(bundle: str, report: bool = False) -> Iterator[tuple[Browser, str]]:
    """A browser and the app's address; "ana" and "ben" have rated films, in this order.

    report: whether there are findings, of the ratings of ml-latest-small.
    """
    if not (Path(bundle) / "bundle.json").is_file():
        raise SystemExit(f"there is no bundle in {bundle}; make train RECIPE=… writes one")
    with (
        tempfile.TemporaryDirectory() as folder,
        run_service(bundle, f"sqlite:///{folder}/events.sqlite") as url,
        run_app(free_port(), {"MARQUEE_URL": url, "APP_CACHE": folder, "FINDINGS": folder}) as (
            address,
            _,
        ),
        browser.browser() as chromium,
        Marquee(url) as marquee,
    ):
        for person, rated in ({"ana": RATED} | GUESTS).items():
            for title, stars in rated.items():
                film = marquee.search(title, k=1)["items"][0]
                marquee.rate(person, film["movie_id"], stars)
        if report:
            insights([DATA, "--bundle", bundle, "--out", f"{folder}/{DATA}"])
        yield chromium, address


def picture(page: Page) -> Image.Image:
    """What is in the window."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def small(image: Image.Image) -> Image.Image:
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
