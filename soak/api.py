"""The service under mixed load, while bundles change, its database falls and its worker is killed.

    make soak ONLY=api ROUNDS=10                                # 10 minutes, then 10,000 requests
    python -m soak.api --rounds 1 --database sqlite --requests 0 --bundle bundles/ml-1m

A round is a minute. Clients (tests/support/api_load.py) call every endpoint through nginx, and the
service's two workers reach PostgreSQL through PgBouncer. Every 30 s another good bundle takes the
old one's place, before every third of them a damaged one; in the middle PostgreSQL loses its power
for 10 s; every 150 s a worker is killed; every 50 s SIGHUP replaces the workers, which loses no
request; at the end the service is stopped while the clients go on. Then the store must hold exactly
what was acknowledged, and the log nothing of what was sent. After that schemathesis and hypothesis
send --requests to a service of their own. Exit status 1, and the reasons, if anything was
otherwise.
"""

import argparse
import shutil
import signal
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
from threadpoolctl import threadpool_limits

from marquee.api.process.loaded_model import LoadedModel
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import read_bundle, write_bundle
from marquee.recommender.recommender import Recommender
from tests.support import nginx, pgbouncer, postgres
from tests.support.api_fuzz import Contract, run_schemathesis, send_odd_requests
from tests.support.api_load import CANARY, UNKNOWN_MOVIE, Client, LoadReport, state_of
from tests.support.event_tables import event_ids
from tests.support.processes import Process, output_of, running, wait_until_ready, workers_of
from tests.support.tiny_bundle import write_tiny

KEY = f"key-{CANARY}"
POLL_S = 0.5
NUM_WORKERS = 2
SETTLE_S = 3
"""Until reads and writes of every worker use the database again; /readyz tells of one of them."""
UPSTREAM = """
upstream service {{ server {address}; keepalive 16; }}
"""
LOCATION = """
location / {
    proxy_pass http://service;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
}
"""
SAMPLE = 0.05
"""The share of the answers that is compared with the library's."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The duration, and what goes wrong when; all in seconds."""

    duration_s: float
    swap_s: float = 30
    away_at_s: float | None = None
    away_s: float = 10
    kill_s: float = 150
    reload_s: float = 50
    clients: int = 4
    sample: float = SAMPLE


def main() -> int:
    options = parse_args()
    threadpool_limits(1)  # as in the service: sums in another order differ in their last digit
    duration_s = 60 * options.rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        away_at_s = duration_s / 2 if options.database == "postgresql" else None
        plan = Plan(duration_s=duration_s, away_at_s=away_at_s)
        with database(options.database, folder) as (url, server):
            bundles = good_bundles(folder, options.bundle)
            errors = soak(folder, bundles, url, server=server, plan=plan, seed=options.seed)
        if options.requests:
            fuzz(folder, bundles[0], options.requests, options.seed)
    for error in errors[:20]:
        print(f"ERROR: {error}")
    print(f"soak of the api: {len(errors)} errors")
    return int(bool(errors))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=float, default=10, help="minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--database", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--bundle", type=Path, help="default: ten movies made by hand")
    parser.add_argument(
        "--requests", type=int, default=10_000, help="of schemathesis and hypothesis"
    )
    return parser.parse_args()


@contextmanager
def database(kind: str, folder: Path) -> Iterator[tuple[str, "postgres.Server | None"]]:
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'events.sqlite'}", None
        return
    with postgres.server() as server, pgbouncer.running(server) as url:
        yield url, server


def good_bundles(folder: Path, source: Path | None) -> list[Path]:
    """Write two of the same movies in another order, each with golden answers of its own."""
    source = source or write_tiny(folder / "source")
    bundle = read_bundle(source)
    bundles = []
    for number, sign in enumerate((1, -1)):
        target = folder / f"good-{number}"
        arrays = bundle.arrays | {"item_bias": sign * bundle.arrays["item_bias"]}
        parts: dict[str, Any] = {"movies": bundle.movies, "arrays": arrays}
        parts |= {"encoder": bundle.encoder, "item_content": bundle.item_content}
        parts["features"] = bundle.features
        manifest = bundle.manifest | {"name": f"{bundle.manifest['name']}-{number}"}
        write_bundle(target, manifest=manifest, golden=[], **parts)
        recommender = Recommender.load(target)
        golden = [golden_answer(answer, recommender) for answer in bundle.golden]
        write_bundle(target, manifest=manifest, golden=golden, **parts)
        bundles.append(target)
    return bundles


def golden_answer(answer: dict[str, Any], recommender: Recommender) -> dict[str, Any]:
    """Return this bundle's answer to the same query."""
    history = [tuple(entry) for entry in answer["history"]]
    top = recommender.recommend(history=history, k=len(answer["top"]))["items"]
    scores = recommender.score([history], answer["movie_ids"])[0].tolist()
    return answer | {"scores": scores, "top": [item["movie_id"] for item in top]}


def soak(
    folder: Path,
    bundles: list[Path],
    url: str,
    *,
    server: "postgres.Server | None",
    plan: Plan,
    seed: int,
) -> list[str]:
    """Run the load and the disruptions; return the errors."""
    home = folder / "service"
    home.mkdir()
    models = [LoadedModel.load(str(bundle)) for bundle in bundles]
    report = LoadReport({model.recommender.model_version: model for model in models})
    replace(bundles[0], folder / "served")
    settings = {"EVENTS_URL": url, "API_KEYS": KEY, "LOG_REQUESTS": "all"}
    settings |= {"BUNDLE_POLL_S": str(POLL_S), "LOG_LEVEL": "debug", "WORKERS": str(NUM_WORKERS)}
    with (
        running(folder / "served", home, **settings) as (service, process),
        nginx.running(LOCATION, UPSTREAM.format(address=service.partition("://")[2])) as address,
    ):
        clients = [
            Client(number, address, KEY, report, seed, plan.sample)
            for number in range(plan.clients)
        ]
        for client in clients:
            client.start()
        chaos = Chaos(folder, bundles, address, process=process, server=server, report=report)
        chaos.run(plan)
        stop_under_load(process, report)
        for client in clients:
            client.join(timeout=60)
    output = output_of(home).read_text()
    report.errors += store_errors(url, clients) + log_errors(output)
    unrefused = chaos.damaged - output.count("is refused")  # each worker refuses it
    if unrefused > 0:
        report.add_error(f"{unrefused} damaged bundles were not refused in the log")
    print(", ".join(f"{name} {number:,}" for name, number in sorted(report.counts.items())))
    return report.errors


def stop_under_load(process: Process, report: LoadReport) -> None:
    report.disruptions.begin("stopping")
    start_s = time.monotonic()
    process.terminate()
    status = process.wait(timeout=60)
    print(f"stopped under load: exit {status} after {time.monotonic() - start_s:.1f} s")
    report.stop.set()
    if status != 0:
        report.add_error(f"SIGTERM under load: exit status {status}")


class Chaos:
    """The disruptions of the service while clients use it."""

    def __init__(
        self,
        folder: Path,
        bundles: list[Path],
        address: str,
        *,
        process: Process,
        server: "postgres.Server | None",
        report: LoadReport,
    ) -> None:
        self._folder, self._bundles, self._process = folder, bundles, process
        self._server, self._report = server, report
        self._http = httpx.Client(base_url=address, timeout=10)
        self._swaps = self.damaged = 0

    def run(self, plan: Plan) -> None:
        start_s = time.monotonic()
        schedule: list[tuple[float, Callable[[], None]]] = [
            (at, self.swap) for at in steps(plan.swap_s, plan.duration_s)
        ]
        schedule += [(at + 5, self.kill) for at in steps(plan.kill_s, plan.duration_s)]
        schedule += [(at + 2, self.reload) for at in steps(plan.reload_s, plan.duration_s)]
        if plan.away_at_s is not None:
            schedule.append((plan.away_at_s, lambda: self.restart_database(plan.away_s)))
        self._print_memory("at the start")
        for at, disrupt in sorted(schedule, key=lambda entry: entry[0]):
            time.sleep(max(0.0, start_s + at - time.monotonic()))
            disrupt()
        time.sleep(max(0.0, start_s + plan.duration_s - time.monotonic()))
        self._print_memory("at the end")
        print(f"{self._swaps} bundles swapped, {self.damaged} damaged ones refused")

    def swap(self) -> None:
        """Put another bundle; before every third a damaged one, which must change nothing."""
        self._swaps += 1
        bundle, served = self._bundles[self._swaps % 2], self._folder / "served"
        if self._swaps % 3 == 1:
            self.damaged += 1
            before = self._version()
            replace(bundle, served, damaged=True)
            time.sleep(4 * POLL_S + 0.5)
            if self._version() != before:
                self._report.add_error("a damaged bundle was taken")
        replace(bundle, served)
        expected = Recommender.load(served).model_version
        self._wait(lambda: self._version() == expected, "a new bundle was not taken")
        time.sleep(1)  # for the old one to be freed
        self._print_memory(f"after {self._swaps} swaps")

    def restart_database(self, away_s: float) -> None:
        """As if its machine had lost its power."""
        assert self._server is not None
        self._report.disruptions.begin("away")
        self._server.stop()
        time.sleep(away_s)
        if self._http.get("/readyz").json()["events"] != "away":
            self._report.add_error("/readyz does not say that the database is away")
        self._server.start()
        start_s = time.monotonic()
        self._wait(lambda: self._http.get("/readyz").json()["events"] == "up", "still away")
        seconds = time.monotonic() - start_s
        time.sleep(SETTLE_S)
        self._report.disruptions.end("away")
        print(f"database away for {away_s:.0f} s; used again {seconds:.1f} s after its start")

    def kill(self) -> None:
        worker = workers_of(self._process)[0]
        self._print_memory("before the kill")
        self._report.disruptions.begin("dead")
        worker.kill()
        worker.wait(timeout=10)
        wait_until_ready(self._http, self._process)
        seconds = self._report.disruptions.end("dead")
        print(f"worker killed; answers again after {seconds:.1f} s")

    def reload(self) -> None:
        """Replace the workers; every request meanwhile must be answered."""
        before = {worker.pid for worker in workers_of(self._process)}
        self._process.send_signal(signal.SIGHUP)
        self._wait(lambda: self._is_replaced(before), "SIGHUP did not replace the workers")
        print("workers replaced by SIGHUP")

    def _is_replaced(self, before: set[int]) -> bool:
        after = {worker.pid for worker in workers_of(self._process)}
        return len(after) == NUM_WORKERS and not after & before

    def _version(self) -> str:
        return str(self._http.get("/readyz").json()["model_version"])

    def _wait(self, condition: Callable[[], bool], message: str) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            if time.monotonic() > deadline:
                self._report.add_error(message)
                return
            time.sleep(0.05)

    def _print_memory(self, moment: str) -> None:
        for worker in workers_of(self._process):
            with suppress(psutil.NoSuchProcess):
                memory_mb = worker.memory_info().rss / 1e6
                print(f"memory of worker {worker.pid} {moment}: {memory_mb:.0f} MB")


def steps(every: float, until: float) -> list[float]:
    return [every * n for n in range(1, int(until / every) + 1) if every * n < until - 5]


def replace(bundle: Path, served: Path, damaged: bool = False) -> None:
    """Put a bundle in the old one's place, by renames, as write_bundle does."""
    new, old = served.with_name("new"), served.with_name("old")
    shutil.copytree(bundle, new)
    if damaged:
        content = (new / "arrays.safetensors").read_bytes()
        (new / "arrays.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with suppress(FileNotFoundError):
        served.rename(old)
    new.rename(served)
    shutil.rmtree(old, ignore_errors=True)


def store_errors(url: str, clients: list[Client]) -> list[str]:
    """Return where the store differs from what was acknowledged."""
    store, errors = EventStore(url), []
    logs = {user_id: log for client in clients for user_id, log in client.logs.items()}
    for user_id, log in logs.items():
        if store.user_state(user_id) != state_of(log):
            errors.append(f"{user_id}: {store.user_state(user_id)}, acknowledged {state_of(log)}")
    stored = event_ids(url)
    acknowledged = {event.event_id for log in logs.values() for event in log}
    if lost := acknowledged - stored:
        errors.append(f"{len(lost)} acknowledged events are lost: {sorted(lost)[:3]}")
    unanswered = {event_id for event_id in stored if event_id.rpartition("-")[0] not in logs}
    if surplus := stored - acknowledged - unanswered:
        errors.append(f"{len(surplus)} stored events were not acknowledged, or were deleted")
    print(f"{len(acknowledged):,} acknowledged events are in the store, {len(lost)} are lost")
    return errors


def log_errors(output: str) -> list[str]:
    """Return the lines of the service's output that repeat what it was sent."""
    print(f"{output.count(chr(10)):,} lines in the log")
    secrets = [KEY, CANARY, str(UNKNOWN_MOVIE), postgres.PASSWORD, "Traceback"]
    lines = output.splitlines()
    return [
        f"in the log: {line[:300]}" for line in lines if any(secret in line for secret in secrets)
    ]


def fuzz(folder: Path, bundle: Path, requests: int, seed: int) -> None:
    """Raise AssertionError at the first answer that is not as documented."""
    home = folder / "fuzzed"
    home.mkdir()
    with running(bundle, home) as (url, _):
        sent = run_schemathesis(url, max(1, requests // 50), seed, folder)
        with httpx.Client(base_url=url, timeout=20) as client:
            number = max(1, requests - sent)
            statuses = send_odd_requests(client.request, Contract(), number, seed)
    assert "Traceback" not in output_of(home).read_text()
    by_status = ", ".join(f"{status}: {number:,}" for status, number in sorted(statuses.items()))
    print(
        f"{sent:,} requests by schemathesis, {statuses.total():,} by hypothesis ({by_status}): "
        "no 500"
    )


if __name__ == "__main__":
    threading.excepthook = lambda args: None  # a client's failure is among the errors
    sys.exit(main())
