"""One finding: what stakeholders read, what analysts check, and what it leads to.

    finding = Finding(id="skew", title="The busiest 1% give 6.9% of all ratings", ...)
    finding.to_json()                   # plain values, numbers with six digits

A finding that this data cannot tell stays in the report, with the reason: see `cannot`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from marquee.core.bootstrap import Interval
from marquee.insights.render.formatting import shown, span

Cell = str | int | float | None
ChartKind = Literal["bars", "columns", "lines", "panels"]


@dataclass(frozen=True)
class Chart:
    """What is drawn, and the table it is drawn from."""

    kind: ChartKind
    """bars lie, columns stand, lines run over years, panels are bars side by side on one list."""
    title: str
    columns: tuple[str, ...]
    """The first one labels the rows."""
    rows: tuple[tuple[Cell, ...], ...]
    drawn: tuple[int, ...] = (1,)
    """The columns that are drawn; the others are in the table alone."""
    band: tuple[int, int] | None = None
    """Columns of the interval around the first drawn one."""

    def to_json(self) -> dict[str, Any]:
        rows = [[plain(cell) for cell in row] for row in self.rows]
        return {
            "kind": self.kind,
            "title": self.title,
            "columns": list(self.columns),
            "drawn": list(self.drawn),
            "band": None if self.band is None else list(self.band),
            "rows": rows,
        }


@dataclass(frozen=True)
class Finding:
    """The verdict is in the title; every number has its interval, and says of how many."""

    id: str
    title: str
    sentence: str
    number: Interval | None = None
    """With its 95% interval, people drawn anew; None where nothing can be told."""
    unit: str = ""
    what: str = ""
    """What the number is, read after it: "of the ratings go to Comedy"."""
    n: int = 0
    n_of: str = "people"
    chart: Chart | None = None
    so_what: str = ""
    """What to do, and what it is expected to change."""
    lever: str = ""
    """The setting or the request that does it."""
    how_sure: str = ""
    """What this data leaves open."""
    how_we_will_know: str = ""
    """The figure of our gates that shows it; for analysts, in their words."""
    told: bool = True
    numbers: Mapping[str, float] = field(default_factory=dict)
    """More figures, by name."""

    def to_json(self) -> dict[str, Any]:
        number = self.number
        return {
            "id": self.id,
            "title": self.title,
            "sentence": self.sentence,
            "value": None if number is None else plain(number.mean),
            "low": None if number is None else plain(number.low),
            "high": None if number is None else plain(number.high),
            "unit": self.unit,
            "shown": None if number is None else shown(number.mean, self.unit),
            "interval": None if number is None else span(number, self.unit),
            "what": self.what,
            "n": self.n,
            "n_of": self.n_of,
            "told": self.told,
            "chart": None if self.chart is None else self.chart.to_json(),
            "so_what": self.so_what,
            "lever": self.lever,
            "how_sure": self.how_sure,
            "how_we_will_know": self.how_we_will_know,
            "numbers": {name: plain(value) for name, value in self.numbers.items()},
        }


def cannot(id: str, title: str, why: str, **more: Any) -> Finding:
    """A finding that this data does not tell; why says what is missing."""
    return Finding(id, title, why, told=False, **more)


def plain(value: Any) -> Any:
    """Six digits are more than any of these numbers is worth, and the same on every machine."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool | int):
        return value
    number = float(value)
    if number != number:
        return None
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def with_bounds(name: str, found: Interval) -> dict[str, float]:
    """The entries of `Finding.numbers` of one more number."""
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
