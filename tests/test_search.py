"""Titles are found as people type them."""

import numpy as np
import pytest

from catalogue.movies import Movies
from serving.search import TitleSearch
from tests.conftest import FILMS, films


@pytest.fixture(scope="module")
def search() -> TitleSearch:
    return TitleSearch(films(), np.array([film[-1] for film in FILMS]))


def found(search: TitleSearch, query: str, k: int = 10) -> list[str]:
    return [FILMS[row][1] for row in search.find(query, k)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("Heat", ["Heat", "Heat of the Day"], id="exact-before-beginning"),
        pytest.param("heat 1995", ["Heat", "Heat of the Day"], id="release-year"),
        pytest.param("Pulp Fiction (1994)", ["Pulp Fiction"], id="as-displayed"),
        pytest.param("pulp fiction 1995", ["Pulp Fiction"], id="another-year"),
        pytest.param("usual suspects", ["The Usual Suspects"], id="no-article"),
        pytest.param("Usual Suspects, The", ["The Usual Suspects"], id="article-last"),
        pytest.param("blade runner", ["Blade Runner", "Blade Runner 2049"], id="same-words"),
        pytest.param(
            "blade runner 2049", ["Blade Runner 2049", "Blade Runner"], id="a-year-in-the-title"
        ),
        pytest.param("blade runner 2017", ["Blade Runner 2049", "Blade Runner"], id="year-decides"),
        pytest.param("amelie", ["Amélie"], id="accent-not-typed"),
        pytest.param("AMÉLIE!", ["Amélie"], id="accent-typed"),
        pytest.param("fiction pulp", ["Pulp Fiction"], id="words-in-any-order"),
        pytest.param("twelve mon", ["Twelve Monkeys"], id="half-typed"),
        pytest.param("pulp ficton", ["Pulp Fiction"], id="letter-missing"),
        pytest.param("goldnye", ["GoldenEye"], id="letters-swapped"),
        pytest.param("blade runnr 1982", ["Blade Runner", "Blade Runner 2049"], id="slip-and-year"),
        pytest.param("qqqqqq", [], id="nothing-like-it"),
        pytest.param("", [], id="empty"),
        pytest.param("?!", [], id="punctuation-only"),
    ],
)
def test_queries(search: TitleSearch, query: str, expected: list[str]) -> None:
    assert found(search, query) == expected


def test_no_more_than_k(search: TitleSearch) -> None:
    assert found(search, "heat", k=1) == ["Heat"]


def test_among_equal_titles_the_one_with_more_ratings_comes_first() -> None:
    movies = Movies(np.array([1, 2]), ["Hamlet", "Hamlet"], [1948, 1996], [(), ()])
    assert TitleSearch(movies, np.array([3, 8])).find("hamlet", 2).tolist() == [1, 0]


def test_no_movies() -> None:
    movies = Movies(np.zeros(0, dtype=np.int64), [], [], [])
    assert TitleSearch(movies, np.zeros(0)).find("heat", 2).tolist() == []
