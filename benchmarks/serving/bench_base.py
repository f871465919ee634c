"""Measure the service beside that of an earlier commit, in one run: CPU of a list, and memory.

    git worktree add ../base c5e45fd
    (cd ../base && python train.py fit --config recipes/ml-latest-small.yaml)
    python train.py fit --config recipes/ml-latest-small.yaml
    python -m benchmarks.serving.bench_base ../base        # 4 minutes

Both services run side by side, each with the bundle that its own commit trained by the same recipe.
wrk loads them in turn, some seconds each, in several rounds. The rows are ratios, this commit's
value over the earlier one's: CPU of the worker round by round, memory after all rounds. They
replace those of results/bench-serving.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from benchmarks.report import REPOSITORY, Row, row, update_report
from benchmarks.serving.bench_serving import CLIENTS, STORED_USER, recommend_body
from benchmarks.serving.list_parts import LENGTH, NUM_USERS, SEED, K
from benchmarks.serving.results_table import REQUESTS
from benchmarks.serving.scaled_catalogs import histories
from benchmarks.serving.servers import MARQUEE, Server, load, wrk
from marquee.core.errors import InputError
from marquee.core.memmap import scratch_folder
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import read_bundle

BUNDLE = "bundles/ml-latest-small"
IMPORT = """
import json, sys
from {module} import EventStore
EventStore(sys.argv[1]).import_ratings(*json.loads(sys.argv[2]))
"""
STORE_MODULES = ("marquee.feedback.store", "serving.events")
"""Modules that held the class EventStore, the newest first."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("base", type=Path, help="a checkout of the earlier commit")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--seconds", type=float, default=4, help="of each service in a round")
    options = arguments.parse_args()
    try:
        wrk()
        with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
            runs = measure(options.base.resolve(), Path(folder), options.rounds, options.seconds)
    except InputError as error:
        sys.exit(f"bench-base: {error}")
    rows = table(runs, commit_of(options.base))
    print(json.dumps(rows, indent=1))
    update_report("bench-serving.json", rows)


def measure(base: Path, folder: Path, rounds: int, seconds: float) -> dict[str, list[Any]]:
    """Return, by kind of request, pairs of CPU microseconds; and one pair of memory."""
    drawn = histories(read_bundle(str(REPOSITORY / BUNDLE)), NUM_USERS, LENGTH, SEED)
    bodies = {
        "known": [orjson.dumps({"user_id": STORED_USER, "k": K})],
        "history": [recommend_body(history) for history in drawn],
    }
    movie_ids, ratings = zip(*drawn[0], strict=True)
    times = list(range(len(movie_ids)))
    columns = [[STORED_USER] * len(movie_ids), list(movie_ids), list(ratings), times]
    runs: dict[str, list[Any]] = {kind: [] for kind in bodies}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(service(code, folder / name, columns))
            for name, code in (("ours", REPOSITORY), ("base", base))
        ]
        for number in range(rounds + 1):
            for kind, texts in bodies.items():
                order = servers if number % 2 else servers[::-1]
                cpu_us = {
                    server: load(server, "/recommend", texts, CLIENTS, seconds)["cpu_us"]
                    for server in order
                }
                if number:  # the first round is the warm-up
                    runs[kind].append([cpu_us[server] for server in servers])
                    print(f"{kind}: {runs[kind][-1]}", flush=True)
        runs["memory"] = [[server.memory_mb() for server in servers]]
    return runs


def service(code: Path, home: Path, columns: list[list[Any]]) -> Server:
    """Return the service of a checkout, with a store that holds the known user."""
    home.mkdir()
    store = f"sqlite:///{home / 'events.sqlite'}"
    if code == REPOSITORY:
        EventStore(store).import_ratings(*columns)
    else:
        import_in(code, store, columns)
    settings = {"BUNDLE": str(code / BUNDLE), "EVENTS_URL": store}
    return Server(MARQUEE, home, settings, code=code)


def import_in(code: Path, store: str, columns: list[list[Any]]) -> None:
    """Fill a store by the code of another checkout, whose tables may differ."""
    modules = [name for name in STORE_MODULES if (code / f"{name.replace('.', '/')}.py").is_file()]
    if not modules:
        raise InputError(f"{code}: no event store, expected one of {', '.join(STORE_MODULES)}")
    command = [sys.executable, "-c", IMPORT.format(module=modules[0]), store, json.dumps(columns)]
    environment = os.environ | {"PYTHONPATH": str(code)}
    process = subprocess.run(command, cwd=code, env=environment, capture_output=True, text=True)
    if process.returncode:
        raise InputError(f"{code}: its event store cannot be filled: {process.stderr[-500:]}")


def table(runs: dict[str, list[Any]], commit: str) -> list[Row]:
    rows = []
    for kind in ("known", "history"):
        what = f"CPU of {REQUESTS[kind]}, 8 clients / that of {commit}, interleaved"
        ratios = [head_us / base_us for head_us, base_us in runs[kind]]
        rows.append(row(f"{kind}-cpu-base-ratio", what, ratios, "x"))
    ((head_mb, base_mb),) = runs["memory"]
    what = f"memory of the worker after the rounds / that of {commit}"
    rows.append(row("memory-base-ratio", what, [head_mb / base_mb], "x"))
    return rows


def commit_of(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
