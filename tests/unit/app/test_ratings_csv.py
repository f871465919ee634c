"""Ratings as files of MovieLens and Letterboxd: written, read, matched to movies."""

import re
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
        pytest.param("movie_id;Rating\n6;4,5\n", 4.5, id="semicolons"),
        pytest.param("movieId\tuserId\tuserId\trating\n6.0\t1\t1\t4\n", 4.0, id="tabs"),
    ],
)
def test_read_tolerates_loose_files(text: str, stars: float | None) -> None:
    (row,) = ratings_csv.read(text.encode())
    assert (row.line, row.movie_id, row.stars, row.at) == (2, 6, stars, None)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        pytest.param(b"a,b\n1,2\n", "the first line is a, b; expected", id="other columns"),
        pytest.param(b"", "the file is empty; expected", id="empty"),
        pytest.param(b"\xff\xfe", "the file is empty; expected", id="mark alone"),
        pytest.param(b"PK\x03\x04\0\xff", "the first line is PK??", id="no text"),
        pytest.param(b"movieId,stars\n", "the first line is movieId, stars", id="no rating"),
        pytest.param(b"movieId,rating\n\n", "there is no row below the first", id="header only"),
        pytest.param(
            b"movieId,rating,Rating\n6,4,3\n", "the column rating is there twice", id="twice"
        ),
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


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        pytest.param("6,1995,1e400,", "rating '1e400', expected a number of stars", id="1e400"),
        pytest.param("6,1995,inf,", "rating 'inf', expected", id="inf"),
        pytest.param("6,1995,nan,", "rating 'nan', expected", id="nan"),
        pytest.param("6,1995,4_5,", "rating '4_5', expected", id="underscore"),
        pytest.param("6,1995,-4,", "rating '-4', expected", id="negative"),
        pytest.param("tt6,1995,4,", "movieId 'tt6', expected a whole number", id="movie"),
        pytest.param("1e400,1995,4,", "movieId '1e400', expected", id="movie-1e400"),
        pytest.param("6,nineties,4,", "year 'nineties', expected a whole number", id="year"),
        pytest.param("6,1995,4,soon", "time 'soon', expected a date such as", id="time"),
        pytest.param("6,1995,4,1e400", "time '1e400', expected a date", id="time-1e400"),
        pytest.param("6,1995,4,,,5", "6 cells, expected 4", id="more-cells"),
        pytest.param('6,1995,"4,', "a quote that is not closed", id="open-quote"),
        pytest.param("6,1995,4," + "x" * 140_000, "a cell of more than 131,072", id="long-cell"),
    ],
)
def test_read_row_with_a_fault_spoils_no_other(cells: str, fault: str) -> None:
    file = f"movieId,year,rating,date\n1,1995,4,2024-02-13\n{cells}\n2,1996,3,2024-02-14\n"
    first, bad, last = ratings_csv.read(file.encode())
    assert (bad.line, bad.fault[: len(fault)]) == (3, fault)
    with pytest.raises(ratings_csv.Unmatched, match=re.escape(fault)):
        ratings_csv.make_event("ana", bad, search)
    assert [(row.line, row.movie_id, row.stars) for row in (first, last)] == [(2, 1, 4), (4, 2, 3)]


def test_read_title_with_a_control_character_is_a_fault() -> None:
    good, bad = ratings_csv.read(b"Name,Rating\nHeat,4\nHe\0at,4\n")
    assert good.fault == "" and bad.fault.startswith("title 'He\\x00at', expected text")


def test_read_decides_the_order_of_dates_by_the_column() -> None:
    text = "movieId,rating,date\n1,4,11/02/2024\n2,4,13/02/2024\n3,4,\n"
    first, _, third = ratings_csv.read(text.encode())
    assert (first.at, third.at, third.fault) == (datetime(2024, 2, 11, tzinfo=UTC), None, "")
    (first,) = ratings_csv.read(b"movieId,rating,date\n1,4,11/02/2024\n")
    assert first.at is None and "day/month or month/day" in first.fault


TRAKT = "rated_at,type,title,year,trakt_rating,rating\n2024-02-11T10:00:00Z,movie,Heat,1995,8.1,"


def test_read_refuses_ratings_from_1_to_10() -> None:
    rows = ratings_csv.read(b"Title,Year,Rating\nHeat,1995,4\nFargo,1996,9\n")
    assert {row.fault for row in rows} == {
        "the ratings go up to 9, expected stars from 0.5 to 5; halve them"
    }


@pytest.mark.parametrize("ratings", ["4.5 9", "4 45", "5 0", "4,5 10"])
def test_read_stars_with_one_wrong_number_are_read(ratings: str) -> None:
    lines = "".join(f"6;{rating}\n" for rating in ratings.split())
    rows = ratings_csv.read(f"movieId;rating\n{lines}".encode())
    assert [row.fault for row in rows] == ["", ""]


def test_read_takes_the_time_of_trakt() -> None:
    (row,) = ratings_csv.read(f"{TRAKT}5\n".encode())
    assert (row.stars, row.at) == (5.0, datetime(2024, 2, 11, 10, tzinfo=UTC))


def test_row_label_of_a_long_title_is_short() -> None:
    (row,) = ratings_csv.read(b"Name,Year,Rating\n" + b"x" * 100_000 + b",1995,4\n")
    assert row.label() == "x" * 100 + " (1995)"


def test_make_event_same_row_has_the_same_id() -> None:
    text = (
        b"movieId,rating,timestamp\n6,4,1000000000\n6,4,2001-09-09 01:46:40\n6,4,\n6,4.0,\n6,3,\n"
    )
    events = [ratings_csv.make_event("ana", row, search) for row in ratings_csv.read(text)]
    ids = [event["event_id"] for event in events]
    assert ids[0] == ids[1] != ids[2] == ids[3] != ids[4] and len(set(ids)) == 3
    assert [event.get("at") for event in events[1:3]] == [
        datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
        None,
    ]
    (row, *_) = ratings_csv.read(text)
    assert ratings_csv.make_event("ben", row, search)["event_id"] != ids[0]
