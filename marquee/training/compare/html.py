"""A comparison as one HTML file: tables, learning curves, light and dark.

The file fetches nothing and runs no script, so it can be mailed, archived, or opened years later.
Names and settings are escaped, whatever they hold. The same runs give the same bytes.
"""

from collections.abc import Sequence
from html import escape

from marquee.core.svg_charts import STYLE
from marquee.training.compare.curves import NUM_COLORS, chart, panels, run_color
from marquee.training.compare.run_types import Run
from marquee.training.compare.tables import Table, number_text

LIGHT = ("#0f62a8", "#c4500e", "#0b7f5c", "#a8437f", "#8a6d00", "#3b93c9", "#5f6773")
DARK = ("#5aaeea", "#f0894f", "#3fc79a", "#e691c1", "#d9b23f", "#9ad0f2", "#a7afbb")
assert len(LIGHT) == len(DARK) == NUM_COLORS
VERDICT_CLASSES = {"better": "better", "worse": "worse"}
"""CSS classes of the verdicts that are highlighted."""
CSS = f"""
:root {{ color-scheme: light dark; --paper: #fff; --ink: #1d2430; --soft: #5b6472; --line: #e3e6ea;
  --better: #0b7f5c; --worse: #b3380c; --warn: #fff4e0;
  {" ".join(f"--run-{n}: {color};" for n, color in enumerate(LIGHT))} }}
@media (prefers-color-scheme: dark) {{ :root {{ --paper: #14181f; --ink: #e4e8ee; --soft: #9aa3b0;
  --line: #2b323d; --better: #3fc79a; --worse: #f0894f; --warn: #3a2e14;
  {" ".join(f"--run-{n}: {color};" for n, color in enumerate(DARK))} }} }}
body {{ margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 86rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.5rem; margin: 0 0 1.5rem; }}
h2 {{ font-size: 1.05rem; margin: 2.25rem 0 .5rem; }}
h3 {{ font-size: .9rem; font-weight: 600; margin: 0 0 .25rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; padding: .3rem 1.5rem .3rem 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }}
th {{ color: var(--soft); font-weight: 500; }}
.better {{ color: var(--better); font-weight: 600; }}
.worse {{ color: var(--worse); font-weight: 600; }}
.key {{ display: inline-block; width: 1.1rem; height: .2rem; margin-right: .5rem;
  vertical-align: middle; border-radius: 1px; }}
p {{ margin: .5rem 0 0; max-width: 62rem; color: var(--soft); }}
p.warning {{ background: var(--warn); color: var(--ink); padding: .5rem .75rem; }}
.charts {{ display: grid; gap: 1.5rem 2.5rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); }}
figure {{ margin: 0; min-width: 0; }}
svg {{ display: block; width: 100%; height: auto; max-width: 40rem; }}
details {{ margin-top: 1rem; }}
summary {{ cursor: pointer; color: var(--soft); }}
{STYLE}"""


def page(runs: Sequence[Run], tables: Sequence[Table]) -> str:
    """Return the whole file.

    tables: those that the terminal shows, the list of runs first.
    """
    names = " · ".join(run.label for run in runs)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(names)}</title>\n<style>{CSS}</style>\n</head>\n<body>",
            f"<h1>{len(runs)} run{'s' * (len(runs) > 1)} compared</h1>",
            section(tables[0], keyed=True),
            charts(runs),
            *(section(table) for table in tables[1:]),
            "</body>\n</html>\n",
        ]
    )


def section(table: Table, keyed: bool = False) -> str:
    parts = [f"<section>\n<h2>{escape(table.title)}</h2>"]
    if table.rows:
        parts.append(grid(table, keyed))
    for note in table.notes:
        css_class = ' class="warning"' if note.startswith("WARNING") else ""
        parts.append(f"<p{css_class}>{escape(note)}</p>")
    return "\n".join([*parts, "</section>"])


def grid(table: Table, keyed: bool = False) -> str:
    """Return a table.

    keyed: its rows are the runs, in order, and have their colours.
    """
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    parts = [f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>']
    for number, row in enumerate(table.rows, 1):
        cells = [td(cell) for cell in row]
        if keyed:
            cells[0] = f"<td>{color_key(number)}{escape(row[0])}</td>"
        parts.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*parts, "</tbody>\n</table></div>"])


def td(cell: str) -> str:
    css_class = f' class="{VERDICT_CLASSES[cell]}"' if cell in VERDICT_CLASSES else ""
    return f"<td{css_class}>{escape(cell)}</td>"


def color_key(number: int) -> str:
    color, dashed = run_color(number)
    gap = f"linear-gradient(90deg, {color} 40%, transparent 40%, transparent 60%, {color} 60%)"
    return f'<span class="key" style="background: {gap if dashed else color}"></span>'


def charts(runs: Sequence[Run]) -> str:
    """Return the learning curves, and their numbers."""
    figures = [
        f"<figure>\n<h3>{escape(panel.title)}</h3>\n{chart(panel, runs)}\n</figure>"
        for panel in panels(runs)
    ]
    return "\n".join(
        [
            "<section>\n<h2>Learning curves</h2>",
            f'<div class="charts">\n{chr(10).join(figures)}\n</div>',
            "<p>A ring marks the selected epoch.</p>",
            "<details>\n<summary>The numbers behind the curves</summary>",
            grid(curve_numbers(runs)),
            "</details>\n</section>",
        ]
    )


def curve_numbers(runs: Sequence[Run]) -> Table:
    """Return the values of the curves, one row an epoch."""
    head, columns = ["epoch"], []
    last_epoch = int(max((row["epoch"] for run in runs for row in run.epochs), default=0))
    for number, run in enumerate(runs, 1):
        by_epoch = {row["epoch"]: row for row in run.epochs}
        cost = {row["epoch"]: row for row in run.curve}
        for name, rows, form in (
            ("train/loss", by_epoch, ".4f"),
            (run.monitor, by_epoch, ".4f"),
            ("cpu_s", cost, ",.0f"),
        ):
            head.append(f"{number}: {name}")
            values = [rows.get(epoch, {}).get(name) for epoch in range(1, last_epoch + 1)]
            columns.append([number_text(value, form) for value in values])
    cells = [list(row) for row in zip(*columns, strict=True)]
    return Table("", head, [[str(epoch), *row] for epoch, row in enumerate(cells, 1)])
