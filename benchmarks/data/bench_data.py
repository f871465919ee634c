"""Measure `marquee data add`: beside DuckDB's own sort, and beside this project at c5e45fd.

    make bench-data                                  # 1 hour on two quiet cores, writes results/
    make bench-data ARGS="--rows 2000000 --rounds 1" # 2 minutes, prints only

100 million generated plays (generated_plays.py) as Parquet and as csv, added under a memory limit
of 4 GB; beside them COPY (FROM source ORDER BY user, time) TO 'x.parquet' with the same threads,
limit and disk. And a generated ml-25m, beside `load_dataset` and `histories_of` of c5e45fd, which
is cloned for it. Each runs in a process of its own, in turns. It needs 40 GB of disk in TMPDIR,
else in /var/tmp.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.data.generated_plays import write_plays
from benchmarks.report import REPOSITORY, Row, report, row, write_report
from marquee.core.memmap import scratch_folder

ROWS, RATINGS = 100_000_000, 25_000_000
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


def seconds(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    process = subprocess.run(
        command, cwd=REPOSITORY, env=os.environ | environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if process.returncode:
        sys.exit(f"{' '.join(command)[:200]}: {process.stderr.strip()[-2000:]}")
    return time.perf_counter() - start


def add(folder: Path, source: Path, options: list[str]) -> float:
    """Measure `marquee data add` of a source into an empty cache."""
    command = [sys.executable, "-m", "marquee.cli", "data", "add", "bench", "--replace",
               "--interactions", str(source), "--memory-limit", MEMORY, *options]  # fmt: skip
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        places = {"DATA_ROOT": f"{scratch}/data", "DATA_CACHE": f"{scratch}/cache"}
        return seconds(command, places)


def copy(folder: Path, source: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return seconds([sys.executable, "-c", COPY, str(source), scratch, MEMORY], {})


def load_before(clone: Path, root: Path) -> float:
    environment = {"PYTHONPATH": str(clone), "PYTHONSAFEPATH": "1"}
    return seconds([sys.executable, "-c", LOAD_BEFORE, str(root)], environment)


def in_turns(
    name: str, rounds: int, own: Callable[[], float], peer: Callable[[], float], texts: list[str]
) -> list[Row]:
    """Return rows NAME-add, NAME-peer and NAME-ratio.

    texts: of the first two rows.
    """
    runs = []
    for _ in range(rounds):
        runs.append((own(), peer()))
        print(name, *(f"{wall:.1f} s" for wall in runs[-1]), flush=True)
    own_s, peer_s = zip(*runs, strict=True)
    ratios = [own_wall / peer_wall for own_wall, peer_wall in runs]
    return [
        row(f"{name}-add", texts[0], own_s, "s"),
        row(f"{name}-peer", texts[1], peer_s, "s"),
        row(f"{name}-ratio", f"{texts[0]} / {texts[1]}, run by run", ratios, "x"),
    ]


def measure(folder: Path, num_rows: int, rounds: int) -> list[Row]:
    rows: list[Row] = []
    for form in ("parquet", "csv"):
        source = folder / f"plays.{form}"
        write_plays(source, num_rows)
        texts = [f"marquee data add, {num_rows:,} plays in {form}, --memory-limit {MEMORY}",
                 "COPY (FROM source ORDER BY user, time) TO 'x.parquet', as limited"]  # fmt: skip
        rows += in_turns(
            f"100m-{form}", rounds, lambda s=source: add(folder, s, PLAYS),
            lambda s=source: copy(folder, s), texts,
        )  # fmt: skip
        source.unlink()
    root, clone = folder / "data", folder / "before"
    write_ratings(root / "ml-25m", num_rows * RATINGS // ROWS)
    subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(clone)], check=True)
    subprocess.run(["git", "checkout", "-q", BEFORE], cwd=clone, check=True)
    ratings, movies = root / "ml-25m" / "ratings.csv", str(root / "ml-25m" / "movies.csv")
    texts = [f"marquee data add, ml-25m generated, {num_rows * RATINGS // ROWS:,} ratings in csv",
             f"load_dataset and histories_of of {BEFORE}, the same files"]  # fmt: skip
    return rows + in_turns(
        "ml-25m", rounds, lambda: add(folder, ratings, [*RATED, "--items", movies]),
        lambda: load_before(clone, root), texts,
    )  # fmt: skip


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rows", type=int, default=ROWS)
    arguments.add_argument("--rounds", type=int, default=3)
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        result = report(measure(Path(folder), args.rows, args.rounds))
    print(json.dumps(result, indent=1))
    if args.rows == ROWS:
        write_report("bench-data.json", result)


if __name__ == "__main__":
    main()
