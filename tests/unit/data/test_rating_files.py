"""Reading the three official layouts, and the message for every kind of bad file."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.core import memmap
from marquee.core.errors import InputError
from marquee.core.times import MAX_TIMESTAMP
from marquee.data.dataset import Dataset, load_dataset
from marquee.data.layouts import HALF_STARS, layout_of
from marquee.data.movie_files import read_movies
from marquee.data.rating_files import read_ratings
from marquee.data.text_lines import MAX_FILE_ID

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = HEADER + "1,10,4.0,964982703\n1,20,4.5,964981247\n2,10,0.5,1445714835\n"
MOVIES = (
    'movieId,title,genres\n10,"Matrix, The (1999)",Action|Sci-Fi\n'
    "20,Amélie,(no genres listed)\n30,Unrated (2000),Drama\n"
)


def load_csv(root: Path, ratings: str | bytes, movies: str | bytes = MOVIES) -> Dataset:
    folder = root / "ml-latest-small"
    folder.mkdir()
    for file, content in (("ratings.csv", ratings), ("movies.csv", movies)):
        (folder / file).write_bytes(content.encode() if isinstance(content, str) else content)
    return load_dataset("ml-latest-small", root)


def load_1m(root: Path, ratings: str, movies: bytes) -> Dataset:
    folder = root / "ml-1m"
    folder.mkdir()
    (folder / "ratings.dat").write_text(ratings)
    (folder / "movies.dat").write_bytes(movies)
    return load_dataset("ml-1m", root)


def test_load_dataset_csv_layout(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, GOOD)
    ratings, movies = dataset.interactions, dataset.movies
    assert ratings.user_id.tolist() == [1, 1, 2]
    assert ratings.movie_id.tolist() == [10, 20, 10]
    assert ratings.rating.tolist() == [4.0, 4.5, 0.5]
    assert ratings.timestamp.tolist() == [964982703, 964981247, 1445714835]
    assert [ratings.user_id.dtype, ratings.rating.dtype] == [np.int64, np.float32]
    assert movies.movie_id.tolist() == [10, 20]  # the unrated movie is left out
    assert movies.title == ["The Matrix", "Amélie"]
    assert movies.year == [1999, None]
    assert movies.genres == [("Action", "Sci-Fi"), ()]
    assert dataset.scale == (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
    assert dataset.report == ()


def test_load_dataset_ml_1m_layout(tmp_path: Path) -> None:
    movies = "1::Toy Story (1995)::Animation|Children's\n2::Misérables, Les (1995)::Drama\n"
    dataset = load_1m(
        tmp_path, "1::2::5::978300760\n1::1::3::978300760\n", movies.encode("latin-1")
    )
    assert dataset.interactions.movie_id.tolist() == [2, 1]  # the order of the file stays
    assert dataset.movies.title == ["Toy Story", "Les Misérables"]
    assert dataset.movies.genres[0] == ("Animation", "Children's")
    assert dataset.scale == (1.0, 2.0, 3.0, 4.0, 5.0)


def test_load_dataset_ml_100k_layout(tmp_path: Path) -> None:
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    (folder / "u.data").write_text("196\t242\t3\t881250949\n186\t302\t4\t891717742\n")
    flags = ["0|1" + "|0" * 17, "1" + "|0" * 18]
    lines = [
        f"242|Léon (1994)|01-Jan-1994||http://x|{flags[0]}",
        f"302|unknown||||{flags[1]}",
    ]
    (folder / "u.item").write_bytes("\n".join(lines).encode("latin-1"))
    dataset = load_dataset("ml-100k", tmp_path)
    assert dataset.interactions.user_id.tolist() == [196, 186]
    assert dataset.movies.title == ["Léon", "unknown"]
    assert dataset.movies.year == [1994, None]
    assert dataset.movies.genres == [("Action",), ()]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_movie_titles_in_utf_8_and_latin_1(tmp_path: Path, encoding: str) -> None:
    dataset = load_1m(tmp_path, "1::1::5::1\n", "1::Amélie (2001)::Comedy\n".encode(encoding))
    assert dataset.movies.title == ["Amélie"]


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        pytest.param("1,10,4.0\n", 3, "3 fields, expected 4", id="field-missing"),
        pytest.param("1,10,4.0,5,6\n", 3, "5 fields, expected 4", id="field-more"),
        pytest.param("1,10,nan,964982703\n", 3, "'nan' stars", id="nan-stars"),
        pytest.param("1,10,,964982703\n", 3, "'' stars", id="stars-empty"),
        pytest.param("1,10,5.5,964982703\n", 3, "expected 0.5 to 5 in steps of 0.5", id="too-many"),
        pytest.param("1,10,0.0,964982703\n", 3, "'0.0' stars", id="no-stars"),
        pytest.param("1,10,3.7,964982703\n", 3, "'3.7' stars", id="between-steps"),
        pytest.param("0,10,4.0,964982703\n", 3, "user id '0'", id="user-zero"),
        pytest.param("-1,10,4.0,964982703\n", 3, "user id '-1'", id="user-negative"),
        pytest.param("1,ten,4.0,964982703\n", 3, "movie id 'ten'", id="movie-word"),
        pytest.param("1,1.5,4.0,964982703\n", 3, "movie id '1.5'", id="movie-fraction"),
        pytest.param("1,NaN,4.0,964982703\n", 3, "movie id 'NaN'", id="movie-nan"),
        pytest.param("1,99999999999,4.0,5\n", 3, "movie id '99999999999'", id="movie-huge"),
        pytest.param("1,10,4.0,-5\n", 3, "timestamp '-5'", id="time-negative"),
        pytest.param("1,10,4.0,today\n", 3, "timestamp 'today'", id="time-word"),
        pytest.param("1::10::4::964982703\n", 3, "1 field, expected 4", id="other-layout"),
        pytest.param("\n\n1,10,4.0\n", 5, "3 fields", id="after-empty-lines"),
        pytest.param("1,10,4.0,964982703\r\n1,10,9,1\r\n", 4, "'9' stars", id="windows-lines"),
        pytest.param('"1",10,4.0,964982703\n', 3, "user id '\"1\"'", id="quoted"),
    ],
)
def test_bad_csv_line_is_named(tmp_path: Path, lines: str, line: int, message: str) -> None:
    content = HEADER + "1,20,4.0,964982703\n" + lines + "9,20,4.0,964982703\n"
    with pytest.raises(InputError) as error:
        load_csv(tmp_path, content)
    assert str(error.value).startswith(f"{tmp_path}/ml-latest-small/ratings.csv line {line}: ")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("1::20::4", "3 fields, expected 4 (userId::movieId::rating::", id="missing"),
        pytest.param("1::20::4.5::5", "'4.5' stars, expected 1 to 5 in steps of 1", id="half-star"),
        pytest.param("1:x:20::4::5", "3 fields, expected 4", id="text-between-colons"),
        pytest.param("1,20,4,5", "1 field, expected 4", id="csv"),
    ],
)
def test_bad_ml_1m_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        load_1m(tmp_path, f"1::10::4::964982703\n{line}\n", b"10::A (2000)::Drama\n")
    assert "ratings.dat line 2: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("", "ratings.csv: empty, expected userId", id="empty"),
        pytest.param(
            "\n", "ratings.csv: empty in its first line, expected userId", id="empty-line"
        ),
        pytest.param(HEADER, "only a header, expected ratings below it", id="header-only"),
        pytest.param(GOOD.replace("userId", "user"), "the header is 'user,movieId", id="header"),
        pytest.param(GOOD.removeprefix(HEADER), "line 1: the header is '1,10,4.0", id="no-header"),
        pytest.param(GOOD + "2,2", "cut off, '2,2' after '2,10,0.5,1445714835'", id="cut-line"),
        pytest.param(
            GOOD + "2,20,4.0,14457", "cut off, '2,20,4.0,14457' after '2,10", id="cut-time"
        ),
        pytest.param(GOOD + "2,20,4.0,", "cut off, '2,20,4.0,' after '2,10", id="cut-at-comma"),
    ],
)
def test_bad_end_of_ratings_file_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        load_csv(tmp_path, content)
    assert sentence in str(error.value)


def test_complete_last_line_needs_no_line_end(tmp_path: Path) -> None:
    assert len(load_csv(tmp_path, GOOD.rstrip("\n")).interactions) == 3


def test_load_dataset_bom_and_windows_line_ends(tmp_path: Path) -> None:
    content = "\ufeff" + GOOD.replace("\n", "\r\n")
    dataset = load_csv(tmp_path, content, MOVIES.replace("\n", "\r\n"))
    assert dataset.interactions.timestamp.tolist() == [964982703, 964981247, 1445714835]
    assert dataset.movies.genres == [("Action", "Sci-Fi"), ()]


@pytest.mark.parametrize("chunk", [1, 2, 100], ids="chunks-of-{}".format)
def test_duplicate_ratings_last_one_counts_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(memmap, "CHUNK_ROWS", chunk)
    content = HEADER + "1,20,1.0,5\n1,10,2.0,6\n1,20,3.0,4\n2,20,1.5,8\n1,20,5.0,7\n"
    dataset = load_csv(tmp_path, content)
    assert dataset.interactions.movie_id.tolist() == [10, 20, 20]
    assert dataset.interactions.rating.tolist() == [2.0, 1.5, 5.0]
    assert dataset.report == (
        "ratings.csv: 2 ratings dropped, because the same user rated the same movie again "
        "further down; the last one counts.",
    )


def test_duplicate_neighbours_in_ascending_file_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memmap, "CHUNK_ROWS", 2)
    content = HEADER + "1,10,1.0,5\n1,20,2.0,6\n1,20,3.0,7\n2,10,1.5,8\n"
    assert load_csv(tmp_path, content).interactions.rating.tolist() == [1.0, 3.0, 1.5]


def test_rated_movie_missing_in_movie_file_gets_id_as_title(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, GOOD + "2,15,3.0,1445714836\n")
    assert dataset.movies.movie_id.tolist() == [10, 15, 20]
    assert dataset.movies.label(1) == "Movie 15"
    assert dataset.movies.genres[1] == ()
    assert dataset.report[0].startswith("movies.csv: 1 rated movies are not in it")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param("", "no movies, expected at least 1", id="empty"),
        pytest.param("movieId,title,genres\n", "no movies, expected at least 1", id="header-only"),
        pytest.param(
            MOVIES + "40,Two (2000)\n", "line 5: 2 fields, expected 3", id="field-missing"
        ),
        pytest.param(MOVIES + "40,A, B,Drama\n", "line 5: 4 fields", id="unquoted-comma"),
        pytest.param(MOVIES + "x,Two,Drama\n", "line 5: movie id 'x'", id="word"),
        pytest.param(MOVIES + "-4,Two,Drama\n", "line 5: movie id '-4'", id="negative"),
        pytest.param(
            MOVIES + "20,Two,Drama\n", "line 5: movie 20 again, first in line 3", id="twice"
        ),
        pytest.param(MOVIES + "40, (1999),Drama\n", "line 5: movie 40 has no title", id="no-title"),
        pytest.param("id,title\n1,A\n", "the header is 'id,title', expected", id="header"),
    ],
)
def test_bad_movie_file_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        load_csv(tmp_path, GOOD, content)
    assert sentence in str(error.value)


def test_bad_genre_flags_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "u.item"
    path.write_text("1|A (1990)|||" + "|0" * 18 + "|2\n")
    with pytest.raises(InputError, match=r"line 1: genre flags .* expected 19 of 0 or 1"):
        read_movies(path, layout_of("ml-100k"))


def test_fingerprint_changes_with_ratings_and_movies(tmp_path: Path) -> None:
    roots = [tmp_path / name for name in "abcd"]
    for root in roots:
        root.mkdir()
    first = load_csv(roots[0], GOOD)
    assert load_csv(roots[1], GOOD).sha256 == first.sha256
    assert load_csv(roots[2], GOOD + "3,10,4.0,964982703\n").sha256 != first.sha256
    assert load_csv(roots[3], GOOD, MOVIES + "40,New,Drama\n").sha256 != first.sha256


def test_unknown_data_set_lists_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="ml-2m': no such data set, expected one of demo, ml-100k, ml-1m"
    ):
        load_dataset("ml-2m", tmp_path)


@given(
    lines=st.lists(
        st.tuples(
            st.integers(1, MAX_FILE_ID),
            st.integers(1, MAX_FILE_ID),
            st.integers(1, 10),
            st.integers(0, MAX_TIMESTAMP - 1),
        ),
        min_size=1,
        max_size=40,
    ),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_read_ratings_returns_the_numbers_of_the_file(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[tuple[int, int, int, int]],
    line_end: str,
) -> None:
    folder = tmp_path_factory.mktemp("ml-32m")
    rows = [f"{u},{m},{s / 2:.1f},{t}" for u, m, s, t in lines]
    (folder / "ratings.csv").write_bytes(line_end.join([HEADER.strip(), *rows, ""]).encode())
    table = read_ratings(folder, "ml-32m")
    assert [column.dtype for column in table.columns] == [np.int64, np.int64, np.float32, np.int64]
    columns = [column.tolist() for column in table.columns]
    assert list(zip(*columns, strict=True)) == [(u, m, s / 2, t) for u, m, s, t in lines]


@settings(max_examples=200)
@given(data=st.data(), line_end=st.sampled_from(["\n", "\r\n"]))
def test_read_ratings_changed_bytes_are_refused_or_valid(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, line_end: str
) -> None:
    """Nothing but an InputError, and no value out of its limits."""
    content = bytearray(GOOD.replace("\n", line_end).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        change = data.draw(
            st.sampled_from(["0", ",", ".", "\n", "\r", " ", "-", ":", "\x11", "a", '"', "é", ""])
        )
        content[place : place + data.draw(st.integers(0, 1))] = change.encode()
    folder = tmp_path_factory.mktemp("ml-32m")
    (folder / "ratings.csv").write_bytes(content)
    try:
        table = read_ratings(folder, "ml-32m")
    except InputError as error:
        assert str(error).startswith(f"{folder}/ratings.csv")
        return
    ids = np.concatenate([table.user_id, table.movie_id])
    assert 1 <= ids.min() <= ids.max() <= MAX_FILE_ID
    assert 0 <= table.timestamp.min() <= table.timestamp.max() < MAX_TIMESTAMP
    assert set(table.rating.tolist()) <= set(HALF_STARS)


def test_read_ratings_accepts_whole_stars_and_short_times(tmp_path: Path) -> None:
    folder = tmp_path / "ml-32m"
    folder.mkdir()
    (folder / "ratings.csv").write_text(HEADER + "1,2,4,5\n1,3,4.5,60\n")
    assert read_ratings(folder, "ml-32m").rating.tolist() == [4.0, 4.5]
