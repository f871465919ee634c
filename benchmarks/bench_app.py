"""The app as a person feels it: first paint, a rating to the new list, twenty people at once.

    make bench-app BUNDLE=bundles/ml-latest-small       # 2 minutes, writes results/bench-app.json

A real service and a real app. In chromium: from the address to the first row of films, in a fresh
browser each time; from the click on "Give" to the list that has changed, beside the three API
calls that this takes (event, history, list), asked one by one in between. Then websockets as
browsers hold them: each of the people gives stars every one to three seconds, and waits until the
app has finished.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import websockets
from bench_reading import machine, row
from playwright.sync_api import Browser
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from deploy.app_server import app
from deploy.demo import free_port, service
from marquee.evaluation.results import code_commit
from marquee_client import Marquee
from tests import browser

RESULTS = Path(__file__).resolve().parent.parent / "results" / "bench-app.json"
PAINTS, RATINGS, PEOPLE, LOAD_S = 5, 20, 20, 40.0
GIVE = """async (before) => {
  const list = () => document.querySelector("[class*='st-key-row-now']").innerText;
  const since = performance.now();
  [...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Give')).click();
  while (list() === before && performance.now() - since < 5000)
    await new Promise(done => setTimeout(done, 2));
  return performance.now() - since;
}"""
FIRST_FILMS = "[class*='st-key-row-'] img"
Rows = list[dict[str, object]]


def main() -> None:
    parser = argparse.ArgumentParser(description="The app as a person feels it.")
    parser.add_argument("--bundle", default="bundles/ml-latest-small")
    bundle = parser.parse_args().bundle
    with (
        tempfile.TemporaryDirectory() as folder,
        service(bundle, f"sqlite:///{folder}/events.sqlite") as url,
        app(free_port(), MARQUEE_URL=url, APP_CACHE=folder) as (address, process),
        Marquee(url) as marquee,
    ):
        with browser.browser() as chromium:
            rows = painted(chromium, address) + rated(chromium, address, marquee)
        rows += asyncio.run(crowded(address, psutil.Process(process.pid)))
    content = {"rows": rows, "bundle": bundle, "commit": code_commit(), "machine": machine()}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n")
    for each in rows:
        print(f"{each['name']:24} {each['value']:>10} {each['unit']:8} {each['what']}")


def painted(chromium: Browser, address: str) -> Rows:
    """From the address to the first films, nothing of the app in the browser's cache."""
    taken = []
    for _ in range(PAINTS):
        context = chromium.new_context()
        page = context.new_page()
        since = time.perf_counter()
        page.goto(f"{address}/for_you?me=paint")
        page.wait_for_selector(FIRST_FILMS)
        taken.append(time.perf_counter() - since)
        context.close()
    return [
        row("first-paint", "from the address to the first row of films, fresh browser", taken, "s")
    ]


def rated(chromium: Browser, address: str, marquee: Marquee) -> Rows:
    """Click to changed list, and the API calls beside it."""
    page = browser.opened(chromium, address, "rate", me="rater")
    page.wait_for_selector(FIRST_FILMS)
    browser.settled(page)
    movie_id = marquee.search("Heat", k=1)["items"][0]["movie_id"]
    clicked, asked = [], []
    for _ in range(RATINGS):
        before = page.locator("[class*='st-key-row-now']").inner_text()
        clicked.append(float(page.evaluate(GIVE, before)))
        browser.settled(page)
        calls: list[Callable[[], Any]] = [
            lambda: marquee.rate("beside", movie_id, 4.0),
            lambda: marquee.history("beside"),
            lambda: marquee.recommend(user_id="beside", k=12),
        ]
        since = time.perf_counter()
        for call in calls:
            call()
        asked.append(1000 * (time.perf_counter() - since))
    ratio = [click / ask for click, ask in zip(clicked, asked, strict=True)]
    return [
        row("rating-to-list", "from the click to the changed list, in chromium", clicked, "ms"),
        row("api-beside", "event, history and list, one after the other", asked, "ms"),
        row("rating-ratio", "the first over the second, pair by pair", ratio, "x"),
    ]


class Person:
    """One browser's websocket, without a browser."""

    def __init__(self, address: str, number: int) -> None:
        self._url = address.replace("http", "ws", 1) + "/_stcore/stream"
        self._origin, self._me = address, f"crowd{number}"
        self.taken_ms: list[float] = []
        self.faults = 0

    async def sit(self) -> None:
        await asyncio.sleep(random.uniform(0, 4))
        async with websockets.connect(
            self._url, subprotocols=["streamlit"], max_size=None, origin=self._origin
        ) as self._socket:
            opened = BackMsg()
            opened.rerun_script.query_string, opened.rerun_script.page_name = (
                f"me={self._me}",
                "rate",
            )
            give, fragment = await self._answered(opened)
            until = time.monotonic() + LOAD_S
            while time.monotonic() < until:
                await asyncio.sleep(random.uniform(1, 3))
                pressed = BackMsg()
                pressed.rerun_script.fragment_id, pressed.rerun_script.page_name = fragment, "rate"
                widget = pressed.rerun_script.widget_states.widgets.add()
                widget.id, widget.trigger_value = give, True
                since = time.perf_counter()
                give, fragment = await self._answered(pressed, give, fragment)
                self.taken_ms.append(1000 * (time.perf_counter() - since))

    async def _answered(
        self, asked: BackMsg, give: str = "", fragment: str = ""
    ) -> tuple[str, str]:
        """Send, and read until the app has finished -> the button "Give" and its fragment."""
        await self._socket.send(asked.SerializeToString())
        while True:
            said = ForwardMsg()
            said.ParseFromString(await asyncio.wait_for(self._socket.recv(), 30))
            kind = said.WhichOneof("type")
            if kind == "script_finished":
                return give, fragment
            if kind == "delta":
                element = said.delta.new_element
                self.faults += element.WhichOneof("type") == "exception"
                if element.button.label.startswith("Give"):
                    give, fragment = element.button.id, said.delta.fragment_id


async def crowded(address: str, process: psutil.Process) -> Rows:
    people = [Person(address, number) for number in range(PEOPLE)]
    before = sum(process.cpu_times()[:2])
    await asyncio.gather(*(person.sit() for person in people))
    cpu_s = sum(process.cpu_times()[:2]) - before
    taken = [ms for person in people for ms in person.taken_ms]
    if sum(person.faults for person in people):
        sys.exit("bench-app: the app showed an exception; nothing is written")
    what = f"{PEOPLE} people, each giving stars every 1 to 3 s: until the app has finished"
    p95 = float(np.percentile(taken, 95))
    return [
        row("crowd-rating", what, [float(np.median(taken))], "ms"),
        row("crowd-rating-p95", f"the same, 95th percentile of {len(taken)}", [p95], "ms"),
        row("crowd-cpu", "CPU of the app for a rating", [1000 * cpu_s / len(taken)], "CPU ms"),
        row("crowd-memory", "memory of the app", [process.memory_info().rss / 1e6], "MB"),
    ]


if __name__ == "__main__":
    main()
