"""Ratings as files of MovieLens and Letterboxd: written, read, matched to movies."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from app_pages import rating_scale, ratings_csv
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
    rows = ratings_csv.read(ratings_csv.as_movielens("ana", RATINGS).encode()).rows
    assert [(row.movie_id, row.rating) for row in rows] == [(6, 4.5), (7, 3.0)]
    assert rows[0].at == datetime.fromisoformat(AT)


def test_letterboxd_file_round_trips() -> None:
    rows = ratings_csv.read(ratings_csv.as_letterboxd(RATINGS).encode()).rows
    assert [(row.title, row.year, row.rating) for row in rows] == [
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
    (row,) = ratings_csv.read(text.encode()).rows
    assert (row.line, row.movie_id, row.rating, row.at) == (2, 6, stars, None)


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
    row = ratings_csv.Row(line=2, movie_id=None, title=title, year=year, rating=4.0, at=None)
    assert ratings_csv.make_event("ana", row, search)["movie_id"] == 6


@pytest.mark.parametrize(
    ("title", "year", "stars", "reason"),
    [
        pytest.param("Heat", 2013, 4.0, "no movie of that title and year", id="another Heat"),
        pytest.param("Heath", 1995, 4.0, "no movie of that title and year", id="only near"),
        pytest.param("", 1995, 4.0, "no movie of that title and year", id="no title"),
        pytest.param("Heat", 1995, None, "no rating", id="no stars"),
    ],
)
def test_make_event_without_match_says_why(
    title: str, year: int, stars: float | None, reason: str
) -> None:
    row = ratings_csv.Row(line=2, movie_id=None, title=title, year=year, rating=stars, at=None)
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
    first, bad, last = ratings_csv.read(file.encode()).rows
    assert (bad.line, bad.fault[: len(fault)]) == (3, fault)
    with pytest.raises(ratings_csv.Unmatched, match=re.escape(fault)):
        ratings_csv.make_event("ana", bad, search)
    assert [(row.line, row.movie_id, row.rating) for row in (first, last)] == [(2, 1, 4), (4, 2, 3)]


def test_read_title_with_a_control_character_is_a_fault() -> None:
    good, bad = ratings_csv.read(b"Name,Rating\nHeat,4\nHe\0at,4\n").rows
    assert good.fault == "" and bad.fault.startswith("title 'He\\x00at', expected text")


def test_read_decides_the_order_of_dates_by_the_column() -> None:
    text = "movieId,rating,date\n1,4,11/02/2024\n2,4,13/02/2024\n3,4,\n"
    first, _, third = ratings_csv.read(text.encode()).rows
    assert (first.at, third.at, third.fault) == (datetime(2024, 2, 11, tzinfo=UTC), None, "")
    (first,) = ratings_csv.read(b"movieId,rating,date\n1,4,11/02/2024\n").rows
    assert first.at is None and "day/month or month/day" in first.fault


TRAKT = "rated_at,type,title,year,trakt_rating,rating\n2024-02-11T10:00:00Z,movie,Heat,1995,8.1,"


FILES = {
    "IMDb": (
        b"Const,Your Rating,Date Rated,Title,Original Title,URL,Title Type,IMDb Rating,Year\n"
        b"tt0113277,7,2024-02-11,Heat,Heat,https://x,Movie,8.3,1995\n",
        10.0,
    ),
    "Letterboxd": (
        b"Date,Name,Year,Letterboxd URI,Rating\n2024-02-11,Heat,1995,https://x,3.5\n",
        5.0,
    ),
    "Letterboxd of 10": (b"Title,Year,Rating10\nHeat,1995,7\n", 10.0),
    "Trakt": (f"{TRAKT}7\n".encode(), 10.0),
    "Simkl": (b"SIMKL_ID,Title,Type,Year,Rating,WatchedDate\n1,Heat,movie,1995,7,\n", 10.0),
    "MovieLens": (b"userId,movieId,rating,timestamp\n1,6,3.5,1000000000000\n", 5.0),
}


@pytest.mark.parametrize("site", FILES)
def test_read_form_of_a_site_tells_its_scale(site: str) -> None:
    file, highest = FILES[site]
    table = ratings_csv.read(file)
    assert (table.site, table.highest) == (site.split()[0], highest)
    event = ratings_csv.make_event("ana", table.rows[0], search, highest=highest)
    assert (event["movie_id"], event["stars"]) == (6, 3.5)
    event = ratings_csv.make_event("ana", table.rows[0], search, range(101), highest)
    assert event["stars"] == 70


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(b"title,year,rating\nHeat,1995,4\nFargo,1996,9\n", id="1 to 10"),
        pytest.param(b"title,year,rating\nHeat,1995,4\nFargo,1996,3\n", id="any scale"),
        pytest.param(b"title,year,rating\nHeat,1995,\n", id="no rating"),
        pytest.param(b"movieId,rating\n6,4\n", id="two columns"),
        pytest.param(
            b"userId,movieId,rating,timestamp\n1,6,9,1000000000\n", id="above the form's scale"
        ),
    ],
)
def test_read_other_form_has_no_known_scale(file: bytes) -> None:
    assert ratings_csv.read(file).highest is None


def test_examples_show_what_becomes_of_ratings() -> None:
    table = ratings_csv.read(b"title,rating\nA,4\nB,9\nC,7\nD,100\nE,0\nF,x\n")
    assert table.examples(10.0, rating_scale.HALF_STARS) == (
        "9 of 10 becomes 4.5 of 5, 7 of 10 becomes 3.5 of 5, 4 of 10 becomes 2 of 5"
    )
    assert table.examples(5.0, range(1, 11)) == "4 of 5 becomes 8 of 10"
    assert ratings_csv.read(b"title,rating\nA,60\n").examples(5.0, range(1, 11)) == ""


@pytest.mark.parametrize(("rating", "highest"), [(9.0, 5.0), (0.0, 10.0)])
def test_make_event_rating_off_its_scale_says_so(rating: float, highest: float) -> None:
    row = ratings_csv.Row(line=2, movie_id=6, title="", year=None, rating=rating, at=None)
    with pytest.raises(ratings_csv.Unmatched, match=f"rating {rating:g}, expected above 0"):
        ratings_csv.make_event("ana", row, search, highest=highest)


def test_text_ids_are_read_as_they_are_written() -> None:
    text = "userId,movieId,rating,timestamp\n1,0114508,4,1000000000\n1,a/b ü,4,1000000001\n"
    text += f"1,{'x' * 129},4,1000000002\n"
    first, second, third = ratings_csv.read(text.encode(), has_text_ids=True).rows
    assert [first.movie_id, second.movie_id, third.movie_id] == ["0114508", "a/b ü", None]
    assert "expected an id of at most 128 characters" in third.fault
    entry: HistoryItem = {"movie_id": "0114508", "title": "Heat", "stars": 4.0, "at": AT}
    file = ratings_csv.as_movielens("ana", [entry]).encode()
    assert ratings_csv.read(file, has_text_ids=True).rows[0].movie_id == "0114508"


def test_file_of_a_catalog_without_ratings_round_trips() -> None:
    entries: list[HistoryItem] = [{"movie_id": 6, "title": "Heat", "year": 1995, "at": AT}]
    for file in (
        ratings_csv.as_movielens("ana", entries, ()), ratings_csv.as_letterboxd(entries, ())
    ):  # fmt: skip
        (row,) = ratings_csv.read(file.encode(), has_ratings=False).rows
        event = ratings_csv.make_event("ana", row, search, ())
        assert (event["movie_id"], event["kind"], "stars" in event) == (6, "watch", False)


@pytest.mark.parametrize("scale", [range(1, 11), range(101), (1, 2), (0, 1), range(1, 6)])
def test_ratings_of_any_scale_round_trip_through_half_stars(scale: Sequence[float]) -> None:
    entries: list[HistoryItem] = [
        {"movie_id": 6, "title": "Heat", "stars": float(scale[n]), "at": AT} for n in (0, -1)
    ]
    table = ratings_csv.read(ratings_csv.as_movielens("ana", entries, scale).encode())
    events = [ratings_csv.make_event("ana", row, search, scale) for row in table.rows]
    assert abs(events[0]["stars"] - scale[0]) <= 10 * (len(scale) > 20)
    assert events[1]["stars"] == scale[-1]


def test_read_takes_the_time_of_trakt() -> None:
    (row,) = ratings_csv.read(f"{TRAKT}5\n".encode()).rows
    assert (row.rating, row.at) == (5.0, datetime(2024, 2, 11, 10, tzinfo=UTC))


def test_row_label_of_a_long_title_is_short() -> None:
    (row,) = ratings_csv.read(b"Name,Year,Rating\n" + b"x" * 100_000 + b",1995,4\n").rows
    assert row.label() == "x" * 100 + " (1995)"


def test_make_event_same_row_has_the_same_id() -> None:
    text = (
        b"movieId,rating,timestamp\n6,4,1000000000\n6,4,2001-09-09 01:46:40\n6,4,\n6,4.0,\n6,3,\n"
    )
    events = [ratings_csv.make_event("ana", row, search) for row in ratings_csv.read(text).rows]
    ids = [event["event_id"] for event in events]
    assert ids[0] == ids[1] != ids[2] == ids[3] != ids[4] and len(set(ids)) == 3
    assert [event.get("at") for event in events[1:3]] == [
        datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC),
        None,
    ]
    (row, *_) = ratings_csv.read(text).rows
    assert ratings_csv.make_event("ben", row, search)["event_id"] != ids[0]
