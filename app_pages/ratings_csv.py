"""Ratings as the files of Letterboxd and MovieLens, in and out.

    MovieLens    userId,movieId,rating,timestamp        Unix seconds; 9 million rows are no file of
                                                        one person, and userId is not read
    Letterboxd   Date,Name,Year,Letterboxd URI,Rating   films by title and year, half stars

What is read keeps the time of the file, and an id made of it: a file that is imported twice is
stored once.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marquee_client.types import Event, HistoryItem, Movie, Movies

NEEDED = "expected the columns movieId,rating (MovieLens) or Name,Year,Rating (Letterboxd)"
NEAR = 1
"""Years by which two sites may differ on a release."""
CANDIDATES = 5


class Unmatched(ValueError):  # noqa: N818
    """A row that stands for no film of the catalogue, or for no rating; `str()` says why."""


@dataclass(frozen=True)
class Row:
    """A line of a file. movie_id: of MovieLens; else title and year name the film."""

    line: int
    movie_id: int | None
    title: str
    year: int | None
    stars: float | None
    at: datetime | None

    def named(self) -> str:
        if self.movie_id is not None:
            return f"movie {self.movie_id}"
        return self.title if self.year is None else f"{self.title} ({self.year})"

    def event_id(self, user_id: str) -> str:
        said = f"{user_id}|{self.named()}|{self.stars}|{self.at}"
        return "csv-" + hashlib.sha256(said.encode()).hexdigest()[:40]


def read(file: bytes) -> list[Row]:
    """Every line of the file; ValueError where it is neither format."""
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"this is not UTF-8 text (byte {error.start}); {NEEDED}") from error
    table = csv.DictReader(io.StringIO(text))
    columns = {name.strip().lower(): name for name in table.fieldnames or []}
    if {"movieid", "rating"} <= columns.keys():
        return [_movielens(n, line, columns) for n, line in enumerate(table, 2)]
    if columns.keys() & {"name", "title"} and "rating" in columns:
        return [_letterboxd(n, line, columns) for n, line in enumerate(table, 2)]
    raise ValueError(f"the first line is {', '.join(columns) or 'empty'}; {NEEDED}")


def event(user_id: str, row: Row, search: Callable[[str, int], Movies]) -> Event:
    """What the service stores of a row; Unmatched where that is nothing."""
    if row.stars is None:
        raise Unmatched("no stars")
    movie_id = row.movie_id
    if movie_id is None:
        movie_id = _found(row, search(row.title[:200], CANDIDATES)["items"] if row.title else [])
    return {
        "event_id": row.event_id(user_id),
        "user_id": user_id,
        "movie_id": movie_id,
        "kind": "rating",
        "stars": row.stars,
        "at": row.at or datetime.now(UTC),
    }


def as_movielens(user_id: str, rated: Iterable[HistoryItem]) -> str:
    lines = [
        (user_id, one["movie_id"], one["stars"], int(datetime.fromisoformat(one["at"]).timestamp()))
        for one in rated
    ]
    return _written(("userId", "movieId", "rating", "timestamp"), lines)


def as_letterboxd(rated: Iterable[HistoryItem]) -> str:
    """Films that the catalogue no longer names have no title, and are written by their id."""
    lines = [
        (one["at"][:10], one.get("title", one["movie_id"]), one.get("year") or "", "", one["stars"])
        for one in rated
    ]
    return _written(("Date", "Name", "Year", "Letterboxd URI", "Rating"), lines)


def _found(row: Row, films: Sequence[Movie]) -> int:
    """The film of that title, if its year agrees; the nearest one is no match."""
    for film in films:
        far = row.year is not None and film["year"] is not None
        if _bare(film["title"]) == _bare(row.title) and not (
            far and abs(film["year"] - row.year) > NEAR  # type: ignore[operator]
        ):
            return film["movie_id"]
    raise Unmatched("no film of that title and year in this catalogue")


def _bare(title: str) -> str:
    """Without case, marks and the article."""
    words = "".join(c if c.isalnum() else " " for c in title.casefold().replace("'", "")).split()
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"]) else words)


def _movielens(line: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    at = _number(cells.get(columns.get("timestamp", "")))
    movie_id = _number(cells[columns["movieid"]])
    return Row(
        line,
        None if movie_id is None else int(movie_id),
        cells[columns["movieid"]] or "",
        None,
        _number(cells[columns["rating"]]),
        None if at is None else datetime.fromtimestamp(at, UTC),
    )


def _letterboxd(line: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    year = _number(cells.get(columns.get("year", "")))
    when = cells.get(columns.get("date", columns.get("watcheddate", ""))) or ""
    return Row(
        line,
        None,
        (cells[columns.get("name", columns.get("title", ""))] or "").strip(),
        None if year is None else int(year),
        _number(cells[columns["rating"]]),
        _day(when),
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _day(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _written(columns: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(lines)
    return out.getvalue()
