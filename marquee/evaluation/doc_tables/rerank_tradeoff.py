"""docs/controls.md and docs/controls.svg, generated from `results/controls-*.json`.

    marquee doc-tables            # writes both; the plot needs the extra `plots`
    marquee doc-tables --check    # exit 1 where the tables differ (part of the tests)

A table a control between `<!-- controls -->` and `<!-- /controls -->`. The plot has what a control
gives from left to right and what it costs from top to bottom, each with its 95% interval.
"""

import json
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from marquee.evaluation.doc_tables.tables import renew

MARKED = re.compile(r"(<!-- controls -->\n).*?(<!-- /controls -->)", re.DOTALL)
GIVES = {
    "calibration": ("miscalibration_ratio", "miscalibration, of the plain list's"),
    "novelty": ("novelty", "novelty in bits"),
    "freshness": ("fresh", "share at most 2 years old"),
    "diversity": ("alike", "mean cosine of two of the list"),
}
SHOWN = (
    "hit_rate@10",
    "ndcg@10",
    "ndcg@10_ratio",
    "miscalibration_ratio",
    "novelty",
    "fresh",
    "alike",
)
COST = "ndcg@10_ratio"
LABELLED = ("0", "0.2", "0.4", "0.6", "0.8", "1")
"""Strengths named in the plot; those between would lie on them."""

Result = dict[str, Any]


def main(args: list[str]) -> int:
    return renew(args, "fronts", Path("docs/controls.md"), filled, plot)


def read(results: Path) -> list[Result]:
    paths = sorted(results.glob("controls-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def filled(text: str, results: Path) -> str:
    made = "\n".join(section(each) for each in read(results)) or "None has been published yet.\n"
    return MARKED.sub(lambda marks: f"{marks[1]}\n{made}\n{marks[2]}", text)


def section(result: Result) -> str:
    """Markdown of one data set: a table a control."""
    halves = result["chosen"]["calibration"]
    lines = [f"## {result['data']} `{result['protocol']}`, {result['num_users']:,} persons", ""]
    said = "the weakest of these that halves miscalibration"
    lines += [f"Calibration {halves:g} was chosen on validation: {said}.", ""]
    edits = result["profile_edits"]
    lines += [
        f"Of {edits['edits']:,} edits of a genre mix (30% of it given to one genre, or a genre "
        f"that was listed taken out) {edits['moved']:.1%} moved the list as asked.",
        "",
    ]
    for control in GIVES:
        lines += ["| " + " | ".join([control, *SHOWN]) + " |", "|" + " --- |" * (1 + len(SHOWN))]
        lines += [row("0", result["fronts"]["plain"])]
        for name, figures in result["fronts"].items():
            if name.startswith(f"{control}="):
                strength = name.split("=")[1]
                is_chosen = control == "calibration" and float(strength) == halves
                lines.append(row(f"**{strength}**" if is_chosen else strength, figures))
        lines.append("")
    return "\n".join(lines)


def row(strength: str, figures: dict[str, dict[str, float]]) -> str:
    def cell(name: str) -> str:
        value = figures[name]
        text = f"{value['mean']:.3f}"
        return text + (f" [{value['low']:.3f}, {value['high']:.3f}]" if name == COST else "")

    return "| " + " | ".join([strength, *(cell(name) for name in SHOWN)]) + " |"


def plot(results: Path, document: Path) -> int:
    """One row of panels a data set, as .svg beside the document; the same bytes for the same
    results. 2 where matplotlib is missing."""
    if find_spec("matplotlib") is None:
        print("the plot needs matplotlib: pip install -e '.[plots]'", file=sys.stderr)
        return 2
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    found = read(results)
    matplotlib.rcParams |= {"svg.hashsalt": "controls", "svg.fonttype": "none", "font.size": 9}
    figure, axes = plt.subplots(
        len(found), len(GIVES), figsize=(12.5, 3.1 * len(found)), sharey="row", squeeze=False
    )
    for result, panels in zip(found, axes, strict=True):
        for (control, (given, label)), panel in zip(GIVES.items(), panels, strict=True):
            names = ["plain", *(name for name in result["fronts"] if name.startswith(control))]
            points = [result["fronts"][name] for name in names]
            x, y = ([each[key]["mean"] for each in points] for key in (given, COST))
            below = [each[COST]["mean"] - each[COST]["low"] for each in points]
            above = [each[COST]["high"] - each[COST]["mean"] for each in points]
            panel.errorbar(x, y, [below, above], marker="o", markersize=4, lw=1.2, elinewidth=0.7)
            for name, at_x, at_y in zip(names, x, y, strict=True):
                strength = name.split("=")[-1] if "=" in name else "0"
                if strength in LABELLED:
                    offset = {"xytext": (4, 5), "textcoords": "offset points", "size": 7}
                    panel.annotate(strength, (at_x, at_y), **offset)
            if control in ("calibration", "diversity"):
                panel.invert_xaxis()  # what is wanted, on the right as in the others
            panel.axhline(0.98, color="0.6", lw=0.7, ls="--")
            panel.set(title=control, xlabel=label)
            panel.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel(f"ndcg@10, of the plain list's\n{result['data']}")
    figure.tight_layout()
    figure.savefig(document.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
