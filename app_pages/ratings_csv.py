"""Ratings as the files of Letterboxd and MovieLens, in and out.

    MovieLens    userId,movieId,rating,timestamp        Unix seconds; userId is not read, because
                                                        the file is taken as one user's
    Letterboxd   Date,Name,Year,Letterboxd URI,Rating   movies by title and year, half stars

A row keeps its time (app_pages/csv_times.py), or has none: then it is rated when it is stored. Its
event_id is a hash of its content, so that a row which comes twice is stored once. A row that cannot
be read has a fault instead, and the others are imported.
"""

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app_pages.csv_table import Line, read_table
from app_pages.csv_times import time_reader
from marquee_client.requests import Event
from marquee_client.types import HistoryItem, Movie, SearchResponse

NAMES, TIMES = ("name", "title"), ("timestamp", "date", "watcheddate", "ratedat", "daterated")
COLUMNS = {"movieid", "year", "rating", *NAMES, *TIMES}
FORMATS = "expected the columns movieId,rating (MovieLens) or Name,Year,Rating (Letterboxd)"
MAX_YEARS_APART = 1
"""Two sites may differ by this on a release year."""
MAX_CANDIDATES = 5
MAX_QUERY_CHARS = 200
MAX_LABEL_CHARS = 100
FROM_1_TO_10 = re.compile(r"([1-9]|10)([.,]0+)?")
FRACTION = re.compile(r"[0-9]+[.,][0-9]*[1-9]0*")
MAX_STARS = 5
NUMBER = re.compile(r"[0-9]{1,3}([.,][0-9]{1,9})?")
WHOLE = re.compile(r"([0-9]{1,18})(\.0+)?")  # 6.0 is 6, as pandas writes it
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Unmatched(ValueError):  # noqa: N818
    """A row without a rating or a movie of the catalog; `str()` is the reason."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a file: with a movie_id (MovieLens) or title and year (Letterboxd)."""

    line: int
    movie_id: int | None
    title: str
    year: int | None
    stars: float | None
    at: datetime | None
    fault: str = ""
    """Why the row cannot be imported."""

    def label(self) -> str:
        if self.movie_id is not None:
            return f"movie {self.movie_id}"
        title = self.title[:MAX_LABEL_CHARS]
        return title if self.year is None else f"{title} ({self.year})"


def read(file: bytes) -> list[Row]:
    """Read every row of a file; ValueError where it has neither format, or no row."""
    try:
        lines = read_table(file, _is_known)
    except ValueError as error:
        raise ValueError(f"{error}; {FORMATS}") from None
    if not lines:
        raise ValueError(f"there is no row below the first line; {FORMATS}")
    read_time = time_reader([_first(line.cells, TIMES) for line in lines])
    stars_fault = _stars_fault([line.cells.get("rating", "") for line in lines])
    return [_row(line, read_time, stars_fault) for line in lines]


def make_event(user_id: str, row: Row, search: Callable[[str, int], SearchResponse]) -> Event:
    """Return the event that stores a row; Unmatched if there is nothing to store."""
    if row.fault:
        raise Unmatched(row.fault)
    if row.stars is None:
        raise Unmatched("no stars")
    movie_id = row.movie_id
    if movie_id is None:
        query = row.title[:MAX_QUERY_CHARS]
        movie_id = _match(row, search(query, MAX_CANDIDATES)["items"] if query else [])
    content = json.dumps([user_id, movie_id, row.stars, row.at and row.at.isoformat()])
    event: Event = {
        "event_id": "csv-" + hashlib.sha256(content.encode()).hexdigest()[:40],
        "user_id": user_id,
        "movie_id": movie_id,
        "kind": "rating",
        "stars": row.stars,
    }
    return event if row.at is None else event | {"at": row.at}


def as_movielens(user_id: str, ratings: Iterable[HistoryItem]) -> str:
    out: list[Sequence[Any]] = [("userId", "movieId", "rating", "timestamp")]
    for entry in ratings:
        unix_s = int(datetime.fromisoformat(entry["at"]).timestamp())
        out.append((user_id, entry["movie_id"], entry["stars"], unix_s))
    return _write(out)


def as_letterboxd(ratings: Iterable[HistoryItem]) -> str:
    """Name a movie that the catalog no longer holds by its id."""
    out: list[Sequence[Any]] = [("Date", "Name", "Year", "Letterboxd URI", "Rating")]
    for entry in ratings:
        title, year = entry.get("title", entry["movie_id"]), entry.get("year") or ""
        out.append((entry["at"][:10], title, year, "", entry["stars"]))
    return _write(out)


def _match(row: Row, movies: Sequence[Movie]) -> int:
    """Return the movie of the same title and year; a similar title is no match."""
    for movie in movies:
        is_same_year = (
            row.year is None
            or movie["year"] is None
            or abs(movie["year"] - row.year) <= MAX_YEARS_APART
        )
        if is_same_year and _bare(movie["title"]) == _bare(row.title):
            return movie["movie_id"]
    raise Unmatched("no movie of that title and year in this catalog")


def _bare(title: str) -> str:
    """Drop case, punctuation and the article."""
    words = "".join(c if c.isalnum() else " " for c in title.casefold().replace("'", "")).split()
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"]) else words)


def _is_known(columns: Sequence[str]) -> bool:
    """Return whether these are the columns of a format; ValueError for one that is there twice."""
    if "rating" not in columns or not {"movieid", *NAMES} & set(columns):
        return False
    twice = [name for name, n in Counter(columns).items() if n > 1 and name in COLUMNS]
    if twice:
        raise ValueError(f"the column {twice[0]} is there twice, expected once")
    return True


def _stars_fault(column: Sequence[str]) -> str:
    """Return why no rating of a column is one in stars, or "": it goes from 1 to 10.

    Such a column has whole numbers alone, and one from 6 to 10: its 4 is no 4 of 5 stars.
    """
    numbers = [int(match[1]) for text in column if (match := FROM_1_TO_10.fullmatch(text))]
    highest = max(numbers, default=0)
    if highest <= MAX_STARS or any(map(FRACTION.fullmatch, column)):
        return ""
    return f"the ratings go up to {highest}, expected stars from 0.5 to {MAX_STARS}; halve them"


def _row(line: Line, read_time: Callable[[str], datetime], stars_fault: str) -> Row:
    """Read a line of either format: no column of one means something else in the other."""
    cells, faults = line.cells, [fault for fault in (line.fault, stars_fault) if fault]

    def parse(name: str, text: str, convert: Callable[[str], Any]) -> Any:
        try:
            return convert(text) if text else None
        except ValueError as error:
            faults.append(f"{name} {error}")
            return None

    return Row(
        line=line.number,
        movie_id=parse("movieId", cells.get("movieid", ""), _whole),
        title=parse("title", _first(cells, NAMES), _title) or "",
        year=parse("year", cells.get("year", ""), _whole),
        stars=parse("rating", cells.get("rating", ""), _number),
        at=parse("time", _first(cells, TIMES), read_time),
        fault="; ".join(faults),
    )


def _first(cells: Mapping[str, str], names: Iterable[str]) -> str:
    """Return the first of these cells that holds something."""
    return next((cells[name] for name in names if cells.get(name)), "")


def _whole(text: str) -> int:
    match = WHOLE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r}, expected a whole number")
    return int(match[1])


def _number(text: str) -> float:
    if not NUMBER.fullmatch(text):
        raise ValueError(f"{text[:40]!r}, expected a number of stars such as 4.5")
    return float(text.replace(",", "."))


def _title(text: str) -> str:
    text = " ".join(text.split())  # a line end of a quoted cell is a space
    if CONTROL.search(text):
        raise ValueError(f"{text[:40]!r}, expected text without control characters")
    return text


def _write(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
