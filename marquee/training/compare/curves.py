"""Learning curves as inline SVG: colours and type come from the page, so light and dark both work.

    svg("validation", "epoch", "val/ndcg@10", [Line(1, [(1, .05), (2, .07)], (2, .07))])

No library: a page of ten runs is 40 kB, the same bytes for the same points. A line bears the number
of its run at its end; a point says its run and values when it is pointed at.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 440, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 416, 30, 254
"""The plot within its picture; labels stand outside."""
COLOURS = 7
"""Runs after these have the same colours, dashed."""
STYLE = """
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .again { stroke-dasharray: 5 4; }
svg .point { stroke: none; }
svg .chosen { fill: var(--paper); stroke-width: 2; }
svg .end { font-weight: 600; }
"""

Place = tuple[float, float]


class Line(NamedTuple):
    """One run's."""

    number: int
    points: Sequence[Place]
    chosen: Place | None = None
    """Ringed: the selected epoch."""


class Scale(NamedTuple):
    """From values to pixels, with round values to label."""

    ticks: Sequence[float]
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def label(self, tick: float) -> str:
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 1.0
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{tick:,.{digits + (round(step * 10**digits, 6) % 1 > 0)}f}"


def svg(title: str, x_label: str, y_label: str, lines: Sequence[Line]) -> str:
    """A chart of a line a run; lines without a point are left out."""
    lines = [line for line in lines if line.points]
    if not lines:
        return '<p class="none">None of these runs kept it.</p>'
    by_epoch = x_label == "epoch"
    across = [p[0] for line in lines for p in line.points] + ([] if by_epoch else [0.0])
    x = scale(across, LEFT, RIGHT, whole=by_epoch)
    y = scale([p[1] for line in lines for p in line.points], BOTTOM, TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text x="0" y="12">{escape(y_label)}</text>',
    ]
    for tick in y.ticks:
        at = f"{y.at(tick):.1f}"
        parts.append(f'<path class="grid" d="M{LEFT} {at}H{RIGHT}"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{at}" dy="4" text-anchor="end">{y.label(tick)}</text>'
        )
    for tick in x.ticks:
        at = f"{x.at(tick):.1f}"
        parts.append(
            f'<text x="{at}" y="{BOTTOM + 18}" text-anchor="middle">{x.label(tick)}</text>'
        )
    middle = (LEFT + RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(x_label)}</text>'
    )
    for line in lines:
        parts += drawn(line, x, y, x_label, y_label)
    parts += ends(lines, x, y)
    return "\n".join([*parts, "</svg>"])


def drawn(line: Line, x: Scale, y: Scale, x_label: str, y_label: str) -> list[str]:
    colour, dashed = colour_of(line.number)
    places = [f"{x.at(a):.1f} {y.at(b):.1f}" for a, b in line.points]
    kind = "line again" if dashed else "line"
    parts = [f'<path class="{kind}" stroke="{colour}" d="M{"L".join(places)}"/>']
    for (a, b), place in zip(line.points, places, strict=True):
        at_x, at_y = place.split()
        said = f"run {line.number}, {x_label} {a:,.6g}: {y_label} {b:.5g}"
        is_chosen = (a, b) == line.chosen
        look = f'class="chosen" r="4.5" stroke="{colour}"' if is_chosen else 'class="point" r="2.5"'
        fill = "" if is_chosen else f' fill="{colour}"'
        parts.append(
            f'<circle {look}{fill} cx="{at_x}" cy="{at_y}"><title>{escape(said)}</title></circle>'
        )
    return parts


def ends(lines: Sequence[Line], x: Scale, y: Scale) -> list[str]:
    """The runs' numbers right of their last points, moved apart where they would lie on another."""
    parts: list[str] = []
    taken: list[tuple[float, float]] = []
    for line in sorted(lines, key=lambda line: y.at(line.points[-1][1])):
        at_x, at_y = x.at(line.points[-1][0]) + 9, y.at(line.points[-1][1])
        while any(abs(at_x - other) < 16 and abs(at_y - above) < 13 for other, above in taken):
            at_y += 1
        taken.append((at_x, at_y))
        parts.append(
            f'<text class="end" x="{at_x:.1f}" y="{at_y:.1f}" dy="4" '
            f'style="fill: {colour_of(line.number)[0]}">{line.number}</text>'
        )
    return parts


def colour_of(number: int) -> tuple[str, bool]:
    """The colour of a run, and whether it is dashed."""
    place = number - 1
    return f"var(--run-{place % COLOURS})", place // COLOURS % 2 == 1


def scale(values: Sequence[float], start: float, end: float, whole: bool = False) -> Scale:
    """Three to seven round ticks over all values, with a little room around them."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - (abs(low) / 2 or 1), high + (abs(high) / 2 or 1)
    room = 0.04 * (high - low)
    step = round_step((high - low) / 6)
    if whole:
        step = max(1.0, step)
    first, last = math.ceil((low - room) / step), math.floor((high + room) / step)
    ticks = [number * step for number in range(first, last + 1)]
    return Scale(ticks, low - room, high + room, start, end)


def round_step(rough: float) -> float:
    power = 10 ** math.floor(math.log10(rough))
    return next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.99)
