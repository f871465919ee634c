"""Reads the movie file of any MovieLens layout: ids, titles, release years, genres.

Titles are decoded as UTF-8, and as Latin-1 where the file is not UTF-8 (ml-100k and ml-1m ship
Latin-1). Genre names stay as the file writes them: ml-1m says "Children's", ml-25m "Children".
62,423 movies (ml-25m) take 0.3 s.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from catalogue.errors import UserError
from catalogue.movies import NO_GENRES, Movies
from catalogue.titles import split_title
from datamodules.layouts import Layout


def read_movies(path: Path, layout: Layout) -> Movies:
    """All movies of the file, in file order; UserError names file, line, found and expected."""
    movie_ids: dict[int, int] = {}
    titles: list[str] = []
    years: list[int | None] = []
    genres: list[tuple[str, ...]] = []
    for line, fields in _lines(path, layout):
        where = f"{path} line {line}"
        movie_id = _movie_id(fields[0], where)
        if movie_id in movie_ids:
            first = movie_ids[movie_id]
            raise UserError(f"{where}: movie {movie_id} again, first in line {first}; delete one.")
        title, year = split_title(fields[1])
        if not title:
            raise UserError(f"{where}: movie {movie_id} has no title; add one, or delete the line.")
        movie_ids[movie_id] = line
        titles.append(title)
        years.append(year)
        genres.append(_genres(fields, layout, where))
    if not movie_ids:
        raise UserError(f"{path} holds no movies; download the data set again.")
    return Movies(np.array(list(movie_ids), dtype=np.int64), titles, years, genres)


def _lines(path: Path, layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and fields, header and empty lines left out, every field count checked."""
    lines = decode(path.read_bytes()).split("\n")
    if layout.header:
        rows = csv.reader(lines)
        _check_header(next(rows, []), path, layout)
        numbered = ((rows.line_num, fields) for fields in rows)
    else:
        separator = layout.movie_delimiter
        numbered = ((n, row.rstrip("\r").split(separator)) for n, row in enumerate(lines, 1))
    for line, fields in numbered:
        if fields in ([], [""]):
            continue
        if len(fields) != len(layout.movie_fields):
            form = layout.movie_delimiter.join(layout.movie_fields)
            raise UserError(
                f"{path} line {line}: {len(fields)} fields, expected "
                f"{len(layout.movie_fields)} ({form}); download the data set again."
            )
        yield line, fields


def decode(content: bytes) -> str:
    """Text of a MovieLens file: UTF-8 (with or without BOM), else Latin-1."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _check_header(found: list[str], path: Path, layout: Layout) -> None:
    if tuple(found) != layout.movie_fields:
        raise UserError(
            f"{path} line 1: the header is {','.join(found)[:80]!r}, expected "
            f"{','.join(layout.movie_fields)!r}; is this the movie file of a csv data set?"
        )


def _movie_id(field: str, where: str) -> int:
    if not (field.isascii() and field.isdigit() and 0 < int(field) < 2**31):
        raise UserError(f"{where}: movie id {field[:40]!r}, expected a whole number from 1.")
    return int(field)


def _genres(fields: list[str], layout: Layout, where: str) -> tuple[str, ...]:
    flags = fields[5:]
    if not flags:
        names = [name.strip() for name in fields[2].split("|")]
        return tuple(dict.fromkeys(name for name in names if name and name != NO_GENRES))
    if not set(flags) <= {"0", "1"}:
        raise UserError(f"{where}: genre flags {'|'.join(flags)[:60]!r}, expected 19 of 0 or 1.")
    named = zip(layout.movie_fields[5:], flags, strict=True)
    return tuple(name for name, flag in named if flag == "1" and name != "unknown")
