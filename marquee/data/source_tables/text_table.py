"""CSV, TSV and their kin as a view: every value is the text of the file, bad lines are rejects."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from marquee.core.errors import InputError
from marquee.data.source_tables.dialect import Dialect, dialect_of
from marquee.data.source_tables.encodings import Encoding, encoding_of, utf8_copy
from marquee.data.source_tables.formats import Known, open_bytes
from marquee.data.source_tables.line_numbers import line_numbers
from marquee.data.source_tables.line_rejects import LineRejects
from marquee.data.source_tables.partitions import copy_path, partition_columns
from marquee.data.source_tables.sql import literal, literals, quote
from marquee.data.source_tables.table import Digests, Place, SourceTable

MIXED_LINE_ENDS = re.compile(rb"[^\r]\n")


class Readable(NamedTuple):
    """A file as DuckDB reads it."""

    known: Known
    path: Path  # the file itself, or a copy in UTF-8
    packed: str
    encoding: Encoding
    dialect: Dialect


def text_table(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Known],
    *,
    view: str,
    folder: Path,
    separator: str | None,
    header: Sequence[str],
    encoding: str | None,
    option: str,
    name: str,
    digests: Digests,
) -> SourceTable:
    """Make the view of text files; all have the same columns, in any order."""
    prefix = f"{option}-" if option in ("--items", "--users") else "--"
    readable = []
    for known in files:
        if not known.head and len(files) > 1:
            continue  # engines write empty part files
        readable.append(
            _readable(known, folder, separator, header, encoding, option=option, prefix=prefix)
        )
    columns = _columns(readable, option)
    repeated = tuple(dict.fromkeys(name for name in columns if columns.count(name) > 1))
    folders = partition_columns((file.known.file.name for file in readable), columns)
    sql = _view_sql(readable, view, repeated, folders.values())
    connection.execute(f"CREATE TEMP VIEW {view} AS {sql}")
    names = {str(file.path): file.known.file.name for file in readable}
    packed = {str(file.path): file.packed for file in readable}
    rejects = LineRejects(connection, view, names, packed)
    return SourceTable(
        view=view,
        columns={name: "VARCHAR" for name in (*columns, *folders) if name not in repeated},
        is_text=True,
        option=option,
        name=name,
        notes=_notes(readable, name),
        repeated=repeated,
        digests=digests,
        reject_query=rejects.query,
        place_of=lambda rows: _places(readable, rejects, rows),
        check_end=rejects.check_quotes,
    )


def _readable(
    known: Known,
    folder: Path,
    separator: str | None,
    header: Sequence[str],
    encoding: str | None,
    *,
    option: str,
    prefix: str,
) -> Readable:
    subject = f"{option} {known.file.name}"
    source_encoding = encoding_of(known, encoding, subject=subject, option=f"{prefix}encoding")
    path, packed, head = known.path, known.packed, known.head
    if not source_encoding.is_utf8 or _has_mixed_line_ends(head):
        path = utf8_copy(known, source_encoding, copy_path(folder, known.file.name), subject)
        packed = "none"
        with path.open("rb") as stream:
            head = stream.read(len(head))
    dialect = dialect_of(
        head.decode("utf-8-sig", "replace"), separator=separator, header=header, subject=subject,
        option=f"{prefix}header",
    )  # fmt: skip
    return Readable(known, path, packed, source_encoding, dialect)


def _has_mixed_line_ends(head: bytes) -> bool:
    """Return whether lines end in two ways, which DuckDB refuses, or in the old Mac's way."""
    if b"\n" not in head:
        return b"\r" in head
    return b"\r\n" in head and MIXED_LINE_ENDS.search(head) is not None


def _columns(files: Sequence[Readable], option: str) -> list[str]:
    """Return the columns of all files; InputError for one that has others than the first."""
    first = list(files[0].dialect.header)
    for file in files[1:]:
        names = list(file.dialect.header)
        if sorted(names) != sorted(first):
            raise InputError(
                f"{option} {file.known.file.name}: columns {', '.join(names)}, expected "
                f"{', '.join(first)} as in {files[0].known.file.name}; name the columns of files "
                "without a header with --header"
            )
    return first


def _view_sql(
    files: Sequence[Readable], view: str, repeated: Sequence[str], folders: Iterable[str]
) -> str:
    """Return the query of all rows: one reader for each run of files that are written alike."""
    runs: list[list[Readable]] = []
    for file in files:
        if runs and (runs[-1][0].dialect, runs[-1][0].packed) == (file.dialect, file.packed):
            runs[-1].append(file)
        else:
            runs.append([file])
    names = [name for name in files[0].dialect.header if name not in repeated]
    selected = ", ".join([*map(quote, names), *folders])
    return " UNION ALL ".join(f"SELECT {selected} FROM {_reader(run, view)}" for run in runs)


def _reader(files: Sequence[Readable], view: str) -> str:
    dialect = files[0].dialect
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in _unique(dialect.header))
    options = {
        "columns": f"{{{columns}}}",
        "auto_detect": "false",
        "hive_partitioning": "false",
        "header": str(dialect.has_header).lower(),
        "skip": str(dialect.num_skipped),
        "delim": literal(dialect.separator),
        "quote": literal(dialect.quote),
        "escape": literal(dialect.escape),
        "compression": literal(files[0].packed),
        "store_rejects": "true",
        "rejects_table": literal(f"{view}_errors"),
        "rejects_scan": literal(f"{view}_scans"),
    }
    arguments = ", ".join(f"{key} = {value}" for key, value in options.items())
    return f"read_csv({literals(file.path for file in files)}, {arguments})"


def _unique(names: Sequence[str]) -> list[str]:
    """Return names that differ, for columns that nobody can ask for by name."""
    return [
        name if name not in names[:position] else f"{name}\x01{position}"
        for position, name in enumerate(names)
    ]


def _notes(files: Sequence[Readable], name: str) -> tuple[str, ...]:
    """Return what was recognised, in one sentence for files that are alike."""
    notes: dict[str, str] = {}
    for file in files:
        quoting = "" if file.dialect.quote else ", quotes are text"
        if file.dialect.escape == "\\":
            quoting = ", quotes escaped by a backslash"
        packed = "" if file.known.packed == "none" else f"{file.known.packed}, "
        encoding = file.encoding.name.removesuffix("-sig")
        mark = " (told)" if file.encoding.is_told else ""
        notes.setdefault(
            f"{packed}encoding {encoding}{mark}, separator {file.dialect.separator_name}{quoting}",
            file.known.file.name,
        )
    if len(notes) == 1:
        return (f"{name}: {next(iter(notes))}",)
    return tuple(f"{first}: {note}" for note, first in notes.items())


def _places(files: Sequence[Readable], rejects: LineRejects, rows: Sequence[int]) -> list[Place]:
    """Return file and line of rows that were read, by a second look at the files."""
    bad = rejects.lines()
    places: list[Place] = []
    first = 0
    for file in files:
        name, dialect = file.known.file.name, file.dialect
        with open_bytes(file.path, file.packed) as stream:
            lines, num_rows = line_numbers(
                stream,
                [row - first for row in rows[len(places) :]],
                dialect=dialect,
                skipped=bad.get(name, set()),
            )
        places += [(name, line) for line in lines]
        if len(places) == len(rows):
            break
        first += num_rows
    return places
