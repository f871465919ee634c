"""The tables of a comparison, for the terminal and for the HTML page alike.

    for table in tables(runs, ["next"]):
        print(text(table))

The first run is the baseline that every other run is compared with. Runs are numbered 1, 2, … by
their position. Where two runs cannot be compared, a note begins with WARNING and says why, and no
difference of theirs is tested.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marquee.evaluation.protocols import PROTOCOLS
from marquee.training.compare import paired_bootstrap
from marquee.training.compare.run_types import FACTS, Run

UNCOMPARED_SETTINGS = (
    *("name", "runs", "bundles", "results", "comet", "ckpt_path", "refit", "out", "data.root"),
    *("trainer.logger", "trainer.callbacks", "trainer.enable_progress_bar"),
    *("optimizer", "lr_scheduler"),
)
"""Settings that say where and how a run was started, not what was learned.

Older runs list Lightning's optimizer and lr_scheduler, which were never set.
"""
TEST_SETTINGS = {
    "data.name": "another data set",
    "data.protocol": "another protocol",
    "data.ties": "other ties",
    "data.split_seed": "another split",
    "data.fold": "another fold",
}
"""Settings that decide the queries of the test part."""
MAX_METRIC_DIFFERENCE = 1e-4
"""Metrics of the rows and results of one test agree better than this; results keep six digits."""


class Table(NamedTuple):
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def tables(runs: Sequence[Run], protocols: Sequence[str]) -> list[Table]:
    """Return all tables of a comparison.

    protocols: the test parts to show; a run need not have them all.
    """
    parts = [run_table(runs), settings_table(runs), training_table(runs)]
    num_tests = 0
    for protocol in protocols:
        parts.append(metrics_table(runs, protocol))
        if len(runs) > 1 and protocol in runs[0].results:
            parts.append(difference_table(runs, protocol))
            num_tests += len(parts[-1].rows)
    if num_tests:
        parts.append(Table("What the intervals do not say", [], [], cautions(runs, num_tests)))
    return parts


def run_table(runs: Sequence[Run]) -> Table:
    rows = [
        [
            *(str(number), run.label, run.source, commit(run)),
            *(", ".join(map(str, run.seeds)) or "-", ", ".join(run.results) or "nothing yet"),
        ]
        for number, run in enumerate(runs, 1)
    ]
    notes = [
        f"{number} was selected and not tested: it is compared on validation alone."
        for number, run in enumerate(runs, 1)
        if not run.results
    ]
    for number, run in enumerate(runs[1:], 2):
        if reasons := test_mismatches(runs[0], run):
            notes.append(
                f"WARNING: {number} is not comparable with 1 ({', '.join(reasons)}): its metrics "
                "are of other queries, and no difference is tested."
            )
    return Table("Runs", ["", "run", "read from", "commit", "seeds", "tested on"], rows, notes)


def test_mismatches(base: Run, other: Run) -> list[str]:
    """Return why two test parts differ; a setting that either run lacks is no reason."""
    reasons = []
    for name, difference in TEST_SETTINGS.items():
        a, b = base.settings.get(name), other.settings.get(name)
        if None not in (a, b) and setting_text(a) != setting_text(b):
            reasons.append(difference)
    hashes = {run.facts["data/sha256"] for run in (base, other) if "data/sha256" in run.facts}
    if len(hashes) > 1 and TEST_SETTINGS["data.name"] not in reasons:
        reasons.append("another data fingerprint")
    return reasons


def settings_table(runs: Sequence[Run]) -> Table:
    """Return the settings that differ, `-` if a run lacks one.

    An unknown fact does not differ.
    """
    names = sorted({name for run in runs for name in run.settings} - {*UNCOMPARED_SETTINGS, *FACTS})
    names = [name for name in names if not name.startswith("checkpoints.")]
    rows = [[name, *(setting_text(run.settings.get(name, "-")) for run in runs)] for name in names]
    different_rows = [row for row in rows if len(set(row[1:])) > 1]
    facts = [[name, *(fact_text(run, name) for run in runs)] for name in FACTS]
    different_rows += [row for row in facts if len(set(row[1:]) - {"-"}) > 1]
    head = ["setting", *(str(number) for number in range(1, len(runs) + 1))]
    return Table("Settings that differ", head, different_rows, [] if different_rows else ["None."])


def setting_text(value: Any) -> str:
    """Return a setting as on a command line."""
    return value if isinstance(value, str) else json.dumps(value)


def fact_text(run: Run, name: str) -> str:
    if name == "code/commit":
        return commit(run)
    value = run.facts.get(name, "-")
    return value[:12] if name == "data/sha256" else value


def commit(run: Run) -> str:
    name, _, dirty = run.facts.get("code/commit", "-").partition("-")
    return name[:7] + (f"-{dirty}" if dirty else "")


def training_table(runs: Sequence[Run]) -> Table:
    rows = []
    for number, run in enumerate(runs, 1):
        max_epochs = run.settings.get("trainer.max_epochs", "?")
        selection = run.selection
        rows.append(
            [
                str(number),
                f"{selection['epochs']:g} of {max_epochs}" if "epochs" in selection else "-",
                f"{run.monitor} {number_text(selection.get(run.monitor), '.4f')}",
                *(number_text(run.cost.get(name), ",.0f") for name in ("wall_s", "cpu_s")),
                number_text(run.largest("memory/peak_gb"), ".2f"),
                number_text(run.median("speed/examples_per_s"), ",.0f"),
            ]
        )
    head = ["", "epoch", "validation", "wall s", "CPU s", "peak GB", "examples/s"]
    note = (
        "Seconds are of all trainings of a run, refits included; memory and speed of its selection."
    )
    return Table("Selection and cost", head, rows, [note])


def number_text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def metrics_table(runs: Sequence[Run], protocol: str) -> Table:
    """Return the metrics with their intervals, and the range of the single seeds."""
    metrics = PROTOCOLS[protocol].metrics
    rows: list[list[str]] = []
    for number, run in enumerate(runs, 1):
        result = run.results.get(protocol)
        if result is None:
            rows.append([str(number), *("not tested" for _ in metrics)])
            continue
        intervals = [result["metrics"].get(name) for name in metrics]
        cells = ["-" if interval is None else interval_text(interval) for interval in intervals]
        rows.append([str(number), *cells])
        if len(seeds := result.get("per_seed", [])) > 1:
            by_metric = [[seed[name] for seed in seeds] for name in metrics]
            rows.append(["seeds", *(f"{min(each):.4f} to {max(each):.4f}" for each in by_metric)])
    num_users = next(run.results[protocol]["num_users"] for run in runs if protocol in run.results)
    return Table(f"Test: {protocol}, {num_users:,} users", ["", *metrics], rows)


def interval_text(interval: Mapping[str, float]) -> str:
    return "{mean:.4f} [{low:.4f}, {high:.4f}]".format(**interval)


def difference_table(runs: Sequence[Run], protocol: str) -> Table:
    """Return the difference of each run to the first, paired by user."""
    rows: list[list[str]] = []
    notes: list[str] = []
    for number, run in enumerate(runs[1:], 2):
        refusal = difference_refusal(runs[0], run, protocol, number)
        if refusal is not None:
            notes.append(refusal)
            continue
        part = paired_bootstrap.paired_difference(
            run.rows[protocol], runs[0].rows[protocol], protocol
        )
        for name, interval in part.items():
            bounds = "[{low:+.4f}, {high:+.4f}]".format(**interval)
            verdict = paired_bootstrap.verdict(name, interval)
            rows.append([f"{number} - 1", name, f"{interval['diff']:+.4f}", bounds, verdict])
    head = ["", "metric", "difference", "95% interval", "verdict"]
    return Table(f"Difference to 1, user by user: {protocol}", head, rows, notes)


def difference_refusal(base: Run, other: Run, protocol: str, number: int) -> str | None:
    """Return why no difference can be tested, None if it can."""
    if test_mismatches(base, other):
        return f"{number} is not comparable with 1, see above."
    if protocol not in other.results:
        return f"{number} was not tested on {protocol}."
    for position, run in ((1, base), (number, other)):
        if protocol not in run.rows:
            return (
                f"{position} has no test rows of {protocol}, so {number} cannot be compared with 1."
            )
        metrics = paired_bootstrap.mean_metrics(run.rows[protocol], protocol)
        result_metrics = run.results[protocol]["metrics"]
        if any(
            abs(metrics[name] - result_metrics[name]["mean"]) > MAX_METRIC_DIFFERENCE
            for name in result_metrics
            if name in metrics
        ):
            return f"WARNING: the test rows of {position} are not those of its {protocol} results."
    if not paired_bootstrap.same_targets(other.rows[protocol], base.rows[protocol]):
        return f"WARNING: {number} was tested on other test users or movies than 1: not compared."
    return None


def cautions(runs: Sequence[Run], num_tests: int) -> list[str]:
    fewest_seeds = min(len(run.seeds) for run in runs)
    seed_note = (
        "A run of one seed does not show the latter" if fewest_seeds < 2 else "Seeds are averaged"
    )
    return [
        f"Each of the {num_tests} intervals of differences is a 95% one by itself, not corrected "
        "for their number: where nothing differs, one in twenty still leaves out 0.",
        "They hold the chance of which users were tested, not that of the training seed. "
        f"{seed_note}; more seeds with --seeds [0,1,2].",
    ]


def text(table: Table) -> str:
    """Return aligned columns, the title above and the notes below."""
    lines = [table.title]
    if table.rows:
        grid = [table.head, *table.rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        for row in grid:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join([*lines, *(f"  {note}" for note in table.notes)])
