"""Service, app and a user with ratings, for pictures: `make screenshots`, `make demo-video`.

Pictures are palette PNGs of 256 colours, and the walk is a GIF, so that the repository stays small.
"""

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from deploy.local_processes import run_app, run_service
from marquee.insights.findings_command import main as write_findings
from marquee_client import Marquee
from tests.support import browser
from tests.support.processes import free_port

DATA = "ml-latest-small"
ANA = {
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
BEN = {"Toy Story": 5.0, "Aladdin": 4.5, "The Lion King": 4.0, "Shrek": 4.5}


@contextmanager
def screenshot_session(bundle: str, report: bool = False) -> Iterator[tuple[Browser, str]]:
    """Yield a browser and the app's address; "ana" and "ben" have rated movies, in this order.

    report: whether to write the findings of ml-latest-small first.
    """
    if not (Path(bundle) / "bundle.json").is_file():
        raise SystemExit(f"{bundle}: no bundle, expected one; make train RECIPE=… writes it")
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
        for user_id, ratings in {"ana": ANA, "ben": BEN}.items():
            for title, stars in ratings.items():
                movie = marquee.search(title, k=1)["items"][0]
                marquee.rate(user_id, movie["movie_id"], stars)
        if report and write_findings([DATA, "--bundle", bundle, "--out", f"{folder}/{DATA}"]):
            raise SystemExit(f"{DATA}: no findings report, expected one; its error is above")
        yield chromium, address


def picture(page: Page) -> Image.Image:
    """Return what is in the window."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def reduce_colours(image: Image.Image) -> Image.Image:
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
