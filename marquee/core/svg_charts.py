"""Charts as SVG text: axes with round ticks, lines, points, bars and intervals.

    x, y = linear_axis(epochs, 52, 416, integers=True), linear_axis(losses, 254, 30)
    series = [Series(points=points, color="var(--run-0)", name="run 1")]
    parts = draw_lines(series, x=x, y=y, x_label="epoch", y_label="train/loss")
    document(440, 300, parts, title="Training loss")

No library: a page of ten curves is 40 kB, and the same numbers give the same bytes. Colours and
type come from the page (STYLE and its variables), so light, dark and print all work. A `standalone`
document carries its own style on white paper, for files beside a Markdown page.

Pixels count from the top left. All text is escaped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Point = tuple[float, float]

STYLE = """
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .value { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .name { fill: var(--ink); }
svg .end { font-weight: 600; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .dashed { stroke-dasharray: 5 4; }
svg .point { stroke: none; }
svg .chosen { fill: var(--paper); stroke-width: 2; }
svg .bound { stroke: var(--ink); stroke-width: 1.2; opacity: .65; fill: none; }
"""
STANDALONE_STYLE = (
    "svg { --paper: #fff; --ink: #1d2430; --soft: #5b6472; --line: #e0e4e9; background: #fff; }"
    + STYLE
)
PADDING = 0.04
"""Space of a linear axis on both sides of the values, as a share of their range."""
MAX_STEPS = 6
"""Steps between the ticks of a linear axis."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A map from values to pixels, with round values to label."""

    ticks: Sequence[float]
    low: float
    high: float
    start: float
    """The pixel of `low`. On an upright or reversed axis it is larger than `end`."""
    end: float
    is_log: bool = False
    separator: str = ","
    """Of thousands; "" for years."""

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def label(self, tick: float) -> str:
        """Write a tick with as many decimals as the step between the ticks needs."""
        if self.is_log:
            return f"{tick:{self.separator}.10g}"
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        digits += round(step * 10**digits, 6) % 1 > 0
        return f"{tick:{self.separator}.{digits}f}"


def linear_axis(
    values: Sequence[float],
    start: float,
    end: float,
    *,
    integers: bool = False,
    padding: float = PADDING,
    separator: str = ",",
) -> Axis:
    """Return an axis over all values with round ticks.

    integers: the ticks are whole numbers, e.g. epochs. A single value lies in the middle.
    """
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1)
    space = padding * (high - low)
    step = round_step((high - low) / MAX_STEPS)
    if integers:
        step = max(1.0, step)
    first, last = math.ceil((low - space) / step), math.floor((high + space) / step)
    return Axis(
        ticks=[number * step for number in range(first, last + 1)],
        low=low - space,
        high=high + space,
        start=start,
        end=end,
        separator=separator,
    )


def axis_from_zero(largest: float, start: float, end: float) -> Axis:
    """Return an axis from 0 to the first tick at or above the largest value."""
    step = round_step(largest / 4)
    count = math.ceil(largest / step - 1e-9)
    ticks = [number * step for number in range(count + 1)]
    return Axis(ticks=ticks, low=0.0, high=ticks[-1], start=start, end=end)


def log_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """Return a logarithmic axis over all values, with a tick a power of ten.

    The values are above 0.
    """
    low, high = min(values) / 1.2, max(values) * 1.2
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    ticks = [10.0**power for power in powers]
    return Axis(ticks=ticks, low=low, high=high, start=start, end=end, is_log=True)


def round_step(rough: float) -> float:
    """Return a round step of at least about `rough`.

    It is the first of 1, 2, 5, 10 times a power of ten that is so large.
    """
    power = 10 ** math.floor(math.log10(rough))
    return next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.99)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart, and the text beside it."""

    points: Sequence[Point]
    color: str
    """A CSS colour, or `var(--name)` of the page."""
    dashed: bool = False
    name: str = ""
    """Stands before the values in the tooltip of each point."""
    with_points: bool = True
    """False draws the line alone."""
    selected: Point | None = None
    """This point is ringed."""
    end_label: str = ""
    """Text to the right of the last point."""
    bounds: Sequence[Point] = ()
    """Low and high end of the interval around each point's y; empty: no intervals."""
    labels: Sequence[str] = ()
    """Text above each point, "" for none; empty: no text."""


def draw_lines(
    series: Sequence[Series], *, x: Axis, y: Axis, x_label: str, y_label: str = ""
) -> list[str]:
    """Draw axes, lines, points and labels.

    The label of y needs 30 pixels above y.end, that of x 46 pixels below y.start.
    """
    left, right = sorted((x.start, x.end))
    parts = [text(0, y.end - 22, y_label)] if y_label else []
    for tick in y.ticks:
        parts.append(horizontal(left, right, y.at(tick)))
        parts.append(text(left - 8, y.at(tick), y.label(tick), anchor="end"))
    parts += [text(x.at(tick), y.start + 14, x.label(tick), anchor="middle") for tick in x.ticks]
    parts.append(text((left + right) / 2, y.start + 34, x_label, anchor="middle"))
    for line in series:
        parts += _line(line, x, y, f"{line.name}, {x_label}" if line.name else x_label, y_label)
    return parts + _end_labels(series, x, y)


def _line(line: Series, x: Axis, y: Axis, subject: str, y_label: str) -> list[str]:
    pixels = [(x.at(a), y.at(b)) for a, b in line.points]
    parts = [
        f'<path class="bound" d="M{a:.1f} {y.at(low):.1f}V{y.at(high):.1f}"/>'
        for (a, _), (low, high) in zip(pixels, line.bounds, strict=False)
    ]
    parts.append(polyline(pixels, line.color, dashed=line.dashed))
    for (a, b), (at_x, at_y) in zip(line.points, pixels, strict=True):
        if not line.with_points:
            break
        look = f'class="point" r="2.5" fill="{line.color}"'
        if (a, b) == line.selected:
            look = f'class="chosen" r="4.5" stroke="{line.color}"'
        tooltip = escape(f"{subject} {a:,.6g}: {y_label} {b:.5g}")
        parts.append(
            f'<circle {look} cx="{at_x:.1f}" cy="{at_y:.1f}"><title>{tooltip}</title></circle>'
        )
    for (at_x, at_y), label in zip(pixels, line.labels, strict=False):
        parts += [text(at_x + 4, at_y - 10, label)] if label else []
    return parts


def _end_labels(series: Sequence[Series], x: Axis, y: Axis) -> list[str]:
    """Write the labels right of the last points, moved down where they would overlap."""
    parts: list[str] = []
    positions: list[Point] = []
    labelled = [line for line in series if line.end_label]
    for line in sorted(labelled, key=lambda line: y.at(line.points[-1][1])):
        at_x, at_y = x.at(line.points[-1][0]) + 9, y.at(line.points[-1][1])
        while any(abs(at_x - a) < 16 and abs(at_y - b) < 13 for a, b in positions):
            at_y += 1
        positions.append((at_x, at_y))
        parts.append(text(at_x, at_y, line.end_label, css="end", color=line.color))
    return parts


def polyline(pixels: Sequence[Point], color: str, *, dashed: bool = False) -> str:
    """Draw a line through pixels."""
    css = "line dashed" if dashed else "line"
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in pixels)
    return f'<path class="{css}" stroke="{color}" d="M{path}"/>'


def horizontal(left: float, right: float, y: float, css: str = "grid") -> str:
    """Draw a level line."""
    return f'<path class="{css}" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'


def bar(x: float, y: float, width: float, height: float, css: str) -> str:
    """Draw a bar; x, y: its upper left corner. css: the class that colours it."""
    return (
        f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" rx="2"/>'
    )


def text(
    x: float, y: float, content: str, *, css: str = "", anchor: str = "start", color: str = ""
) -> str:
    """Write a line of text, level with y.

    anchor: "start", "middle" or "end" lies at x.
    """
    name = f' class="{css}"' if css else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    style = f' style="fill: {color}"' if color else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}" dy="4"{place}{style}>{escape(content)}</text>'


def group(x: float, y: float, parts: Sequence[str]) -> str:
    """Move a panel to its place in a picture of several."""
    return "\n".join([f'<g transform="translate({x:g} {y:g})">', *parts, "</g>"])


def document(
    width: float,
    height: float,
    parts: Sequence[str],
    *,
    title: str,
    description: str = "",
    standalone: bool = False,
) -> str:
    """Return the SVG element. title, description: text for a screen reader.

    standalone: with namespace, style and a line end, to be written into a file.
    """
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    head = [f"<title>{escape(title)}</title>"]
    head += [f"<desc>{escape(description)}</desc>"] if description else []
    head += [f"<style>{STANDALONE_STYLE}</style>"] if standalone else []
    opening = f'<svg{space} viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    return "\n".join([opening, *head, *parts, "</svg>"]) + ("\n" if standalone else "")
