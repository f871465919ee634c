"""MovieLens' files, which need no options: one form of ids, times and ratings."""

from pathlib import Path

import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.data.dataset import Dataset, load_dataset
from tests.support.datasets import rows_of

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = HEADER + "1,10,4.0,964982703\n1,20,4.5,964981247\n2,10,0.5,1445714835\n"
MOVIES = (
    'movieId,title,genres\n10,"Matrix, The (1999)",Action|Sci-Fi\n'
    "20,Amélie,(no genres listed)\n30,Unrated (2000),Drama\n"
)


def load_csv(root: Path, ratings: str, movies: str = MOVIES) -> Dataset:
    folder = root / "ml-latest-small"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ratings.csv").write_bytes(ratings.encode())
    (folder / "movies.csv").write_bytes(movies.encode())
    return load_dataset("ml-latest-small", root)


def load_1m(root: Path, ratings: str, movies: bytes) -> Dataset:
    folder = root / "ml-1m"
    folder.mkdir()
    (folder / "ratings.dat").write_text(ratings)
    (folder / "movies.dat").write_bytes(movies)
    return load_dataset("ml-1m", root)


def test_load_dataset_csv_form(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, GOOD)
    assert rows_of(dataset) == [
        (1, 20, 4.5, 964981247), (1, 10, 4.0, 964982703), (2, 10, 0.5, 1445714835),
    ]  # fmt: skip
    assert dataset.histories.user_id.dtype == np.int64
    assert dataset.histories.rating.dtype == np.float32
    assert dataset.movies.movie_id.tolist() == [10, 20, 30]
    assert dataset.num_items == 2  # the unrated movie stands last
    assert dataset.movies.genres == [("Action", "Sci-Fi"), (), ("Drama",)]
    assert dataset.scale == tuple(number / 2 for number in range(1, 11))
    assert dataset.report == ()


def test_load_dataset_ml_1m_form(tmp_path: Path) -> None:
    movies = "1::Toy Story (1995)::Animation|Children's\n2::Misérables, Les (1995)::Drama\n"
    ratings = "1::2::5::978300760\n1::1::3::978300760\n"
    dataset = load_1m(tmp_path, ratings, movies.encode("latin-1"))
    assert [row[1] for row in rows_of(dataset)] == [2, 1]  # equal times keep the file's order
    assert dataset.movies.title == ["Toy Story", "Les Misérables"]
    assert dataset.scale == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        pytest.param("1,10,4.0\n", 3, "", id="field-missing"),
        pytest.param("1,10,nan,964982703\n", 3, "rating 'nan'", id="nan-stars"),
        pytest.param("1,10,,964982703\n", 3, "no rating, expected", id="stars-empty"),
        pytest.param("1,10,5.5,964982703\n", 3, "rating '5.5', expected a rating on", id="high"),
        pytest.param("1,10,3.7,964982703\n", 3, "rating '3.7'", id="between-steps"),
        pytest.param("1,ten,4.0,964982703\n", 3, "item 'ten'", id="movie-word"),
        pytest.param("1,10.9,4.0,964982703\n", 3, "item '10.9'", id="movie-fraction"),
        pytest.param("NaN,10,4.0,964982703\n", 3, "user 'NaN'", id="user-nan"),
        pytest.param("1,3e9,4.0,5\n", 3, "item '3e9'", id="movie-exponent"),
        pytest.param("1,10,4.0,-5\n", 3, "time '-5'", id="time-negative"),
        pytest.param("1,10,4.0,today\n", 3, "time 'today'", id="time-word"),
        pytest.param("1,10,4.0,964982703\r\n1,10,9,1\r\n", 4, "rating '9'", id="windows-lines"),
    ],
)
def test_bad_csv_line_is_named(tmp_path: Path, lines: str, line: int, message: str) -> None:
    content = HEADER + "1,20,4.0,964982703\n" + lines + "9,20,4.0,964982703\n"
    with pytest.raises(InputError) as error:
        load_csv(tmp_path, content)
    assert f"ratings.csv line {line}: {message}" in str(error.value)


def test_last_line_cut_inside_its_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cut off, '2,20,4\.0,14457' after '2,10"):
        load_csv(tmp_path, GOOD + "2,20,4.0,14457")
    assert load_csv(tmp_path, GOOD.rstrip()).num_items == 2  # whole, without a line end


def test_ids_beyond_32_bits_stay_apart(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, HEADER + "5,10,4,900\n4294967301,10,3,900\n")
    assert dataset.histories.user_id.tolist() == [5, 4294967301]


def test_duplicate_rating_latest_time_counts_and_is_reported(tmp_path: Path) -> None:
    dataset = load_csv(tmp_path, HEADER + "1,10,5.0,1500000000\n1,10,0.5,1000000000\n")
    assert rows_of(dataset) == [(1, 10, 5.0, 1500000000)]
    assert len(dataset.report) == 1
    assert "1 rows of a user and an item that were there already" in dataset.report[0]


def test_sha256_follows_ratings_and_movies(tmp_path: Path) -> None:
    first = load_csv(tmp_path / "a", GOOD).sha256
    assert load_csv(tmp_path / "b", GOOD).sha256 == first
    assert load_csv(tmp_path / "c", GOOD + "3,10,4.0,964982703\n").sha256 != first
    assert load_csv(tmp_path / "d", GOOD, MOVIES + "40,New,Drama\n").sha256 != first


@pytest.mark.parametrize("content", ["", "\n", HEADER, GOOD.replace("userId", "user")])
def test_ratings_file_of_another_form_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(InputError):
        load_csv(tmp_path, content)


def test_rows_in_another_order_give_the_same_histories(tmp_path: Path) -> None:
    """Wherever times decide: GroupLens' own ml-1m stands in another order than ours."""
    rng = np.random.default_rng(0)
    lines = [f"{u},{m},3.5,{900 + 7 * m % 101}" for u in (1, 2) for m in range(10, 60)]
    tables = [
        rows_of(load_csv(tmp_path / str(number), "\n".join([HEADER.strip(), *order, ""])))
        for number, order in enumerate((lines, rng.permutation(lines).tolist()))
    ]
    assert tables[0] == tables[1]
