"""What a comparison says, as tables: of the same for the terminal and for the page.

    for table in tables(runs, ["next"]):
        print(text(table))

The first run is what the others are held against. Runs are named by their place, 1, 2, …. Where two
cannot be compared a note says WARNING and why, and no difference of theirs is tested.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from marquee.training.compare import paired
from marquee.training.compare.paired import FIGURES
from marquee.training.compare.runs import FACTS, Run

ELSEWHERE = (
    *("name", "runs", "bundles", "results", "comet", "ckpt_path", "refit", "out", "data.root"),
    *("trainer.logger", "trainer.callbacks", "trainer.enable_progress_bar"),
)
"""Settings that say where and how a run was started, not what was learned."""
QUESTIONS = {
    "data.name": "another data set",
    "data.protocol": "another protocol",
    "data.ties": "other ties",
    "data.split_seed": "another split",
    "data.fold": "another fold",
}
"""Settings that decide what the test part asks."""
SAME_FIGURE = 1e-4
"""Rows and results of one test agree better than this; results keep six digits."""


class Table(NamedTuple):
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def tables(runs: Sequence[Run], protocols: Sequence[str]) -> list[Table]:
    """All of a comparison. protocols: the test parts to show; a run need not have them all."""
    found = [listed(runs), settings(runs), training(runs)]
    num_looks = 0
    for protocol in protocols:
        found.append(tested(runs, protocol))
        if len(runs) > 1 and protocol in runs[0].results:
            found.append(differences(runs, protocol))
            num_looks += len(found[-1].rows)
    if num_looks:
        found.append(Table("What the intervals do not say", [], [], cautions(runs, num_looks)))
    return found


def listed(runs: Sequence[Run]) -> Table:
    rows = [
        [
            *(str(number), run.label, run.home, commit(run), ", ".join(map(str, run.seeds)) or "-"),
            ", ".join(run.results) or "nothing yet",
        ]
        for number, run in enumerate(runs, 1)
    ]
    notes = [
        f"{number} was selected and not tested: it is compared on validation alone."
        for number, run in enumerate(runs, 1)
        if not run.results
    ]
    for number, run in enumerate(runs[1:], 2):
        if why := apart(runs[0], run):
            notes.append(
                f"WARNING: {number} is not comparable with 1 ({', '.join(why)}): its figures "
                "answer other questions, and no difference is tested."
            )
    return Table("Runs", ["", "run", "read from", "commit", "seeds", "tested on"], rows, notes)


def apart(base: Run, other: Run) -> list[str]:
    """Why two runs were not asked the same; what is not known of either is no reason."""
    both = [(each, base.settings.get(each), other.settings.get(each)) for each in QUESTIONS]
    why = [QUESTIONS[each] for each, a, b in both if None not in (a, b) and shown(a) != shown(b)]
    prints = {run.facts["data/sha256"] for run in (base, other) if "data/sha256" in run.facts}
    if len(prints) > 1 and QUESTIONS["data.name"] not in why:
        why.append("another data fingerprint")
    return why


def settings(runs: Sequence[Run]) -> Table:
    """What differs, `-` where a run has no such setting; an unknown fact is no difference."""
    names = sorted({name for run in runs for name in run.settings} - {*ELSEWHERE, *FACTS})
    names = [name for name in names if not name.startswith("checkpoints.")]
    found = [[name, *(shown(run.settings.get(name, "-")) for run in runs)] for name in names]
    differ = [row for row in found if len(set(row[1:])) > 1]
    known = [[name, *(fact(run, name) for run in runs)] for name in FACTS]
    differ += [row for row in known if len(set(row[1:]) - {"-"}) > 1]
    head = ["setting", *(str(number) for number in range(1, len(runs) + 1))]
    return Table("Settings that differ", head, differ, [] if differ else ["None."])


def shown(value: Any) -> str:
    """A setting as on a command line."""
    return value if isinstance(value, str) else json.dumps(value)


def fact(run: Run, name: str) -> str:
    if name == "code/commit":
        return commit(run)
    value = run.facts.get(name, "-")
    return value[:12] if name == "data/sha256" else value


def commit(run: Run) -> str:
    name, _, dirty = run.facts.get("code/commit", "-").partition("-")
    return name[:7] + (f"-{dirty}" if dirty else "")


def training(runs: Sequence[Run]) -> Table:
    rows = []
    for number, run in enumerate(runs, 1):
        last = run.settings.get("trainer.max_epochs", "?")
        chosen = run.selection
        rows.append(
            [
                str(number),
                f"{chosen['epochs']:g} of {last}" if "epochs" in chosen else "-",
                f"{run.monitor} {number_of(chosen.get(run.monitor), '.4f')}",
                *(number_of(run.cost.get(name), ",.0f") for name in ("wall_s", "cpu_s")),
                number_of(run.largest("memory/peak_gb"), ".2f"),
                number_of(run.median("speed/examples_per_s"), ",.0f"),
            ]
        )
    head = ["", "epoch", "validation", "wall s", "CPU s", "peak GB", "examples/s"]
    note = (
        "Seconds are of all trainings of a run, refits included; memory and speed of its selection."
    )
    return Table("Selection and cost", head, rows, [note])


def number_of(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def tested(runs: Sequence[Run], protocol: str) -> Table:
    """Figures with their intervals, and the range of the seeds' own."""
    rows: list[list[str]] = []
    for number, run in enumerate(runs, 1):
        result = run.results.get(protocol)
        if result is None:
            rows.append([str(number), *("not tested" for _ in FIGURES[protocol])])
            continue
        found = [result["metrics"].get(name) for name in FIGURES[protocol]]
        rows.append([str(number), *("-" if each is None else interval(each) for each in found)])
        if len(seeds := result.get("per_seed", [])) > 1:
            by_seed = [[seed[name] for seed in seeds] for name in FIGURES[protocol]]
            rows.append(["seeds", *(f"{min(each):.4f} to {max(each):.4f}" for each in by_seed)])
    persons = next(run.results[protocol]["num_users"] for run in runs if protocol in run.results)
    return Table(f"Test: {protocol}, {persons:,} persons", ["", *FIGURES[protocol]], rows)


def interval(found: Mapping[str, float]) -> str:
    return "{mean:.4f} [{low:.4f}, {high:.4f}]".format(**found)


def differences(runs: Sequence[Run], protocol: str) -> Table:
    """Each run minus the first, person by person."""
    rows: list[list[str]] = []
    notes: list[str] = []
    for number, run in enumerate(runs[1:], 2):
        why = refusal(runs[0], run, protocol, number)
        if why is not None:
            notes.append(why)
            continue
        found = paired.difference(run.rows[protocol], runs[0].rows[protocol], protocol)
        for name, each in found.items():
            between = "[{low:+.4f}, {high:+.4f}]".format(**each)
            said = paired.verdict(name, each)
            rows.append([f"{number} - 1", name, f"{each['diff']:+.4f}", between, said])
    head = ["", "figure", "difference", "95% interval", "verdict"]
    return Table(f"Difference to 1, person by person: {protocol}", head, rows, notes)


def refusal(base: Run, other: Run, protocol: str, number: int) -> str | None:
    """Why no difference can be tested, if so."""
    if apart(base, other):
        return f"{number} is not comparable with 1, see above."
    if protocol not in other.results:
        return f"{number} was not tested on {protocol}."
    for place, run in ((1, base), (number, other)):
        if protocol not in run.rows:
            return (
                f"{place} keeps no test rows of {protocol}, so {number} cannot be compared with 1."
            )
        found, said = paired.means(run.rows[protocol], protocol), run.results[protocol]["metrics"]
        if any(
            abs(found[name] - said[name]["mean"]) > SAME_FIGURE for name in said if name in found
        ):
            return f"WARNING: the test rows of {place} are not those of its {protocol} results."
    if not paired.same_questions(other.rows[protocol], base.rows[protocol]):
        return f"WARNING: {number} was asked of other test persons or movies than 1: not compared."
    return None


def cautions(runs: Sequence[Run], num_looks: int) -> list[str]:
    fewest = min(len(run.seeds) for run in runs)
    return [
        f"Each of the {num_looks} intervals of differences is a 95% one by itself, not corrected "
        "for looking at several: where nothing differs, one in twenty still leaves out 0.",
        "They hold the luck of which persons were asked, not that of the training seed. "
        + ("A run of one seed does not show it" if fewest < 2 else "Seeds are averaged")
        + "; more seeds with --seeds [0,1,2].",
    ]


def text(table: Table) -> str:
    """Aligned columns, the title above and the notes below."""
    lines = [table.title]
    if table.rows:
        grid = [table.head, *table.rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        for row in grid:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join([*lines, *(f"  {note}" for note in table.notes)])
