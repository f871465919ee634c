"""The report as Markdown, for Git and for mail: the same findings, with a table for each chart.

Titles, genres and tags come from the data. So M*A*S*H must not turn italic, and a <tag> must not
act.
"""

import re

from marquee.insights.finding import Chart, Finding
from marquee.insights.render.formatting import interval_text, with_unit
from marquee.insights.render.html import cell_text
from marquee.insights.report import HOW_TO_READ, Report

MARKUP = re.compile(r"([\\*_\[\]<>`|])")


def markdown(report: Report) -> str:
    """Return the text of the file."""
    parts = [f"# {escape(report.title)}", escape(report.facts), *map(escape, report.notes)]
    if report.summary:
        parts.append(f"## {report.summary_title}")
        parts.append(
            "\n".join(
                f"{place}. **{escape(finding.title)}.** {escape(finding.action)}"
                for place, finding in enumerate(report.summary, 1)
            )
        )
    parts += [
        "## What this data cannot tell",
        "\n".join(f"* {sentence}" for sentence in report.cannot_tell),
    ]
    for title, findings, notes in (
        ("The findings", report.available_findings, [HOW_TO_READ]),
        ("Not enough data to tell", report.unavailable_findings, []),
    ):
        if findings:
            parts += [f"## {title}", *notes]
            parts += [text for finding in findings for text in section(finding)]
    return "\n\n".join([*parts, report.footer]) + "\n"


def section(finding: Finding) -> list[str]:
    """Return the paragraphs of one finding."""
    parts = [f"### {escape(finding.title)}"]
    if finding.number is not None:
        bounds = interval_text(finding.number, finding.unit)
        parts.append(
            f"**{with_unit(finding.number.mean, finding.unit)}** {escape(finding.meaning)} "
            f"(95% interval {bounds}, {finding.n:,} {escape(finding.unit_of_n)})"
        )
    parts.append(escape(finding.sentence))
    if finding.chart is not None and finding.chart.rows:
        parts += [f"{finding.chart.title}:", table(finding.chart)]
    advice = (
        ("So what", escape(finding.action)),
        ("Lever", finding.lever),
        ("How sure", finding.how_sure),
        ("How we will know", finding.how_we_will_know),
    )
    lines = [f"* **{name}:** {text}" for name, text in advice if text]
    return [*parts, "\n".join(lines)] if lines else parts


def table(chart: Chart) -> str:
    """Return the chart's table."""

    def line(cells: list[str]) -> str:
        return f"| {' | '.join(map(escape, cells))} |"

    rows = [line([cell_text(cell) for cell in row]) for row in chart.rows]
    return "\n".join([line(list(chart.columns)), line(["---"] * len(chart.columns)), *rows])


def escape(text: str) -> str:
    """Escape text of the data, whatever it would mean in Markdown."""
    return MARKUP.sub(r"\\\1", text)
