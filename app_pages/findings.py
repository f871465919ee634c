"""Findings: what the ratings say, for who decides: the reports that `make findings` wrote.

Everything shown is read from FINDINGS/NAME/findings.json, words and numbers as they stand there;
the charts are drawn again from their tables.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app_pages import widgets

Part = Mapping[str, Any]

ROW_PX, STANDING_PX = 30, 260
INTERVAL = "#8a8178"
"""Of the line from low to high: told apart on light and on dark."""
ADVICE = {
    "So what": "so_what",
    "Lever": "lever",
    "How sure": "how_sure",
    "How we will know": "how_we_will_know",
}


def show() -> None:
    folder = Path(os.environ.get("FINDINGS", "reports"))
    reports = sorted(folder.glob("*/findings.json"))
    if not reports:
        st.title("Findings", anchor=False)
        st.info(
            f"There is no report in the folder “{folder}”: `make findings DATA=NAME` writes "
            "NAME/findings.json (the setting FINDINGS names another folder).",
            icon=":material/insights:",
        )
        return
    path = reports[0]
    if len(reports) > 1:
        path = st.selectbox("Report", reports, format_func=lambda path: path.parent.name)
    try:
        read(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        st.title("Findings", anchor=False)
        st.error(
            f"{path} is no report that can be shown ({error!r}); "
            f"make findings DATA={path.parent.name} writes it again",
            icon=":material/error:",
        )
        return
    download(path)


def read(report: Part) -> None:
    """The report in its own order: what to do, what it cannot tell, then each finding."""
    told = [finding for finding in report["findings"] if finding["told"]]
    untold = [finding for finding in report["findings"] if not finding["told"]]
    st.title(widgets.plain(report["title"]), anchor=False)
    st.caption(widgets.plain(report["facts"]))
    for note in report["notes"]:
        st.info(widgets.plain(note))
    if leading := report["executive_summary"]:
        by_id = {finding["id"]: finding for finding in told}
        st.subheader("In short, and what to do", anchor=False)
        st.markdown("\n".join(map(line, (by_id[each["id"]] for each in leading))))
    st.subheader("What this data cannot tell", anchor=False)
    st.markdown("\n".join(f"- {widgets.plain(sentence)}" for sentence in report["cannot_tell"]))
    for name, findings in {"The findings": told, "Not told by this data": untold}.items():
        if findings:
            st.header(name, anchor=False)
        if findings is told:
            st.caption(widgets.plain(report["how_to_read"]))
        for finding in findings:
            with st.container(border=True):
                card(finding)


def line(finding: Part) -> str:
    return f"1. **{widgets.plain(finding['title'])}.** {widgets.plain(finding['so_what'])}"


def card(finding: Part) -> None:
    """Verdict, number, sentence, chart with its table, and what follows from it."""
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
        drawn(chart, finding["id"])
    advice = {name: finding[key] for name, key in ADVICE.items() if finding[key]}
    st.markdown("  \n".join(f"**{name}**: {said(text)}" for name, text in advice.items()))


def said(text: str) -> str:
    """Plain, but for `names`, which are set as code."""
    return "`".join(
        part if place % 2 else widgets.plain(part) for place, part in enumerate(text.split("`"))
    )


def drawn(chart: Part, key: str) -> None:
    """The chart, and every column of its table."""
    st.markdown(f"**{widgets.plain(chart['title'])}**")
    names, columns = chart["columns"], list(zip(*chart["rows"], strict=True))
    if chart["kind"] == "panels":
        for place, column in zip(chart["drawn"], st.columns(len(chart["drawn"])), strict=True):
            column.vega_lite_chart(spec(chart, [place]), key=f"{key}-{place}")
    else:
        st.vega_lite_chart(spec(chart, chart["drawn"]), key=key)
    widgets.table(dict(zip(names, columns, strict=True)), chart["title"])


def spec(chart: Part, places: Sequence[int]) -> dict[str, Any]:
    """Vega-Lite: bars lying or standing, or lines over years, with the interval of the first where
    it has one; several columns are told by colour, and by name in the legend."""
    names, rows, band = chart["columns"], chart["rows"], chart["band"]
    lies, runs, many = (
        chart["kind"] in ("bars", "panels"),
        chart["kind"] == "lines",
        len(places) > 1,
    )
    values = [{"of": row[0], "value": row[n], "name": names[n]} for row in rows for n in places]
    along, across = ("y", "x") if lies else ("x", "y")
    of = {
        "field": "of",
        "type": "ordinal",
        "sort": None,
        "axis": {"labelLimit": 300, "labelAngle": 0, "labelOverlap": True},
        "title": None if lies else names[0],
    }
    value = {"field": "value", "type": "quantitative", "stack": None}
    title = {"title": None if many else names[places[0]]}
    encoding: dict[str, Any] = {along: of, across: value | title}
    encoding["tooltip"] = [{"field": field} for field in ("of", "name", "value")]
    if many:
        legend = {"orient": "bottom", "columns": 1, "labelLimit": 0}
        by_name = {"field": "name", "sort": None}
        encoding["color"] = by_name | {"title": None, "legend": legend}
        encoding |= {} if runs else {f"{along}Offset": by_name}
    mark = {"type": "line", "point": True} if runs else {"type": "bar", "cornerRadiusEnd": 3}
    if chart["kind"] == "panels" and "mean" in names[places[0]]:  # 0 stars are nobody's mean
        mark = {"type": "point", "filled": True, "size": 90}
        encoding[across] = value | title | {"scale": {"zero": False, "padding": 12}}
    layers: list[dict[str, Any]] = [{"mark": mark, "encoding": encoding}]
    if band is not None and not many:
        ends = [{"of": row[0], "low": row[band[0]], "high": row[band[1]]} for row in rows]
        low = {"field": "low", "type": "quantitative"} | title
        interval = {along: of, across: low, f"{across}2": {"field": "high"}}
        rule = {"type": "rule", "strokeWidth": 2, "color": INTERVAL}
        layers.append({"data": {"values": ends}, "mark": rule, "encoding": interval})
    height = ROW_PX * len(rows) * len(places) + 40 if lies else STANDING_PX
    return {"data": {"values": values}, "layer": layers, "height": height}


def download(path: Path) -> None:
    """The files as they are; the page is one file that needs no network."""
    with st.container(horizontal=True):
        for name, kind in (("findings.html", "text/html"), ("findings.json", "application/json")):
            file = path.with_name(name)
            if file.is_file():
                label = f"{path.parent.name}-{name}"
                st.download_button(f"Download {name}", file.read_bytes(), label, kind)


show()
