"""Findings: what the ratings say, for who decides, from the reports that lie in FINDINGS.

Each report is a folder with `findings.json`: {"findings": [{"title", "sentence", …}, …]}. Every
field of a finding is shown under its name, so that a report that says more loses nothing.
"""

import json
import os
from pathlib import Path
from typing import Any

import streamlit as st

from app_pages import parts

HEADS = ("title", "name", "id")
SENTENCES = ("sentence", "finding", "text")


def show() -> None:
    st.title("Findings", anchor=False)
    folder = Path(os.environ.get("FINDINGS", "reports"))
    reports = sorted(folder.glob("*/findings.json"))
    if not reports:
        st.info(
            f"There is no report in the folder “{folder}”: `make findings DATA=NAME` writes "
            "NAME/findings.json (the setting FINDINGS names another folder).",
            icon=":material/insights:",
        )
        return
    path = st.selectbox("Report", reports, format_func=lambda path: path.parent.name)
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        st.error(f"{path} cannot be read: {error}", icon=":material/error:")
        return
    findings = report.get("findings") if isinstance(report, dict) else report
    if not isinstance(findings, list) or not findings:
        st.warning(f"{path} holds no findings.")
        return
    for finding in findings:
        with st.container(border=True):
            card(finding)
    rest = (
        {key: value for key, value in report.items() if key != "findings"}
        if isinstance(report, dict)
        else {}
    )
    if rest:
        with st.expander("About this report"):
            st.json(rest)


def card(finding: Any) -> None:
    """One finding: its heading, its sentence, then every field as text or as a table."""
    if not isinstance(finding, dict):
        st.markdown(parts.plain(str(finding)))
        return
    head = next((key for key in HEADS if finding.get(key)), "")
    sentence = next((key for key in SENTENCES if finding.get(key)), "")
    if head:
        st.subheader(parts.plain(str(finding[head])), anchor=False)
    if sentence:
        st.markdown(parts.plain(str(finding[sentence])))
    for key, value in finding.items():
        if key not in (head, sentence):
            field(key.replace("_", " "), value)


def field(name: str, value: Any) -> None:
    if (
        isinstance(value, dict)
        and value
        and not any(isinstance(one, (dict, list)) for one in value.values())
    ):
        st.caption(name)
        st.dataframe(
            {"": list(map(str, value)), name: list(map(str, value.values()))}, hide_index=True
        )
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        st.caption(name)
        st.dataframe(value, hide_index=True)
    elif isinstance(value, (dict, list)):
        with st.expander(name):
            st.json(value)
    elif value is not None:
        st.markdown(f"**{parts.plain(name)}**: {parts.plain(str(value))}")


show()
