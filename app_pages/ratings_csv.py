"""Ratings as the files of Letterboxd and MovieLens, in and out.

    MovieLens    userId,movieId,rating,timestamp        Unix seconds; userId is not read, because
                                                        the file is taken as one user's
    Letterboxd   Date,Name,Year,Letterboxd URI,Rating   movies by title and year, half stars

An imported rating keeps the time of the file. Its event_id is a hash of the row, so that a file
that is imported twice is stored once.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from marquee_client.requests import Event
from marquee_client.types import HistoryItem, Movie, SearchResponse

FORMATS = "expected the columns movieId,rating (MovieLens) or Name,Year,Rating (Letterboxd)"
MAX_YEARS_APART = 1
"""Two sites may differ by this on a release year."""
MAX_CANDIDATES = 5
MAX_QUERY_CHARS = 200


class Unmatched(ValueError):  # noqa: N818
    """A row that names no movie of the catalog, or has no rating.

    `str()` is the reason.
    """


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a file.

    A MovieLens row has a movie_id, a Letterboxd row title and year.
    """

    line: int
    movie_id: int | None
    title: str
    year: int | None
    stars: float | None
    at: datetime | None

    def label(self) -> str:
        """Return the name of the movie, as far as the file gives one."""
        if self.movie_id is not None:
            return f"movie {self.movie_id}"
        return self.title if self.year is None else f"{self.title} ({self.year})"

    def event_id(self, user_id: str) -> str:
        """Return the same id for the same row of the same user."""
        content = f"{user_id}|{self.label()}|{self.stars}|{self.at}"
        return "csv-" + hashlib.sha256(content.encode()).hexdigest()[:40]


def read(file: bytes) -> list[Row]:
    """Read every line of a file; ValueError where it has neither format."""
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"this is not UTF-8 text (byte {error.start}); {FORMATS}") from error
    table = csv.DictReader(io.StringIO(text))
    columns = {name.strip().lower(): name for name in table.fieldnames or []}
    if {"movieid", "rating"} <= columns.keys():
        return [_movielens_row(n, cells, columns) for n, cells in enumerate(table, 2)]
    if columns.keys() & {"name", "title"} and "rating" in columns:
        return [_letterboxd_row(n, cells, columns) for n, cells in enumerate(table, 2)]
    raise ValueError(f"the first line is {', '.join(columns) or 'empty'}; {FORMATS}")


def make_event(user_id: str, row: Row, search: Callable[[str, int], SearchResponse]) -> Event:
    """Return the event that stores a row.

    Raises Unmatched if there is nothing to store.

    search: finds movies by title, at most so many.
    """
    if row.stars is None:
        raise Unmatched("no stars")
    movie_id = row.movie_id
    if movie_id is None:
        query = row.title[:MAX_QUERY_CHARS]
        movie_id = _match(row, search(query, MAX_CANDIDATES)["items"] if query else [])
    return {
        "event_id": row.event_id(user_id),
        "user_id": user_id,
        "movie_id": movie_id,
        "kind": "rating",
        "stars": row.stars,
        "at": row.at or datetime.now(UTC),
    }


def as_movielens(user_id: str, ratings: Iterable[HistoryItem]) -> str:
    """Return the ratings in MovieLens' format."""
    rows = [
        (
            user_id,
            entry["movie_id"],
            entry["stars"],
            int(datetime.fromisoformat(entry["at"]).timestamp()),
        )
        for entry in ratings
    ]
    return _write(("userId", "movieId", "rating", "timestamp"), rows)


def as_letterboxd(ratings: Iterable[HistoryItem]) -> str:
    """Return the ratings in Letterboxd's format.

    A movie that the catalog no longer holds has no title, and is written by its id.
    """
    rows = [
        (
            entry["at"][:10],
            entry.get("title", entry["movie_id"]),
            entry.get("year") or "",
            "",
            entry["stars"],
        )
        for entry in ratings
    ]
    return _write(("Date", "Name", "Year", "Letterboxd URI", "Rating"), rows)


def _match(row: Row, movies: Sequence[Movie]) -> int:
    """Return the movie of the same title and year; a similar title is no match."""
    for movie in movies:
        both_years = row.year is not None and movie["year"] is not None
        if _bare(movie["title"]) == _bare(row.title) and not (
            both_years and abs(movie["year"] - row.year) > MAX_YEARS_APART  # type: ignore[operator]
        ):
            return movie["movie_id"]
    raise Unmatched("no movie of that title and year in this catalog")


def _bare(title: str) -> str:
    """Drop case, punctuation and the article."""
    words = "".join(c if c.isalnum() else " " for c in title.casefold().replace("'", "")).split()
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"]) else words)


def _movielens_row(line: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    at = _number(cells.get(columns.get("timestamp", "")))
    movie_id = _number(cells[columns["movieid"]])
    return Row(
        line=line,
        movie_id=None if movie_id is None else int(movie_id),
        title=cells[columns["movieid"]] or "",
        year=None,
        stars=_number(cells[columns["rating"]]),
        at=None if at is None else datetime.fromtimestamp(at, UTC),
    )


def _letterboxd_row(line: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    year = _number(cells.get(columns.get("year", "")))
    date = cells.get(columns.get("date", columns.get("watcheddate", ""))) or ""
    return Row(
        line=line,
        movie_id=None,
        title=(cells[columns.get("name", columns.get("title", ""))] or "").strip(),
        year=None if year is None else int(year),
        stars=_number(cells[columns["rating"]]),
        at=_date(date),
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _write(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()
