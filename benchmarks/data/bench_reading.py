"""Read 25 million ratings with all checks, and with pandas.read_csv and pyarrow without.

    make bench-reading                          # 3 minutes on two cores, writes results/
    make bench-reading ARGS="--rows 1000000"    # 10 s, prints only

Writes a generated ratings.csv (ml-25m's form and order, 650 MB) to a temporary folder. The readers
take turns, each in a process of its own; the file is in the page cache for all. Values are medians,
spreads are (max - min).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.report import REPOSITORY, Row, report, row, write_report

READERS = {
    "ours": (
        "marquee.data.rating_files.read_ratings: every line checked, duplicates looked for",
        "from pathlib import Path; from marquee.data.rating_files import read_ratings",
        "read_ratings(Path(folder), 'ml-25m').last_of_each_pair()",
    ),
    "pandas": (
        "pandas.read_csv with its defaults, nothing checked",
        "import pandas",
        "pandas.read_csv(folder + '/ratings.csv')",
    ),
    "pandas-c": (
        'pandas.read_csv(engine="c", low_memory=False): one thread, nothing checked',
        "import pandas",
        "pandas.read_csv(folder + '/ratings.csv', engine='c', low_memory=False)",
    ),
    "pyarrow": (
        "pyarrow.csv.read_csv with its defaults, nothing checked",
        "from pyarrow import csv",
        "csv.read_csv(folder + '/ratings.csv')",
    ),
}
_CHILD = """
import json, resource, sys, time
folder = sys.argv[1]
{imports}
before = resource.getrusage(resource.RUSAGE_SELF)
start = time.perf_counter()
table = {call}
wall = time.perf_counter() - start
after = resource.getrusage(resource.RUSAGE_SELF)
cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
lines = open("/proc/self/status").read().splitlines()  # ru_maxrss would count the parent's peak
peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
print(json.dumps({{"wall": wall, "cpu": cpu, "peak": peak * 1024 / 1e9}}))
"""


def write_ratings(path: Path, num_rows: int, seed: int = 0) -> None:
    """Write ratings.csv in the size and order of ml-25m; about 160 ratings a user."""
    rng = np.random.default_rng(seed)
    num_users, num_movies = max(1, num_rows // 154), 62_423
    user = np.sort(rng.integers(1, num_users + 1, num_rows))
    # Ascending, different ids within a user: the order of the official files.
    pair = np.unique(user * (1 << 20) + (rng.beta(0.5, 3, num_rows) * num_movies).astype(np.int64))
    rating = rng.choice([f"{s / 2:.1f}" for s in range(1, 11)], len(pair))
    columns = {
        "userId": pair >> 20,
        "movieId": (pair & (1 << 20) - 1) * 3 + 1,
        "rating": pa.array(rating),
        "timestamp": rng.integers(789_652_009, 1_574_327_703, len(pair)),
    }
    options = csv.WriteOptions(quoting_style="none")
    with path.open("wb") as file:
        file.write(b"userId,movieId,rating,timestamp\n")
        options.include_header = False
        csv.write_csv(pa.table(columns), file, options)


def measure(reader: str, folder: str) -> dict[str, float]:
    """Measure one reading in a fresh process: wall and CPU seconds, peak memory in GB."""
    _, imports, call = READERS[reader]
    child = _CHILD.format(imports=imports, call=call)
    command = [sys.executable, "-c", child, folder]
    process = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    return dict(json.loads(process.stdout))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--rows", type=int, default=25_000_000)
    arguments.add_argument("--rounds", type=int, default=7)
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_ratings(Path(folder) / "ratings.csv", args.rows)
        size_mb = (Path(folder) / "ratings.csv").stat().st_size / 1e6
        runs: dict[str, list[dict[str, float]]] = {reader: [] for reader in READERS}
        for _ in range(args.rounds):
            for reader in READERS:
                runs[reader].append(measure(reader, folder))
                print(f"{reader:8}", runs[reader][-1], flush=True)
    result = report(table(runs, args.rows, size_mb))
    print(json.dumps(result, indent=1))
    if args.rows == 25_000_000:
        write_report("bench-reading.json", result)


def table(runs: dict[str, list[dict[str, float]]], num_rows: int, size_mb: float) -> list[Row]:
    rows: list[Row] = []
    for reader, measured in runs.items():
        what = f"{READERS[reader][0]}; {num_rows:,} rows, {size_mb:.0f} MB"
        for key, unit in (("wall", "s"), ("cpu", "CPU s"), ("peak", "GB")):
            rows.append(row(f"{reader}-{key}", what, [run[key] for run in measured], unit))
    for reader, key in product([name for name in READERS if name != "ours"], ("wall", "cpu")):
        pairs = zip(runs[reader], runs["ours"], strict=True)
        ratios = [peer_run[key] / own_run[key] for peer_run, own_run in pairs]
        what = f"{reader} {key} / ours {key}, pair by pair"
        rows.append(row(f"{reader}-{key}-ratio", what, ratios, "x"))
    return rows


if __name__ == "__main__":
    main()
