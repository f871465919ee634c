"""Measure the service's speed and memory, beside a no-op in BentoML and one in FastAPI.

    make bench-serving                         # 15 minutes on two cores, writes results/
    make bench-serving ARGS="--short --bundle bundles/demo"     # 1 minute, prints only
    make bench-serving ARGS=--workers          # 1 minute: one and two workers alone

The servers run side by side. wrk loads them in turn, some seconds each, in several rounds. The
parts of a list are measured in between, in a process of their own. CPU is microseconds of the
answering process a request; wall is wrk's. Bodies: 256 users with histories of 50 movies, drawn
with a seed, and a stored user with as many. The no-ops validate the same bodies and give the same
bytes back. Values are medians of the rounds, ratios are taken round by round, and spreads
are max - min. The large catalog is that of ml-25m (DATA_ROOT), its arrays drawn from the trained
bundle's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.report import (
    REPOSITORY,
    Row,
    last_json_line,
    on_one_thread,
    report,
    update_report,
    write_report,
)
from benchmarks.serving import bench_workers
from benchmarks.serving.catalog_growth import CATALOG_SIZES, plot
from benchmarks.serving.list_parts import LENGTH, NUM_USERS, SEED, K
from benchmarks.serving.results_table import PARTS, Runs, table
from benchmarks.serving.scaled_catalogs import (
    generated_catalog,
    histories,
    real_catalog,
    write_scaled,
)
from benchmarks.serving.servers import FASTAPI, MARQUEE, NOOP, Server, load, wrk
from marquee.core.errors import InputError
from marquee.core.memmap import scratch_folder
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import read_bundle
from marquee.recommender.history import HistoryEntry

PLOT = REPOSITORY / "docs" / "serving-growth.svg"
CLIENTS = 8
STORED_USER = "42"
NUM_BATCHES = 3
MEMORY_AFTER = (10_000, 100_000)
"""Requests after which the memory of a fresh service is read."""


@dataclass(frozen=True)
class Size:
    """Sizes of a measurement."""

    rounds: int
    seconds: float
    """Of each program in a round."""
    num_users: int
    memory_after: tuple[int, int]
    catalog_sizes: tuple[int, ...]


FULL = Size(5, 3, NUM_USERS, MEMORY_AFTER, CATALOG_SIZES)
SHORT = Size(1, 1, 8, (50, 100), (20, 40))


class Bench:
    """The bodies and programs of a benchmark, and its runs."""

    def __init__(self, folder: Path, bundle: str, size: Size) -> None:
        self.folder, self.bundle, self.size = folder, bundle, size
        self.runs: Runs = {}
        trained = read_bundle(bundle)
        short = size is SHORT
        movies = generated_catalog(trained.movies, 50) if short else real_catalog()
        self.large = str(write_scaled(bundle, movies, folder / "large", SEED))
        large_bundle = read_bundle(self.large)
        drawn = histories(trained, size.num_users, LENGTH, SEED)
        self.bodies = {
            "history": [recommend_body(history) for history in drawn],
            "large": [
                recommend_body(each)
                for each in histories(large_bundle, size.num_users, LENGTH, SEED)
            ],
            "known": [orjson.dumps({"user_id": STORED_USER, "k": K})],
            "batch": [batch_body(drawn)],
        }
        self.store = f"sqlite:///{folder / 'events.sqlite'}"
        movie_ids, ratings = zip(*drawn[0], strict=True)
        user_ids, times = [STORED_USER] * len(movie_ids), list(range(len(movie_ids)))
        EventStore(self.store).import_ratings(user_ids, list(movie_ids), list(ratings), times)
        self.answer = folder / "answer.json"
        arrays = {"ours": trained.arrays, "large": large_bundle.arrays}
        for name, arrays_of_bundle in arrays.items():
            arrays_mb = sum(array.nbytes for array in arrays_of_bundle.values()) / 1e6
            self.record(f"{name}-arrays", {"memory_mb": arrays_mb})

    def record(self, name: str, run: dict[str, Any]) -> None:
        print(f"{name:16}", json.dumps(run), flush=True)
        self.runs.setdefault(name, []).append(run)

    def server(self, name: str) -> Server:
        """Return a program that is not started yet.

        name: ours, noop or fastapi; parts for the no-op with the four parts in it, or one of PARTS.
        Those of the large catalog are large, largeparts, largestars, …
        """
        home = Path(tempfile.mkdtemp(prefix=name, dir=self.folder))
        if name in ("ours", "large"):
            bundle = self.bundle if name == "ours" else self.large
            return Server(MARQUEE, home, {"BUNDLE": bundle, "EVENTS_URL": self.store})
        settings = {"NOOP_ANSWER": str(self.answer)}
        part = name.removeprefix("large")
        if part in ("parts", *PARTS):
            settings["NOOP_PARTS"] = self.bundle if name == part else self.large
            settings["NOOP_PART"] = "in_turn" if part == "parts" else part
        return Server(FASTAPI if name == "fastapi" else NOOP, home, settings)

    def rounds(self) -> None:
        """Load all programs in turn."""
        with ExitStack() as stack:
            servers = {name: stack.enter_context(self.server(name)) for name in ("ours", "large")}
            self.answer.write_bytes(servers["ours"].post("/recommend", self.bodies["history"][0]))
            with_parts = [large + part for large in ("", "large") for part in ("parts", *PARTS)]
            for name in ("noop", "fastapi", *with_parts):
                servers[name] = stack.enter_context(self.server(name))
            for name, server in servers.items():  # warm-up
                kind = "large" if name.startswith("large") else "history"
                load(server, "/recommend", self.bodies[kind], CLIENTS, self.size.seconds)
            for _ in range(self.size.rounds):
                self.round(servers)
            for name, server in servers.items():
                self.record(f"{name}-memory", {"memory_mb": server.memory_mb()})

    def round(self, servers: dict[str, Server]) -> None:
        schedule = [("noop", "history"), ("ours", "history"), ("noop", "known"), ("ours", "known")]
        schedule += [("parts", "history"), ("fastapi", "history")]
        schedule += [("noop", "large"), ("large", "large"), ("largeparts", "large")]
        for name, kind in schedule:
            for clients in (CLIENTS, 1):
                run = load(
                    servers[name], "/recommend", self.bodies[kind], clients, self.size.seconds
                )
                self.record(f"{name}-{kind}-{clients}", run)
        for name, kind in [
            *((p, "history") for p in PARTS),
            *(("large" + p, "large") for p in PARTS),
        ]:
            run = load(servers[name], "/recommend", self.bodies[kind], CLIENTS, self.size.seconds)
            self.record(f"{name}-{kind}-{CLIENTS}", run)
        self.record("ours-batch", self.batch(servers["ours"]))
        for name, bundle in {"ours": self.bundle, "large": self.large}.items():
            self.record(f"{name}-parts", child("list_parts", bundle, str(self.size.num_users)))

    def batch(self, server: Server) -> dict[str, Any]:
        """Time whole requests only: wrk would count the CPU of an unfinished one."""
        before = server.cpu_s()
        for _ in range(NUM_BATCHES):
            server.post("/recommend_batch", self.bodies["batch"][0])
        cpu_us = 1e6 * (server.cpu_s() - before) / NUM_BATCHES
        return {"cpu_us": cpu_us, "users": self.size.num_users}

    def starts(self) -> None:
        """Time each program from its start to the first 200 of /readyz, in turn."""
        for _ in range(self.size.rounds):
            for name in ("noop", "ours", "large", "fastapi"):
                with self.server(name) as server:
                    ready = {"ready_s": server.ready_s, "cpu_s": server.ready_cpu_s}
                self.record(f"{name}-start", ready)

    def memory(self) -> None:
        """Measure the memory of a fresh service after many requests of a known user.

        One in ten brings one of the histories.
        """
        with self.server("ours") as server:
            num_requests, stored = 0, self.bodies["known"] * 9
            mixed = [body for each in self.bodies["history"] for body in (*stored, each)]
            for number in self.size.memory_after:
                while num_requests < number:
                    seconds = 10 if self.size is FULL else 1
                    run = load(server, "/recommend", mixed, CLIENTS, seconds)
                    num_requests += run["requests"]
                run = {"memory_mb": server.memory_mb(), "requests": num_requests}
                self.record(f"ours-after-{number}", run)

    def growth(self) -> None:
        sizes = [str(size) for size in self.size.catalog_sizes]
        for kind, points in child("catalog_growth", self.bundle, *sizes).items():
            for size, times in points.items():
                self.record(f"growth-{kind}-{size}", times)


def recommend_body(history: list[HistoryEntry]) -> bytes:
    """Return the body of POST /recommend for a user who is not stored."""
    return orjson.dumps(recommend_request(history))


def recommend_request(history: list[HistoryEntry]) -> dict[str, Any]:
    return {"k": K, "history": [{"movie_id": m, "stars": s} for m, s in history]}  # type: ignore[misc]


def batch_body(drawn: list[list[HistoryEntry]]) -> bytes:
    return orjson.dumps({"requests": [recommend_request(history) for history in drawn]})


def workers(bundle: str, size: Size) -> list[Row]:
    """Measure one and two workers."""
    drawn = histories(read_bundle(bundle), size.num_users, LENGTH, SEED)
    bodies = [recommend_body(history) for history in drawn]
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        return bench_workers.measure(
            bundle,
            bodies,
            Path(folder),
            clients=CLIENTS,
            rounds=size.rounds,
            seconds=size.seconds,
        )


def child(program: str, *args: str) -> dict[str, Any]:
    """Run a module of this package on one thread; return the JSON that it prints."""
    command = [sys.executable, "-m", f"benchmarks.serving.{program}", *args]
    process = subprocess.run(
        command, cwd=REPOSITORY, env=on_one_thread(), capture_output=True, text=True
    )
    if process.returncode:
        raise InputError(f"{program}: {process.stderr.strip()[-2000:]}")
    return last_json_line(process.stdout)


def main() -> None:
    bundle = os.environ.get("BENCH_BUNDLE") or "bundles/ml-latest-small"
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--bundle", default=bundle)
    arguments.add_argument("--short", action="store_true", help="one round of a second, no file")
    arguments.add_argument("--workers", action="store_true", help="one and two workers alone")
    options = arguments.parse_args()
    size, bundle = SHORT if options.short else FULL, str(Path(options.bundle).resolve())
    try:
        wrk()
        worker_rows = workers(bundle, size)
        if options.workers:
            print(json.dumps(worker_rows, indent=1))
            if not options.short:
                update_report("bench-serving.json", worker_rows)
            return
        with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
            bench = Bench(Path(folder), bundle, size)
            for measure in (bench.rounds, bench.starts, bench.memory, bench.growth):
                measure()
    except InputError as error:
        sys.exit(f"bench-serving: {error}")
    rows = table(bench.runs) + worker_rows
    result = report(rows)
    print(json.dumps(result, indent=1))
    if not options.short:
        write_report("bench-serving.json", result)
        plot(rows, PLOT)


if __name__ == "__main__":
    main()
