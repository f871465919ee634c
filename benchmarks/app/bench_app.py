"""Measure the app as a visitor meets it: first paint, rating to new list, twenty users at once.

    make bench-app BUNDLE=bundles/ml-latest-small       # 2 minutes, writes results/bench-app.json

The service and the app are real. In chromium, in a fresh browser each time, it measures the time
from the address to the first row of movies. It measures the time from the click on "Give" to the
changed list. The three API calls of that (event, history, list) are timed one by one in between.
Then come websockets as browsers hold them: each user gives stars every one to three seconds, and
waits until the app has finished.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import websockets
from playwright.sync_api import Browser
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.report import Row, report, row, write_report
from deploy.local_processes import free_port, run_app, run_service
from marquee_client import Marquee
from tests.support import browser

NUM_PAINTS, NUM_RATINGS, NUM_USERS, LOAD_S = 5, 20, 20, 40.0
CLICK_GIVE = """async (before) => {
  const list = () => document.querySelector("[class*='st-key-row-now']").innerText;
  const start = performance.now();
  [...document.querySelectorAll('button')].find(b => b.innerText.startsWith('Give')).click();
  while (list() === before && performance.now() - start < 5000)
    await new Promise(resolve => setTimeout(resolve, 2));
  return performance.now() - start;
}"""
FIRST_POSTERS = "[class*='st-key-row-'] img"
CURRENT_LIST = "[class*='st-key-row-now']"
Rows = list[Row]


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the app as a visitor meets it.")
    parser.add_argument("--bundle", default="bundles/ml-latest-small")
    bundle = parser.parse_args().bundle
    with (
        tempfile.TemporaryDirectory() as folder,
        run_service(bundle, f"sqlite:///{folder}/events.sqlite") as url,
        run_app(free_port(), {"MARQUEE_URL": url, "APP_CACHE": folder}) as (address, process),
        Marquee(url) as marquee,
    ):
        with browser.browser() as chromium:
            rows = measure_paint(chromium, address) + measure_rating(chromium, address, marquee)
        rows += asyncio.run(measure_load(address, psutil.Process(process.pid)))
    write_report("bench-app.json", report(rows) | {"bundle": bundle})
    for entry in rows:
        print(f"{entry['name']:24} {entry['value']:>10} {entry['unit']:8} {entry['what']}")


def measure_paint(chromium: Browser, address: str) -> Rows:
    """Time the address to the first movies, nothing of the app in the browser's cache."""
    times_s = []
    for _ in range(NUM_PAINTS):
        context = chromium.new_context()
        page = context.new_page()
        start = time.perf_counter()
        page.goto(f"{address}/for_you?me=paint")
        page.wait_for_selector(FIRST_POSTERS)
        times_s.append(time.perf_counter() - start)
        context.close()
    what = "from the address to the first row of movies, fresh browser"
    return [row("first-paint", what, times_s, "s")]


def measure_rating(chromium: Browser, address: str, marquee: Marquee) -> Rows:
    """Time the click to the changed list, and the API calls of it."""
    page = browser.open_page(chromium, address, "rate", me="rater")
    page.wait_for_selector(FIRST_POSTERS)
    browser.wait_until_settled(page)
    movie_id = marquee.search("Heat", k=1)["items"][0]["movie_id"]
    calls: list[Callable[[], Any]] = [
        lambda: marquee.rate("beside", movie_id, 4.0),
        lambda: marquee.history("beside"),
        lambda: marquee.recommend(user_id="beside", k=12),
    ]
    click_ms, api_ms = [], []
    for _ in range(NUM_RATINGS):
        before = page.locator(CURRENT_LIST).inner_text()
        click_ms.append(float(page.evaluate(CLICK_GIVE, before)))
        browser.wait_until_settled(page)
        start = time.perf_counter()
        for call in calls:
            call()
        api_ms.append(1000 * (time.perf_counter() - start))
    ratios = [click / api for click, api in zip(click_ms, api_ms, strict=True)]
    return [
        row("rating-to-list", "from the click to the changed list, in chromium", click_ms, "ms"),
        row("api-beside", "event, history and list, one after the other", api_ms, "ms"),
        row("rating-ratio", "the first over the second, pair by pair", ratios, "x"),
    ]


class Visitor:
    """One browser's websocket, without a browser."""

    def __init__(self, address: str, number: int) -> None:
        self._url = address.replace("http", "ws", 1) + "/_stcore/stream"
        self._origin, self._user_id = address, f"crowd{number}"
        self.times_ms: list[float] = []
        self.num_exceptions = 0

    async def visit(self) -> None:
        """Open the page "Rate", and give stars until the time is over."""
        await asyncio.sleep(random.uniform(0, 4))
        async with websockets.connect(
            self._url, subprotocols=["streamlit"], max_size=None, origin=self._origin
        ) as self._socket:
            opening = BackMsg()
            opening.rerun_script.query_string = f"me={self._user_id}"
            opening.rerun_script.page_name = "rate"
            button, fragment = await self._send(opening)
            deadline = time.monotonic() + LOAD_S
            while time.monotonic() < deadline:
                await asyncio.sleep(random.uniform(1, 3))
                click = BackMsg()
                click.rerun_script.fragment_id, click.rerun_script.page_name = fragment, "rate"
                widget = click.rerun_script.widget_states.widgets.add()
                widget.id, widget.trigger_value = button, True
                start = time.perf_counter()
                button, fragment = await self._send(click, button, fragment)
                self.times_ms.append(1000 * (time.perf_counter() - start))

    async def _send(
        self, message: BackMsg, button: str = "", fragment: str = ""
    ) -> tuple[str, str]:
        """Send, read until the app has finished, and return the button "Give" and its fragment."""
        await self._socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await asyncio.wait_for(self._socket.recv(), 30))
            kind = answer.WhichOneof("type")
            if kind == "script_finished":
                return button, fragment
            if kind == "delta":
                element = answer.delta.new_element
                self.num_exceptions += element.WhichOneof("type") == "exception"
                if element.button.label.startswith("Give"):
                    button, fragment = element.button.id, answer.delta.fragment_id


async def measure_load(address: str, process: psutil.Process) -> Rows:
    """Time ratings of many users at once, and the app's CPU and memory."""
    visitors = [Visitor(address, number) for number in range(NUM_USERS)]
    before_s = sum(process.cpu_times()[:2])
    await asyncio.gather(*(visitor.visit() for visitor in visitors))
    cpu_s = sum(process.cpu_times()[:2]) - before_s
    times_ms = [ms for visitor in visitors for ms in visitor.times_ms]
    if sum(visitor.num_exceptions for visitor in visitors):
        sys.exit("bench-app: the app showed an exception, expected none; nothing is written")
    what = f"{NUM_USERS} users, each giving stars every 1 to 3 s: until the app has finished"
    p95_ms = float(np.percentile(times_ms, 95))
    memory_mb = process.memory_info().rss / 1e6
    return [
        row("crowd-rating", what, [float(np.median(times_ms))], "ms"),
        row("crowd-rating-p95", f"the same, 95th percentile of {len(times_ms)}", [p95_ms], "ms"),
        row("crowd-cpu", "CPU of the app for a rating", [1000 * cpu_s / len(times_ms)], "CPU ms"),
        row("crowd-memory", "memory of the app", [memory_mb], "MB"),
    ]


if __name__ == "__main__":
    main()
