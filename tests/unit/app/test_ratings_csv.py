"""Ratings as files of MovieLens and Letterboxd: written, read, matched to movies."""

from datetime import UTC, datetime

import pytest

from app_pages import ratings_csv
from marquee_client.types import HistoryItem, Movie, SearchResponse

AT = "2026-01-02T03:04:05+00:00"
HEAT: Movie = {"movie_id": 6, "title": "Heat", "year": 1995, "genres": [], "num_ratings": 9}
RATINGS: list[HistoryItem] = [
    {"movie_id": 6, "title": "Heat", "year": 1995, "stars": 4.5, "at": AT},
    {"movie_id": 7, "title": "You, Me & “Dupree”", "year": 2006, "stars": 3.0, "at": AT},
]


def search(query: str, k: int) -> SearchResponse:
    return {"items": [HEAT], "model_version": ""}


def test_movielens_file_round_trips() -> None:
    rows = ratings_csv.read(ratings_csv.as_movielens("ana", RATINGS).encode())
    assert [(row.movie_id, row.stars) for row in rows] == [(6, 4.5), (7, 3.0)]
    assert rows[0].at == datetime.fromisoformat(AT)


def test_letterboxd_file_round_trips() -> None:
    rows = ratings_csv.read(ratings_csv.as_letterboxd(RATINGS).encode())
    assert [(row.title, row.year, row.stars) for row in rows] == [
        ("Heat", 1995, 4.5),
        ("You, Me & “Dupree”", 2006, 3.0),
    ]
    assert rows[0].at == datetime(2026, 1, 2, tzinfo=UTC)


def test_letterboxd_file_names_a_lost_movie_by_id() -> None:
    entry: HistoryItem = {"movie_id": 8, "stars": 2.0, "at": AT}
    assert ratings_csv.as_letterboxd([entry]).splitlines()[1] == "2026-01-02,8,,,2.0"


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        pytest.param("\ufeffmovieId,rating\n6,4\n", 4.0, id="byte order mark"),
        pytest.param(" MOVIEID , Rating \n6,4.5\n", 4.5, id="spaces and case"),
        pytest.param("movieId,rating\n6\n", None, id="short line"),
        pytest.param("movieId,rating\n6,many\n", None, id="no number"),
    ],
)
def test_read_tolerates_loose_files(text: str, stars: float | None) -> None:
    (row,) = ratings_csv.read(text.encode())
    assert (row.line, row.movie_id, row.stars, row.at) == (2, 6, stars, None)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        pytest.param(b"a,b\n1,2\n", "the first line is a, b; expected", id="other columns"),
        pytest.param(b"", "the first line is empty; expected", id="empty"),
        pytest.param(b"\xff\xfe", "this is not UTF-8 text (byte 0); expected", id="not UTF-8"),
        pytest.param(b"movieId,stars\n", "the first line is movieid, stars", id="no rating"),
    ],
)
def test_read_rejects_unknown_formats(file: bytes, message: str) -> None:
    with pytest.raises(ValueError, match="expected the columns") as error:
        ratings_csv.read(file)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("title", "year"),
    [
        pytest.param("Heat", 1995, id="same"),
        pytest.param("HEAT!", 1996, id="punctuation, and a year apart"),
        pytest.param("The Heat", None, id="article, no year"),
    ],
)
def test_make_event_matches_title_and_year(title: str, year: int | None) -> None:
    row = ratings_csv.Row(line=2, movie_id=None, title=title, year=year, stars=4.0, at=None)
    assert ratings_csv.make_event("ana", row, search)["movie_id"] == 6


@pytest.mark.parametrize(
    ("title", "year", "stars", "reason"),
    [
        pytest.param("Heat", 2013, 4.0, "no movie of that title and year", id="another Heat"),
        pytest.param("Heath", 1995, 4.0, "no movie of that title and year", id="only near"),
        pytest.param("", 1995, 4.0, "no movie of that title and year", id="no title"),
        pytest.param("Heat", 1995, None, "no stars", id="no stars"),
    ],
)
def test_make_event_without_match_says_why(
    title: str, year: int, stars: float | None, reason: str
) -> None:
    row = ratings_csv.Row(line=2, movie_id=None, title=title, year=year, stars=stars, at=None)
    with pytest.raises(ratings_csv.Unmatched, match=reason):
        ratings_csv.make_event("ana", row, search)


def test_event_id_is_stable_per_row_and_user() -> None:
    (row,) = ratings_csv.read(b"movieId,rating\n6,4\n")
    assert row.event_id("ana") == row.event_id("ana") != row.event_id("ben")
