"""Compare finished runs: the settings that differ, their metrics, and their cost.

    marquee compare                                    the newest ten under runs/
    marquee compare ml-100k without-text-ml-100k       the newest of two recipes
    marquee compare runs/comet/3f0c….zip comet:team/marquee/9d41…
    marquee compare A B C --baseline B --protocol next --out ab.html

A RUN is one of four: the folder of a run, the folder of a recipe's runs (its newest finished one),
an offline archive of Comet's, or an experiment on Comet's server. marquee/training/compare/runs.py
reads them all alike.

The tables hold the settings that differ, validation and cost, test metrics with 95% intervals, and
the difference of each run to the first, user by user. They are printed, and written with learning
curves as one HTML file. docs/comparing-runs.md explains them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.core.files import write_atomic
from marquee.evaluation.protocols import PROTOCOLS
from marquee.training.compare.html import page
from marquee.training.compare.run_types import Run
from marquee.training.compare.runs import newest_runs, read_run
from marquee.training.compare.tables import tables, text

MAX_DEFAULT_RUNS = 10
"""Runs compared if none is named."""


def main(args: list[str]) -> int:
    """Run `marquee compare` and return its exit status."""
    return run_command(
        "marquee compare", lambda: compare(make_parser().parse_intermixed_args(args))
    )


def make_parser() -> ArgumentParser:
    parser = ArgumentParser("marquee compare", description="Compare finished runs.")
    parser.add_argument(
        "run", nargs="*", help="a run's folder, a recipe's runs, an archive.zip, or comet:KEY"
    )
    parser.add_argument(
        "--baseline", help="the run that the others are compared with, else the first"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, help="show this test part alone")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--out", type=Path, help="the page, else RUNS/compare.html")
    return parser


def compare(args: argparse.Namespace) -> None:
    """Print the tables of a comparison and write them as a page.

    Raises InputError for a run that cannot be read, naming it.
    """
    names = args.run or default_runs(args.runs)
    baseline = [] if args.baseline is None else [args.baseline]
    runs = [read_run(name, args.runs) for name in dict.fromkeys([*baseline, *names])]
    parts = tables(runs, tested_protocols(runs, args.protocol))
    say("\n\n".join(map(text, parts)))
    path = write_atomic(args.out or args.runs / "compare.html", page(runs, parts))
    say(f"\nwith learning curves: {path}")


def default_runs(runs: Path) -> list[str]:
    names = newest_runs(runs, MAX_DEFAULT_RUNS)
    if not names:
        raise InputError(f"{runs}: no finished run; first: python train.py fit --config …")
    say(f"no RUN was named: the {len(names)} newest finished ones of {runs}\n")
    return names


def tested_protocols(runs: Sequence[Run], protocol: str | None) -> list[str]:
    """Return the protocols that some run was tested on, or the one of --protocol."""
    names = [name for name in PROTOCOLS if any(name in run.results for run in runs)]
    if protocol is not None and protocol not in names:
        raise InputError(
            f"--protocol {protocol}: none of these runs was tested on it, expected one of "
            f"{', '.join(names) or 'none'}"
        )
    return names if protocol is None else [protocol]
