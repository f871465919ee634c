"""The report as Markdown, for Git and for mail: the same findings, a table for each chart.

Titles, genres and tags come from the data: M*A*S*H must not turn italic, and no <tag> may act.
"""

import re

from marquee.insights.finding import Chart, Finding
from marquee.insights.render.formatting import shown, span
from marquee.insights.render.html import cell_text
from marquee.insights.report import HOW_TO_READ, Report

MARKUP = re.compile(r"([\\*_\[\]<>`|])")


def markdown(report: Report) -> str:
    parts = [f"# {safe(report.title)}", safe(report.facts), *map(safe, report.notes)]
    if report.summary:
        parts.append(f"## {report.summary_title}")
        parts.append(
            "\n".join(
                f"{place}. **{safe(finding.title)}.** {safe(finding.so_what)}"
                for place, finding in enumerate(report.summary, 1)
            )
        )
    parts += [
        "## What this data cannot tell",
        "\n".join(f"* {each}" for each in report.cannot_tell),
    ]
    for title, findings, notes in (
        ("The findings", report.told, [HOW_TO_READ]),
        ("Not told by this data", report.untold, []),
    ):
        if findings:
            parts += [f"## {title}", *notes, *(text for each in findings for text in section(each))]
    return "\n\n".join([*parts, report.made]) + "\n"


def section(finding: Finding) -> list[str]:
    parts = [f"### {safe(finding.title)}"]
    if finding.number is not None:
        bounds, of = span(finding.number, finding.unit), f"{finding.n:,} {safe(finding.n_of)}"
        parts.append(
            f"**{shown(finding.number.mean, finding.unit)}** {safe(finding.what)} "
            f"(95% interval {bounds}, {of})"
        )
    parts.append(safe(finding.sentence))
    if finding.chart is not None and finding.chart.rows:
        parts += [f"{finding.chart.title}:", table(finding.chart)]
    said = (
        ("So what", safe(finding.so_what)),
        ("Lever", finding.lever),
        ("How sure", finding.how_sure),
        ("How we will know", finding.how_we_will_know),
    )
    lines = [f"* **{name}:** {text}" for name, text in said if text]
    return [*parts, "\n".join(lines)] if lines else parts


def table(chart: Chart) -> str:
    def line(cells: list[str]) -> str:
        return f"| {' | '.join(map(safe, cells))} |"

    rows = [line([cell_text(cell) for cell in row]) for row in chart.rows]
    return "\n".join([line(list(chart.columns)), line(["---"] * len(chart.columns)), *rows])


def safe(text: str) -> str:
    """As it stands in the data, whatever it would mean in Markdown."""
    return MARKUP.sub(r"\\\1", text)
