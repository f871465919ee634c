"""The report as one HTML file that fetches nothing and runs no script: it can be mailed and kept.

The page begins with five findings and their actions, then the limits of the data, then a card for
each finding. The numbers of a chart open below it. In print no card is split.
"""

from html import escape

from marquee.insights.finding import Cell, Chart, Finding
from marquee.insights.render.formatting import interval_text, with_unit
from marquee.insights.render.svg import STYLE, svg
from marquee.insights.report import HOW_TO_READ, Report

CSS = f"""
:root {{ color-scheme: light dark; --paper: #fff; --card: #f6f7f9; --ink: #1d2430; --soft: #5b6472;
  --line: #e0e4e9; --one: #0f62a8; --two: #e0893f; --unavailable: #8a5a00;
  --shade: #0003; }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #14181f; --card: #1b212b; --ink: #e4e8ee;
  --soft: #a2abb8; --line: #2f3742; --one: #5aaeea; --two: #f0a35f; --unavailable: #e0b060;
  --shade: #fff4; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 56rem; background: var(--paper);
  color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }}
h1 {{ font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; }}
h2 {{ font-size: 1.3rem; margin: 2.6rem 0 .8rem; }}
h3 {{ font-size: 1.15rem; line-height: 1.3; margin: 0 0 .5rem; }}
.facts, .note, .how {{ color: var(--soft); margin: 0 0 .3rem; }}
ol.five {{ list-style: none; counter-reset: five; padding: 0; margin: 0; display: grid;
  gap: .8rem; }}
ol.five li {{ counter-increment: five; background: var(--card); border-radius: .6rem;
  padding: .8rem 1rem .8rem 3.2rem; position: relative; }}
ol.five li::before {{ content: counter(five); position: absolute; left: 1.1rem; top: .55rem;
  font-size: 1.5rem; font-weight: 600; color: var(--one); }}
ol.five a {{ color: inherit; font-weight: 600; text-decoration-color: var(--line); }}
ol.five p {{ margin: .2rem 0 0; color: var(--soft); }}
.how {{ margin-bottom: 1.2rem; font-size: .92rem; }}
article {{ border-top: 1px solid var(--line); padding: 1.6rem 0 .4rem; }}
article > p {{ margin: .3rem 0 .8rem; }}
.number {{ display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 .5rem;
  margin: 0 0 .4rem; }}
.number b {{ font-size: 1.7rem; font-variant-numeric: tabular-nums; color: var(--one); }}
.number span {{ color: var(--soft); font-size: .92rem; }}
.unavailable {{ display: inline-block; color: var(--unavailable); border: 1px solid;
  border-radius: 1rem; padding: 0 .7rem; font-size: .85rem; margin-bottom: .4rem; }}
figure {{ margin: 1rem 0 .4rem; }}
figcaption {{ font-weight: 600; font-size: .95rem; margin-bottom: .4rem; }}
dl {{ display: grid; grid-template-columns: 10.5rem 1fr; gap: .35rem 1rem; margin: 1rem 0; }}
dt {{ font-weight: 600; }} dd {{ margin: 0; }}
dd.analyst, .lever {{ color: var(--soft); font-size: .92rem; }}
code {{ font: .92em ui-monospace, monospace; }}
details {{ margin: .4rem 0; }} summary {{ cursor: pointer; color: var(--soft); }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: right; padding: .2rem 1.1rem .2rem 0; border-bottom: 1px solid var(--line); }}
th:first-child, td:first-child {{ text-align: left; }}
th {{ color: var(--soft); font-weight: 500; }}
{STYLE}
@media (max-width: 40rem) {{ dl {{ grid-template-columns: 1fr; gap: 0; }}
  dd {{ margin-bottom: .6rem; }} h1 {{ font-size: 1.5rem; }}
  svg {{ min-width: 34rem; }}
  figcaption::after {{ content: " (swipe for more)"; font-weight: 400; color: var(--soft); }}
  /* A shadow on the side where a chart goes on: its covers move with the chart, it does not. */
  figure div {{ overflow-x: auto; background:
    linear-gradient(to right, var(--paper) 2rem, transparent) 0 / 3rem 100% local,
    linear-gradient(to left, var(--paper) 2rem, transparent) 100% / 3rem 100% local,
    linear-gradient(to right, var(--shade), transparent) 0 / 1rem 100%,
    linear-gradient(to left, var(--shade), transparent) 100% / 1rem 100%;
    background-repeat: no-repeat; }} }}
@page {{ margin: 14mm; }}
@media print {{ :root {{ color-scheme: light; --paper: #fff; --card: #f6f7f9; --ink: #000;
  --soft: #444; --line: #ccc; --one: #0f62a8; --two: #e0893f; --unavailable: #8a5a00; }}
  html {{ font-size: 9.5pt; }} body {{ font-size: 1rem; line-height: 1.4; padding: 0;
  max-width: none; }} details {{ display: none; }} h2 {{ margin-top: 1.6rem; }}
  article, ol.five li {{ break-inside: avoid; }} h2, .how {{ break-after: avoid; }}
  article {{ padding-top: .8rem; }} dl {{ margin: .5rem 0; gap: .15rem 1rem; }}
  svg {{ max-width: 32rem; }} }}"""


def page(report: Report) -> str:
    """Return the text of the file."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(report.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>",
            f"<header>\n<h1>{escape(report.title)}</h1>",
            f'<p class="facts">{escape(report.facts)}</p>',
            *(f'<p class="note">{escape(note)}</p>' for note in report.notes),
            "</header>",
            *summary(report),
            "<section>\n<h2>What this data cannot tell</h2>\n<ul>",
            *(f"<li>{escape(sentence)}</li>" for sentence in report.cannot_tell),
            "</ul>\n</section>",
            *section("The findings", report.available_findings, HOW_TO_READ),
            *section("Not enough data to tell", report.unavailable_findings),
            f'<footer>\n<p class="note">{escape(report.footer)}</p>\n</footer>',
            "</main>\n</body>\n</html>\n",
        ]
    )


def summary(report: Report) -> list[str]:
    """Return the leading findings with their actions."""
    if not report.summary:
        return []
    items = [
        f'<li><a href="#{finding.id}">{escape(finding.title)}</a>\n'
        f"<p>{escape(finding.action)}</p></li>"
        for finding in report.summary
    ]
    return [
        f"<section>\n<h2>{report.summary_title}</h2>",
        '<ol class="five">',
        *items,
        "</ol>\n</section>",
    ]


def section(title: str, findings: list[Finding], note: str = "") -> list[str]:
    """Return a heading and its findings; nothing if there are none."""
    if not findings:
        return []
    head = [f"<section>\n<h2>{title}</h2>", *([f'<p class="how">{note}</p>'] if note else [])]
    return [*head, *map(card, findings), "</section>"]


def card(finding: Finding) -> str:
    """Return one finding."""
    parts = [f'<article id="{finding.id}">\n<h3>{escape(finding.title)}</h3>']
    if not finding.available:
        parts.append('<span class="unavailable">not enough data</span>')
    if finding.number is not None:
        bounds = interval_text(finding.number, finding.unit)
        parts.append(
            f'<p class="number"><b>{with_unit(finding.number.mean, finding.unit)}</b> '
            f"{escape(finding.meaning)} <span>95% interval {bounds}, "
            f"{finding.n:,} {escape(finding.unit_of_n)}</span></p>"
        )
    parts.append(f"<p>{escape(finding.sentence)}</p>")
    if finding.chart is not None and finding.chart.rows:
        parts.append(figure(finding.chart))
    parts.append(advice(finding))
    return "\n".join([*parts, "</article>"])


def figure(chart: Chart) -> str:
    """Return the picture, and its table to open below."""
    return "\n".join(
        [
            f"<figure>\n<figcaption>{escape(chart.title)}</figcaption>\n"
            f"<div>{svg(chart)}</div>\n</figure>",
            "<details>\n<summary>The numbers behind the chart</summary>",
            f'<div class="scroll">{table(chart)}</div>\n</details>',
        ]
    )


def table(chart: Chart) -> str:
    """Return the chart's table."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in chart.columns)
    rows = [
        "<tr>" + "".join(f"<td>{escape(cell_text(cell))}</td>" for cell in row) + "</tr>"
        for row in chart.rows
    ]
    return "\n".join(
        [f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>", *rows, "</tbody></table>"]
    )


def cell_text(cell: Cell) -> str:
    """Write a cell.

    Floats have two decimals. Whole numbers have no commas, as they may be years.
    """
    if cell is None or cell != cell:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.2f}"
    return str(cell)


def advice(finding: Finding) -> str:
    """Return the action, its certainty, and the metric that will show it."""
    lever = f'<br><span class="lever">Lever: {code(finding.lever)}</span>' if finding.lever else ""
    entries = [
        ("So what", escape(finding.action) + lever if finding.action else "", ""),
        ("How sure", escape(finding.how_sure), ""),
        ("How we will know", code(finding.how_we_will_know), ' class="analyst"'),
    ]
    parts = [f"<dt>{name}</dt><dd{look}>{text}</dd>" for name, text, look in entries if text]
    return "\n".join(["<dl>", *parts, "</dl>"]) if parts else ""


def code(text: str) -> str:
    """Escape text, and set `names` as code."""
    parts = escape(text, quote=False).split("`")
    return "".join(
        f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts)
    )
