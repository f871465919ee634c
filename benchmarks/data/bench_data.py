"""Measure `marquee data add`: beside DuckDB's own sort, and beside this project at c5e45fd.

    make bench-data                                          # 1 hour on two quiet cores
    make bench-data ARGS="--parts 100m-parquet --rounds 1"   # one more round of a part
    make bench-data ARGS="--rows 2000000 --rounds 1"         # 2 minutes, prints only

100 million generated plays (generated_plays.py) as Parquet and as csv, added under a memory limit
of 4 GB; beside them COPY (FROM source ORDER BY user, time) TO 'x.parquet' with the same threads,
limit and disk. And a generated ml-25m, beside `load_dataset` and `histories_of` of c5e45fd, which
is cloned for it. Each runs in a process of its own, in turns. Every round is added to those in
results/bench-data.json, which keeps all of them: delete it to begin anew. It needs 40 GB of disk
in TMPDIR, else in /var/tmp.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.data.generated_plays import write_plays
from benchmarks.report import REPOSITORY, RESULTS, Row, report, row, write_report
from marquee.core.memmap import scratch_folder

ROWS, RATINGS = 100_000_000, 25_000_000
PARTS = ("100m-parquet", "100m-csv", "ml-25m")
FILE = "bench-data.json"
MEMORY = "4GB"
BEFORE = "c5e45fd"
PLAYS = ["--user", "account_id", "--item", "asset_id", "--time", "started_at", "--rating", "rating"]
RATED = ["--user", "userId", "--item", "movieId", "--time", "timestamp", "--rating", "rating",
         "--item-id", "movieId", "--title", "title", "--genres", "genres:|"]  # fmt: skip
COPY = """
import sys, duckdb
source, folder, limit = sys.argv[1:]
connection = duckdb.connect(config={"temp_directory": folder + "/spill"})
connection.execute(f"SET memory_limit = '{limit}'")
connection.execute(
    f"COPY (FROM '{source}' ORDER BY account_id, started_at) TO '{folder}/x.parquet'"
)
"""
LOAD_BEFORE = """
import sys
from datamodules.histories import histories_of
from datamodules.ratings import load_dataset
histories_of(load_dataset("ml-25m", sys.argv[1]))
"""


def write_ratings(folder: Path, num_rows: int, seed: int = 0) -> None:
    """Write ratings.csv and movies.csv in the size and order of ml-25m."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    num_users, num_movies = max(1, num_rows // 154), 62_423
    user = np.sort(rng.integers(1, num_users + 1, num_rows))
    # Ascending, different ids within a user: the order of the official files.
    pair = np.unique(user * (1 << 20) + (rng.beta(0.5, 3, num_rows) * num_movies).astype(np.int64))
    columns = {
        "userId": pair >> 20,
        "movieId": (pair & (1 << 20) - 1) * 3 + 1,
        "rating": pa.array(rng.choice([f"{s / 2:.1f}" for s in range(1, 11)], len(pair))),
        "timestamp": rng.integers(789_652_009, 1_574_327_703, len(pair)),
    }
    options = csv.WriteOptions(quoting_style="none")
    with (folder / "ratings.csv").open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        options.include_header = False
        csv.write_csv(pa.table(columns), file, options)
    lines = [f"{3 * movie + 1},Movie {movie} (1999),Drama|War" for movie in range(num_movies)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *lines, ""]))


class Cost(NamedTuple):
    wall_s: float
    cpu_s: float


Runs = dict[str, list[dict[str, Cost]]]
"""By part, a round each: what "add" and its "peer" took."""


def cost(command: list[str], environment: dict[str, str]) -> Cost:
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if process.returncode:
        sys.exit(f"{' '.join(command)[:200]}: {process.stderr.strip()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(round(time.perf_counter() - start, 2), round(cpu_s, 2))


def add(folder: Path, source: Path, options: list[str]) -> Cost:
    """Measure `marquee data add` of a source into an empty cache."""
    command = [sys.executable, "-m", "marquee.cli", "data", "add", "bench", "--replace",
               "--interactions", str(source), "--memory-limit", MEMORY, *options]  # fmt: skip
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        places = {"DATA_ROOT": f"{scratch}/data", "DATA_CACHE": f"{scratch}/cache"}
        return cost(command, places)


def copy(folder: Path, source: Path) -> Cost:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return cost([sys.executable, "-c", COPY, str(source), scratch, MEMORY], {})


def load_before(clone: Path, root: Path) -> Cost:
    environment = {"PYTHONPATH": str(clone), "PYTHONSAFEPATH": "1"}
    return cost([sys.executable, "-c", LOAD_BEFORE, str(root)], environment)


def prepare(part: str, folder: Path, num_rows: int) -> dict[str, Callable[[], Cost]]:
    """Generate the source of a part, and return what is measured on it."""
    if part != "ml-25m":
        source = folder / f"plays.{part.removeprefix('100m-')}"
        write_plays(source, num_rows)
        return {"add": lambda: add(folder, source, PLAYS), "peer": lambda: copy(folder, source)}
    root, clone = folder / "data", folder / "before"
    write_ratings(root / part, num_rows * RATINGS // ROWS)
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
    subprocess.run(["git", "checkout", "-q", BEFORE], cwd=clone, check=True)
    options = [*RATED, "--items", str(root / part / "movies.csv")]
    return {
        "add": lambda: add(folder, root / part / "ratings.csv", options),
        "peer": lambda: load_before(clone, root),
    }


def table(runs: Runs) -> list[Row]:
    """Return rows PART-add, PART-peer and PART-ratio, and the same of CPU seconds."""
    rows = []
    for part, rounds in runs.items():
        peer = "DuckDB's COPY (FROM source ORDER BY user, time) TO 'x.parquet', as limited"
        texts = {"add": f"marquee data add of {part}, --memory-limit {MEMORY}", "peer": peer}
        if part == "ml-25m":
            texts["peer"] = f"load_dataset and histories_of of {BEFORE}, the same files"
        for field, suffix in ((0, ""), (1, "-cpu")):
            values = {kind: [costs[kind][field] for costs in rounds] for kind in texts}
            kind_rows = [
                row(f"{part}-{kind}{suffix}", text, values[kind], f"{suffix[1:].upper()} s".strip())
                for kind, text in texts.items()
            ]
            ratios = [own / other for own, other in zip(*values.values(), strict=True)]
            kind_rows.append(
                row(f"{part}-ratio{suffix}", "add / peer, round by round", ratios, "x")
            )
            rows += [each | {"rounds": len(rounds)} for each in kind_rows]
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--rows", type=int, default=ROWS)
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    is_kept = args.rows == ROWS
    earlier = is_kept and (RESULTS / FILE).is_file()
    runs: Runs = json.loads((RESULTS / FILE).read_text())["runs"] if earlier else {}
    for part in args.parts:
        with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
            measured = prepare(part, Path(folder), args.rows)
            for _ in range(args.rounds):
                costs = {kind: measure() for kind, measure in measured.items()}
                print(part, costs, flush=True)
                runs.setdefault(part, []).append(costs)
                if is_kept:
                    write_report(FILE, report(table(runs)) | {"runs": runs})
    print(json.dumps(table(runs), indent=1))


if __name__ == "__main__":
    main()
