"""The line on which a row of a text file begins, counted as an editor counts."""

import re
from collections.abc import Collection, Sequence
from typing import IO

from marquee.data.source_tables.dialect import Dialect

QUOTED = {'"': re.compile(rb'"(?:[^"]|"")*+"'), "\\": re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)}
CLOSING = {'"': re.compile(rb'(?:[^"]|"")*+"'), "\\": re.compile(rb'(?:[^"\\]|\\.)*+"', re.DOTALL)}


def line_numbers(
    stream: IO[bytes], rows: Sequence[int], *, dialect: Dialect, skipped: Collection[int]
) -> tuple[list[int], int]:
    """Return the lines of rows, ascending from 0, and the number of rows passed.

    skipped: lines that hold no row, because they could not be read. It stops after the last row
    that is asked for; 5 million lines take a second.
    """
    lines: list[int] = []
    row, wanted = -dialect.has_header - dialect.num_skipped, iter(rows)
    next_row = next(wanted, None)
    is_open = False
    for number, line in enumerate(stream, start=1):
        starts_row = not is_open and number not in skipped and bool(line.strip(b"\r\n"))
        if dialect.quote and (is_open or b'"' in line):
            is_open = _ends_open(line, is_open, dialect)
        if starts_row:
            if row == next_row:
                lines.append(number)
                next_row = next(wanted, None)
            row += 1
        if next_row is None:
            break
    return lines, row


def _ends_open(line: bytes, is_open: bool, dialect: Dialect) -> bool:
    """Return whether a field in quotes goes on in the next line."""
    separator, position = dialect.separator.encode(), 0
    if is_open:
        closing = CLOSING[dialect.escape].match(line)
        if closing is None:
            return True
        position = line.find(separator, closing.end())
        position = position + len(separator) if position >= 0 else -1
    while position >= 0:
        if line.startswith(b'"', position):
            field = QUOTED[dialect.escape].match(line, position)
            if field is None:
                return True
            position = field.end()
        position = line.find(separator, position)
        if position >= 0:
            position += len(separator)
    return False
