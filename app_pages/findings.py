"""Findings: the reports for decision makers that `make findings` wrote.

Everything shown comes from FINDINGS/NAME/findings.json, words and numbers unchanged. The charts are
drawn again from their tables.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app_pages import widgets

Record = Mapping[str, Any]
"""A JSON object of the report."""

BAR_PX, UPRIGHT_CHART_PX = 30, 260
INTERVAL_COLOR = "#8a8178"
"""The line from low to high: visible on light and on dark."""
ADVICE_KEYS = {
    "So what": "so_what",
    "Lever": "lever",
    "How sure": "how_sure",
    "How we will know": "how_we_will_know",
}


def show() -> None:
    folder = Path(os.environ.get("FINDINGS", "reports"))
    paths = sorted(folder.glob("*/findings.json"))
    if not paths:
        st.title("Findings", anchor=False)
        st.info(
            f"There is no report in the folder “{folder}”: `make findings DATA=NAME` writes "
            "NAME/findings.json (the setting FINDINGS names another folder).",
            icon=":material/insights:",
        )
        return
    path = paths[0]
    if len(paths) > 1:
        path = st.selectbox("Report", paths, format_func=lambda path: path.parent.name)
    try:
        show_report(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        st.title("Findings", anchor=False)
        st.error(
            f"{path} is no report that can be shown ({error!r}); "
            f"make findings DATA={path.parent.name} writes it again",
            icon=":material/error:",
        )
        return
    download_buttons(path)


def show_report(report: Record) -> None:
    """Show the report in its own order.

    The order is summary, limits of the data, then each finding.
    """
    available = [finding for finding in report["findings"] if finding["told"]]
    unavailable = [finding for finding in report["findings"] if not finding["told"]]
    st.title(widgets.plain(report["title"]), anchor=False)
    st.caption(widgets.plain(report["facts"]))
    for note in report["notes"]:
        st.info(widgets.plain(note))
    if summary := report["executive_summary"]:
        by_id = {finding["id"]: finding for finding in available}
        st.subheader("In short, and what to do", anchor=False)
        st.markdown("\n".join(summary_line(by_id[entry["id"]]) for entry in summary))
    st.subheader("What this data cannot tell", anchor=False)
    st.markdown("\n".join(f"- {widgets.plain(sentence)}" for sentence in report["cannot_tell"]))
    for name, findings in {
        "The findings": available,
        "Not told by this data": unavailable,
    }.items():
        if findings:
            st.header(name, anchor=False)
        if findings is available:
            st.caption(widgets.plain(report["how_to_read"]))
        for finding in findings:
            with st.container(border=True):
                show_finding(finding)


def summary_line(finding: Record) -> str:
    return f"1. **{widgets.plain(finding['title'])}.** {widgets.plain(finding['so_what'])}"


def show_finding(finding: Record) -> None:
    """Show the verdict, the number, the chart with its table, and the advice."""
    st.subheader(widgets.plain(finding["title"]), anchor=False)
    if finding["shown"] is not None:
        st.markdown(
            f"**:primary[{widgets.plain(finding['shown'])}]** {widgets.plain(finding['what'])} "
            f":small[95% interval {widgets.plain(finding['interval'])}, "
            f"{finding['n']:,} {finding['n_of']}]"
        )
    st.markdown(widgets.plain(finding["sentence"]))
    chart = finding["chart"]
    if chart is not None and chart["rows"]:
        show_chart(chart, finding["id"])
    advice = {name: finding[key] for name, key in ADVICE_KEYS.items() if finding[key]}
    st.markdown("  \n".join(f"**{name}**: {with_code(text)}" for name, text in advice.items()))


def with_code(text: str) -> str:
    """Escape Markdown, but keep `names` as code."""
    return "`".join(
        part if number % 2 else widgets.plain(part) for number, part in enumerate(text.split("`"))
    )


def show_chart(chart: Record, key: str) -> None:
    """Draw the chart, and show every column of its table."""
    st.markdown(f"**{widgets.plain(chart['title'])}**")
    names, columns = chart["columns"], list(zip(*chart["rows"], strict=True))
    if chart["kind"] == "panels":
        panels = st.columns(len(chart["drawn"]))
        for column, panel in zip(chart["drawn"], panels, strict=True):
            panel.vega_lite_chart(chart_spec(chart, [column]), key=f"{key}-{column}")
    else:
        st.vega_lite_chart(chart_spec(chart, chart["drawn"]), key=key)
    widgets.table(dict(zip(names, columns, strict=True)), chart["title"])


def chart_spec(chart: Record, columns: Sequence[int]) -> dict[str, Any]:
    """Return Vega-Lite of the given columns: bars, points, or lines over years.

    A single column is drawn with its interval, where the chart has one. Several columns differ by
    colour, and have a legend.
    """
    names, rows, band = chart["columns"], chart["rows"], chart["band"]
    is_horizontal, has_many = chart["kind"] in ("bars", "panels"), len(columns) > 1
    values = [{"of": row[0], "value": row[n], "name": names[n]} for row in rows for n in columns]
    category_axis, value_axis = ("y", "x") if is_horizontal else ("x", "y")
    category = {
        "field": "of",
        "type": "ordinal",
        "sort": None,
        "axis": {"labelLimit": 300, "labelAngle": 0, "labelOverlap": True},
        "title": None if is_horizontal else names[0],
    }
    value = {"field": "value", "type": "quantitative", "stack": None}
    title = {"title": None if has_many else names[columns[0]]}
    encoding: dict[str, Any] = {category_axis: category, value_axis: value | title}
    encoding["tooltip"] = [{"field": field} for field in ("of", "name", "value")]
    if has_many:
        legend = {"orient": "bottom", "columns": 1, "labelLimit": 0}
        by_name = {"field": "name", "sort": None}
        encoding["color"] = by_name | {"title": None, "legend": legend}
        if chart["kind"] != "lines":
            encoding[f"{category_axis}Offset"] = by_name
    mark: dict[str, Any] = {"type": "bar", "cornerRadiusEnd": 3}
    if chart["kind"] == "lines":
        mark = {"type": "line", "point": True}
    if chart["kind"] == "panels" and "mean" in names[columns[0]]:  # a mean of 0 stars cannot be
        mark = {"type": "point", "filled": True, "size": 90}
        encoding[value_axis] = value | title | {"scale": {"zero": False, "padding": 12}}
    layers: list[dict[str, Any]] = [{"mark": mark, "encoding": encoding}]
    if band is not None and not has_many:
        ends = [{"of": row[0], "low": row[band[0]], "high": row[band[1]]} for row in rows]
        low = {"field": "low", "type": "quantitative"} | title
        interval = {category_axis: category, value_axis: low, f"{value_axis}2": {"field": "high"}}
        rule = {"type": "rule", "strokeWidth": 2, "color": INTERVAL_COLOR}
        layers.append({"data": {"values": ends}, "mark": rule, "encoding": interval})
    height = BAR_PX * len(rows) * len(columns) + 40 if is_horizontal else UPRIGHT_CHART_PX
    return {"data": {"values": values}, "layer": layers, "height": height}


def download_buttons(path: Path) -> None:
    """Offer the report's files unchanged.

    The HTML page is one file that needs no network.
    """
    with st.container(horizontal=True):
        for name, kind in (("findings.html", "text/html"), ("findings.json", "application/json")):
            file = path.with_name(name)
            if file.is_file():
                label = f"{path.parent.name}-{name}"
                st.download_button(f"Download {name}", file.read_bytes(), label, kind)


show()
