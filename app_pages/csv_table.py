"""A CSV file as programs write it, line by line: one line that cannot be read spoils no other.

    for line in read_table(file, is_known):
        line.number, line.cells["rating"], line.fault

Text is UTF-8, else UTF-16 or UTF-32 with a byte order mark, else what Windows writes in the West.
Cells are separated by comma, semicolon, tab or bar: by that which gives known columns. Lines end as
on Unix, Windows or an old Mac. A quoted cell may hold line ends.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

SEPARATORS = ",;\t|"
MAX_LINES = 100_000
MAX_LINES_PER_ROW = 200
"""Of a quoted cell; a quote that is open for longer was never closed."""
BYTE_ORDER_MARKS = (  # UTF-32's first: it begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Line:
    """One row of the table, and its first line in the file."""

    number: int
    cells: dict[str, str] = field(default_factory=dict)
    """By column; "" where the row ends before it."""
    fault: str = ""
    """Why the row cannot be read; then there are no cells."""


def read_table(file: bytes, is_known: Callable[[Sequence[str]], bool]) -> list[Line]:
    """Read the rows below the first line; ValueError says why a file has none.

    is_known: whether a reader can do with these columns, named in small letters and digits alone.
    """
    lines = io.StringIO(_decode(file), newline=None).readlines()
    if len(lines) > MAX_LINES:
        raise ValueError(f"{len(lines):,} lines, expected at most {MAX_LINES:,}")
    start = next((n for n, line in enumerate(lines) if line.strip()), None)
    if start is None:
        raise ValueError("the file is empty")
    headers = [_cells(lines[start], separator) for separator in SEPARATORS]
    for separator, header in zip(SEPARATORS, headers, strict=True):
        columns = [_column(name) for name in header]
        if is_known(columns):
            return list(_rows(lines, start + 1, separator, columns))
    names = "".join(c if c.isprintable() else "?" for c in ", ".join(headers[0]))
    raise ValueError(f"the first line is {names[:80]}")


def _rows(
    lines: Sequence[str], position: int, separator: str, columns: Sequence[str]
) -> Iterator[Line]:
    while position < len(lines):
        number = position + 1
        if not lines[position].strip():
            position += 1
            continue
        try:
            cells, count = _row(lines, position, separator, len(columns))
        except ValueError as error:
            yield Line(number, fault=str(error))
            count = 1
        else:
            cells += [""] * (len(columns) - len(cells))
            yield Line(number, dict(zip(columns, cells, strict=False)))
        position += count


def _row(
    lines: Sequence[str], position: int, separator: str, num_columns: int
) -> tuple[list[str], int]:
    """Return the cells of a row and the number of its lines; ValueError for an unreadable one."""
    is_open = lines[position].count('"') % 2 == 1  # it goes on below, or was never closed
    block = lines[position : position + (MAX_LINES_PER_ROW if is_open else 1)]
    reader = csv.reader(block, delimiter=separator, strict=is_open)
    try:
        cells = [cell.strip() for cell in next(reader)]
    except csv.Error as error:
        if "limit" in str(error):
            limit = csv.field_size_limit()
            raise ValueError(f"a cell of more than {limit:,} characters") from error
        raise ValueError("a quote that is not closed, or stands in a cell") from error
    if reader.line_num > 1 and len(cells) != num_columns:
        raise ValueError("a quote that is not closed")
    if any(cells[num_columns:]):
        message = f"{len(cells)} cells, expected {num_columns}; put a cell that holds a separator"
        raise ValueError(f"{message} in quotes")
    return cells, reader.line_num


def _cells(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator))]
    except csv.Error:  # a line as long as a file
        return [line[:80]]


def _column(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def _decode(file: bytes) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if file.startswith(mark):
            return file[len(mark) :].decode(encoding, "replace")
    if b"\0" in file[:2]:  # half of a letter of UTF-16
        return file.decode("utf-16-be" if file[:1] == b"\0" else "utf-16-le", "replace")
    file = file.removeprefix(codecs.BOM_UTF8)
    return "".join(map(_decode_line, file.splitlines(keepends=True)))


def _decode_line(line: bytes) -> str:
    """Decode a line by itself: a file that was joined from two may have both encodings."""
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
