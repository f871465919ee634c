"""Read the rows of an items or users file: one each id, rows with the same id joined.

A row without an id that fits is rejected, with file, line and reason. Rows of one id that differ
in columns of several values alone are joined: so is the long format, a row for each genre. Rows
that say the same are folded; a row that contradicts an earlier one is rejected.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np

from marquee.core.ids import Ids, IdType
from marquee.data.attributes.id_values import describe_bad_id, to_ids
from marquee.data.source_tables import SourceTable, open_source
from marquee.data.source_tables.sql import NONE_WORDS, quote
from marquee.data.spec import DatasetSpec

BATCH = 2_000  # rows; with vectors of 1,000 numbers 50 MB


class Column(NamedTuple):
    """An SQL expression that is read of each row, and its meaning."""

    name: str  # "title", "year", "genres" or a feature's
    expression: str
    type: str  # of a feature, or "year" or "title"
    separator: str | None = None

    @property
    def is_multiple(self) -> bool:
        return self.type == "categories"


class Reject(NamedTuple):
    file: str
    line: int
    reason: str
    raw: str


class _BadRow(NamedTuple):
    number: int  # of the source's row
    reason: str
    raw: str
    first: int | None = None  # the row of the same id that it contradicts


@dataclass(eq=False, kw_only=True)
class Rows:
    """R ids in the source's order, and the cells of their rows.

    cells[column][r] is a cell as the source has it, of `categories` a list of them.
    """

    source: SourceTable
    id_type: IdType
    columns: tuple[Column, ...]
    id_texts: list[str] = field(default_factory=list)
    cells: dict[Column, list[Any]] = field(default_factory=dict)
    source_row: list[int] = field(default_factory=list)  # the first of each id
    bad_rows: list[_BadRow] = field(default_factory=list)
    num_folded: int = 0  # rows that repeat an earlier one
    num_joined: int = 0  # rows that add genres or the like to an earlier one

    @property
    def ids(self) -> Ids:
        return to_ids(self.id_texts, self.id_type)

    def place(self, row: int) -> str:
        """Return "titles.csv line 7"."""
        [(file, line)] = self.source.locate([self.source_row[row]])
        return f"{file} line {line}"

    def rejects(self) -> tuple[Reject, ...]:
        """Return the rejected rows with file and line."""
        firsts = {bad.first for bad in self.bad_rows if bad.first is not None}
        wanted = sorted({bad.number for bad in self.bad_rows} | firsts)
        place = dict(zip(wanted, self.source.locate(wanted), strict=True))
        rejects = []
        for bad in self.bad_rows:
            first = "" if bad.first is None else f"; line {place[bad.first][1]} has it first"
            rejects.append(Reject(*place[bad.number], bad.reason + first, bad.raw))
        return tuple(rejects)


def open_table(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, table: str, folder: Path
) -> SourceTable | None:
    """Open the files of "items" or "users"; None without. folder: for scratch files."""
    paths: tuple[str, ...] = getattr(spec, table)
    if not paths:
        return None
    names = ("query", "separator", "header", "encoding")
    options: dict[str, Any] = {name: getattr(spec, f"{table}_{name}") for name in names}
    return open_source(connection, paths, **options, option=f"--{table}", folder=folder)


def read_rows(
    connection: duckdb.DuckDBPyConnection,
    source: SourceTable,
    id_column: str,
    id_type: IdType,
    columns: tuple[Column, ...],
) -> Rows:
    """Read the columns of all ids of a source; ids have the interactions' type."""
    rows = Rows(source=source, id_type=id_type, columns=columns)
    rows.cells = {column: [] for column in columns}
    row_of: dict[str, int] = {}
    for number, (text, *cells) in enumerate(_fetch(connection, source, id_column, columns)):
        if reason := describe_bad_id(text, id_type):
            rows.bad_rows.append(_BadRow(number, reason, _raw(text, *cells)))
        elif text not in row_of:
            row_of[text] = len(rows.id_texts)
            _add(rows, number, text, cells)
        elif reason := _conflict(rows, row_of[text], cells):
            reason = f"id {text!r} again with {reason}"
            first = rows.source_row[row_of[text]]
            rows.bad_rows.append(_BadRow(number, reason, _raw(text, *cells), first))
        else:
            _join(rows, row_of[text], cells)
    return rows


def _fetch(
    connection: duckdb.DuckDBPyConnection,
    source: SourceTable,
    id_column: str,
    columns: tuple[Column, ...],
) -> Iterator[tuple[Any, ...]]:
    selection = [f"CAST({quote(id_column)} AS VARCHAR)", *(column.expression for column in columns)]
    result = connection.execute(f"SELECT {', '.join(selection)} FROM {source.view}")
    while rows := result.fetchmany(BATCH):
        yield from rows


def _add(rows: Rows, number: int, text: str, cells: list[Any]) -> None:
    rows.id_texts.append(text)
    rows.source_row.append(number)
    for column, cell in zip(rows.columns, cells, strict=True):
        rows.cells[column].append([cell] if column.is_multiple else _compact(column, cell))


def _conflict(rows: Rows, row: int, cells: list[Any]) -> str | None:
    """Return in what the cells contradict an earlier row of the same id; None if in nothing."""
    for column, cell in zip(rows.columns, cells, strict=True):
        before = rows.cells[column][row]
        if column.is_multiple or _is_none(cell) or _is_none(before):
            continue
        if not np.array_equal(before, _compact(column, cell)):
            return f"{column.name} {str(cell)[:40]!r}, expected {str(before)[:40]!r} as before"
    return None


def _join(rows: Rows, row: int, cells: list[Any]) -> None:
    adds = False
    for column, cell in zip(rows.columns, cells, strict=True):
        values = rows.cells[column]
        if column.is_multiple and cell not in values[row]:
            values[row].append(cell)
            adds = True
        elif not column.is_multiple and _is_none(values[row]):
            values[row] = _compact(column, cell)
    rows.num_joined += adds
    rows.num_folded += not adds


def _raw(*cells: Any) -> str:
    return ",".join("" if cell is None else str(cell)[:200] for cell in cells)


def _compact(column: Column, cell: Any) -> Any:
    """Return a vector of Parquet as float32, a twentieth of a list; other cells as they are."""
    if column.type == "vector" and isinstance(cell, list | tuple):
        try:
            return np.array(cell, dtype=np.float32)
        except (TypeError, ValueError):
            return str(cell)
    return cell.strip() if isinstance(cell, str) else cell


def _is_none(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip() in NONE_WORDS)
