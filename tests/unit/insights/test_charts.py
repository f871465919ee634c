"""Pictures of charts: they draw what their table holds."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from marquee.core.bootstrap import Interval
from marquee.insights.finding import Chart
from marquee.insights.render.charts import svg

Table = dict[str, list[Any]]
INTERVALS = [Interval(10.0, 8.0, 12.0), Interval(5.0, 4.0, 6.0)]


def picture(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(svg(chart))


def texts(root: ElementTree.Element) -> list[str | None]:
    return [text.text for text in root.iter("text")]


def test_bars_are_as_long_as_their_values() -> None:
    chart = Chart.from_table("bars", "T & C", {"name": ["a", "b <"], "%": INTERVALS})
    root = picture(chart)
    widths = [float(bar.attrib["width"]) for bar in root.iter("rect")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)
    assert texts(root) == ["a", "10", "b <", "5"]
    assert [child.tag for child in root][:2] == ["title", "desc"]
    assert "the largest is a with 10" in svg(chart)


def test_bars_draw_each_interval() -> None:
    root = picture(Chart.from_table("bars", "T", {"name": ["a", "b"], "%": INTERVALS}))
    assert len([path for path in root.iter("path") if path.attrib["class"] == "bound"]) == 2


def test_bars_of_two_columns_have_a_legend() -> None:
    table: Table = {"name": ["a"], "x": [3.0], "y": [1.0]}
    assert texts(picture(Chart.from_table("bars", "T", table, drawn=("x", "y"))))[:2] == ["x", "y"]


def test_upright_bars_write_value_and_name() -> None:
    root = picture(Chart.from_table("columns", "T", {"stars": ["4", "5"], "%": INTERVALS}))
    assert texts(root) == ["4", "10", "5", "5", "stars"]


def test_lines_leave_out_unknown_values() -> None:
    table: Table = {"year": [2000, 2001, 2002], "n": [3, None, 4]}
    root = picture(Chart.from_table("lines", "T", table))
    (line,) = [path for path in root.iter("path") if "stroke" in path.attrib]
    assert line.attrib["d"].count("L") == 1 and list(root.iter("circle")) == []


def test_lines_draw_a_band_for_the_interval() -> None:
    root = picture(Chart.from_table("lines", "T", {"year": [2000, 2001], "%": INTERVALS}))
    assert [path for path in root.iter("path") if path.attrib.get("class") == "band"]


def test_panels_draw_means_as_points() -> None:
    table: Table = {"genre": ["a", "b"], "% of movies": [1.0, 2.0], "mean stars": [3.5, 3.75]}
    chart = Chart.from_table("panels", "T", table, drawn=("% of movies", "mean stars"))
    root = picture(chart)
    assert len(list(root.iter("rect"))) == len(list(root.iter("circle"))) == 2
    assert {"3.50", "3.75"} <= set(texts(root))


def test_chart_without_values_says_so() -> None:
    assert "nothing to show" in svg(Chart.from_table("bars", "T", {"name": ["a"], "n": [None]}))
