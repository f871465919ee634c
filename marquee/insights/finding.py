"""One finding: a verdict for stakeholders, numbers for analysts, and the action it leads to.

    finding = Finding(id="skew", title="The busiest 1% of users give 6.9% of all ratings", ...)
    finding.to_json()                   # the object of findings.json, which the app reads

A finding that the data does not support has no number. It stays in the report and says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal, Self

import yaml

from marquee.core.bootstrap import Interval
from marquee.insights.render.formatting import number
from marquee.insights.words import Words

Cell = str | int | float | None
ChartKind = Literal["bars", "columns", "lines", "panels"]
TEXTS = yaml.safe_load((files(__package__) / "texts.yaml").read_text(encoding="utf-8"))


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart and the table behind it."""

    kind: ChartKind
    """bars: level bars; columns: upright bars; lines: over years; panels: bars side by side over
    one list of names."""
    title: str
    columns: list[str]
    """The first column labels the rows."""
    rows: list[tuple[Cell, ...]]
    drawn_columns: list[int]
    interval_columns: tuple[int, int] | None
    """Columns of the bounds around the drawn one; None where several are drawn."""

    @classmethod
    def from_table(
        cls,
        kind: ChartKind,
        title: str,
        table: Mapping[str, Sequence[Any]],
        drawn: Sequence[str] = (),
    ) -> Self:
        """Return a chart of columns of cells or of intervals, by name.

        Intervals become a column of values and two of their bounds. drawn: names of the drawn
        columns; by default the second.
        """
        intervals = [
            name
            for name, cells in table.items()
            if any(isinstance(cell, Interval) for cell in cells)
        ]
        columns: dict[str, Sequence[Cell]] = {}
        for name, cells in table.items():
            if name not in intervals:
                columns[name] = cells
                continue
            prefix = f"{name}, " if len(intervals) > 1 else ""
            columns[name] = [interval.mean for interval in cells]
            columns[f"{prefix}low"] = [interval.low for interval in cells]
            columns[f"{prefix}high"] = [interval.high for interval in cells]
        names = list(columns)
        first = names.index(drawn[0]) if drawn else 1
        has_interval = len(drawn) < 2 and names[first] in intervals
        return cls(
            kind=kind,
            title=title,
            columns=names,
            rows=list(zip(*columns.values(), strict=True)),
            drawn_columns=[names.index(name) for name in drawn] or [first],
            interval_columns=(first + 1, first + 2) if has_interval else None,
        )


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding with its verdict in the title."""

    id: str
    title: str
    sentence: str
    number: Interval | None = None
    """The main number with its 95% interval over users; None if there is not enough data."""
    unit: str = "%"
    meaning: str = ""
    """Text that follows the number: "of the ratings go to Comedy"."""
    n: int = 0
    unit_of_n: str = "users"
    chart: Chart | None = None
    action: str = ""
    """The action to take, and its expected effect."""
    lever: str = ""
    """The setting or the request that takes the action."""
    how_sure: str = ""
    """Open questions that this data does not settle."""
    how_we_will_know: str = ""
    """The metric that will show the effect; for analysts, in their words."""
    numbers: Mapping[str, float | Interval] = field(default_factory=dict)
    """More numbers, by name; an interval is written with its bounds, NAME_low and NAME_high."""

    @property
    def available(self) -> bool:
        return self.number is not None

    @property
    def value_text(self) -> str | None:
        """The number with its unit: "6.9%", "0.90 times"."""
        unit = "%" if self.unit == "%" else f" {self.unit}"
        return None if self.number is None else f"{self._write(self.number.mean)}{unit}"

    @property
    def interval_text(self) -> str | None:
        if self.number is None:
            return None
        return f"{self._write(self.number.low)} to {self._write(self.number.high)}"

    def _write(self, value: float) -> str:
        return f"{value:.2f}" if self.unit == "times" else number(value)

    def to_json(self) -> dict[str, Any]:
        content = vars(self) | {"numbers": with_bounds(self.numbers)}
        for name in ("available", "value_text", "interval_text"):
            content[name] = getattr(self, name)
        for key, name in {"value": "mean", "low": "low", "high": "high"}.items():
            content[key] = getattr(self.number, name, None)
        content["chart"] = self.chart and vars(self.chart)
        del content["number"]
        return content


def texts(id: str, words: Words, **values: object) -> dict[str, Any]:
    """Return the id and the fixed texts of a finding, as fields of `Finding`."""
    return {"id": id, **_filled(id, words, values)}


def unavailable(id: str, reason: str, words: Words, **fields: Any) -> Finding:
    """Return a finding that the data does not support; reason: why, a sentence."""
    title = f"{subject(id, words)}: not enough data"
    is_fixed = f"{id}-unavailable" in TEXTS
    fixed: dict[str, Any] = _filled(f"{id}-unavailable", words, {}) if is_fixed else {}
    return Finding(id=id, title=title, sentence=reason, **fixed, **fields)


def subject(id: str, words: Words) -> str:
    """Return what a finding is about: "Leading genres"."""
    return fill(TEXTS["subjects"][id], words)


def fill(text: str, words: Words, **values: object) -> str:
    """Replace {names} by the words of the report."""
    return text.format(**words.fields, **values)


def _filled(id: str, words: Words, values: dict[str, Any]) -> dict[str, str]:
    """Return the texts of an entry; those for other data replace those for ratings in stars."""
    entry = dict(TEXTS[id])
    if not words.are_ratings:
        entry |= TEXTS["plays"].get(id, {})
    if words.scale is not None and not words.scale.is_stars:
        entry |= TEXTS["other-scales"].get(id, {})
    if not words.has_genres:
        entry |= TEXTS["without-genres"].get(id, {})
    return {name: fill(text, words, **values) for name, text in entry.items()}


def by_name(names: Sequence[str], columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return numbers of a finding, COLUMN/NAME, from columns of a value per name."""
    return {
        f"{column}/{name}": value
        for column, values in columns.items()
        for name, value in zip(names, values, strict=True)
    }


def with_bounds(numbers: Mapping[str, float | Interval]) -> dict[str, float]:
    """Return the numbers, and for each interval also its bounds."""
    values: dict[str, float] = {}
    for name, value in numbers.items():
        if isinstance(value, Interval):
            values |= {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            values[name] = value
    return values


def plain(value: Any) -> Any:
    """Return JSON values, floats with six digits: the same text on every machine."""
    if isinstance(value, Mapping):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if value != value:
        return None
    short = float(f"{float(value):.6g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
