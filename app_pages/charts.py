"""Charts as plain Vega-Lite, with their numbers in a table below.

Altair would import pandas in one session while it looks at pandas in another, and the first visitor
after a start saw an error.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import streamlit as st

UPRIGHT_CHART_PX = 260
INTERVAL_COLOR = "#8a8178"  # visible on light and on dark
BAR = {"type": "bar", "cornerRadiusEnd": 3}
LINE = {"type": "line", "point": True}
POINT = {"type": "point", "filled": True, "size": 90}
Columns = Mapping[str, Sequence[Any]]
"""Name -> values. The first column holds the categories."""


def table(columns: Columns, name: str) -> None:
    """Show the numbers of a chart, folded in."""
    with st.expander(f"The numbers: {name}"):
        st.dataframe(dict(columns), hide_index=True, width="stretch")


def spec(
    columns: Columns,
    *,
    mark: Mapping[str, Any] = BAR,
    horizontal: bool = True,
    bar_px: int = 30,
    axis: Mapping[str, Any] = MappingProxyType({}),
    interval: Sequence[Sequence[float]] = (),
) -> dict[str, Any]:
    """Return Vega-Lite of one or more columns by category, in the order given.

    Several columns differ by colour, and have a legend. The interval (low, high) belongs to a
    single column. Points stand for means: their axis need not begin at 0. axis: options of
    Vega-Lite for the numbers.
    """
    (category_name, categories), *series = columns.items()
    has_legend = len(series) > 1
    category_axis, value_axis = ("y", "x") if horizontal else ("x", "y")
    category = {
        "field": "of",
        "type": "ordinal",
        "sort": None,
        "axis": {"labelLimit": 300, "labelAngle": 0, "labelOverlap": True},
        "title": None if horizontal else category_name,
    }
    value: dict[str, Any] = {"field": "value", "type": "quantitative", "stack": None}
    value |= {"title": None if has_legend else series[0][0], "axis": dict(axis)}
    if mark == POINT:
        value["scale"] = {"zero": False, "padding": 12}
    number = {"field": "value", "format": axis.get("format", "")}
    encoding: dict[str, Any] = {category_axis: category, value_axis: value}
    encoding["tooltip"] = [{"field": "of"}, {"field": "name"}, number]
    if has_legend:
        by_name = {"field": "name", "sort": None}
        legend = {"orient": "bottom", "columns": 1, "labelLimit": 0}
        encoding["color"] = by_name | {"title": None, "legend": legend}
        if mark != LINE:
            encoding[f"{category_axis}Offset"] = by_name
    layers: list[dict[str, Any]] = [{"mark": mark, "encoding": encoding}]
    if interval and not has_legend:
        ends = [
            {"of": of, "low": a, "high": b} for of, a, b in zip(categories, *interval, strict=True)
        ]
        low = {"field": "low", "type": "quantitative", "title": value["title"]}
        span = {category_axis: category, value_axis: low, f"{value_axis}2": {"field": "high"}}
        rule = {"type": "rule", "strokeWidth": 2, "color": INTERVAL_COLOR}
        layers.append({"data": {"values": ends}, "mark": rule, "encoding": span})
    values = [
        {"of": of, "name": name, "value": value}
        for name, numbers in series
        for of, value in zip(categories, numbers, strict=True)
    ]
    height = bar_px * len(values) + 40 if horizontal else UPRIGHT_CHART_PX
    return {"data": {"values": values}, "layer": layers, "height": height}
