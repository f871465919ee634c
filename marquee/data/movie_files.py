"""Read the movie file of any MovieLens layout: ids, titles, release years, genres.

Titles are decoded as UTF-8, and as Latin-1 if the file is not UTF-8 (ml-100k and ml-1m ship
Latin-1). Genre names stay as the file writes them: ml-1m says "Children's", ml-25m "Children".
62,423 movies (ml-25m) take 0.3 s.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from marquee.core.errors import InputError
from marquee.core.movies import NO_GENRES, Movies
from marquee.core.titles import split_title
from marquee.data.layouts import Layout


def read_movies(path: Path, layout: Layout) -> Movies:
    """Read all movies in file order; InputError names file, line, found and expected."""
    line_of: dict[int, int] = {}
    titles: list[str] = []
    years: list[int | None] = []
    genres: list[tuple[str, ...]] = []
    text = decode(path.read_bytes())
    names, delimiter = layout.movie_fields, layout.movie_delimiter
    for line, fields in numbered_lines(path, text, names, delimiter, layout.header):
        where = f"{path} line {line}"
        movie_id = _movie_id(fields[0], where)
        if movie_id in line_of:
            raise InputError(
                f"{where}: movie {movie_id} again, first in line {line_of[movie_id]}, expected "
                "each movie once; delete one line"
            )
        title, year = split_title(fields[1])
        if not title:
            raise InputError(
                f"{where}: movie {movie_id} has no title, expected one; add it, or delete the line"
            )
        line_of[movie_id] = line
        titles.append(title)
        years.append(year)
        genres.append(_genres(fields, layout, where))
    if not line_of:
        raise InputError(f"{path}: no movies, expected at least 1; download the data set again")
    return Movies(np.array(list(line_of), dtype=np.int64), titles, years, genres)


def numbered_lines(
    path: Path, text: str, names: tuple[str, ...], delimiter: str, header: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and fields, field counts checked.

    Header and empty lines are left out. With a header the text is csv with quoted fields. names:
    the fields that a line must have.
    """
    lines = text.split("\n")
    if header:
        numbered = _csv_lines(lines, path)
        _check_header(next(numbered, (1, []))[1], path, names)
    else:
        numbered = ((n, row.rstrip("\r").split(delimiter)) for n, row in enumerate(lines, 1))
    for line, fields in numbered:
        if fields in ([], [""]):
            continue
        if len(fields) != len(names):
            raise InputError(
                f"{path} line {line}: {len(fields)} fields, expected "
                f"{len(names)} ({delimiter.join(names)}); download the data set again"
            )
        yield line, fields


def _csv_lines(lines: list[str], path: Path) -> Iterator[tuple[int, list[str]]]:
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


def decode(content: bytes) -> str:
    """Decode a MovieLens file: UTF-8 (with or without BOM), else Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_header(header: list[str], path: Path, names: tuple[str, ...]) -> None:
    if tuple(header) != names:
        raise InputError(
            f"{path} line 1: the header is {','.join(header)[:80]!r}, expected "
            f"{','.join(names)!r}; is this {path.name} of a csv data set?"
        )


def _movie_id(field: str, where: str) -> int:
    if not (field.isascii() and field.isdigit() and 0 < int(field) < 2**31):
        raise InputError(f"{where}: movie id {field[:40]!r}, expected a whole number from 1")
    return int(field)


def _genres(fields: list[str], layout: Layout, where: str) -> tuple[str, ...]:
    flags = fields[5:]
    if not flags:
        names = [name.strip() for name in fields[2].split("|")]
        return tuple(dict.fromkeys(name for name in names if name and name != NO_GENRES))
    if not set(flags) <= {"0", "1"}:
        raise InputError(f"{where}: genre flags {'|'.join(flags)[:60]!r}, expected 19 of 0 or 1")
    pairs = zip(layout.movie_fields[5:], flags, strict=True)
    return tuple(name for name, flag in pairs if flag == "1" and name != "unknown")
