"""Training speed on one core: NeuMF beside RecBole's, and the history network beside its floor.

    make bench-training                                # 8 minutes on one core, writes results/
    python benchmarks/bench_training.py --short        # 1 minute, prints only

All on ml-1m (DATA_ROOT). The programs take turns, each in a process of its own on one thread; what
is timed is training steps, drawing of batches and negatives included. NeuMF has the same sizes on
both sides: 64 factors for the product, 64 for the MLP, layers of 128 and 64, 4 negatives, no
dropout, and a batch as large as our recipe's, then as RecBole's default. Values are medians of the
rounds, spreads are (max - min). RecBole needs an environment of its own, which the make target
makes; without it its rows are left out, and the reason is printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from bench_reading import machine, row

from datamodules.ratings import load_dataset
from evaluation.results import code_commit

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RECBOLE = REPOSITORY / ".venv-bench" / "bin" / "python"
FACTORS, HIDDEN_DIMS, NUM_NEGATIVES = 64, [128, 64], 4
BATCHES = (16_384, 2_048)
"""Examples a step: our recipe's, and RecBole's default. The first gives the rows without a size."""
CLASSIC, HISTORY = "recipes/ncf-classic-ml-1m.yaml", "recipes/ml-1m.yaml"
SAME = [
    *("--config", CLASSIC),
    *("--model.network.embedding_dim", str(2 * FACTORS)),  # half for the product, half for the MLP
    *("--model.network.hidden_dims", str(HIDDEN_DIMS)),
    *("--data.num_negatives", str(NUM_NEGATIVES)),
]
CPU = "examples/CPU s"
Run = dict[str, Any]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--recbole-python", type=Path, default=RECBOLE)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--short", action="store_true", help="one round of few steps, no file")
    chosen = arguments.parse_args()
    rounds, examples, steps = (1, 100_000, 3) if chosen.short else (chosen.rounds, 1_000_000, 20)
    reason = why_no_recbole(chosen.recbole_python)
    if reason:
        print(f"recbole-neumf is left out: {reason}", flush=True)
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_ratings(Path(folder))
        for _ in range(rounds):
            python = None if reason else chosen.recbole_python
            for name, command in programs(python, folder, examples, steps):
                runs.setdefault(name, []).append(measure(name, command))
    result = {"rows": table(runs), "commit": code_commit(), "machine": machine()}
    print(json.dumps(result, indent=1))
    if not chosen.short:
        path = REPOSITORY / "results" / "bench-training.json"
        path.write_text(json.dumps(result, indent=1) + "\n")


def why_no_recbole(python: Path) -> str | None:
    """None where RecBole can be run."""
    if not python.is_file():
        return f"there is no {python}; make bench-training installs it"
    check = [python.absolute(), "-c", "import recbole_neumf"]
    done = subprocess.run(check, cwd=HERE, capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None


def write_ratings(folder: Path) -> None:
    """The ratings of ml-1m as RecBole reads them."""
    ratings = load_dataset("ml-1m").ratings
    rows = np.stack([ratings.user_id, ratings.movie_id, ratings.timestamp], axis=1)
    (folder / "ml-1m").mkdir()
    header = "user_id:token\titem_id:token\ttimestamp:float"
    path = folder / "ml-1m" / "ml-1m.inter"
    np.savetxt(path, rows, fmt="%d", delimiter="\t", header=header, comments="")


def programs(
    recbole: Path | None, folder: str, examples: int, steps: int
) -> Iterator[tuple[str, list[str]]]:
    """Names and commands of one round."""
    ours = [sys.executable, str(HERE / "train_steps.py")]
    for batch_size in BATCHES:
        length = {"warmup": 3, "steps": -(-examples // batch_size)}
        per_batch = ["--data.targets_per_batch", str(batch_size)]
        yield "ncf-classic" + suffix(batch_size), [*ours, json.dumps(length), *SAME, *per_batch]
        if recbole is not None:
            network = {"factors": FACTORS, "hidden_dims": HIDDEN_DIMS}
            asked = {"batch_size": batch_size, "num_negatives": NUM_NEGATIVES} | network | length
            child = [str(recbole.absolute()), str(HERE / "recbole_neumf.py"), folder]
            yield "recbole-neumf" + suffix(batch_size), [*child, json.dumps(asked)]
    length = {"warmup": 3, "steps": steps, "floor": True}
    yield "history", [*ours, json.dumps(length), "--config", HISTORY]


def measure(name: str, command: list[str]) -> Run:
    """One run in a fresh process on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{name}: {done.stderr.strip()}")
    run: Run = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"{name:18} {run['examples'] / run['cpu']:12,.0f} examples/CPU s", flush=True)
    return run


def suffix(batch_size: int) -> str:
    return "" if batch_size == BATCHES[0] else f"-{batch_size}"


def table(runs: dict[str, list[Run]]) -> list[dict[str, object]]:
    """The rows of the result: name, what, value (median), unit, spread (max - min)."""
    rows = []
    for batch_size in BATCHES:
        ours, theirs = (name + suffix(batch_size) for name in ("ncf-classic", "recbole-neumf"))
        sizes = f"NeuMF 64 + 64, layers 128 and 64, 4 negatives, batch {batch_size}, ml-1m"
        mine = speeds(runs[ours], "cpu")
        rows.append(row(ours, f"recipe ncf-classic-ml-1m at these sizes: {sizes}", mine, CPU))
        if theirs in runs:
            other = speeds(runs[theirs], "cpu")
            ratios = [a / b for a, b in zip(mine, other, strict=True)]
            rows.append(row(theirs, f"RecBole 1.2.1: {sizes}", other, CPU))
            rows.append(row(f"{ours}-ratio", f"{ours} / {theirs}, pair by pair", ratios, "x"))
    return rows + history_rows(runs["history"])


def speeds(runs: list[Run], clock: str) -> list[float]:
    return [run["examples"] / run[clock] for run in runs]


def history_rows(runs: list[Run]) -> list[dict[str, object]]:
    """Speed and memory of the history network, and how far a step is from its floor."""
    what = f"{HISTORY}: targets of histories, one core"
    floors = [run["floor"] for run in runs]
    step_s = [run["cpu"] / run["steps"] for run in runs]
    times = [step / floor["seconds"] for step, floor in zip(step_s, floors, strict=True)]
    products = "the step's matrix products alone, each shape at its own rate of torch.mm"
    moved = "the step's parameters, moments and kept activations alone, at the rate of a copy"
    return [
        row("history", what, speeds(runs, "cpu"), CPU),
        row("history-wall", what, speeds(runs, "wall"), "examples/s"),
        row("history-memory", "most memory held by the process", [r["peak"] for r in runs], "GB"),
        row("history-step", "a training step", step_s, "CPU s"),
        row("history-floor", "history-step / (its products + its bytes)", times, "x"),
        row("history-products", products, [f["products_s"] for f in floors], "s"),
        row("history-bytes", moved, [f["bytes_s"] for f in floors], "s"),
        row("matmul", "rate of those products", [f["gflops"] for f in floors], "GFLOP/s"),
        row("copy", "bytes read and written by a copy", [f["gb_s"] for f in floors], "GB/s"),
    ]


if __name__ == "__main__":
    main()
