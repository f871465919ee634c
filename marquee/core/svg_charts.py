"""Charts as SVG text: axes with round ticks, lines, points, bars and intervals.

    x, y = linear_axis(epochs, 52, 416, integers=True), linear_axis(losses, 254, 30)
    series = [Series(points=points, color="var(--run-0)", name="run 1")]
    parts = draw_lines(series, x=x, y=y, x_label="epoch", y_label="train/loss")
    document(440, 300, parts, title="Training loss")

Colours and type come from the page (STYLE and its variables), so light, dark and print all work; a
`standalone` document carries its own. Pixels count from the top left. All text is escaped.
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
MAX_STEPS = 6  # between the ticks of a linear axis


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A map from values to pixels, with round values to label."""

    ticks: Sequence[float]
    low: float
    high: float
    start: float  # the pixel of `low`; larger than `end` on an upright or reversed axis
    end: float
    separator: str = ","  # of thousands; "" for years

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def label(self, tick: float) -> str:
        """Write a tick with as many decimals as the step between the ticks needs."""
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
    padding: float = 0.04,
    separator: str = ",",
) -> Axis:
    """Return an axis over all values with round ticks, integers if that is set.

    padding: space on both sides of the values, as a share of their range.
    """
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1)
    step = max(round_step((high - low) / MAX_STEPS), 1.0 if integers else 0.0)
    space = padding * (high - low)
    low, high = low - space, high + space
    first, last = math.ceil(low / step), math.floor(high / step)
    ticks = [number * step for number in range(first, last + 1)]
    return Axis(ticks=ticks, low=low, high=high, start=start, end=end, separator=separator)


def axis_from_zero(largest: float, start: float, end: float) -> Axis:
    """Return an axis from 0 to the first tick at or above the largest value."""
    step = round_step(largest / 4)
    ticks = [number * step for number in range(math.ceil(largest / step - 1e-9) + 1)]
    return Axis(ticks=ticks, low=0.0, high=ticks[-1], start=start, end=end)


def round_step(rough: float) -> float:
    """Return the first of 1, 2, 5, 10 times a power of ten at or above about `rough`."""
    power = 10 ** math.floor(math.log10(rough))
    return next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.99)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart, and the text beside it."""

    points: Sequence[Point]
    color: str  # CSS, or `var(--name)` of the page
    dashed: bool = False
    name: str = ""  # before the values in the tooltip of each point
    with_points: bool = True
    selected: Point | None = None  # ringed
    end_label: str = ""  # to the right of the last point
    bounds: Sequence[Point] = ()  # the interval around each point's y
    labels: Sequence[str] = ()  # above each point, "" for none


def draw_lines(
    series: Sequence[Series], *, x: Axis, y: Axis, x_label: str, y_label: str = ""
) -> list[str]:
    """Draw axes and lines; labels need 30 pixels above y.end and 46 below y.start."""
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
    dashed, path = " dashed" * line.dashed, "L".join(f"{a:.1f} {b:.1f}" for a, b in pixels)
    parts.append(f'<path class="line{dashed}" stroke="{line.color}" d="M{path}"/>')
    for (a, b), (at_x, at_y) in zip(line.points if line.with_points else (), pixels, strict=False):
        look = f'class="point" r="2.5" fill="{line.color}"'
        if (a, b) == line.selected:
            look = f'class="chosen" r="4.5" stroke="{line.color}"'
        tooltip = f"<title>{escape(f'{subject} {a:,.6g}: {y_label} {b:.5g}')}</title>"
        parts.append(f'<circle {look} cx="{at_x:.1f}" cy="{at_y:.1f}">{tooltip}</circle>')
    labels = zip(pixels, line.labels, strict=False)
    return parts + [text(a + 4, b - 10, label) for (a, b), label in labels if label]


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


def horizontal(left: float, right: float, y: float, css: str = "grid") -> str:
    return f'<path class="{css}" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'


def bar(x: float, y: float, width: float, height: float, css: str) -> str:
    """Draw a bar; x, y: its upper left corner. css: the class that colours it."""
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" {size} rx="2"/>'


def text(
    x: float, y: float, content: str, *, css: str = "", anchor: str = "start", color: str = ""
) -> str:
    """Write text, level with y; its anchor ("start", "middle", "end") lies at x."""
    name = f' class="{css}"' if css else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    style = f' style="fill: {color}"' if color else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}" dy="4"{place}{style}>{escape(content)}</text>'


def group(x: float, y: float, parts: Sequence[str]) -> str:
    return "\n".join([f'<g transform="translate({x:g} {y:g})">', *parts, "</g>"])


def document(
    width: float, height: float, parts: Sequence[str], *, title: str, standalone: bool = False
) -> str:
    """Return the SVG element; standalone: a file, with namespace, style and line end."""
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    opening = f'<svg{space} viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
    head = [opening, f"<title>{escape(title)}</title>"]
    head += [f"<style>{STANDALONE_STYLE}</style>"] if standalone else []
    return "\n".join([*head, *parts, "</svg>"]) + ("\n" if standalone else "")
