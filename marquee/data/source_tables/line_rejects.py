"""The lines that DuckDB's reader could not take, by the line an editor shows.

DuckDB counts records, and tells the place of each in bytes: lines are counted up to there.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import pyarrow as pa

from marquee.core.errors import InputError
from marquee.data.source_tables.formats import open_bytes
from marquee.data.source_tables.sql import row_of
from marquee.data.source_tables.table import NO_REJECTS

REASONS = {
    "MISSING COLUMNS": "too few fields",
    "TOO MANY COLUMNS": "too many fields",
    "INVALID ENCODING": "bytes that are not UTF-8",
    "UNQUOTED VALUE": "text behind a closing quote",
    "LINE SIZE OVER MAXIMUM": "longer than 2 MB",
}
RAW_CHARACTERS = 1000
BLOCK_BYTES = 1 << 22


class LineRejects:
    """The rejects of a view over text files; scans that were repeated count once."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        view: str,
        names: Mapping[str, str],
        packed: Mapping[str, str],
    ) -> None:
        """names, packed: by the path that is read, as messages show it, and its compression."""
        self._connection, self._view = connection, view
        self._names, self._packed = names, packed

    def query(self) -> str:
        """Return a query of file, line, reason and raw text, by file and line."""
        rows = self._rows()
        if not rows:
            return NO_REJECTS
        table = f"{self._view}_rejects"
        columns = list(zip(*rows, strict=True))
        arrow = pa.table(dict(zip(("file", "line", "reason", "raw"), columns, strict=True)))
        self._connection.register(f"{table}_rows", arrow)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM {table}_rows")
        self._connection.unregister(f"{table}_rows")
        return f"SELECT * FROM {table}"

    def lines(self) -> dict[str, set[int]]:
        """Return file -> the lines that hold no row."""
        lines: dict[str, set[int]] = {}
        for name, line, _, _ in self._rows():
            lines.setdefault(name, set()).add(line)
        return lines

    def check_quotes(self) -> None:
        """Refuse a quote that nothing closes: the lines behind it are lost unseen."""
        for name, line, reason, raw in self._rows():
            quotes = raw.count('"')
            if reason == REASONS["UNQUOTED VALUE"] and ("\n" in raw or quotes < 2 or quotes % 2):
                raise InputError(
                    f"{name} line {line}: a quote that opens and is not closed, expected its end "
                    "in the same field; mend the line, or double the quote"
                )

    def _rows(self) -> list[tuple[str, int, str, str]]:
        """Return file, line, reason and raw text of every line once."""
        exists = "SELECT count(*) FROM duckdb_tables() WHERE table_name = ?"
        if not row_of(self._connection, exists, f"{self._view}_errors")[0]:
            return []
        errors = self._connection.execute(
            "SELECT file_path, line_byte_position, min(error_type::VARCHAR), any_value(csv_line) "
            f"FROM {self._view}_errors JOIN {self._view}_scans USING (scan_id, file_id) "
            "GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        rows = []
        for path, name in self._names.items():
            here = [error[1:] for error in errors if error[0] == path]
            numbers = _line_numbers(Path(path), self._packed[path], (place for place, _, _ in here))
            for line, (_, kind, raw) in zip(numbers, here, strict=True):
                text = raw.strip("\r\n")[:RAW_CHARACTERS]
                rows.append((name, line, REASONS.get(kind, kind.lower()), text))
        return rows


def _line_numbers(path: Path, packed: str, places: Iterable[int]) -> list[int]:
    """Return the lines on which bytes stand, counted from 1, ascending."""
    numbers: list[int] = []
    with open_bytes(path, packed) as stream:
        block, start, line = b"", 0, 1  # `line` is that of the first byte of `block`
        for place in places:
            while place > start + len(block):
                line, start = line + block.count(b"\n"), start + len(block)
                block = stream.read(BLOCK_BYTES)
                if not block:
                    break
            numbers.append(line + block[: place - start].count(b"\n"))
    return numbers
