"""Measure the cost of 10 and 100 times the ratings: 1, 10 and 100 million generated ones.

    make bench-growth                   # 30 minutes on a busy core, writes results/
    make bench-growth ARGS=--short      # 200,000 and 2 million, 1 minute, prints only

From a generated Parquet file (generated_ratings.py) to all batches of an epoch: add, histories,
split, windows of histories; pairs with negatives up to 10 million; then training steps of the
history network, whose catalog is the same at each size. Each runs in a process of its own on one
thread. Time is CPU seconds. Memory is read every 5 ms: `anonymous` is what the process must hold,
`mapped` are pages of files, which the kernel drops where memory is short; both above the memory
after the imports. It needs 6 GB of disk in TMPDIR, else in /var/tmp.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.data.generated_ratings import write_generated
from benchmarks.report import (
    REPOSITORY,
    Row,
    last_json_line,
    on_one_thread,
    report,
    row,
    write_report,
)
from datamodules.config import DataConfig
from datamodules.loaders import SequenceWindows, TrainingPairs, rating_bins
from datamodules.splits import Split, split_next
from marquee.core.memmap import scratch_folder
from marquee.data.dataset import load_dataset
from marquee.data.history_order import build_histories

MILLION = 1_000_000
MAX_PAIRS = 10 * MILLION
HISTORY = "recipes/ml-1m.yaml"
MARQUEE_STEPS = "benchmarks.training.marquee_steps"
STAGES = {
    "read": "load_dataset, the first time: every row checked, numbered, sorted, written",
    "histories": "build_histories: the ratings of all users, oldest first",
    "split": "split_next, and the training histories",
    "epoch": "all batches of windows of an epoch, 8,192 targets each, no network",
    "pairs": "TrainingPairs: its tables and the first 100 batches, 16,384 pairs each, no network",
}
Run = dict[str, Any]


class MemoryMeter:
    """The memory of this process, read every 5 ms, in bytes above that at its start."""

    def __init__(self) -> None:
        self.before = memory()
        self.peak, self.cpu = dict.fromkeys(self.before, 0), dict[str, float]()
        threading.Thread(target=self.poll, daemon=True).start()

    def poll(self) -> None:
        while True:
            for kind, size in memory().items():
                self.peak[kind] = max(self.peak[kind], size - self.before[kind])
            time.sleep(0.005)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.cpu[name] = time.process_time() - start


def memory() -> dict[str, int]:
    """Return the bytes of this process: in memory of its own, and mapped from files."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        sizes_kb = {
            line.split(":")[0]: line.split()[1] for line in status if line.startswith("Rss")
        }
    return {
        "anonymous": 1024 * int(sizes_kb["RssAnon"]),
        "mapped": 1024 * (int(sizes_kb["RssFile"]) + int(sizes_kb["RssShmem"])),
    }


def feed(name: str, root: str, pairs: bool) -> Run:
    """Go from columns to batches, in a child. pairs: build pairs instead of windows."""
    meter, num_examples = MemoryMeter(), 0
    with meter.stage("read"):
        dataset = load_dataset(name, root)
    with meter.stage("histories"):
        histories = build_histories(dataset)
    with meter.stage("split"):
        split = split_next(histories, dataset.num_items)
        len(split.train_histories)
    with meter.stage("pairs" if pairs else "epoch"):
        for batch in pair_batches(split) if pairs else windows(name, split, dataset.scale):
            num_examples += len(batch["user_B"]) if pairs else int((batch["target_BL"] >= 0).sum())
    return {"cpu": meter.cpu, "examples": num_examples, **meter.peak}


def windows(name: str, split: Split, scale: tuple[float, ...]) -> SequenceWindows:
    return SequenceWindows(
        split,
        rating_bins(split.train_histories.rating, scale),
        DataConfig(name=name),
        epoch=lambda: 0,
    )


def pair_batches(split: Split) -> Iterator[dict[str, Any]]:
    config = DataConfig(name="generated", targets_per_batch=16_384)
    source = TrainingPairs(split, config, epoch=lambda: 0)
    return (batch for _, batch in zip(range(100), source, strict=False))


def run_child(command: list[str]) -> Run:
    """Run a command in a fresh process on one thread."""
    process = subprocess.run(
        command, cwd=REPOSITORY, env=on_one_thread(), capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(f"{' '.join(command[1:3])}: {process.stderr.strip()}")
    run = last_json_line(process.stdout)
    print(run, flush=True)
    return run


def run_size(name: str, num_ratings: int, root: str, rounds: int) -> dict[str, list[Run]]:
    """Run everything at one size, and return the runs by kind."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.data.bench_growth",
        "--child",
        name,
        "--folder",
        root,
    ]
    runs = {"feed": [run_child(command) for _ in range(rounds)]}
    if num_ratings <= MAX_PAIRS:
        runs["pairs"] = [run_child([*command, "--pairs"]) for _ in range(rounds)]
    steps = json.dumps({"warmup": 2, "steps": 10})
    settings = {"data.name": name, "data.root": root, "data.ties": "hash"}
    settings |= {"model.learning.num_negatives": "2000"}
    arguments = [part for key, value in settings.items() for part in (f"--{key}", value)]
    program = [sys.executable, "-m", MARQUEE_STEPS, steps, "--config", HISTORY]
    runs["step"] = [run_child([*program, *arguments]) for _ in range(rounds)]
    return runs


def table(size: str, num_ratings: int, runs: dict[str, list[Run]]) -> list[Row]:
    """Return the rows of one size.

    A row has name, what, value (median), unit and spread (max - min).
    """
    feeds, pairs, millions = runs["feed"], runs.get("pairs", []), num_ratings / MILLION
    rows = [
        row(
            f"{size}-{stage}", what, [run["cpu"][stage] / millions for run in stage_runs], "CPU s/M"
        )
        for stage, what in STAGES.items()
        if (stage_runs := pairs if stage == "pairs" else feeds)
    ]
    speeds = [run["examples"] / run["cpu"]["epoch"] for run in feeds]
    rows.append(row(f"{size}-targets", STAGES["epoch"], speeds, "targets/CPU s"))
    for prefix, kind_runs in {"": feeds, "pairs-": pairs}.items():
        for memory_kind in ("anonymous", "mapped") if kind_runs else ():
            what = f"most {memory_kind} memory a rating, from reading to the last batch"
            peaks = [run[memory_kind] / num_ratings for run in kind_runs]
            rows.append(row(f"{size}-{prefix}{memory_kind}", what, peaks, "B/rating"))
    what = f"a step of {HISTORY}, 2,000 drawn movies, 10 steps"
    cpu_per_step = [run["cpu"] / run["steps"] for run in runs["step"]]
    return [*rows, row(f"{size}-step", what, cpu_per_step, "CPU s")]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--short", action="store_true", help="small sizes, no file")
    arguments.add_argument(
        "--folder", help="keep the generated data sets here, and reuse existing ones"
    )
    arguments.add_argument("--child", help=argparse.SUPPRESS)
    arguments.add_argument("--pairs", action="store_true", help=argparse.SUPPRESS)
    args = arguments.parse_args()
    if args.child:
        print(json.dumps(feed(args.child, args.folder, args.pairs)))
        return
    sizes = {"200k": 200_000, "2m": 2 * MILLION}
    if not args.short:
        sizes = {"1m": MILLION, "10m": 10 * MILLION, "100m": 100 * MILLION}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as temporary:
        root = args.folder or temporary
        for size, num_ratings in sizes.items():
            name = f"generated-{size}"
            if not (Path(root) / name / "movies.csv").is_file():
                write_generated(Path(root) / name, num_ratings)
            rounds = 3 if num_ratings <= 10 * MILLION and not args.short else 1
            rows += table(size, num_ratings, run_size(name, num_ratings, root, rounds))
    result = report(rows)
    print(json.dumps(result, indent=1))
    if not args.short:
        write_report("bench-growth.json", result)


if __name__ == "__main__":
    main()
