"""Reads the movie file of any MovieLens layout: ids, titles, release years, genres.

Titles are decoded as UTF-8, and as Latin-1 where the file is not UTF-8 (ml-100k and ml-1m ship
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
    """All movies of the file, in file order; InputError names file, line, found and expected."""
    movie_ids: dict[int, int] = {}
    titles: list[str] = []
    years: list[int | None] = []
    genres: list[tuple[str, ...]] = []
    text = decode(path.read_bytes())
    names, delimiter = layout.movie_fields, layout.movie_delimiter
    for line, fields in numbered_lines(path, text, names, delimiter, layout.header):
        where = f"{path} line {line}"
        movie_id = _movie_id(fields[0], where)
        if movie_id in movie_ids:
            first = movie_ids[movie_id]
            raise InputError(f"{where}: movie {movie_id} again, first in line {first}; delete one.")
        title, year = split_title(fields[1])
        if not title:
            raise InputError(
                f"{where}: movie {movie_id} has no title; add one, or delete the line."
            )
        movie_ids[movie_id] = line
        titles.append(title)
        years.append(year)
        genres.append(_genres(fields, layout, where))
    if not movie_ids:
        raise InputError(f"{path} holds no movies; download the data set again.")
    return Movies(np.array(list(movie_ids), dtype=np.int64), titles, years, genres)


def numbered_lines(
    path: Path, text: str, names: tuple[str, ...], delimiter: str, header: bool
) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields, header and empty lines left out, every field count checked.

    With a header the text is csv, with quoted fields. names: the fields a line must have.
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
                f"{len(names)} ({delimiter.join(names)}); download the data set again."
            )
        yield line, fields


def _csv_lines(lines: list[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it begins in: a quoted field may hold line ends."""
    rows = csv.reader(lines)
    line = 1
    try:
        for fields in rows:
            yield line, fields
            line = rows.line_num + 1
    except csv.Error as error:  # a quote that is not closed makes one field of all that follows
        raise InputError(
            f"{path} line {line}: {error}; is a quote not closed? Download the data set again."
        ) from None


def decode(content: bytes) -> str:
    """Text of a MovieLens file: UTF-8 (with or without BOM), else Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_header(found: list[str], path: Path, names: tuple[str, ...]) -> None:
    if tuple(found) != names:
        raise InputError(
            f"{path} line 1: the header is {','.join(found)[:80]!r}, expected "
            f"{','.join(names)!r}; is this {path.name} of a csv data set?"
        )


def _movie_id(field: str, where: str) -> int:
    if not (field.isascii() and field.isdigit() and 0 < int(field) < 2**31):
        raise InputError(f"{where}: movie id {field[:40]!r}, expected a whole number from 1.")
    return int(field)


def _genres(fields: list[str], layout: Layout, where: str) -> tuple[str, ...]:
    flags = fields[5:]
    if not flags:
        names = [name.strip() for name in fields[2].split("|")]
        return tuple(dict.fromkeys(name for name in names if name and name != NO_GENRES))
    if not set(flags) <= {"0", "1"}:
        raise InputError(f"{where}: genre flags {'|'.join(flags)[:60]!r}, expected 19 of 0 or 1.")
    named = zip(layout.movie_fields[5:], flags, strict=True)
    return tuple(name for name, flag in named if flag == "1" and name != "unknown")
