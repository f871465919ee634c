"""The catalogue: titles as people read and type them, movies by row, genres as a matrix."""

import numpy as np
import pytest

from marquee.core.errors import InputError
from marquee.core.movies import NO_GENRES, Movies
from marquee.core.titles import normalise_title, split_title


@pytest.mark.parametrize(
    ("in_file", "title", "year"),
    [
        pytest.param("Toy Story (1995)", "Toy Story", 1995, id="plain"),
        pytest.param("Matrix, The (1999)", "The Matrix", 1999, id="article"),
        pytest.param(
            "Postman, The (Postino, Il) (1994)", "The Postman (Il Postino)", 1994, id="two"
        ),
        pytest.param("Avventura, L' (1960)", "L'Avventura", 1960, id="elided-article"),
        pytest.param("Vitelloni, I (1953)", "I Vitelloni", 1953, id="italian"),
        pytest.param("Babylon 5", "Babylon 5", None, id="no-year"),
        pytest.param("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968, id="number"),
        pytest.param("Fawlty Towers (1975-1979)", "Fawlty Towers", 1975, id="series"),
        pytest.param("Death Note (2006–2007)", "Death Note", 2006, id="series-en-dash"),
        pytest.param("Atypical (2017- )", "Atypical", 2017, id="series-open"),
        pytest.param("Gentle Breeze, A (2007) ", "A Gentle Breeze", 2007, id="space-after"),
        pytest.param("Me, Myself and Irene (2000)", "Me, Myself and Irene", 2000, id="comma"),
        pytest.param("You, the Living", "You, the Living", None, id="comma-article-inside"),
        pytest.param("(500) Days of Summer (2009)", "(500) Days of Summer", 2009, id="bracket"),
    ],
)
def test_split_title(in_file: str, title: str, year: int | None) -> None:
    assert split_title(in_file) == (title, year)


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        pytest.param("Matrix, The", "the matrix", id="article"),
        pytest.param("  THE  Matrix ", "the matrix", id="case-and-space"),
        pytest.param("Amélie", "amelie", id="accent"),
        pytest.param("Schindler's List", "schindlers list", id="apostrophe"),
        pytest.param("Fast & Furious", "fast and furious", id="ampersand"),
        pytest.param("Mission: Impossible - Fallout", "mission impossible fallout", id="signs"),
        pytest.param("Smørrebrød Æon", "smorrebrod aeon", id="letters-without-accent"),
        pytest.param("!!!", "", id="nothing-left"),
    ],
)
def test_normalise_title(typed: str, normal: str) -> None:
    assert normalise_title(typed) == normal


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
