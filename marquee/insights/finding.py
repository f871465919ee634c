"""One finding: a verdict for stakeholders, numbers for analysts, and the action it leads to.

    finding = Finding(id="skew", title="The busiest 1% give 6.9% of all ratings", ...)
    finding.to_json()                   # plain values, numbers with six digits

A finding that this data does not support stays in the report with the reason: see `unavailable`.
The keys of `to_json` are a contract: the app and other readers of findings.json rely on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from marquee.core.bootstrap import Interval
from marquee.insights.render.formatting import interval_text, with_unit

Cell = str | int | float | None
ChartKind = Literal["bars", "columns", "lines", "panels"]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart and the table behind it."""

    kind: ChartKind
    """bars: level bars; columns: upright bars; lines: over years; panels: bars side by side over
    one list of names."""
    title: str
    columns: tuple[str, ...]
    """The first column labels the rows."""
    rows: tuple[tuple[Cell, ...], ...]
    drawn_columns: tuple[int, ...] = (1,)
    """Columns that are drawn. The others appear in the table only."""
    interval_columns: tuple[int, int] | None = None
    """Columns of the interval around the first drawn one."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values under the keys of findings.json."""
        rows = [[plain(cell) for cell in row] for row in self.rows]
        return {
            "kind": self.kind,
            "title": self.title,
            "columns": list(self.columns),
            "drawn": list(self.drawn_columns),
            "band": None if self.interval_columns is None else list(self.interval_columns),
            "rows": rows,
        }


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding with its verdict in the title.

    Every number has an interval and a sample size.
    """

    id: str
    title: str
    sentence: str
    number: Interval | None = None
    """The main number with its 95% interval over users; None if there is not enough data."""
    unit: str = ""
    meaning: str = ""
    """Text that follows the number: "of the ratings go to Comedy"."""
    n: int = 0
    unit_of_n: str = "people"
    chart: Chart | None = None
    action: str = ""
    """The action to take, and its expected effect."""
    lever: str = ""
    """The setting or the request that takes the action."""
    how_sure: str = ""
    """Open questions that this data does not settle."""
    how_we_will_know: str = ""
    """The metric that will show the effect; for analysts, in their words."""
    available: bool = True
    numbers: Mapping[str, float] = field(default_factory=dict)
    """More numbers, by name."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values under the keys of findings.json."""
        number = self.number
        return {
            "id": self.id,
            "title": self.title,
            "sentence": self.sentence,
            "value": None if number is None else plain(number.mean),
            "low": None if number is None else plain(number.low),
            "high": None if number is None else plain(number.high),
            "unit": self.unit,
            "shown": None if number is None else with_unit(number.mean, self.unit),
            "interval": None if number is None else interval_text(number, self.unit),
            "what": self.meaning,
            "n": self.n,
            "n_of": self.unit_of_n,
            "told": self.available,
            "chart": None if self.chart is None else self.chart.to_json(),
            "so_what": self.action,
            "lever": self.lever,
            "how_sure": self.how_sure,
            "how_we_will_know": self.how_we_will_know,
            "numbers": {name: plain(value) for name, value in self.numbers.items()},
        }


def unavailable(
    *,
    id: str,
    title: str,
    reason: str,
    n: int = 0,
    unit_of_n: str = "people",
    chart: Chart | None = None,
    action: str = "",
    how_sure: str = "",
    how_we_will_know: str = "",
) -> Finding:
    """Return a finding that this data does not support.

    reason: a sentence that says why.
    """
    return Finding(
        id=id,
        title=title,
        sentence=reason,
        n=n,
        unit_of_n=unit_of_n,
        chart=chart,
        action=action,
        how_sure=how_sure,
        how_we_will_know=how_we_will_know,
        available=False,
    )


def plain(value: Any) -> Any:
    """Return a JSON value, a float with six digits: the same text on every machine."""
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bool | int):
        return value
    number = float(value)
    if number != number:
        return None
    short = float(f"{number:.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def with_bounds(name: str, interval: Interval) -> dict[str, float]:
    """Return the entries of `Finding.numbers` for one more number and its interval."""
    return {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
