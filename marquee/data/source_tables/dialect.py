"""The separator, the quoting and the header of a text file, told or recognised by its first lines.

A separator is the one that splits the first lines into the same number of fields, more than one.
Quotes are text (as in IMDb's files) where fields that begin with one do not end with one.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from marquee.core.errors import InputError

SEPARATORS = (",", "\t", ";", "|", "::", "\x01")
NAMES = {"\t": "tab", " ": "space", "\x01": "\\x01"}
WRITTEN = {"\\t": "\t", "tab": "\t", "\\x01": "\x01", "space": " ", "comma": ","}
"""Separators that are hard to write in a shell, by other names."""
MAX_SEPARATOR_BYTES = 4  # DuckDB's limit
SAMPLE_LINES, SAMPLE_CHARACTERS = 200, 1 << 16
MIN_BROKEN = {False: 1, True: 3}  # of fields; files with commas quote as a rule
LEAST_ALIKE = 0.8  # of the sample's lines have as many fields as the first
MIN_ROWS = 2  # below a line that looks like a header
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
"""The first line of a CSV for Excel."""
NUMBER = re.compile(r"[-+]?\d+([.,]\d*)?")


class Dialect(NamedTuple):
    separator: str
    quote: str  # "" where quotes are text
    escape: str  # the quote itself, or a backslash
    header: tuple[str, ...]  # the names of the columns
    has_header: bool  # the first line is no row
    num_skipped: int = 0  # lines above it

    @property
    def separator_name(self) -> str:
        return NAMES.get(self.separator, f'"{self.separator}"')


def dialect_of(
    text: str,
    *,
    separator: str | None,
    header: Sequence[str],
    subject: str,
    option: str = "--header",
) -> Dialect:
    """Return how a file is written.

    text: its start. header: names of columns from the caller.

    Raises InputError for a separator that DuckDB cannot take and a header that does not fit.
    """
    if line := SEPARATOR_LINE.match(text):
        dialect = dialect_of(
            text[line.end() :], separator=separator or line[1], header=header, subject=subject,
            option=option,
        )  # fmt: skip
        return dialect._replace(num_skipped=1)
    lines = _lines(text)
    if not lines:
        raise InputError(f"{subject}: empty, expected a header and rows; check the file")
    separator = _told(separator) if separator else _separator(text, lines, header)
    quote, escape = _quoting(text[:SAMPLE_CHARACTERS], separator)
    first = split(lines[0], separator, quote, escape)
    if not header:
        return Dialect(separator, quote, escape, _names(first), True)
    rows = [split(line, separator, quote, escape) for line in lines[1:]]
    if len(first) != len(header):
        hint = "is the separator another?"
        if sum(len(row) == len(header) for row in rows) * 2 > len(rows):
            hint = "most others have them: delete lines that are no rows, or write their values "
            hint += "into a column"
        raise InputError(
            f"{subject} line 1: {len(first)} fields, expected {len(header)} ({option} "
            f"{','.join(header)}); the line is {lines[0][:80]!r}; {hint}"
        )
    has_header = [name.strip().lower() for name in first] == [name.lower() for name in header]
    if not has_header and _are_names(first, rows):
        raise InputError(
            f"{subject} line 1: {lines[0][:80]!r}, expected a row as those below; it looks like "
            f"the file's own header: leave {option} out, or delete the line"
        )
    return Dialect(separator, quote, escape, tuple(header), has_header)


def _are_names(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a line without any number stands over rows with columns of numbers."""
    if len(rows) < MIN_ROWS or any(NUMBER.fullmatch(name.strip()) for name in first):
        return False
    columns = zip(*(row for row in rows if len(row) == len(first)), strict=True)
    return any(
        all(NUMBER.fullmatch(value.strip()) for value in column) and name.strip()
        for name, column in zip(first, columns, strict=False)
    )


def split(line: str, separator: str, quote: str, escape: str) -> list[str]:
    """Return the fields of one line, without their quotes."""
    fields, position = [], 0
    while True:
        if quote and line.startswith(quote, position):
            match = _quoted(escape).match(line, position)
            inner = match[0][1:-1] if match else line[position + 1 :]
            fields.append(inner.replace(escape + quote, quote))
            position = match.end() if match else len(line)
        else:
            end = line.find(separator, position)
            fields.append(line[position:] if end < 0 else line[position:end])
            position = len(line) if end < 0 else end
        if not line.startswith(separator, position):
            return fields
        position += len(separator)


def _told(separator: str) -> str:
    separator = WRITTEN.get(separator, separator)
    if len(separator.encode()) > MAX_SEPARATOR_BYTES or "\n" in separator or '"' in separator:
        raise InputError(
            f"--separator: {separator!r}, expected at most {MAX_SEPARATOR_BYTES} bytes without a "
            "quote or a line end"
        )
    return separator


def _lines(text: str) -> list[str]:
    lines = text[:SAMPLE_CHARACTERS].splitlines() if "\n" not in text else text.split("\n")
    if len(lines) > 1 and len(text) >= SAMPLE_CHARACTERS:
        lines = lines[:-1]  # the last may be cut
    return [line.rstrip("\r") for line in lines[: SAMPLE_LINES + 1] if line.strip()]


def _separator(text: str, lines: list[str], header: Sequence[str]) -> str:
    scores = {separator: _score(text, lines, separator, len(header)) for separator in SEPARATORS}
    best = max(scores, key=lambda separator: scores[separator])
    if scores[best] == (0.0, 0):
        return " " if _score(text, lines, " ", len(header)) != (0.0, 0) else ","
    if best == "," and all(", " in line and not re.search(r",[^ ]", line) for line in lines):
        return ", "
    return best


def _score(text: str, lines: list[str], separator: str, num_columns: int) -> tuple[float, int]:
    """Return the share of rows with as many fields as the first, and that number."""
    best = (0.0, 0)
    for counts in (
        _record_sizes(text, separator, None),
        _record_sizes(text, separator, "\\"),
        [len(split(line, separator, '"', '"')) for line in lines],
        [len(split(line, separator, "", "")) for line in lines],  # quotes may be text
    ):
        expected = num_columns or counts[0]
        alike = Counter(counts)[expected] / len(counts)
        if expected > 1 and alike >= LEAST_ALIKE:
            best = max(best, (alike, expected))
    return best


def _record_sizes(text: str, separator: str, escape: str | None) -> list[int]:
    """Return the number of fields of the first records; one may go over several lines."""
    if len(separator) > 1:
        return [0]
    stream = io.StringIO(text[:SAMPLE_CHARACTERS], newline="")
    try:
        records = csv.reader(
            stream, delimiter=separator, escapechar=escape, doublequote=escape is None
        )
        sizes = [len(record) for record in islice(records, SAMPLE_LINES) if record]
    except csv.Error:
        return [0]
    is_cut = len(text) >= SAMPLE_CHARACTERS and len(sizes) > 1
    return sizes[:-1] if is_cut else sizes or [0]


def _quoting(text: str, separator: str) -> tuple[str, str]:
    """Return quote and escape: fields that open with a quote close it, by one of both rules."""
    if separator == "::":
        return "", ""  # as MovieLens has it
    escape = '"'
    closed, broken = _count_quoted(text, separator, escape)
    if broken and '\\"' in text:
        by_backslash = _count_quoted(text, separator, "\\")
        if by_backslash[1] < broken:
            (closed, broken), escape = by_backslash, "\\"
    is_text = broken >= MIN_BROKEN[separator in (",", ";", ", ")] and broken * 10 >= closed
    return ("", "") if is_text else ('"', escape)


def _count_quoted(text: str, separator: str, escape: str) -> tuple[int, int]:
    """Return how many fields that open with a quote close it, and how many do not."""
    closed = broken = 0
    position = 0
    opening = re.compile(rf'(?:^|(?<=\n)|(?<={re.escape(separator)}))"')
    while match := opening.search(text, position):
        field = _quoted(escape).match(text, match.start())
        ends_well = field and (
            field.end() == len(text)
            or text.startswith((separator, "\n", "\r"), field.end())
        )  # fmt: skip
        if ends_well and field:
            closed, position = closed + 1, field.end()
        elif field is None and text.find("\n", match.end()) < 0:
            break  # cut by the end of the sample
        else:
            broken, position = broken + 1, match.end()
    return closed, broken


def _quoted(escape: str) -> re.Pattern[str]:
    return QUOTED_BY_BACKSLASH if escape == "\\" else QUOTED


QUOTED = re.compile(r'"(?:[^"]|"")*+"')
QUOTED_BY_BACKSLASH = re.compile(r'"(?:[^"\\]|\\.)*+"', re.DOTALL)


def _names(fields: list[str]) -> tuple[str, ...]:
    """Return the names of a header; one without a name is called by its number."""
    return tuple(field.strip() or f"column{number}" for number, field in enumerate(fields))
