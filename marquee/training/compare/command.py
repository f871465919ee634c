"""Runs beside each other: what was set differently, what it gave, what it cost.

    marquee compare                                    the newest ten under runs/
    marquee compare ml-100k without-text-ml-100k       the newest of two recipes
    marquee compare runs/comet/3f0c….zip comet:team/marquee/9d41…
    marquee compare A B C --baseline B --protocol next --out ab.html

A RUN is a run's folder, a recipe's folder of runs (its newest finished one), an offline archive of
Comet's, or an experiment on its server: marquee/training/compare/runs.py reads them all alike. Printed, and written
as one HTML file with learning curves: the settings that differ, validation and cost, test figures
with 95% intervals, and each run's difference to the first, person by person.
docs/comparing-runs.md reads such tables.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from marquee.core.errors import InputError
from marquee.training.callbacks import say
from marquee.training.compare.html import page
from marquee.training.compare.paired import FIGURES
from marquee.training.compare.runs import Run, find, newest
from marquee.training.compare.tables import tables, text

MOST = 10
"""Runs compared where none is named."""


def compare(parser: argparse.ArgumentParser, args: list[str]) -> None:
    """Print what runs share and where they differ, and write it as a page.

    parser: takes the arguments and says what is wrong with them. Raises InputError for a run that
    cannot be read, naming it.
    """
    parser.description = "Runs beside each other: settings, figures, differences, cost."
    parser.add_argument(
        "run", nargs="*", help="a run's folder, a recipe's runs, an archive.zip, or comet:KEY"
    )
    parser.add_argument(
        "--baseline", help="the run that the others are held against, else the first"
    )
    parser.add_argument("--protocol", choices=FIGURES, help="show this test part alone")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--out", type=Path, help="the page, else RUNS/compare.html")
    chosen = parser.parse_intermixed_args(args)
    given = chosen.run or the_newest(chosen.runs)
    first = [] if chosen.baseline is None else [chosen.baseline]
    runs = [find(each, chosen.runs) for each in dict.fromkeys([*first, *given])]
    found = tables(runs, shown_protocols(runs, chosen.protocol))
    say("\n\n".join(map(text, found)))
    out = chosen.out or chosen.runs / "compare.html"
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    part.write_text(page(runs, found))
    part.replace(out)
    say(f"\nwith learning curves: {out}")


def the_newest(runs: Path) -> list[str]:
    given = newest(runs, MOST)
    if not given:
        raise InputError(f"{runs} holds no finished run; first: python train.py fit --config …")
    say(f"no RUN was named: the {len(given)} newest finished ones of {runs}\n")
    return given


def shown_protocols(runs: Sequence[Run], wanted: str | None) -> list[str]:
    """Those that some run was tested on, or the one that is asked for."""
    there = [each for each in FIGURES if any(each in run.results for run in runs)]
    if wanted is not None and wanted not in there:
        raise InputError(
            f"--protocol {wanted}: none of these runs was tested on it, but on "
            f"{', '.join(there) or 'nothing'}"
        )
    return there if wanted is None else [wanted]
