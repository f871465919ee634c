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
from typing import Any, TypeVar

from marquee_client.requests import Event
from marquee_client.types import HistoryItem, Movie, SearchResponse

Value = TypeVar("Value")
FORMATS = "expected the columns movieId,rating (MovieLens) or Name,Year,Rating (Letterboxd)"
MAX_YEARS_APART = 1
"""Two sites may differ by this on a release year."""
MAX_CANDIDATES = 5
MAX_QUERY_CHARS = 200


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

    def label(self) -> str:
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
    columns = [name.strip().lower() for name in table.fieldnames or []]
    table.fieldnames = columns
    if "rating" not in columns or not {"movieid", "name", "title"} & set(columns):
        raise ValueError(f"the first line is {', '.join(columns) or 'empty'}; {FORMATS}")
    return [_row(line, cells) for line, cells in enumerate(table, 2)]


def make_event(user_id: str, row: Row, search: Callable[[str, int], SearchResponse]) -> Event:
    """Return the event that stores a row; Unmatched if there is nothing to store."""
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


def _row(line: int, cells: Mapping[str, str]) -> Row:
    """Read a line of either format: no column of one means something else in the other."""
    at = _parse(datetime.fromisoformat, cells.get("date") or cells.get("watcheddate"))
    if (unix_s := _parse(float, cells.get("timestamp"))) is not None:
        at = datetime.fromtimestamp(unix_s, UTC)
    title = cells.get("name") or cells.get("title") or cells.get("movieid") or ""
    return Row(
        line=line,
        movie_id=_parse(int, cells.get("movieid")),
        title=title.strip(),
        year=_parse(int, cells.get("year")),
        stars=_parse(float, cells["rating"]),
        at=at and at.replace(tzinfo=UTC),
    )


def _parse(convert: Callable[[str], Value], text: str | None) -> Value | None:
    try:
        return convert(text) if text else None
    except ValueError:
        return None


def _write(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
