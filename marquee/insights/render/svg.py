"""The charts of findings as inline SVG.

    svg(finding.chart)

Drawn with marquee/core/svg_charts.py; a report is 150 kB. Every bar and point shows its value as
text, so a chart reads without colors. Its table stands below it in the page.
"""

from collections.abc import Sequence

from marquee.core import svg_charts
from marquee.core.svg_charts import Axis, Point, Series, axis_from_zero, bar, linear_axis, text
from marquee.insights.finding import Cell, Chart
from marquee.insights.render.formatting import number, two_decimals

WIDTH = 640
ROW_HEIGHT, BAR_HEIGHT = 26, 15
PAIR_BAR_HEIGHT = 14
"""Distance of the bars of one row, where there are several."""
CHARACTER_WIDTH, MAX_NAME_WIDTH = 6.9, 310.0
COLORS = ("var(--one)", "var(--two)")
STYLE = (
    "\nsvg { display: block; width: 100%; height: auto; max-width: 44rem; }"
    + svg_charts.STYLE
    + """svg .s0 { fill: var(--one); stroke: none; } svg .s1 { fill: var(--two); stroke: none; }
svg .band { fill: var(--one); opacity: .18; stroke: none; }
"""
)


def svg(chart: Chart) -> str:
    """Return the picture of a chart, with title and description for a screen reader."""
    draw = {"bars": _bars, "columns": _columns, "lines": _lines, "panels": _panels}[chart.kind]
    height, parts = draw(chart)
    return svg_charts.document(
        WIDTH, height, parts, title=chart.title, description=_description(chart)
    )


def _description(chart: Chart) -> str:
    first = chart.drawn_columns[0]
    names = ", ".join(chart.columns[column] for column in chart.drawn_columns)
    values = {str(row[0]): _value(row[first]) for row in chart.rows}
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return f"{names}: nothing to show."
    largest = max(known, key=lambda name: known[name])
    return f"{names} by {chart.columns[0]}; the largest is {largest} with {number(known[largest])}."


def _value(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and cell == cell else None


def _bars(chart: Chart) -> tuple[float, list[str]]:
    """Draw level bars; the interval belongs to the first of each row."""
    num_bars = len(chart.drawn_columns)
    left, top = _name_width(chart), 24.0 if num_bars > 1 else 4.0
    x = Axis(ticks=(), low=0.0, high=_largest(chart), start=left, end=WIDTH - 64)
    height = BAR_HEIGHT if num_bars == 1 else PAIR_BAR_HEIGHT
    row_height = ROW_HEIGHT + height * (num_bars - 1)
    parts = _legend(chart)
    for row in chart.rows:
        parts.append(text(left - 8, top + row_height / 2, str(row[0]), css="name", anchor="end"))
        for place, column in enumerate(chart.drawn_columns):
            value = _value(row[column])
            y = top + (ROW_HEIGHT - BAR_HEIGHT) / 2 + place * height
            if value is not None:
                interval = _interval(chart, row) if place == 0 else None
                parts.append(bar(left, y, _at(x, value) - left, height - 2, css=f"s{place}"))
                parts += _level_value(x, y + height / 2, value, interval)
        top += row_height
    return top + 4, parts


def _level_value(x: Axis, y: float, value: float, interval: Point | None) -> list[str]:
    """Draw the interval of a level bar, and its value behind it."""
    if interval is None:
        return [text(_at(x, value) + 6, y, number(value), css="value")]
    low, high = (_at(x, bound) for bound in interval)
    whisker = (
        f'<path class="bound" d="M{low:.1f} {y - 3:.1f}V{y + 3:.1f}M{low:.1f} {y:.1f}H{high:.1f}'
        f'M{high:.1f} {y - 3:.1f}V{y + 3:.1f}"/>'
    )
    end = max(_at(x, value), high)
    return [whisker, text(end + 6, y, number(value), css="value")]


def _at(x: Axis, value: float) -> float:
    return x.at(max(0.0, value))


def _panels(chart: Chart) -> tuple[float, list[str]]:
    """Draw bars side by side over one list of names; means, which do not start at 0, as points."""
    left, gap = _name_width(chart), 54
    width = (WIDTH - left - gap * len(chart.drawn_columns)) / len(chart.drawn_columns)
    rows = [(40.0 + ROW_HEIGHT * place, row) for place, row in enumerate(chart.rows)]
    parts = [text(left - 8, y, str(row[0]), css="name", anchor="end") for y, row in rows]
    for panel, column in enumerate(chart.drawn_columns):
        start, css = left + panel * (width + gap), f"s{panel % 2}"
        parts.append(text(start, 12, chart.columns[column], css="name"))
        values = [(y, _value(row[column])) for y, row in rows]
        known = [value for _, value in values if value is not None]
        is_mean = "mean" in chart.columns[column]
        low, high = (min(known) - 0.15, max(known) + 0.05) if is_mean else (0.0, max(known) or 1)
        x = Axis(ticks=(), low=low, high=high, start=start, end=start + width)
        for y, value in values:
            if value is None:
                continue
            end = x.at(value)
            if is_mean:
                parts.append(svg_charts.horizontal(start, end, y))
                parts.append(f'<circle class="{css}" cx="{end:.1f}" cy="{y:.1f}" r="4.5"/>')
            else:
                parts.append(bar(start, y - BAR_HEIGHT / 2, end - start, BAR_HEIGHT, css=css))
            value_text = two_decimals(value) if is_mean else number(value)
            parts.append(text(end + 8, y, value_text, css="value"))
    return 40 + ROW_HEIGHT * len(chart.rows), parts


def _columns(chart: Chart) -> tuple[float, list[str]]:
    """Draw upright bars with their intervals."""
    left, base = 8.0, 210.0
    y = Axis(ticks=(), low=0.0, high=_largest(chart), start=base, end=26.0)
    width = (WIDTH - 2 * left) / max(len(chart.rows), 1)
    bar_width, column = min(64.0, 0.72 * width), chart.drawn_columns[0]
    parts = [svg_charts.horizontal(left, WIDTH - left, base)]
    for place, row in enumerate(chart.rows):
        middle, value = left + width * (place + 0.5), _value(row[column])
        parts.append(text(middle, base + 14, str(row[0]), css="name", anchor="middle"))
        if value is None:
            continue
        top, interval = y.at(value), _interval(chart, row)
        parts.append(bar(middle - bar_width / 2, top, bar_width, base - top, css="s0"))
        if interval is not None:
            low, high = (y.at(min(bound, y.high)) for bound in interval)
            parts.append(f'<path class="bound" d="M{middle:.1f} {low:.1f}V{high:.1f}"/>')
            top = min(top, high)
        parts.append(text(middle, top - 9, number(value), css="value", anchor="middle"))
    parts.append(text(WIDTH / 2, base + 34, chart.columns[0], anchor="middle"))
    return base + 44, parts


def _lines(chart: Chart) -> tuple[float, list[str]]:
    """Draw lines over years, and a band for the interval of the first."""
    years = [float(str(row[0])) for row in chart.rows]
    x = linear_axis(years, 46.0, WIDTH - 16.0, integers=True, padding=0, separator="")
    y = axis_from_zero(_largest(chart), 220.0, 34.0)
    series = [
        Series(
            points=[
                (year, value)
                for year, row in zip(years, chart.rows, strict=True)
                if (value := _value(row[column])) is not None
            ],
            color=COLORS[place],
            dashed=place == 1,
            with_points=False,
        )
        for place, column in enumerate(chart.drawn_columns)
    ]
    lines = svg_charts.draw_lines(
        [line for line in series if line.points], x=x, y=y, x_label=chart.columns[0]
    )
    return 266.0, [*_legend(chart), *_band(chart, years, x, y), *lines]


def _band(chart: Chart, years: Sequence[float], x: Axis, y: Axis) -> list[str]:
    intervals = [
        (year, interval)
        for year, row in zip(years, chart.rows, strict=True)
        if (interval := _interval(chart, row)) is not None
    ]
    if not intervals:
        return []
    outline = [(year, high) for year, (_, high) in intervals]
    outline += [(year, low) for year, (low, _) in reversed(intervals)]
    path = "L".join(f"{x.at(year):.1f} {y.at(value):.1f}" for year, value in outline)
    return [f'<path class="band" d="M{path}Z"/>']


def _legend(chart: Chart) -> list[str]:
    """Name the series, where there are several."""
    if len(chart.drawn_columns) < 2:
        return []
    parts, x = [], 8.0
    for place, column in enumerate(chart.drawn_columns):
        parts.append(bar(x, 5, 12, 10, css=f"s{place}"))
        parts.append(text(x + 18, 10, chart.columns[column], css="name"))
        x += 40 + 6.6 * len(chart.columns[column])
    return parts


def _interval(chart: Chart, row: Sequence[Cell]) -> Point | None:
    if chart.interval_columns is None:
        return None
    low, high = (_value(row[column]) for column in chart.interval_columns)
    return None if low is None or high is None else (low, high)


def _largest(chart: Chart) -> float:
    columns = [*chart.drawn_columns, *(chart.interval_columns or ())]
    values = [_value(row[column]) or 0.0 for row in chart.rows for column in columns]
    return max(values, default=0.0) or 1.0


def _name_width(chart: Chart) -> float:
    longest = max((len(str(row[0])) for row in chart.rows), default=0)
    return 14 + min(MAX_NAME_WIDTH, CHARACTER_WIDTH * longest)
