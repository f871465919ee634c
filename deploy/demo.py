"""The end of `make demo`: start the service on a bundle, ask it, print the answer, stop it.

    python -m deploy.demo --bundle bundles/demo --events sqlite:///runs/demo.sqlite

It speaks to the service over HTTP as any client does. The person asked for is one of the event
store (--user), and the reasons printed are checkable: the genres of what the person watched beside
the genres of what is recommended.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marquee_client import Marquee, MarqueeError, label
from marquee_client.types import HistoryItem, Recommendation

START_TIMEOUT_S = 90


def main() -> int:
    parser = argparse.ArgumentParser(description="Start the service, ask it once, print, stop.")
    parser.add_argument("--bundle", default="bundles/demo")
    parser.add_argument("--events", default="sqlite:///runs/demo.sqlite")
    parser.add_argument("--user", type=int, default=1)
    chosen = parser.parse_args()
    with service(chosen.bundle, chosen.events) as url, Marquee(url) as marquee:
        try:
            history = marquee.history(chosen.user)["items"]
            answer = marquee.recommend(user_id=chosen.user, k=10)
        except MarqueeError as error:
            raise SystemExit(f"the service did not answer: {error}") from error
    if not history:
        raise SystemExit(f"nothing is stored of user {chosen.user} in {chosen.events}")
    print_answer(chosen.user, history, answer)
    return 0


@contextmanager
def service(bundle: str, events: str) -> Iterator[str]:
    """A running service; its address. Its output goes to a log that is shown if it fails."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bentoml", "serve", "service:Marquee"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory() as home:
        log = Path(home) / "service.log"
        settings = {"BUNDLE": bundle, "EVENTS_URL": events, "BENTOML_HOME": home}
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, env=os.environ | settings, stdout=out, stderr=subprocess.STDOUT
            )
        try:
            wait_ready(process, url, log)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    with Marquee(url) as marquee:
        while time.monotonic() < deadline and process.poll() is None:
            if marquee.ready():
                return
            time.sleep(0.2)
    raise SystemExit(f"the service did not start; it said:\n{log.read_text()}")


def print_answer(user: int, history: list[HistoryItem], answer: Recommendation) -> None:
    mine = Counter(genre for item in history for genre in item["genres"])
    theirs = Counter(genre for item in answer["items"] for genre in item["genres"])
    print(f"\nUser {user} watched {len(history)} movies, lately:")
    for entry in history[:-4:-1]:
        print(f"  {label(entry)}  [{', '.join(entry['genres'])}]")
    latest = history[-10:]
    lately = Counter(genre for item in latest for genre in item["genres"])
    print(f"  genres of all {len(history)}: {shares(mine, len(history))}")
    print(f"  genres of the last {len(latest)}: {shares(lately, len(latest))}")
    print(f"\nRecommended ({answer['strategy']}, model {answer['model_version'][:12]}):")
    for place, item in enumerate(answer["items"], 1):
        shared = [f"{genre} ({mine[genre]} of {len(history)})" for genre in item["genres"]]
        stars = item["stars"]
        print(f"{place:3}. {label(item)}")
        print(f"       genres, and how many you watched: {', '.join(shared) or 'none listed'}")
        print(f"       {stars['expected']:.1f} stars, likely {stars['low']:.1f} to ", end="")
        print(f"{stars['high']:.1f}, from {item['support']} ratings")
    print(f"  genres of this list: {shares(theirs, len(answer['items']))}")


def shares(genres: Counter[str], total: int) -> str:
    """The five most common genres: "Action 41%, Drama 22%"."""
    return ", ".join(f"{genre} {count / total:.0%}" for genre, count in genres.most_common(5))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    sys.exit(main())
