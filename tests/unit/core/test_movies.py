"""Movies by row: ids, genres as a matrix, and their columns in JSON."""

import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.core.movies import NO_GENRES, Movies


@pytest.fixture
def movies() -> Movies:
    return Movies(
        np.array([30, 10, 20]),
        ["The Matrix", "Heat", "Nameless"],
        [1999, 1995, None],
        [("Action", "Sci-Fi"), ("Action",), (NO_GENRES,)],
    )


def test_rows_of_ids_in_any_order_and_shape(movies: Movies) -> None:
    assert movies.rows([10, 20, 30, 10]).tolist() == [1, 2, 0, 1]
    assert movies.rows([[30], [20]]).tolist() == [[0], [2]]
    assert movies.rows([]).dtype == np.int64


@pytest.mark.parametrize("movie_id", [5, 15, 99, -1])
def test_rows_names_an_unknown_id(movies: Movies, movie_id: int) -> None:
    with pytest.raises(InputError, match=f"movie {movie_id}: not in the catalog"):
        movies.rows([10, movie_id])


def test_rows_of_an_empty_catalogue() -> None:
    with pytest.raises(InputError, match="movie 1: not in the catalog"):
        Movies(np.zeros(0, np.int64), [], [], []).rows([1])


def test_genre_matrix_leaves_out_the_word_for_none(movies: Movies) -> None:
    assert movies.genre_names == ("Action", "Sci-Fi")
    assert movies.genre_matrix().tolist() == [[1, 1], [1, 0], [0, 0]]
    assert movies.genre_matrix().dtype == np.float32


def test_select_keeps_the_order_asked(movies: Movies) -> None:
    selected = movies.select([20, 30])
    assert selected.movie_id.tolist() == [20, 30]
    assert [selected.label(0), selected.label(1)] == ["Nameless", "The Matrix (1999)"]
    assert selected.genre_names == ("Action", "Sci-Fi")


def test_columns_go_through_json_and_back(movies: Movies) -> None:
    import json

    back = Movies.from_columns(json.loads(json.dumps(movies.to_columns())))
    assert back.to_columns() == movies.to_columns()
    assert back.genres == movies.genres
    assert back.movie_id.dtype == np.int64


def test_columns_of_different_lengths_are_refused(movies: Movies) -> None:
    columns = movies.to_columns()
    columns["title"].pop()
    with pytest.raises(InputError, match=r"lengths \[2, 3\]"):
        Movies.from_columns(columns)
    del columns["title"]
    with pytest.raises(InputError, match="no column 'title'"):
        Movies.from_columns(columns)
