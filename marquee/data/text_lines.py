"""Parse text files: with pyarrow, or line by line with line numbers, which names what is wrong."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from marquee.core.arrays import AnyInt
from marquee.core.errors import InputError
from marquee.core.times import MAX_TIMESTAMP

MAX_FILE_ID = 2**31 - 1  # two of them fit one 64-bit key
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)


def parse_columns(
    path: Path,
    types: dict[str, pa.DataType],
    *,
    header: bool = True,
    delimiter: str = ",",
    quote: str | bool = '"',
    encoding: str = "utf8",
) -> dict[str, Any] | None:
    """Parse columns with pyarrow; None for another form or an empty number.

    types: of all columns of the file, by name; `pa.null()` is one without content.
    """
    try:
        table = pa.csv.read_csv(
            path,
            pa.csv.ReadOptions(column_names=None if header else list(types), encoding=encoding),
            pa.csv.ParseOptions(
                delimiter=delimiter, quote_char=quote, newlines_in_values=bool(quote)
            ),
            pa.csv.ConvertOptions(column_types=types, null_values=[""]),
        )
        columns = {name: table[name] for name in types if types[name] != pa.null()}
    except (ValueError, KeyError):  # pa.ArrowInvalid, a header that is not UTF-8, another header
        return None
    is_complete = len(types) == table.num_columns and not any(
        column.null_count for column in columns.values()
    )
    return columns if is_complete else None


def numbered_lines(
    path: Path, names: tuple[str, ...], delimiter: str = ",", *, header: bool, quoted: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and fields of every line but the header and empty ones.

    names: of the fields, as in the header. quoted: a field may stand in quotes, as csv has it.
    InputError for another header, or a line that has not one field for each of `names`.
    """
    form = line_form(names, delimiter)
    with path.open(encoding=_encoding(path), newline="\n") as lines:
        if quoted:
            numbered = _csv_lines(lines, path)
        else:
            numbered = ((n, row.rstrip("\r\n").split(delimiter)) for n, row in enumerate(lines, 1))
        for line, fields in numbered:
            if line == 1 and header:
                if tuple(fields) != names:
                    raise InputError(
                        f"{path} line 1: the header is {delimiter.join(fields)[:80]!r}, expected "
                        f"{form!r}; {remedy(path)}"
                    )
                continue
            if fields in ([], [""]):
                continue
            if len(fields) != len(names):
                count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
                raise InputError(
                    f"{path} line {line}: {count}, expected {len(names)} ({form}); {remedy(path)}"
                )
            yield line, fields


def line_form(names: tuple[str, ...], delimiter: str = ",") -> str:
    """Return the form of a line, for messages: "userId::movieId::rating::timestamp"."""
    return delimiter.replace("\t", " <tab> ").join(names)


def remedy(path: Path) -> str:
    return f"is this the {path.name} of {path.parent.name}? see docs/data.md"


def describe_bad_id(name: str, field: str) -> str | None:
    """Return the sentence about a wrong "user id" or "movie id"; None if it is right."""
    if _DIGITS.fullmatch(field) and 1 <= int(field) <= MAX_FILE_ID:
        return None
    return f"{name} {field[:40]!r}, expected a whole number from 1 to {MAX_FILE_ID}"


def describe_bad_number(user: str, movie: str, time: str) -> str | None:
    if reason := describe_bad_id("user id", user) or describe_bad_id("movie id", movie):
        return reason
    if _DIGITS.fullmatch(time) and int(time) < MAX_TIMESTAMP:
        return None
    return f"timestamp {time[:40]!r}, expected whole seconds since 1970"


def are_clean(user_id: AnyInt, movie_id: AnyInt, timestamp: AnyInt) -> bool:
    """Return whether `describe_bad_number` would find nothing in these columns."""
    return all(
        column.min(initial=low) >= low and column.max(initial=low) <= high
        for column, low, high in (
            (user_id, 1, MAX_FILE_ID),
            (movie_id, 1, MAX_FILE_ID),
            (timestamp, 0, MAX_TIMESTAMP - 1),
        )
    )


def _csv_lines(lines: Iterable[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it begins in: a quoted field may hold line ends."""
    rows = csv.reader(lines)
    line = 1
    try:
        for fields in rows:
            yield line, fields
            line = rows.line_num + 1
    except csv.Error as error:  # a quote that is not closed makes one field of all that follows
        raise InputError(
            f"{path} line {line}: {error}, expected csv; is a quote not closed? Download the data "
            "set again"
        ) from None


def _encoding(path: Path) -> str:
    """Return UTF-8 (with or without BOM), or else Latin-1: so are ml-100k and ml-1m."""
    try:
        path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8-sig"
