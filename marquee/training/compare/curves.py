"""The learning curves of a comparison: one line a run, in the run's colour.

    chart(Panel("Validation", "epoch", "val/ndcg@10", validation_curve), runs)

A line has the number of its run at its end. Each point has a tooltip with run and values, and a
ring marks the selected epoch. Colours and type come from the page, so light and dark both work.
"""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from marquee.core.svg_charts import Point, Series, document, draw_lines, linear_axis
from marquee.training.compare.run_types import Run

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 416, 30, 254
"""The plot within its picture; labels are outside."""
NUM_COLORS = 7
"""The next runs have the same colours, dashed."""


class Curve(NamedTuple):
    """The points of one run, and the selected one of them."""

    points: Sequence[Point]
    selected: Point | None = None


class Panel(NamedTuple):
    """One chart: its title and labels, and how to read a curve off a run."""

    title: str
    x_label: str
    y_label: str
    curve: Callable[[Run], Curve]


def panels(runs: Sequence[Run]) -> list[Panel]:
    """Return the charts: loss by epoch, validation by epoch, and validation by cost."""
    monitor = ", ".join(dict.fromkeys(run.monitor for run in runs))
    return [
        Panel("Training loss", "epoch", "train/loss", loss_curve),
        Panel("Validation", "epoch", monitor, validation_curve),
        Panel("Validation, by cost", "CPU seconds", monitor, cost_curve),
    ]


def loss_curve(run: Run) -> Curve:
    points = [(row["epoch"], row["train/loss"]) for row in run.epochs if "train/loss" in row]
    return Curve(points)


def validation_curve(run: Run) -> Curve:
    points = [(row["epoch"], row[run.monitor]) for row in run.epochs if run.monitor in row]
    selected = [point for point in points if point[0] == run.selection.get("epochs")]
    return Curve(points, next(iter(selected), None))


def cost_curve(run: Run) -> Curve:
    """Return validation by the CPU seconds that the training had cost by then."""
    points = [(row["cpu_s"], row[run.monitor]) for row in run.curve if run.monitor in row]
    cost = [row["cpu_s"] for row in run.curve if row["epoch"] == run.selection.get("epochs")]
    selected = [point for point in points if point[0] in cost]
    return Curve(points, next(iter(selected), None))


def chart(panel: Panel, runs: Sequence[Run]) -> str:
    """Draw one panel as SVG; runs without a point are left out."""
    series = [
        run_series(number, curve)
        for number, curve in enumerate(map(panel.curve, runs), 1)
        if curve.points
    ]
    if not series:
        return f'<p class="none">None of these runs has {escape(panel.y_label)}.</p>'
    points = [point for line in series for point in line.points]
    by_epoch = panel.x_label == "epoch"
    x_values = [x for x, _ in points] + ([] if by_epoch else [0.0])
    parts = draw_lines(
        series,
        x=linear_axis(x_values, LEFT, RIGHT, integers=by_epoch),
        y=linear_axis([y for _, y in points], BOTTOM, TOP),
        x_label=panel.x_label,
        y_label=panel.y_label,
    )
    return document(WIDTH, HEIGHT, parts, title=panel.title)


def run_series(number: int, curve: Curve) -> Series:
    color, dashed = run_color(number)
    return Series(
        points=curve.points,
        color=color,
        dashed=dashed,
        name=f"run {number}",
        selected=curve.selected,
        end_label=str(number),
    )


def run_color(number: int) -> tuple[str, bool]:
    """Return the colour of a run, and whether its line is dashed."""
    cycle, position = divmod(number - 1, NUM_COLORS)
    return f"var(--run-{position})", cycle % 2 == 1
