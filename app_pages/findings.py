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

from app_pages import address, api, charts, parameters, widgets
from app_pages.widgets import plain
from marquee_client import MarqueeError

Record = Mapping[str, Any]
"""A JSON object of the report."""

ADVICE_KEYS = {
    "So what": "action",
    "Lever": "lever",
    "How sure": "how_sure",
    "How we will know": "how_we_will_know",
}
DOWNLOADS = {"findings.html": "text/html", "findings.json": "application/json"}


@widgets.page
def show() -> None:
    folder = Path(os.environ.get("FINDINGS", "reports"))
    paths = sorted(folder.glob("*/findings.json"))
    if not paths:
        st.title("Findings", anchor=False)
        st.info(
            f"There is no report in the folder “{plain(str(folder))}”. Run `make findings "
            "DATA=NAME` to write one, or name another folder with the setting FINDINGS.",
            icon=":material/insights:",
        )
        return
    path = paths[0]
    if len(paths) > 1:
        by_name = {path.parent.name: path for path in paths}
        choice = address.bound("report", shown_first(list(by_name)), parameters.one_of(by_name))
        path = by_name[st.selectbox("Report", list(by_name), **choice)]
    try:
        show_report(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        st.title("Findings", anchor=False)
        st.error(
            f"{plain(str(path))} is no report that can be shown ({plain(repr(error))}). "
            f"Run `make findings DATA={path.parent.name}` to write it again.",
            icon=":material/error:",
        )
        return
    with st.container(horizontal=True):
        for name, media_type in DOWNLOADS.items():
            file = path.with_name(name)
            if file.is_file():
                label = f"{path.parent.name}-{name}"
                st.download_button(f"Download {name}", file.read_bytes(), label, media_type)


def shown_first(names: Sequence[str]) -> str:
    """Return the report about the data of the service's model; without one, the first."""
    try:
        name = api.data_name()
    except MarqueeError:  # reports need no service
        return names[0]
    return name if name in names else names[0]


def show_report(report: Record) -> None:
    """Show the report in its own order: summary, limits, then each finding."""
    available = [finding for finding in report["findings"] if finding["available"]]
    unavailable = [finding for finding in report["findings"] if not finding["available"]]
    st.title(plain(report["title"]), anchor=False)
    st.caption(plain(report["facts"]))
    for note in report["notes"]:
        st.info(plain(note))
    by_id = {finding["id"]: finding for finding in available}
    summary = [by_id[entry["id"]] for entry in report["executive_summary"]]
    if summary:
        st.subheader("In short, and what to do", anchor=False)
        st.markdown(
            "\n".join(f"1. **{plain(each['title'])}.** {plain(each['action'])}" for each in summary)
        )
    st.subheader("What this data does not show", anchor=False)
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in report["limits"]))
    for name, findings in {"The findings": available, "Not enough data": unavailable}.items():
        if findings:
            st.header(name, anchor=False)
        if findings is available:
            st.caption(plain(report["how_to_read"]))
        for finding in findings:
            with st.container(border=True):
                show_finding(finding)


def show_finding(finding: Record) -> None:
    st.subheader(plain(finding["title"]), anchor=False)
    if finding["value_text"] is not None:
        st.markdown(
            f"**:primary[{plain(finding['value_text'])}]** {plain(finding['meaning'])} "
            f":small[95% interval {plain(finding['interval_text'])}, "
            f"{finding['n']:,} {plain(finding['unit_of_n'])}]"
        )
    st.markdown(plain(finding["sentence"]))
    chart = finding["chart"]
    if chart is not None and chart["rows"]:
        show_chart(chart, finding["id"])
    advice = {name: finding[key] for name, key in ADVICE_KEYS.items() if finding[key]}
    st.markdown("  \n".join(f"**{name}**: {with_code(text)}" for name, text in advice.items()))


def with_code(text: str) -> str:
    """Escape Markdown, but keep `names` as code."""
    return "`".join(
        part if number % 2 else plain(part) for number, part in enumerate(text.split("`"))
    )


def show_chart(chart: Record, key: str) -> None:
    st.markdown(f"**{plain(chart['title'])}**")
    columns = dict(zip(chart["columns"], zip(*chart["rows"], strict=True), strict=True))
    names = [chart["columns"][n] for n in (0, *chart["drawn_columns"])]
    interval = [columns[chart["columns"][n]] for n in chart["interval_columns"] or ()]
    if chart["kind"] == "panels":
        for name, panel in zip(names[1:], st.columns(len(names) - 1), strict=True):
            mark = charts.POINT if "mean" in name else charts.BAR
            pair = {names[0]: columns[names[0]], name: columns[name]}
            spec = charts.spec(pair, mark=mark, interval=interval)
            panel.vega_lite_chart(spec, key=f"{key}-{name}")
    else:
        mark = charts.LINE if chart["kind"] == "lines" else charts.BAR
        series = {name: columns[name] for name in names}
        is_horizontal = chart["kind"] == "bars"
        spec = charts.spec(series, mark=mark, horizontal=is_horizontal, interval=interval)
        st.vega_lite_chart(spec, key=key)
    charts.table(columns, chart["title"])


show()
