"""`marquee catalog load`: generated titles into a service on SQLite, its CPU time and memory.

    .venv/bin/python -m benchmarks.serving.bench_catalog_load bundles/ml-latest-small
    … --titles 1000000                        # 23 minutes on two busy cores, 5.5 GB of memory
    … --write                                 # rows of results/bench-serving.json

CPU time is that of the command, and of the worker that answers, all their threads. Memory is the
peak of each, libraries included.
"""

import argparse
import csv
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import Row, on_one_thread, row, update_report
from benchmarks.serving.servers import MARQUEE, Server

HEADER = ("movie_id", "title", "titles.de", "year", "genres", "countries", "studio", "cast")
FIRST_ID = 10_000_000
GENRES = ("Crime", "Drama", "Comedy", "War", "Western")
POLL_S = 0.5


def write_titles(path: Path, num_titles: int) -> None:
    """Write a CSV of titles of four words, with two attributes."""
    chance = random.Random(0)
    words = [f"Word{number}" for number in range(2_000)]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(HEADER)
        for number in range(num_titles):
            title, german = (" ".join(chance.choices(words, k=4)) for _ in range(2))
            genres = "|".join(chance.sample(GENRES, 2))
            cast = "|".join(f"Actor {chance.randrange(5_000)}" for _ in range(4))
            fields = (title, german, 1950 + number % 70, genres, "DE|FR", number % 300, cast)
            writer.writerow((FIRST_ID + number, *fields))


def measure(bundle: Path, num_titles: int) -> list[Row]:
    """Load titles into a new service; return the rows of the report."""
    with tempfile.TemporaryDirectory() as folder:
        home, titles = Path(folder), Path(folder) / "titles.csv"
        write_titles(titles, num_titles)
        settings = {"BUNDLE": str(bundle), "EVENTS_URL": f"sqlite:///{home / 'events.sqlite'}"}
        with Server(MARQUEE, home, settings | {"OMP_NUM_THREADS": "1"}) as server:
            start_cpu_s, start_mb, peak_mb = server.cpu_s(), server.memory_mb(), 0.0
            url = f"http://127.0.0.1:{server.port}"
            command = [sys.executable, "-m", "marquee.cli", "catalog", "load", str(titles)]
            loading = subprocess.Popen([*command, "--url", url], cwd=home, env=on_one_thread())
            while loading.poll() is None:
                peak_mb = max(peak_mb, server.memory_mb())
                time.sleep(POLL_S)
            if loading.returncode:
                raise SystemExit(loading.returncode)
            worker_cpu_s = server.cpu_s() - start_cpu_s
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # the server still runs
    command_cpu_s = usage.ru_utime + usage.ru_stime
    name = f"catalog-load.{num_titles}"
    rates = [num_titles / (command_cpu_s + worker_cpu_s)]
    return [
        row(f"{name}.rate", "command and worker", rates, "titles a CPU second"),
        row(f"{name}.command_cpu_s", "the command alone", [command_cpu_s], "s"),
        row(f"{name}.worker_cpu_s", "the worker alone", [worker_cpu_s], "s"),
        row(f"{name}.command_mb", "peak of the command", [usage.ru_maxrss / 1024], "MB"),
        row(f"{name}.worker_mb", f"peak of the worker, from {start_mb:.0f}", [peak_mb], "MB"),
    ]


def main() -> None:
    """Run the benchmark, and print its rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--titles", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help="into results/bench-serving.json")
    options = parser.parse_args()
    rows = measure(options.bundle.absolute(), options.titles)
    for each in rows:
        print(f"{each['name']:36}{each['value']:>12,.1f} {each['unit']}")
    if options.write:
        update_report("bench-serving.json", rows)


if __name__ == "__main__":
    main()
