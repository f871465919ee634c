"""The charts of findings as inline SVG.

    svg(finding.chart)

Drawn with marquee/core/svg_charts.py; a report is 150 kB. Every bar and point shows its value as
text, so a chart reads without colors. Its table follows it in the page.
"""

from collections.abc import Sequence
from html import escape

from marquee.core import svg_charts as draw
from marquee.core.svg_charts import Axis, Point
from marquee.insights.finding import Cell, Chart
from marquee.insights.render.formatting import number

WIDTH = 640
ROW_HEIGHT, BAR_HEIGHT = 26, 15
PAIR_BAR_HEIGHT = 14
"""Distance of the bars of one row, where there are several."""
CHARACTER_WIDTH, MAX_NAME_WIDTH = 6.9, 310.0
MEAN_PAD = 0.15
"""Before the smallest mean, as a value; of means that lie far apart, as a share of the distance."""
COLORS = ("var(--one)", "var(--two)")
Picture = tuple[float, list[str]]
"""Height and SVG elements."""


def svg(chart: Chart) -> str:
    """Return the picture of a chart, with title and description for a screen reader."""
    picture = {"bars": _bars, "columns": _columns, "lines": _lines, "panels": _panels}[chart.kind]
    height, parts = picture(chart)
    description = f"<desc>{escape(_description(chart))}</desc>"
    return draw.document(WIDTH, height, [description, *parts], title=chart.title)


def _description(chart: Chart) -> str:
    names = ", ".join(chart.columns[column] for column in chart.drawn_columns)
    first = chart.drawn_columns[0]
    rows = [(row[0], value) for row in chart.rows if (value := _value(row[first])) is not None]
    if not rows:
        return f"{names}: nothing to show."
    name, largest = max(rows, key=lambda row: row[1])
    return f"{names} by {chart.columns[0]}; the largest is {name} with {number(largest)}."


def _value(cell: Cell) -> float | None:
    return float(cell) if isinstance(cell, int | float) and cell == cell else None


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


def _bars(chart: Chart) -> Picture:
    """Draw level bars; only a single one in each row has its interval."""
    num_bars = len(chart.drawn_columns)
    left, top = _name_width(chart), 24.0 if num_bars > 1 else 4.0
    x = Axis(ticks=(), low=0.0, high=_largest(chart), start=left, end=WIDTH - 64)
    height = BAR_HEIGHT if num_bars == 1 else PAIR_BAR_HEIGHT
    row_height = ROW_HEIGHT + height * (num_bars - 1)
    parts = _legend(chart)
    for row in chart.rows:
        parts.append(
            draw.text(left - 8, top + row_height / 2, str(row[0]), css="name", anchor="end")
        )
        for place, column in enumerate(chart.drawn_columns):
            value = _value(row[column])
            if value is None:
                continue
            y = top + (ROW_HEIGHT - BAR_HEIGHT) / 2 + place * height
            end = x.at(max(0.0, value))
            parts.append(draw.bar(left, y, end - left, height - 2, css=f"s{place}"))
            if interval := _interval(chart, row):
                low, high = (x.at(max(0.0, bound)) for bound in interval)
                parts.append(_whisker(low, high, y + height / 2))
                end = max(end, high)
            parts.append(draw.text(end + 6, y + height / 2, number(value), css="value"))
        top += row_height
    return top + 4, parts


def _whisker(low: float, high: float, y: float) -> str:
    ends = [f"M{x:.1f} {y - 3:.1f}V{y + 3:.1f}" for x in (low, high)]
    return f'<path class="bound" d="{ends[0]}M{low:.1f} {y:.1f}H{high:.1f}{ends[1]}"/>'


def _panels(chart: Chart) -> Picture:
    """Draw bars side by side over one list of names; means, which do not start at 0, as points."""
    left, gap = _name_width(chart), 54
    width = (WIDTH - left - gap * len(chart.drawn_columns)) / len(chart.drawn_columns)
    rows = [(40.0 + ROW_HEIGHT * place, row) for place, row in enumerate(chart.rows)]
    parts = [draw.text(left - 8, y, str(row[0]), css="name", anchor="end") for y, row in rows]
    for panel, column in enumerate(chart.drawn_columns):
        start, css = left + panel * (width + gap), f"s{panel % 2}"
        parts.append(draw.text(start, 12, chart.columns[column], css="name"))
        values = [(y, value) for y, row in rows if (value := _value(row[column])) is not None]
        lowest, largest = (bound(value for _, value in values) for bound in (min, max))
        is_mean = "mean" in chart.columns[column]
        pad = max(MEAN_PAD, MEAN_PAD * (largest - lowest))
        low, high = (lowest - pad, largest + pad / 3) if is_mean else (0.0, largest or 1.0)
        x = Axis(ticks=(), low=low, high=high, start=start, end=start + width)
        for y, value in values:
            end, value_text = x.at(value), f"{value:.2f}" if is_mean else number(value)
            if is_mean:
                parts.append(draw.horizontal(start, end, y))
                parts.append(f'<circle class="{css}" cx="{end:.1f}" cy="{y:.1f}" r="4.5"/>')
            else:
                parts.append(draw.bar(start, y - BAR_HEIGHT / 2, end - start, BAR_HEIGHT, css=css))
            parts.append(draw.text(end + 8, y, value_text, css="value"))
    return 40 + ROW_HEIGHT * len(chart.rows), parts


def _columns(chart: Chart) -> Picture:
    """Draw upright bars with their intervals."""
    left, base = 8.0, 210.0
    y = Axis(ticks=(), low=0.0, high=_largest(chart), start=base, end=26.0)
    width = (WIDTH - 2 * left) / max(len(chart.rows), 1)
    bar_width, column = min(64.0, 0.72 * width), chart.drawn_columns[0]
    parts = [draw.horizontal(left, WIDTH - left, base)]
    for place, row in enumerate(chart.rows):
        middle, value = left + width * (place + 0.5), _value(row[column])
        parts.append(draw.text(middle, base + 14, str(row[0]), css="name", anchor="middle"))
        if value is None:
            continue
        top = y.at(value)
        parts.append(draw.bar(middle - bar_width / 2, top, bar_width, base - top, css="s0"))
        if interval := _interval(chart, row):
            low, high = (y.at(min(bound, y.high)) for bound in interval)
            parts.append(f'<path class="bound" d="M{middle:.1f} {low:.1f}V{high:.1f}"/>')
            top = min(top, high)
        parts.append(draw.text(middle, top - 9, number(value), css="value", anchor="middle"))
    parts.append(draw.text(WIDTH / 2, base + 34, chart.columns[0], anchor="middle"))
    return base + 44, parts


def _lines(chart: Chart) -> Picture:
    """Draw lines over years, and a band for the interval of the first."""
    years = [float(str(row[0])) for row in chart.rows]
    x = draw.linear_axis(years, 46.0, WIDTH - 16.0, integers=True, padding=0, separator="")
    y = draw.axis_from_zero(_largest(chart), 220.0, 34.0)
    series = []
    for place, column in enumerate(chart.drawn_columns):
        values = zip(years, (_value(row[column]) for row in chart.rows), strict=True)
        points = [(year, value) for year, value in values if value is not None]
        if points:
            color, dashed = COLORS[place], place == 1
            line = draw.Series(points=points, color=color, dashed=dashed, with_points=False)
            series.append(line)
    lines = draw.draw_lines(series, x=x, y=y, x_label=chart.columns[0])
    return 266.0, [*_legend(chart), *_band(chart, years, x, y), *lines]


def _band(chart: Chart, years: Sequence[float], x: Axis, y: Axis) -> list[str]:
    intervals = [
        (year, interval)
        for year, row in zip(years, chart.rows, strict=True)
        if (interval := _interval(chart, row))
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
        parts.append(draw.bar(x, 5, 12, 10, css=f"s{place}"))
        parts.append(draw.text(x + 18, 10, chart.columns[column], css="name"))
        x += 40 + 6.6 * len(chart.columns[column])
    return parts
