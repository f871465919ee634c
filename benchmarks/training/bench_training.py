"""Training speed on one core, beside RecBole, Cornac, a plain DataLoader loop, and a lower bound.

    make bench-training                                # 30 minutes on one core, writes results/
    python -m benchmarks.training.bench_training --short        # 2 minutes, prints only

All train on ml-1m (DATA_ROOT) and our split of it. The programs take turns, each in a process of
its own on one thread. Training steps are timed, drawing of batches and negatives included.

NeuMF has the same sizes everywhere: 64 factors for the product, 64 for the MLP, layers of 128 and
64, 4 negatives, no dropout. Each program runs with several batch sizes, and its row without a size
is the best of them: each peer is compared at its best. The history network (recipes/ml-1m.yaml)
trains a target at every entry of a window, RecBole's SASRec (its defaults: 64 wide, 50 entries) one
a row; both are counted in targets. Time to a target is measured once, at each program's own
settings. Values are medians of the rounds, spreads are (max - min). The peers need an environment
of their own, which the make target makes; without it their rows are left out, and the reason is
printed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import REPOSITORY, last_json_line, on_one_thread, report, write_report
from benchmarks.training.peer_files import write_files
from benchmarks.training.results_table import DRAWN_TARGET, NEXT_TARGET, Run, table
from datamodules.datamodule import InteractionDataModule
from marquee.training.config import read_config

PEERS = REPOSITORY / ".venv-bench" / "bin" / "python"
PACKAGE = "benchmarks.training"
MARQUEE, PYTORCH = f"{PACKAGE}.marquee_steps", f"{PACKAGE}.pytorch_steps"
RECBOLE, CORNAC = f"{PACKAGE}.recbole_steps", f"{PACKAGE}.cornac_steps"
PEER_ROWS = {RECBOLE: "recbole-neumf, recbole-sasrec", CORNAC: "cornac-neumf"}
"""Rows that are left out where a peer's child cannot be imported."""
FACTORS, HIDDEN_DIMS, NUM_NEGATIVES = 64, [128, 64], 4
SIZES = {"factors": FACTORS, "hidden_dims": HIDDEN_DIMS, "num_negatives": NUM_NEGATIVES}
CLASSIC, HISTORY = "recipes/ncf-classic-ml-1m.yaml", "recipes/ml-1m.yaml"
SAME = [
    *("--config", CLASSIC),
    *("--model.network.embedding_dim", str(2 * FACTORS)),  # half for the product, half for the MLP
    *("--model.network.hidden_dims", str(HIDDEN_DIMS)),
    *("--data.num_negatives", str(NUM_NEGATIVES)),
]
OURS = 16_384
"""Examples a step of our recipe."""
BATCHES = {
    "ncf-classic": (2_048, OURS, 65_536),
    "recbole-neumf": (2_048, OURS, 65_536),
    "cornac-neumf": (1_280, OURS),
    "plain-loop": (256, OURS),
}
"""Examples a step; the first of a peer is its default (Cornac: 256 pairs, each with 4 drawn)."""
EXAMPLES = {
    "ncf-classic": 1_500_000,
    "recbole-neumf": 1_000_000,
    "cornac-neumf": 300_000,
    "plain-loop": 200_000,
}
"""Of a round: 2 to 6 CPU seconds."""
EVALUATED_AT = [4_096, 65_536]
"""RecBole's eval_batch_size: its default, one user at a time, and the best of five tried, 17."""


TO_TARGET = {
    "ncf-classic": (OURS, 0.003),
    "recbole-neumf": (2_048, 0.001),
    "cornac-neumf": (1_280, 0.001),
    "plain-loop": (256, 0.001),
}
"""Examples a step and learning rate: of our recipe, and each peer's defaults."""
FIRST_LOOK_S, CAP_S = 4, 300
"""CPU seconds before the first validation, and at which a program is stopped."""
RECBOLE_NEGATIVES = {
    "distribution": "uniform",
    "sample_num": NUM_NEGATIVES,
    "alpha": 1.0,
    "dynamic": False,
    "candidate_num": 0,
}
Program = tuple[str, list[str]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--peers-python", type=Path, default=PEERS)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--short", action="store_true", help="few steps of each, no file")
    options = arguments.parse_args()
    absent = {child: why_absent(options.peers_python, child) for child in PEER_ROWS}
    for child, reason in absent.items():
        if reason:
            print(f"{PEER_ROWS[child]}: left out, {reason}", flush=True)
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), InteractionDataModule(read_config(["--config", CLASSIC]).data))
        programs = Programs(folder, str(options.peers_python.absolute()), options.short)
        for number in range(1 if options.short else options.rounds):
            for name, command in programs.of_round(number):
                if not absent.get(command[2]):
                    runs.setdefault(name, []).append(measure(name, command))
    result = report(table(runs))
    print(json.dumps(result, indent=1))
    if not options.short:
        write_report("bench-training.json", result)


def why_absent(python: Path, child: str) -> str | None:
    """Return the reason why a peer's child cannot be run; None where it can."""
    if not python.is_file():
        return f"there is no {python}; make bench-training installs it"
    check = [str(python.absolute()), "-c", f"import {child}"]
    process = subprocess.run(
        check, cwd=REPOSITORY, env=on_one_thread(), capture_output=True, text=True
    )
    return process.stderr.strip().splitlines()[-1] if process.returncode else None


@dataclass(frozen=True)
class Programs:
    """The programs of the benchmark, as (name, command), in the order of a round."""

    folder: str
    peers: str
    short: bool

    def of_round(self, number: int) -> Iterator[Program]:
        """Yield the programs of a round.

        Time to a target is measured in the first round alone. It takes as long as everything else
        together.
        """
        for name, batch_sizes in BATCHES.items():
            for size in [OURS] if self.short else batch_sizes:
                yield f"{name}-{size}", self.neumf(name, size, self.steps_of(name, size))
        few = {"warmup": 1, "steps": 1 if self.short else 3}
        yield "recbole-sasrec", self.sasrec(few)
        some = {"warmup": 3, "steps": 3 if self.short else 20, "bound": True}
        yield "history", self.history(some | {"evaluated_every": self.every})
        if number == 0:
            for name, (size, lr) in TO_TARGET.items():
                options = self.until(DRAWN_TARGET, CAP_S) | {"lr": lr}
                yield f"{name}-to-target", self.neumf(name, size, options)
            yield "recbole-sasrec-to-target", self.sasrec(self.until(NEXT_TARGET, CAP_S))
            yield "history-to-target", self.history(self.until(NEXT_TARGET, CAP_S))

    def steps_of(self, name: str, size: int) -> Run:
        """Return the options of a round.

        They hold the steps, and the evaluation where sizes are alike.
        """
        examples = EXAMPLES[name] // (10 if self.short else 1)
        options: Run = {"warmup": 3, "steps": -(-examples // size), "lr": 0.001}
        if name == "ncf-classic":
            options["bound"] = True
        if name == "ncf-classic" and size == OURS:
            options["evaluated_every"] = self.every
        if name == "recbole-neumf" and size == OURS:
            sizes = EVALUATED_AT[:1] if self.short else EVALUATED_AT
            options["evaluated_at"] = {"batch_sizes": sizes, "every": self.every}
        return options

    @property
    def every(self) -> int:
        """Rank all users, in short form every so many of them."""
        return 20 if self.short else 1

    def until(self, target: float, cap_s: float) -> Run:
        """Return the options of a time to a target.

        In short form there is one validation, after the first step.
        """
        times = (0, 0) if self.short else (FIRST_LOOK_S, cap_s)
        return {"target": target, "first_look_s": times[0], "cap_s": times[1]}

    def neumf(self, name: str, size: int, options: Run) -> list[str]:
        if name == "ncf-classic":
            return self.ours(options, [*SAME, "--data.targets_per_batch", str(size)])
        if name == "recbole-neumf":
            settings = {
                "train_batch_size": size,
                "learning_rate": options["lr"],
                "mf_embedding_size": FACTORS,
                "mlp_embedding_size": FACTORS,
                "mlp_hidden_size": HIDDEN_DIMS,
                "dropout_prob": 0.0,
                "train_neg_sample_args": RECBOLE_NEGATIVES,
            }
            return self.recbole(options | {"model": "NeuMF", "settings": settings})
        # Cornac counts pairs, not examples.
        size = size // (1 + NUM_NEGATIVES) if name == "cornac-neumf" else size
        options = options | SIZES | {"batch_size": size}
        if name == "cornac-neumf":
            return [self.peers, "-m", CORNAC, self.folder, json.dumps(options)]
        return [sys.executable, "-m", PYTORCH, self.folder, json.dumps(options)]

    def sasrec(self, options: Run) -> list[str]:
        # Cross-entropy over all movies, its default, allows no drawn ones.
        settings = {"train_neg_sample_args": None}
        return self.recbole(options | {"model": "SASRec", "settings": settings})

    def history(self, options: Run) -> list[str]:
        return self.ours(options, ["--config", HISTORY])

    def ours(self, options: Run, recipe: list[str]) -> list[str]:
        return [sys.executable, "-m", MARQUEE, json.dumps(options), *recipe]

    def recbole(self, options: Run) -> list[str]:
        return [self.peers, "-m", RECBOLE, self.folder, json.dumps(options)]


def measure(name: str, command: list[str]) -> Run:
    """Run a program in a fresh process on one thread."""
    process = subprocess.run(
        command, cwd=REPOSITORY, env=on_one_thread(), capture_output=True, text=True, check=False
    )
    if process.returncode:
        sys.exit(
            f"{name}: {process.stderr.strip()}\n{name}: ended with {process.returncode}, see above"
        )
    run = last_json_line(process.stdout)
    speed = run["examples"] / run["cpu"]
    metric = f"  metric {run['value']:.4f}" if "target" in name else ""
    print(f"{name:26} {speed:10,.0f} /CPU s {run['cpu']:7.1f} CPU s{metric}", flush=True)
    return run


if __name__ == "__main__":
    main()
