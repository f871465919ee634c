"""Compare finished runs: the settings that differ, their metrics, and their cost.

    marquee compare ml-100k without-text-ml-100k
    marquee compare runs/ml-100k/20261122-183925 comet:team/marquee/9d41… --out ab.html

The tables are printed, and written as JSON and, with learning curves, as one HTML file. The page
fetches nothing, runs no script and escapes all names. The same runs give the same bytes.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from marquee.core.command import ArgumentParser, run_command, say
from marquee.core.errors import InputError
from marquee.core.files import write_atomic, write_json
from marquee.core.svg_charts import STYLE, Series, document, draw_lines, linear_axis
from marquee.evaluation.protocols import PROTOCOLS
from marquee.training.compare.runs import TRAIN_LOSS, Run, read_experiment, read_folder
from marquee.training.compare.tables import Table, tables, text
from marquee.training.run_folder import SELECT, SELECTION_FILE, newest_run

MAX_DEFAULT_RUNS = 10  # if none is named
DAMAGE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, OSError, yaml.YAMLError)
TEMPLATE = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
).get_template("compare.html.j2")
WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 416, 30, 254  # the plot within its picture; labels are outside
NUM_COLORS = 10  # of runs in the template; further runs have them again


def main(args: list[str]) -> int:
    parser = ArgumentParser("marquee compare", description="Compare finished runs.")
    parser.add_argument("run", nargs="*", help="a run's folder, a recipe's runs, or comet:KEY")
    parser.add_argument(
        "--baseline", help="the run that the others are compared with, else the first"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, help="show this test part alone")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument(
        "--out", type=Path, help="the page, else RUNS/compare.html; .json is beside it"
    )
    return run_command("marquee compare", lambda: compare(parser.parse_intermixed_args(args)))


def compare(args: argparse.Namespace) -> None:
    names = args.run or default_runs(args.runs)
    baseline = [] if args.baseline is None else [args.baseline]
    runs = [read_run(name, args.runs) for name in dict.fromkeys([*baseline, *names])]
    parts = tables(runs, tested_protocols(runs, args.protocol))
    say("\n\n".join(map(text, parts)))
    path = write_atomic(args.out or args.runs / "compare.html", page(runs, parts))
    write_json(path.with_suffix(".json"), [part._asdict() for part in parts])
    say(f"\nwith learning curves: {path}")


def default_runs(runs: Path) -> list[str]:
    """Return the folders of the newest finished runs of all recipes, oldest first."""
    folders = [path.parent for path in runs.glob(f"*/*/{SELECTION_FILE}")]
    newest = sorted(folders, key=lambda path: (path.name, path))[-MAX_DEFAULT_RUNS:]
    if not newest:
        raise InputError(f"{runs}: no finished run; first: python train.py fit --config …")
    say(f"no RUN was named: the {len(newest)} newest finished ones of {runs}\n")
    return list(map(str, newest))


def read_run(name: str, runs: Path) -> Run:
    """Read the run that a folder, a recipe in `runs` or an address names."""
    try:
        return read_experiment(name) if name.startswith("comet:") else read_folder(find(name, runs))
    except InputError:
        raise
    except DAMAGE_ERRORS as error:
        raise InputError(
            f"{name}: cannot be read ({type(error).__name__}: {error}), expected the files of a "
            "finished run; one of them is damaged"
        ) from error


def find(name: str, runs: Path) -> Path:
    if name.endswith(".zip"):
        raise InputError(
            f"{name}: an offline archive of Comet's, expected runs/NAME/DATE or comet:KEY; pass "
            f"the folder of its run, or first: comet upload {name}"
        )
    for path in (Path(name), runs / name):
        if path.is_dir():
            is_run = any((path / each).exists() for each in (SELECTION_FILE, SELECT))
            return path if is_run else newest_run(path)
    raise InputError(
        f"{name}: no such run, expected a folder as runs/NAME/DATE or runs/NAME, or "
        "comet:WORKSPACE/PROJECT/KEY"
    )


def tested_protocols(runs: Sequence[Run], protocol: str | None) -> list[str]:
    names = [name for name in PROTOCOLS if any(name in run.results for run in runs)]
    if protocol is not None and protocol not in names:
        raise InputError(
            f"--protocol {protocol}: none of these runs was tested on it, expected one of "
            f"{', '.join(names) or 'none'}"
        )
    return names if protocol is None else [protocol]


def page(runs: Sequence[Run], tables: Sequence[Table]) -> str:
    """Return the HTML file. tables: as the terminal shows them, the runs first."""
    monitor = ", ".join(dict.fromkeys(run.monitor for run in runs))
    selected = [run.selection.get("epochs") for run in runs]
    charts = {
        "Training loss": chart(TRAIN_LOSS, [run.epochs[TRAIN_LOSS] for run in runs]),
        "Validation": chart(monitor, [run.epochs[run.monitor] for run in runs], selected),
    }
    return TEMPLATE.render(
        tables=tables, charts=charts, num_colors=NUM_COLORS, chart_style=Markup(STYLE)
    )


def chart(y_label: str, curves: Sequence[pd.Series], selected: Sequence[int | None] = ()) -> Markup:
    """Draw one line a run by epoch, its number at the end, its selected epoch ringed."""
    series = []
    for index, curve in enumerate(curves):
        values = curve.dropna()
        points = list(zip(values.index.tolist(), values.tolist(), strict=True))
        rings = [point for point in points if point[0] in selected[index : index + 1]]
        if points:
            series.append(
                Series(
                    points=points,
                    color=f"var(--run-{index % NUM_COLORS})",
                    name=f"run {index + 1}",
                    selected=rings[0] if rings else None,
                    end_label=str(index + 1),
                )
            )
    if not series:
        return Markup('<p class="none">None of these runs has {}.</p>').format(y_label)
    xs, ys = zip(*(point for line in series for point in line.points), strict=True)
    x, y = linear_axis(xs, LEFT, RIGHT, integers=True), linear_axis(ys, BOTTOM, TOP)
    lines = draw_lines(series, x=x, y=y, x_label="epoch", y_label=y_label)
    return Markup(document(WIDTH, HEIGHT, lines, title=f"{y_label} by epoch"))
