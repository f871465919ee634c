"""Ratings as the files of Letterboxd, IMDb, Trakt, Simkl and MovieLens, in; of two of them, out.

    MovieLens    userId,movieId,rating,timestamp        Unix seconds; userId is not read, because
                                                        the file is taken as one user's
    Letterboxd   Date,Name,Year,Letterboxd URI,Rating   movies by title and year, half stars

The scale of a file is that of its form (app_pages/rating_files.py), or unknown. A row keeps its
time (app_pages/csv_times.py), or has none: then it is rated when it is stored. Its event_id is a
hash of its content, so that a row which comes twice is stored once. A row that cannot be read has a
fault instead, and the others are imported. In a catalog without ratings each row is a movie that
was watched.
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

from app_pages import rating_scale
from app_pages.csv_table import Line, read_table
from app_pages.csv_times import time_reader
from app_pages.parameters import MAX_ID_CHARS
from app_pages.rating_files import FORMS, form_of
from marquee_client.requests import Event
from marquee_client.types import HistoryItem, Movie, MovieId, SearchResponse

NAMES, TIMES = ("name", "title"), ("timestamp", "date", "watcheddate", "ratedat", "daterated")
RATINGS = tuple(dict.fromkeys(["rating", *(form.rating for form in FORMS)]))
COLUMNS = {"movieid", "year", *RATINGS, *NAMES, *TIMES}
FORMATS = "expected the columns movieId,rating (MovieLens) or Name,Year,Rating (Letterboxd)"
MAX_YEARS_APART = 1
"""Two sites may differ by this on a release year."""
MAX_CANDIDATES = 5
MAX_QUERY_CHARS = 200
MAX_LABEL_CHARS = 100
NUMBER = re.compile(r"[0-9]{1,3}([.,][0-9]{1,9})?")
WHOLE = re.compile(r"([0-9]{1,18})(\.0+)?")  # 6.0 is 6, as pandas writes it
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Unmatched(ValueError):  # noqa: N818
    """A row without a rating or a movie of the catalog; `str()` is the reason."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of a file: with a movie_id (MovieLens) or title and year (Letterboxd)."""

    line: int
    movie_id: MovieId | None
    title: str
    year: int | None
    rating: float | None
    """On the scale of the file."""
    at: datetime | None
    fault: str = ""
    """Why the row cannot be imported."""

    def label(self) -> str:
        if self.movie_id is not None:
            return f"movie {self.movie_id}"
        title = self.title[:MAX_LABEL_CHARS]
        return title if self.year is None else f"{title} ({self.year})"


@dataclass(frozen=True, kw_only=True)
class RatingFile:
    """The rows of a file, and its scale as far as its form tells it."""

    rows: list[Row]
    site: str
    """The site whose form it has; "" for another form."""
    highest: float | None
    """The highest rating of the scale; None where it must be asked for."""

    def examples(self, highest: float, scale: rating_scale.Scale) -> str:
        """Return what becomes of some ratings: "9 of 10 becomes 4.5 of 5"."""
        values = {row.rating for row in self.rows if row.rating is not None and not row.fault}
        fitting = sorted(filter(lambda value: _fits(value, highest, scale), values), reverse=True)
        # The highest, the lowest and one between: these show what a scale does to them.
        shown = dict.fromkeys(fitting[n] for n in (0, len(fitting) // 2, -1) if fitting)
        return ", ".join(
            f"{value:g} of {highest:g} becomes "
            f"{rating_scale.convert(value, (0.0, highest), scale):g} of {scale[-1]:g}"
            for value in shown
        )


def read(file: bytes, *, has_text_ids: bool = False, has_ratings: bool = True) -> RatingFile:
    """Read every row of a file; ValueError where it has neither format, or no row.

    has_text_ids: whether movie ids are text in the catalog. has_ratings: whether it has ratings;
    else a file needs none.
    """
    try:
        lines = read_table(file, lambda columns: _is_known(columns, has_ratings))
    except ValueError as error:
        raise ValueError(f"{error}; {FORMATS}") from None
    if not lines:
        raise ValueError(f"there is no row below the first line; {FORMATS}")
    columns = next((list(line.cells) for line in lines if line.cells), [])
    form = form_of(columns)
    column = form.rating if form else next((name for name in RATINGS if name in columns), "")
    read_time = time_reader([_first(line.cells, TIMES) for line in lines])
    read_id = _text_id if has_text_ids else _whole
    rows = [_row(line, column, read_id, read_time) for line in lines]
    highest = form.highest if form else None
    if highest is not None and any(row.rating is not None and row.rating > highest for row in rows):
        highest = None
    return RatingFile(rows=rows, site=form.site if form else "", highest=highest)


def make_event(
    user_id: str,
    row: Row,
    search: Callable[[str, int], SearchResponse],
    scale: rating_scale.Scale = rating_scale.HALF_STARS,
    highest: float = 5.0,
) -> Event:
    """Return the event that stores a row; Unmatched if there is nothing to store.

    scale: of the catalog; empty for one without ratings. highest: of the file's scale.
    """
    if row.fault:
        raise Unmatched(row.fault)
    stars = _stars(row, highest, scale) if scale else None
    movie_id = row.movie_id
    if movie_id is None:
        query = row.title[:MAX_QUERY_CHARS]
        movie_id = _match(row, search(query, MAX_CANDIDATES)["items"] if query else [])
    content = json.dumps([user_id, movie_id, stars, row.at and row.at.isoformat()])
    event: Event = {
        "event_id": "csv-" + hashlib.sha256(content.encode()).hexdigest()[:40],
        "user_id": user_id,
        "movie_id": movie_id,
        "kind": "watch" if stars is None else "rating",
    }
    if stars is not None:
        event["stars"] = stars
    return event if row.at is None else event | {"at": row.at}


def as_movielens(
    user_id: str,
    entries: Iterable[HistoryItem],
    scale: rating_scale.Scale = rating_scale.HALF_STARS,
) -> str:
    """Write ratings in half stars; without ratings, movies watched and their times."""
    columns = ("userId", "movieId", "rating", "timestamp")
    out: list[Sequence[Any]] = [columns if scale else ("userId", "movieId", "timestamp")]
    for entry in entries:
        unix_s = int(datetime.fromisoformat(entry["at"]).timestamp())
        out.append((user_id, entry["movie_id"], *_half_stars(entry, scale), unix_s))
    return _write(out)


def as_letterboxd(
    entries: Iterable[HistoryItem], scale: rating_scale.Scale = rating_scale.HALF_STARS
) -> str:
    """Name a movie that the catalog no longer holds by its id."""
    columns = ("Date", "Name", "Year", "Letterboxd URI", "Rating")
    out: list[Sequence[Any]] = [columns if scale else columns[:-1]]
    for entry in entries:
        title, year = entry.get("title", entry["movie_id"]), entry.get("year") or ""
        out.append((entry["at"][:10], title, year, "", *_half_stars(entry, scale)))
    return _write(out)


def _stars(row: Row, highest: float, scale: rating_scale.Scale) -> float:
    if row.rating is None:
        raise Unmatched("no rating")
    if not _fits(row.rating, highest, scale):
        raise Unmatched(f"rating {row.rating:g}, expected above 0, at most {highest:g}")
    return rating_scale.convert(row.rating, (0.0, highest), scale)


def _fits(rating: float, highest: float, scale: rating_scale.Scale) -> bool:
    """Return whether a rating is one: most sites write 0 for none, but a scale may begin there."""
    return rating <= highest and (rating > 0 or scale[0] <= 0)


def _half_stars(entry: HistoryItem, scale: rating_scale.Scale) -> list[float]:
    if not scale:
        return []
    return [rating_scale.convert(entry["stars"], scale, rating_scale.HALF_STARS)]


def _match(row: Row, movies: Sequence[Movie]) -> MovieId:
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


def _is_known(columns: Sequence[str], has_ratings: bool) -> bool:
    """Return whether these are the columns of a format; ValueError for one that is there twice."""
    if not {"movieid", *NAMES} & set(columns):
        return False
    if has_ratings and not set(RATINGS) & set(columns):
        return False
    twice = [name for name, n in Counter(columns).items() if n > 1 and name in COLUMNS]
    if twice:
        raise ValueError(f"the column {twice[0]} is there twice, expected once")
    return True


def _row(
    line: Line,
    column: str,
    read_id: Callable[[str], MovieId],
    read_time: Callable[[str], datetime],
) -> Row:
    """Read a line of any format: no column of one means something else in another."""
    cells, faults = line.cells, [line.fault] if line.fault else []

    def parse(name: str, text: str, convert: Callable[[str], Any]) -> Any:
        try:
            return convert(text) if text else None
        except ValueError as error:
            faults.append(f"{name} {error}")
            return None

    return Row(
        line=line.number,
        movie_id=parse("movieId", cells.get("movieid", ""), read_id),
        title=parse("title", _first(cells, NAMES), _title) or "",
        year=parse("year", cells.get("year", ""), _whole),
        rating=parse("rating", cells.get(column, ""), _number),
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


def _text_id(text: str) -> str:
    if len(text) > MAX_ID_CHARS or CONTROL.search(text):
        message = f"expected an id of at most {MAX_ID_CHARS} characters, none of control"
        raise ValueError(f"{text[:40]!r}, {message}")
    return text


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
