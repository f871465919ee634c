"""The service under mixed load, while bundles change, its database falls and its worker is killed.

    make soak ONLY=api ROUNDS=10                                # 10 minutes, then 10,000 requests
    python -m soak.api --rounds 1 --database sqlite --requests 0 --bundle bundles/ml-1m

A round is a minute. Clients (tests/support/api_load.py) ask everything there is. Every 30 s another
good bundle takes the old one's place, before every third of them a damaged one; in the middle
PostgreSQL loses its power for 10 s; every 150 s the worker is killed; at the end the service is
told to stop while they go on. Then the store must hold exactly what was acknowledged, and the log
nothing of what was sent. After that schemathesis and hypothesis send --requests to a service of
their own. Exit status 1, and the reasons, if anything was otherwise.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import sqlalchemy as sa
from threadpoolctl import threadpool_limits

from marquee.api.handlers import LoadedModel
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import read_bundle, write_bundle
from marquee.recommender.recommender import Recommender
from tests.support import postgres
from tests.support.api_fuzz import Told as Contract
from tests.support.api_fuzz import odd_requests, schemathesis
from tests.support.api_load import CANARY, UNKNOWN_MOVIE, Client, Told, known_of
from tests.support.processes import running, wait_until_ready, worker_of
from tests.support.tiny_bundle import write_tiny

KEY = f"key-{CANARY}"
POLL_S = 0.5
SAMPLE = 0.05
"""Of the answers, compared with the library's."""


@dataclass(frozen=True)
class Plan:
    """How long, and what goes wrong when; all in seconds."""

    lasts_s: float
    swap_s: float = 30
    away_at_s: float | None = None
    away_s: float = 10
    kill_s: float = 150
    clients: int = 4
    sample: float = SAMPLE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=float, default=10, help="minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--bundle", type=Path, help="default: ten films made by hand")
    parser.add_argument(
        "--requests", type=int, default=10_000, help="of schemathesis and hypothesis"
    )
    chosen = parser.parse_args()
    threadpool_limits(1)  # as in the service: sums in another order differ in their last digit
    lasts_s = 60 * chosen.rounds
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        plan = Plan(lasts_s, away_at_s=lasts_s / 2 if chosen.database == "postgresql" else None)
        with database(chosen.database, place) as (url, server):
            bundles = good_bundles(place, chosen.bundle)
            faults = soak(place, bundles, url, server, plan, chosen.seed)
        if chosen.requests:
            fuzz(place, bundles[0], chosen.requests, chosen.seed)
    for fault in faults[:20]:
        print(f"FAULT: {fault}")
    print(f"soak of the api: {len(faults)} faults")
    return int(bool(faults))


@contextmanager
def database(kind: str, place: Path) -> Iterator[tuple[str, "postgres.Server | None"]]:
    if kind == "sqlite":
        yield f"sqlite:///{place / 'events.sqlite'}", None
        return
    with postgres.server() as server:
        yield server.url, server


def good_bundles(place: Path, source: Path | None) -> list[Path]:
    """Two of the same films that order them otherwise, each with golden answers of its own."""
    source = source or write_tiny(place / "source")
    read = read_bundle(source)
    bundles = []
    for number, sign in enumerate((1, -1)):
        folder = place / f"good-{number}"
        arrays = read.arrays | {"item_bias": sign * read.arrays["item_bias"]}
        parts = {"movies": read.movies, "arrays": arrays, "encoder": read.encoder}
        manifest = read.manifest | {"name": f"{read.manifest['name']}-{number}"}
        write_bundle(folder, manifest=manifest, golden=[], **parts)
        recommender = Recommender.load(folder)
        golden = [renewed(one, recommender) for one in read.golden]
        write_bundle(folder, manifest=manifest, golden=golden, **parts)
        bundles.append(folder)
    return bundles


def renewed(golden: dict[str, Any], recommender: Recommender) -> dict[str, Any]:
    """The same question, and what this bundle answers."""
    history = [tuple(entry) for entry in golden["history"]]
    top = recommender.recommend(history=history, k=len(golden["top"]))["items"]
    scores = recommender.score([history], golden["movie_ids"])[0].tolist()
    return golden | {"scores": scores, "top": [item["movie_id"] for item in top]}


def soak(
    place: Path,
    bundles: list[Path],
    url: str,
    server: "postgres.Server | None",
    plan: Plan,
    seed: int,
) -> list[str]:
    """Everything but the odd requests; what was wrong."""
    home = place / "service"
    home.mkdir()
    models = {
        m.recommender.model_version: m for m in (LoadedModel.load(str(one)) for one in bundles)
    }
    told = Told(models)
    put(bundles[0], place / "served")
    settings = {"EVENTS_URL": url, "API_KEYS": KEY, "LOG_REQUESTS": "all"}
    settings |= {"BUNDLE_POLL_S": str(POLL_S), "LOG_LEVEL": "debug"}
    with running(place / "served", home, **settings) as (address, process):
        clients = [
            Client(number, address, KEY, told, seed, plan.sample) for number in range(plan.clients)
        ]
        for client in clients:
            client.start()
        trouble = Trouble(place, bundles, address, process, server, told)
        trouble.follow(plan)
        told.times.begin("stopping")
        begun = time.monotonic()
        process.terminate()
        status = process.wait(timeout=60)
        print(f"stopped under load: exit {status} after {time.monotonic() - begun:.1f} s")
        told.done.set()
        for client in clients:
            client.join(timeout=60)
    if status != 0:
        told.fault(f"SIGTERM under load: exit status {status}")
    told.faults += lost(url, clients) + quoted((home / "output").read_text())
    if refused := trouble.damaged - (home / "output").read_text().count("is refused"):
        told.fault(f"{refused} damaged bundles were not refused in the log")
    print(", ".join(f"{name} {number:,}" for name, number in sorted(told.counts.items())))
    return told.faults


class Trouble:
    """What happens to the service meanwhile."""

    def __init__(
        self, place: Path, bundles: list[Path], address: str, process: Any, server: Any, told: Told
    ) -> None:
        self._place, self._bundles, self._process = place, bundles, process
        self._server, self._told = server, told
        self._http = httpx.Client(base_url=address, timeout=10)
        self._swaps = self.damaged = 0

    def follow(self, plan: Plan) -> None:
        begun, worker = time.monotonic(), worker_of(self._process)
        due: list[tuple[float, Callable[[], None]]] = [
            (at, self.swap) for at in steps(plan.swap_s, plan.lasts_s)
        ]
        due += [(at + 5, self.kill) for at in steps(plan.kill_s, plan.lasts_s)]
        if plan.away_at_s is not None:
            due.append((plan.away_at_s, lambda: self.restart_the_database(plan.away_s)))
        self._memory("at the start", worker)
        for at, happen in sorted(due, key=lambda one: one[0]):
            time.sleep(max(0.0, begun + at - time.monotonic()))
            happen()
        time.sleep(max(0.0, begun + plan.lasts_s - time.monotonic()))
        self._memory("at the end", worker_of(self._process))
        print(f"{self._swaps} bundles swapped, {self.damaged} damaged ones refused")

    def swap(self) -> None:
        """Another bundle; before every third a damaged one, which must change nothing."""
        self._swaps += 1
        if self._swaps % 3 == 1:
            self.damaged += 1
            before = self._version()
            put(self._bundles[self._swaps % 2], self._place / "served", damaged=True)
            time.sleep(4 * POLL_S + 0.5)
            if self._version() != before:
                self._told.fault("a damaged bundle was taken")
        put(self._bundles[self._swaps % 2], self._place / "served")
        wanted = Recommender.load(self._place / "served").model_version
        self._wait(lambda: self._version() == wanted, "a new bundle was not taken")
        time.sleep(1)  # for the old one to be let go
        self._memory(f"after {self._swaps} swaps", worker_of(self._process))

    def restart_the_database(self, away_s: float) -> None:
        """As if its machine had lost its power."""
        self._told.times.begin("away")
        self._server.stop()
        time.sleep(away_s)
        if self._http.get("/readyz").json()["events"] != "away":
            self._told.fault("/readyz does not say that the database is away")
        self._server.start()
        back = time.monotonic()
        self._wait(lambda: self._http.get("/readyz").json()["events"] == "up", "still away")
        took = time.monotonic() - back
        self._told.times.end("away")
        print(f"database away for {away_s:.0f} s; found again {took:.1f} s after its start")

    def kill(self) -> None:
        worker = worker_of(self._process)
        self._memory("before the kill", worker)
        self._told.times.begin("dead")
        worker.kill()
        worker.wait(timeout=10)
        wait_until_ready(self._http, self._process)
        print(f"worker killed; answers again after {self._told.times.end('dead'):.1f} s")

    def _version(self) -> str:
        return str(self._http.get("/readyz").json()["model_version"])

    def _wait(self, until: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + 30
        while not until():
            if time.monotonic() > deadline:
                self._told.fault(otherwise)
                return
            time.sleep(0.05)

    def _memory(self, when: str, worker: psutil.Process) -> None:
        print(f"memory of worker {worker.pid} {when}: {worker.memory_info().rss / 1e6:.0f} MB")


def steps(every: float, until: float) -> list[float]:
    return [every * n for n in range(1, int(until / every) + 1) if every * n < until - 5]


def put(bundle: Path, served: Path, damaged: bool = False) -> None:
    """In the old one's place, by renames, as write_bundle does."""
    new, old = served.with_name("new"), served.with_name("old")
    shutil.copytree(bundle, new)
    if damaged:
        content = (new / "arrays.safetensors").read_bytes()
        (new / "arrays.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with suppress(FileNotFoundError):
        served.rename(old)
    new.rename(served)
    shutil.rmtree(old, ignore_errors=True)


def lost(url: str, clients: list[Client]) -> list[str]:
    """What the store holds otherwise than it was acknowledged."""
    store, faults = EventStore(url), []
    books = {person: book for client in clients for person, book in client.books.items()}
    for person, book in books.items():
        if store.user_state(person) != known_of(book):
            faults.append(f"{person}: {store.user_state(person)}, acknowledged {known_of(book)}")
    found = event_ids(url)
    wanted = {event.event_id for book in books.values() for event in book}
    if gone := wanted - found:
        faults.append(f"{len(gone)} acknowledged events are lost: {sorted(gone)[:3]}")
    open_ended = {one for one in found if one.rpartition("-")[0] not in books}
    if more := found - wanted - open_ended:
        faults.append(f"{len(more)} events are stored that were not acknowledged, or deleted")
    print(f"{len(wanted):,} acknowledged events are in the store, {len(gone)} are lost")
    return faults


def event_ids(url: str) -> set[str]:
    address = sa.make_url(url)
    if address.get_backend_name() == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(address)
    with engine.begin() as connection:
        return set(connection.execute(sa.text("SELECT event_id FROM events")).scalars())


def quoted(output: str) -> list[str]:
    """What the service's output repeats of what it was sent."""
    print(f"{output.count(chr(10)):,} lines in the log")
    secret = [KEY, CANARY, str(UNKNOWN_MOVIE), postgres.PASSWORD, "Traceback"]
    lines = output.splitlines()
    return [f"in the log: {line[:300]}" for line in lines if any(one in line for one in secret)]


def fuzz(place: Path, bundle: Path, requests: int, seed: int) -> None:
    """Raises at the first answer that is not as documented."""
    home = place / "fuzzed"
    home.mkdir()
    with running(bundle, home) as (url, _):
        sent = schemathesis(url, max(1, requests // 50), seed, place)
        with httpx.Client(base_url=url, timeout=20) as client:
            found = odd_requests(client.request, Contract(), max(1, requests - sent), seed)
    assert "Traceback" not in (home / "output").read_text()
    said = ", ".join(f"{status}: {number:,}" for status, number in sorted(found.items()))
    print(f"{sent:,} requests by schemathesis, {found.total():,} by hypothesis ({said}): no 500")


if __name__ == "__main__":
    threading.excepthook = lambda args: None  # a client's failure is among the faults
    sys.exit(main())
