"""The tables of a comparison, for the terminal and for the HTML page alike.

The first run is the baseline that every other run is compared with. Where two runs cannot be
compared, a note begins with WARNING and says why, and no difference of theirs is tested.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from marquee.core.bootstrap import interval_text
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.report import measured_section, verdict
from marquee.training.compare import paired_bootstrap
from marquee.training.compare.runs import PEAK_MEMORY, SPEED, Run

# Where and how a run was started, not what was learned.
UNCOMPARED_SETTINGS = {
    *("name", "runs", "bundles", "results", "comet", "ckpt_path", "refit", "out", "data.root"),
    *("trainer.logger", "trainer.callbacks", "trainer.enable_progress_bar"),
    *("optimizer", "lr_scheduler"),  # listed by older runs, and never set
}
TEST_SETTINGS = {  # they decide the queries of the test part
    "data.name": "another data set",
    "data.protocol": "another protocol",
    "data.cut": "another cut",
    "data.ties": "other ties",
    "data.split_seed": "another split",
    "data.fold": "another fold",
}
MAX_METRIC_DIFFERENCE = 1e-4  # of the rows and results of one test; results keep six digits


class Table(NamedTuple):
    title: str
    rows: Sequence[Mapping[str, str]]  # the cells of each row by their column
    notes: Sequence[str] = ()


def tables(runs: Sequence[Run], protocols: Sequence[str]) -> list[Table]:
    """Return all tables of a comparison. protocols: the test parts to show."""
    parts = [run_table(runs), settings_table(runs), training_table(runs)]
    num_tests = 0
    for protocol in protocols:
        parts.append(metrics_table(runs, protocol))
        if len(runs) > 1 and protocol in runs[0].results:
            parts.append(difference_table(runs, protocol))
            num_tests += len(parts[-1].rows)
    notes = [
        f"Each of the {num_tests} intervals of differences is a 95% one by itself, not corrected "
        "for their number: where nothing differs, one in twenty still leaves out 0.",
        "They hold the chance of which users were tested, not that of the training seed, which a "
        "run of one seed does not show; more seeds with --seeds [0,1,2].",
    ]
    return [*parts, Table("What the intervals do not say", [], notes)] if num_tests else parts


def run_table(runs: Sequence[Run]) -> Table:
    rows = [
        {
            "": str(number),
            "run": run.label,
            "read from": run.source,
            "commit": commit(run),
            "seeds": ", ".join(map(str, run.facts["seeds"])) or "-",
            "tested on": ", ".join(run.results) or "nothing yet",
        }
        for number, run in enumerate(runs, 1)
    ]
    notes = [
        f"{number} was selected and not tested: it is compared on validation alone."
        for number, run in enumerate(runs, 1)
        if not run.results
    ]
    notes += [
        f"WARNING: {number} is not comparable with 1 ({', '.join(reasons)}): its metrics are of "
        "other queries, and no difference is tested."
        for number, run in enumerate(runs, 1)
        if (reasons := test_mismatches(runs[0], run))
    ]
    return Table("Runs", rows, notes)


def test_mismatches(base: Run, other: Run) -> list[str]:
    """Return why two test parts differ; a setting that either run lacks is no reason."""
    reasons = []
    for name, difference in TEST_SETTINGS.items():
        values = [run.settings[name] for run in (base, other) if name in run.settings]
        if len({setting_text(value) for value in values if value is not None}) > 1:
            reasons.append(difference)
    hashes = {run.facts["data_sha256"] for run in (base, other) if "data_sha256" in run.facts}
    if len(hashes) > 1 and TEST_SETTINGS["data.name"] not in reasons:
        reasons.append("another data fingerprint")
    return reasons


def settings_table(runs: Sequence[Run]) -> Table:
    """Return the settings that differ, `-` if a run lacks one; unknown facts do not."""
    names = sorted({name for run in runs for name in run.settings} - UNCOMPARED_SETTINGS)
    values = {
        name: [setting_text(run.settings.get(name, "-")) for run in runs]
        for name in names
        if not name.startswith("checkpoints.")
    }
    facts = {
        "data/sha256": [run.facts.get("data_sha256", "-")[:12] for run in runs],
        "code/commit": [commit(run) for run in runs],
        "machine": [run.facts.get("machine", "-") for run in runs],
    }
    different = {name: cells for name, cells in values.items() if len(set(cells)) > 1}
    different |= {name: cells for name, cells in facts.items() if len({*cells} - {"-"}) > 1}
    rows = [
        {"setting": name, **{str(number): cell for number, cell in enumerate(cells, 1)}}
        for name, cells in different.items()
    ]
    return Table("Settings that differ", rows, [] if rows else ["None."])


def setting_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def commit(run: Run) -> str:
    name, _, dirty = run.facts.get("commit", "-").partition("-")
    return name[:7] + (f"-{dirty}" if dirty else "")


def training_table(runs: Sequence[Run]) -> Table:
    rows = [
        {
            "": str(number),
            "epoch": number_text(run.selection.get("epochs"), "g")
            + f" of {run.settings.get('trainer.max_epochs', '?')}",
            "validation": f"{run.monitor} {number_text(run.selection.get(run.monitor), '.4f')}",
            "wall s": number_text(run.facts.get("wall_s"), ",.0f"),
            "CPU s": number_text(run.facts.get("cpu_s"), ",.0f"),
            "peak GB": number_text(run.epochs[PEAK_MEMORY].max(), ".2f"),
            # The median, which the slow first epoch does not move.
            "examples/s": number_text(run.epochs[SPEED].median(), ",.0f"),
        }
        for number, run in enumerate(runs, 1)
    ]
    note = (
        "Seconds are of all trainings of a run, refits included; memory and speed of its selection."
    )
    return Table("Selection and cost", rows, [note])


def number_text(value: float | None, form: str) -> str:
    is_known = value is not None and value == value  # NaN differs from itself
    return format(value, form) if is_known else "-"


def metrics_table(runs: Sequence[Run], protocol: str) -> Table:
    """Return the metrics with their intervals, and the range of the single seeds."""
    names, num_users = PROTOCOLS[protocol].metrics, 0
    rows = []
    for number, run in enumerate(runs, 1):
        if protocol not in run.results:
            rows.append({"": str(number), **dict.fromkeys(names, "not tested")})
            continue
        result = run.results[protocol]
        num_users = num_users or result["num_users"]
        metrics = measured_section(result)["metrics"]
        cells = {name: interval_text(metrics[name]) if name in metrics else "-" for name in names}
        rows.append({"": str(number), **cells})
        if len(seeds := pd.DataFrame(result.get("per_seed", []))) > 1:
            cells = {name: range_text(seeds[name]) for name in names if name in seeds}
            rows.append({"": "seeds", **cells})
    return Table(f"Test: {protocol}, {num_users:,} users", rows)


def range_text(values: "pd.Series[float]") -> str:
    is_known = values.notna().all()
    return f"{values.min():.4f} to {values.max():.4f}" if is_known else "n/a"


def difference_table(runs: Sequence[Run], protocol: str) -> Table:
    base, rows, notes = runs[0], list[dict[str, str]](), list[str]()
    for number, run in enumerate(runs[1:], 2):
        if refusal := difference_refusal(base, run, protocol, number):
            notes.append(refusal)
            continue
        section = paired_bootstrap.paired_difference(
            run.rows[protocol], base.rows[protocol], protocol
        )
        metrics = measured_section(base.results[protocol])["metrics"]
        for name, interval in section.items():
            if name in metrics and metrics[name]["mean"] is None:
                note = f"{name}: n/a, {metrics[name]['too_small']}."
                notes += [note] if note not in notes else []
                continue
            rows.append(
                {
                    "": f"{number} - 1",
                    "metric": name,
                    "difference": f"{interval['diff']:+.4f}",
                    "95% interval": "[{low:+.4f}, {high:+.4f}]".format(**interval),
                    "verdict": verdict(name, interval),
                }
            )
    return Table(f"Difference to 1, user by user: {protocol}", rows, notes)


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
        figures = measured_section(run.results[protocol])["metrics"]
        for name, interval in figures.items():
            if interval["mean"] is None:
                continue
            if abs(metrics.get(name, interval["mean"]) - interval["mean"]) > MAX_METRIC_DIFFERENCE:
                return (
                    f"WARNING: the test rows of {position} are not those of its {protocol} results."
                )
    if not paired_bootstrap.same_targets(other.rows[protocol], base.rows[protocol]):
        return f"WARNING: {number} was tested on other test users or movies than 1: not compared."
    return None


def text(table: Table) -> str:
    """Return aligned columns, the title above and the notes below."""
    lines = [table.title]
    if table.rows:
        grid = [list(table.rows[0]), *(list(row.values()) for row in table.rows)]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        for row in grid:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join([*lines, *(f"  {note}" for note in table.notes)])
