"""The report as one HTML file, and as Markdown with a table for each chart.

The HTML file (report.html.j2, report.css) fetches nothing and runs no script, so it can be mailed
and kept. In print no finding is split. Titles, genres and tags come from the data: the templates
escape them, so that M*A*S*H does not turn italic in Markdown and a <tag> does not act.
"""

import re
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from marquee.core import svg_charts
from marquee.insights.finding import Cell
from marquee.insights.render.charts import svg
from marquee.insights.report import Report

MARKDOWN_MARKUP = re.compile(r"([\\*_\[\]<>`|])")


def html(report: Report) -> str:
    """Return the text of the HTML file."""
    environment = _environment(autoescape=True)
    environment.filters |= {"svg": lambda chart: Markup(svg(chart)), "code": code_html}
    template = environment.get_template("report.html.j2")
    return template.render(report=report, chart_style=Markup(svg_charts.STYLE))


def markdown(report: Report) -> str:
    """Return the text of the Markdown file."""
    environment = _environment(autoescape=False)
    environment.filters["escape_markdown"] = escape_markdown
    return environment.get_template("report.md.j2").render(report=report)


def _environment(autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("marquee.insights", "render"),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters["cell"] = cell_text
    return environment


def cell_text(cell: Cell) -> str:
    """Write a cell: floats with two decimals, whole numbers as they are (years)."""
    if cell is None or cell != cell:
        return "–"
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)


def code_html(text: str) -> Markup:
    """Escape text, and set `names` as code."""
    return Markup(re.sub("`(.*?)`", r"<code>\1</code>", escape(text, quote=False)))


def escape_markdown(text: str) -> str:
    return MARKDOWN_MARKUP.sub(r"\\\1", text)
