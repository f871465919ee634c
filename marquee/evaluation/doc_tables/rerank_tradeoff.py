"""docs/controls.md and docs/controls.svg, generated from `results/controls-*.json`.

    marquee doc-tables            # writes both
    marquee doc-tables --check    # exit 1 where the tables differ (part of the tests)

A table a control between `<!-- controls -->` and `<!-- /controls -->`. The plot has what a control
gives from left to right and what it costs from top to bottom, each with its 95% interval.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from marquee.core.svg_charts import Series, draw_lines, group, horizontal, linear_axis, text
from marquee.core.svg_charts import document as chart
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
LESS_IS_BETTER = ("calibration", "diversity")
"""Controls that lower their measure: their axis is reversed, so that better is always right."""
MAX_LOSS = 0.98
"""The dashed line of the plot: a loss of 2%."""
PANEL_WIDTH, ROW_HEIGHT = 270, 270
COLOR = "#0f62a8"

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
    """Draw one row of panels a data set, as .svg beside the document; return exit status 0.

    The same results give the same bytes.
    """
    published = read(results)
    rows = [
        group(0, ROW_HEIGHT * number, panels(result)) for number, result in enumerate(published)
    ]
    picture = chart(
        PANEL_WIDTH * len(GIVES) + 16,
        ROW_HEIGHT * len(published),
        rows,
        title="Re-ranking controls: accuracy against the effect of each control",
        standalone=True,
    )
    document.with_suffix(".svg").write_text(picture)
    return 0


def panels(result: Result) -> list[str]:
    """Draw the controls of one data set side by side, on one scale of accuracy."""
    fronts = result["fronts"]
    bounds = [front[COST][end] for front in fronts.values() for end in ("low", "high")]
    y = linear_axis(bounds, 220, 56)
    parts = []
    for number, (control, (effect, label)) in enumerate(GIVES.items()):
        names = ["plain", *(name for name in fronts if name.startswith(control))]
        x_values = [fronts[name][effect]["mean"] for name in names]
        costs = [fronts[name][COST] for name in names]
        strengths = [name.split("=")[-1] if "=" in name else "0" for name in names]
        ends = (PANEL_WIDTH - 8, 48) if control in LESS_IS_BETTER else (48, PANEL_WIDTH - 8)
        x = linear_axis(x_values, *ends)
        series = Series(
            points=[(value, cost["mean"]) for value, cost in zip(x_values, costs, strict=True)],
            color=COLOR,
            name=control,
            bounds=[(cost["low"], cost["high"]) for cost in costs],
            labels=[strength if strength in LABELLED else "" for strength in strengths],
        )
        title = f"{result['data']}: {control}" if number == 0 else control
        panel = [
            text(48, 12, title, css="name"),
            horizontal(48, PANEL_WIDTH - 8, y.at(MAX_LOSS), css="bound dashed"),
            *draw_lines([series], x=x, y=y, x_label=label, y_label="ndcg@10, of the plain list's"),
        ]
        parts.append(group(PANEL_WIDTH * number, 0, panel))
    return parts


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
