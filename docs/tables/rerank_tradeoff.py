"""docs/controls.md and docs/controls.svg, generated from `results/controls-*.json`.

A table per control; the plot has the effect of a control from left to right and its cost from top
to bottom, each with its 95% interval.
"""

from pathlib import Path
from typing import Any, TypeAlias

from docs.tables.markdown import table
from marquee.core.files import read_json
from marquee.core.svg_charts import Axis, Series, draw_lines, group, horizontal, linear_axis, text
from marquee.core.svg_charts import document as chart

EFFECTS = {
    "calibration": ("miscalibration_ratio", "miscalibration, of the plain list's"),
    "novelty": ("novelty", "novelty in bits"),
    "freshness": ("fresh", "share at most 2 years old"),
    "diversity": ("alike", "mean cosine of two of the list"),
}
COST = "ndcg@10_ratio"
METRICS = ("hit_rate@10", "ndcg@10", COST, "miscalibration_ratio", "novelty", "fresh", "alike")
LABELLED = ("0", "0.2", "0.4", "0.6", "0.8", "1")
"""Strengths named in the plot; those between would lie on them."""
LESS_IS_BETTER = ("calibration", "diversity")
"""Controls that lower their measure: their axis is reversed, so that better is always right."""
MAX_LOSS = 0.98
"""The dashed line of the plot: a loss of 2%."""
PANEL_WIDTH, ROW_HEIGHT = 270, 270
LEFT, RIGHT = 48, PANEL_WIDTH - 8
COLOR = "#0f62a8"

Result: TypeAlias = dict[str, Any]


def read_results(results: Path) -> list[Result]:
    return [read_json(path) for path in sorted(results.glob("controls-*.json"))]


def controls_tables(results: Path) -> str:
    """Return the tables of every data set in the folder."""
    sections = [data_set_section(result) for result in read_results(results)]
    return "\n" + ("\n".join(sections) or "None has been published yet.\n") + "\n"


def data_set_section(result: Result) -> str:
    strength, edits = result["chosen"]["calibration"], result["profile_edits"]
    paragraphs = [
        f"## {result['data']} `{result['protocol']}`, {result['num_users']:,} users\n",
        f"Calibration {strength:g} was chosen on validation: the weakest of these that halves "
        "miscalibration.\n",
        "An edit of a genre mix gives 30% of it to one genre, or takes a listed genre out. Of "
        f"{edits['edits']:,} edits, {edits['moved']:.1%} moved the list as asked.\n",
    ]
    tables = [control_table(control, result["fronts"], strength) for control in EFFECTS]
    return "\n".join([*paragraphs, *tables])


def control_table(control: str, fronts: Result, published: float) -> str:
    """Return one control's table, the published strength of calibration in bold."""
    rows = []
    for strength, metrics in strengths(control, fronts).items():
        is_published = control == "calibration" and float(strength) == published
        name = f"**{strength}**" if is_published else strength
        rows.append([name, *(cell(metric, metrics[metric]) for metric in METRICS)])
    return table((control, *METRICS), rows)


def strengths(control: str, fronts: Result) -> Result:
    """Return the metrics of each strength of a control; that of the plain list is `0`."""
    names = [name for name in fronts if name.startswith(f"{control}=")]
    return {"0": fronts["plain"]} | {name.split("=")[1]: fronts[name] for name in names}


def cell(name: str, value: dict[str, float]) -> str:
    shown = "{mean:.3f} [{low:.3f}, {high:.3f}]" if name == COST else "{mean:.3f}"
    return shown.format(**value)


def plot_controls(results: Path) -> str:
    """Draw one row of panels a data set, as SVG; the same results give the same bytes."""
    published = read_results(results)
    rows = []
    for number, result in enumerate(published):
        bounds = [
            front[COST][end] for front in result["fronts"].values() for end in ("low", "high")
        ]
        y = linear_axis(bounds, 220, 56)
        panels = [
            group(PANEL_WIDTH * place, 0, panel(result, control, y))
            for place, control in enumerate(EFFECTS)
        ]
        rows.append(group(0, ROW_HEIGHT * number, panels))
    return chart(
        PANEL_WIDTH * len(EFFECTS) + 16,
        ROW_HEIGHT * len(published),
        rows,
        title="Re-ranking controls: accuracy against the effect of each control",
        standalone=True,
    )


def panel(result: Result, control: str, y: Axis) -> list[str]:
    """Draw one control; all controls of a data set share the scale of accuracy."""
    effect, label = EFFECTS[control]
    fronts = strengths(control, result["fronts"])
    points = [(front[effect]["mean"], front[COST]["mean"]) for front in fronts.values()]
    start, end = (RIGHT, LEFT) if control in LESS_IS_BETTER else (LEFT, RIGHT)
    series = Series(
        points=points,
        color=COLOR,
        name=control,
        bounds=[(front[COST]["low"], front[COST]["high"]) for front in fronts.values()],
        labels=[strength if strength in LABELLED else "" for strength in fronts],
    )
    x = linear_axis([value for value, _ in points], start=start, end=end)
    title = f"{result['data']}: {control}" if control == next(iter(EFFECTS)) else control
    return [
        text(LEFT, 12, title, css="name"),
        horizontal(LEFT, RIGHT, y.at(MAX_LOSS), css="bound dashed"),
        *draw_lines([series], x=x, y=y, x_label=label, y_label="ndcg@10, of the plain list's"),
    ]
