"""Charts as inline SVG: colours and type come from the page, so light, dark and print all work.

    svg(finding.chart)

No library: a report is 150 kB, the same bytes for the same numbers. Every bar and point bears its
value as text, so that a chart reads without colours; its table stands below it in the page.
"""

import math
from collections.abc import Sequence
from html import escape

from marquee.insights.finding import Cell, Chart
from marquee.insights.render.formatting import number

WIDTH = 640
ROW, BAR = 26, 15
"""Height of a lying bar with its room, and of the bar itself."""
STYLE = """
svg { display: block; width: 100%; height: auto; max-width: 44rem; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .value { fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .name { fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .s0 { fill: var(--one); stroke: none; } svg .s1 { fill: var(--two); stroke: none; }
svg .l0 { stroke: var(--one); } svg .l1 { stroke: var(--two); stroke-dasharray: 6 4; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .bound { stroke: var(--ink); stroke-width: 1.2; opacity: .65; fill: none; }
svg .band { fill: var(--one); opacity: .18; stroke: none; }
"""


def svg(chart: Chart) -> str:
    """The picture of a chart, with its title and what it shows as text for a screen reader."""
    draw = {"bars": _bars, "columns": _columns, "lines": _lines, "panels": _panels}[chart.kind]
    height, parts = draw(chart)
    return "\n".join(
        [
            f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">',
            f"<title>{escape(chart.title)}</title>",
            f"<desc>{escape(_described(chart))}</desc>",
            *parts,
            "</svg>",
        ]
    )


def _described(chart: Chart) -> str:
    names = ", ".join(chart.columns[column] for column in chart.drawn)
    rows = [row for row in chart.rows if _value(row[chart.drawn[0]]) is not None]
    if not rows:
        return f"{names}: nothing to show."
    top = max(rows, key=lambda row: _value(row[chart.drawn[0]]) or 0.0)
    return (
        f"{names} by {chart.columns[0]}; the largest is {top[0]} with {_text(top[chart.drawn[0]])}."
    )


def _value(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and cell == cell else None


def _text(cell: Cell) -> str:
    value = _value(cell)
    return "" if value is None else number(value)


def _bars(chart: Chart) -> tuple[float, list[str]]:
    left, right = _name_width(chart.rows), WIDTH - 64
    most = _most(chart)
    parts, top = _key(chart), 24.0 if len(chart.drawn) > 1 else 4.0
    thick = BAR if len(chart.drawn) == 1 else 14
    for row in chart.rows:
        middle = top + (ROW + thick * (len(chart.drawn) - 1)) / 2
        parts.append(_label(left - 8, middle, str(row[0]), "name", "end"))
        for place, column in enumerate(chart.drawn):
            value = _value(row[column])
            y = top + (ROW - BAR) / 2 + place * thick
            if value is not None:
                band = _band(chart, row) if place == 0 else None
                parts += _lying(left, right, y, thick - 2, value, most, place, band, chart, row)
        top += ROW + thick * (len(chart.drawn) - 1)
    return top + 4, parts


def _lying(
    left: float,
    right: float,
    y: float,
    thick: float,
    value: float,
    most: float,
    place: int,
    band: tuple[float, float] | None,
    chart: Chart,
    row: Sequence[Cell],
) -> list[str]:
    """A lying bar, its interval and its value."""

    def at(x: float) -> float:
        return left + (right - left) * max(0.0, x) / most

    parts = [
        f'<rect class="s{place}" x="{left:.1f}" y="{y:.1f}" width="{at(value) - left:.1f}" '
        f'height="{thick:.1f}" rx="2"/>'
    ]
    end = at(value)
    if band is not None:
        parts.append(_whisker(at(band[0]), at(band[1]), y + thick / 2))
        end = max(end, at(band[1]))
    parts.append(_label(end + 6, y + thick / 2, number(value), "value"))
    return parts


def _panels(chart: Chart) -> tuple[float, list[str]]:
    """Columns side by side over one list of names; means, which do not start at 0, are points."""
    left, gap = _name_width(chart.rows), 54
    width = (WIDTH - left - gap * len(chart.drawn)) / len(chart.drawn)
    parts = [
        _label(left - 8, 40 + ROW * place, str(row[0]), "name", "end")
        for place, row in enumerate(chart.rows)
    ]
    for panel, column in enumerate(chart.drawn):
        x = left + panel * (width + gap)
        parts.append(_label(x, 12, chart.columns[column], "name"))
        values = [_value(row[column]) for row in chart.rows]
        known = [value for value in values if value is not None]
        is_mean = "mean" in chart.columns[column]
        low, high = (min(known) - 0.15, max(known) + 0.05) if is_mean else (0.0, max(known) or 1)
        for place, value in enumerate(values):
            if value is None:
                continue
            y, end = 40.0 + ROW * place, x + width * (value - low) / (high - low)
            if is_mean:
                parts.append(f'<path class="grid" d="M{x:.1f} {y:.1f}H{end:.1f}"/>')
                parts.append(f'<circle class="s{panel % 2}" cx="{end:.1f}" cy="{y:.1f}" r="4.5"/>')
            else:
                parts.append(
                    f'<rect class="s{panel % 2}" x="{x:.1f}" y="{y - BAR / 2:.1f}" '
                    f'width="{end - x:.1f}" height="{BAR}" rx="2"/>'
                )
            text = f"{value:.2f}" if is_mean else number(value)
            parts.append(_label(end + 8, y, text, "value"))
    return 40 + ROW * len(chart.rows), parts


def _columns(chart: Chart) -> tuple[float, list[str]]:
    base, top, left = 210.0, 26.0, 8.0
    most = _most(chart)
    width = (WIDTH - 2 * left) / max(len(chart.rows), 1)
    bar, column = min(64.0, 0.72 * width), chart.drawn[0]
    parts = [f'<path class="grid" d="M{left} {base}H{WIDTH - left}"/>']
    for place, row in enumerate(chart.rows):
        middle, value = left + width * (place + 0.5), _value(row[column])
        parts.append(_label(middle, base + 14, str(row[0]), "name", "middle"))
        if value is None:
            continue
        height = (base - top) * value / most
        parts.append(
            f'<rect class="s0" x="{middle - bar / 2:.1f}" y="{base - height:.1f}" '
            f'width="{bar:.1f}" height="{height:.1f}" rx="2"/>'
        )
        above, band = base - height, _band(chart, row)
        if band is not None:
            low, high = (base - (base - top) * min(bound, most) / most for bound in band)
            parts.append(f'<path class="bound" d="M{middle:.1f} {low:.1f}V{high:.1f}"/>')
            above = min(above, high)
        parts.append(_label(middle, above - 9, number(value), "value", "middle"))
    parts.append(_label(WIDTH / 2, base + 34, chart.columns[0], "", "middle"))
    return base + 44, parts


def _lines(chart: Chart) -> tuple[float, list[str]]:
    left, right, top, base = 46.0, WIDTH - 10.0, 34.0, 220.0
    year = [float(str(row[0])) for row in chart.rows]
    most = _most(chart)
    step = _round_step(most / 4)
    most = step * math.ceil(most / step - 1e-9)
    span = max(year[-1] - year[0], 1.0)

    def at(x: float, y: float) -> str:
        across, up = (x - year[0]) / span, y / most
        return f"{left + (right - left) * across:.1f} {base - (base - top) * up:.1f}"

    parts = _key(chart)
    for tick in range(round(most / step) + 1):
        y = base - (base - top) * tick * step / most
        parts.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
        parts.append(_label(left - 6, y, number(tick * step), "", "end"))
    for x in _year_ticks(year[0], year[-1]):
        place = float(at(x, 0).split()[0])
        parts.append(
            _label(min(max(place, left + 8), right - 14), base + 16, f"{x:.0f}", "", "middle")
        )
    bands = [(x, _band(chart, row)) for x, row in zip(year, chart.rows, strict=True)]
    known = [(x, band) for x, band in bands if band is not None]
    if known:
        around = [at(x, band[1]) for x, band in known] + [at(x, band[0]) for x, band in known[::-1]]
        parts.append(f'<path class="band" d="M{"L".join(around)}Z"/>')
    for place, column in enumerate(chart.drawn):
        values = [(x, _value(row[column])) for x, row in zip(year, chart.rows, strict=True)]
        points = [at(x, value) for x, value in values if value is not None]
        parts.append(f'<path class="line l{place}" d="M{"L".join(points)}"/>')
    parts.append(_label((left + right) / 2, base + 36, chart.columns[0], "", "middle"))
    return base + 46, parts


def _key(chart: Chart) -> list[str]:
    """Names of the series, where there are several."""
    if len(chart.drawn) < 2:
        return []
    parts, x = [], 8.0
    for place, column in enumerate(chart.drawn):
        parts.append(f'<rect class="s{place}" x="{x:.0f}" y="5" width="12" height="10" rx="2"/>')
        parts.append(_label(x + 18, 10, chart.columns[column], "name"))
        x += 40 + 6.6 * len(chart.columns[column])
    return parts


def _label(x: float, y: float, text: str, look: str, anchor: str = "start") -> str:
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    name = f' class="{look}"' if look else ""
    return f'<text{name} x="{x:.1f}" y="{y:.1f}" dy="4"{where}>{escape(text)}</text>'


def _whisker(low: float, high: float, y: float) -> str:
    return (
        f'<path class="bound" d="M{low:.1f} {y - 3:.1f}V{y + 3:.1f}M{low:.1f} {y:.1f}H{high:.1f}'
        f'M{high:.1f} {y - 3:.1f}V{y + 3:.1f}"/>'
    )


def _band(chart: Chart, row: Sequence[Cell]) -> tuple[float, float] | None:
    if chart.band is None:
        return None
    low, high = (_value(row[column]) for column in chart.band)
    return None if low is None or high is None else (low, high)


def _most(chart: Chart) -> float:
    columns = [*chart.drawn, *(chart.band or ())]
    values = [_value(row[column]) or 0.0 for row in chart.rows for column in columns]
    return max(values, default=0.0) or 1.0


def _name_width(rows: Sequence[Sequence[Cell]]) -> float:
    return 14 + min(310.0, 6.9 * max((len(str(row[0])) for row in rows), default=0))


def _round_step(rough: float) -> float:
    power = 10 ** math.floor(math.log10(rough))
    return next(size * power for size in (1, 2, 5, 10) if size * power >= rough * 0.99)


def _year_ticks(first: float, last: float) -> list[float]:
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100) if (last - first) / size <= 10)
    return [float(x) for x in range(int(first), int(last) + 1) if x % step == 0]
