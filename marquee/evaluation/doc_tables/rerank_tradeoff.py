"""docs/controls.md and docs/controls.svg, generated from `results/controls-*.json`.

A table per control stands between `<!-- controls -->` and `<!-- /controls -->`. The plot has the
effect of a control from left to right and its cost from top to bottom, each with its 95% interval.
"""

import re
from pathlib import Path
from typing import Any, TypeAlias

from marquee.core.files import read_json
from marquee.core.svg_charts import Series, draw_lines, group, horizontal, linear_axis, text
from marquee.core.svg_charts import document as chart

MARKED = re.compile(r"(<!-- controls -->\n).*?(<!-- /controls -->)", re.DOTALL)
EFFECTS = {
    "calibration": ("miscalibration_ratio", "miscalibration, of the plain list's"),
    "novelty": ("novelty", "novelty in bits"),
    "freshness": ("fresh", "share at most 2 years old"),
    "diversity": ("alike", "mean cosine of two of the list"),
}
METRICS = (
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

Result: TypeAlias = dict[str, Any]


def render_controls(page: str, results: Path) -> str:
    """Return the document with the tables of every data set in the folder."""
    sections = [data_set_section(result) for result in read_results(results)]
    body = "\n".join(sections) or "None has been published yet.\n"
    return MARKED.sub(lambda marks: f"{marks[1]}\n{body}\n{marks[2]}", page)


def read_results(results: Path) -> list[Result]:
    return [read_json(path) for path in sorted(results.glob("controls-*.json"))]


def data_set_section(result: Result) -> str:
    """Return Markdown of one data set: a table a control."""
    strength = result["chosen"]["calibration"]
    lines = [f"## {result['data']} `{result['protocol']}`, {result['num_users']:,} persons", ""]
    reason = "the weakest of these that halves miscalibration"
    lines += [f"Calibration {strength:g} was chosen on validation: {reason}.", ""]
    edits = result["profile_edits"]
    lines += [
        f"Of {edits['edits']:,} edits of a genre mix (30% of it given to one genre, or a genre "
        f"that was listed taken out) {edits['moved']:.1%} moved the list as asked.",
        "",
    ]
    for control in EFFECTS:
        lines += [*control_table(control, result["fronts"], strength), ""]
    return "\n".join(lines)


def control_table(control: str, fronts: Result, published: float) -> list[str]:
    """Return the lines of one control's table.

    The published strength of calibration is in bold.
    """
    lines = ["| " + " | ".join([control, *METRICS]) + " |", "|" + " --- |" * (1 + len(METRICS))]
    lines.append(row("0", fronts["plain"]))
    for name, metrics in fronts.items():
        if name.startswith(f"{control}="):
            strength = name.split("=")[1]
            is_published = control == "calibration" and float(strength) == published
            lines.append(row(f"**{strength}**" if is_published else strength, metrics))
    return lines


def row(strength: str, metrics: dict[str, dict[str, float]]) -> str:
    def cell(name: str) -> str:
        value = metrics[name]
        mean = f"{value['mean']:.3f}"
        return mean + (f" [{value['low']:.3f}, {value['high']:.3f}]" if name == COST else "")

    return "| " + " | ".join([strength, *(cell(name) for name in METRICS)]) + " |"


def plot_controls(results: Path) -> str:
    """Draw one row of panels a data set, as SVG; the same results give the same bytes."""
    published = read_results(results)
    rows = [
        group(0, ROW_HEIGHT * number, panels(result)) for number, result in enumerate(published)
    ]
    return chart(
        PANEL_WIDTH * len(EFFECTS) + 16,
        ROW_HEIGHT * len(published),
        rows,
        title="Re-ranking controls: accuracy against the effect of each control",
        standalone=True,
    )


def panels(result: Result) -> list[str]:
    """Draw the controls of one data set side by side, on one scale of accuracy."""
    fronts = result["fronts"]
    bounds = [front[COST][end] for front in fronts.values() for end in ("low", "high")]
    y = linear_axis(bounds, 220, 56)
    parts = []
    for number, (control, (effect, label)) in enumerate(EFFECTS.items()):
        names = ["plain", *(name for name in fronts if name.startswith(control))]
        x_values = [fronts[name][effect]["mean"] for name in names]
        costs = [fronts[name][COST] for name in names]
        strengths = [name.split("=")[-1] if "=" in name else "0" for name in names]
        left, right = 48, PANEL_WIDTH - 8
        is_reversed = control in LESS_IS_BETTER
        x = linear_axis(
            x_values, start=right if is_reversed else left, end=left if is_reversed else right
        )
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
