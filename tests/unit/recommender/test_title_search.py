"""Title search: queries as users type them, with slips, articles, years and numerals."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marquee.core.movies import Movies
from marquee.recommender.search.title_search import TitleSearch
from marquee.recommender.search.trigram_index import TrigramIndex, title_keys
from tests.support.tiny_bundle import MOVIES, tiny_movies


@pytest.fixture(scope="module")
def search() -> TitleSearch:
    return TitleSearch(tiny_movies(), np.array([movie[-1] for movie in MOVIES]))


def titles_of(search: TitleSearch, query: str, k: int = 10) -> list[str]:
    return [MOVIES[item][1] for item in search.find(query, k)]


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
def test_title_search_ranks_titles(search: TitleSearch, query: str, expected: list[str]) -> None:
    assert titles_of(search, query) == expected


def test_title_search_returns_at_most_k(search: TitleSearch) -> None:
    assert titles_of(search, "heat", k=1) == ["Heat"]


def test_title_search_equal_titles_rank_by_ratings() -> None:
    movies = Movies(np.array([1, 2]), ["Hamlet", "Hamlet"], [1948, 1996], [(), ()])
    assert TitleSearch(movies, np.array([3, 8])).find("hamlet", 2).tolist() == [1, 0]


def test_title_search_of_an_empty_catalog() -> None:
    movies = Movies(np.zeros(0, dtype=np.int64), [], [], [])
    assert TitleSearch(movies, np.zeros(0)).find("heat", 2).tolist() == []


TITLES = [  # title, year, ratings
    ("The Heat", 2013, 20),
    ("Heat", 1995, 900),
    ("Heat", 1972, 0),
    ("Rocky II", 1979, 50),
    ("Rocky V", 1990, 40),
    ("X-Men", 2000, 300),
    ("Spider-Man", 2002, 300),
    ("Schindler's List", 1993, 700),
    ("Fast & Furious", 2009, 90),
    ("Seven (a.k.a. Se7en)", 1995, 800),
    ("The City of Lost Children (La Cité des enfants perdus)", 1995, 80),
    ("Star Wars: Episode V - The Empire Strikes Back", 1980, 950),
    ("Star Wars: Episode I - The Phantom Menace", 1999, 600),
    ("(500) Days of Summer", 2009, 200),
    ("Ирония судьбы", 1975, 3),
    ("Die Hard", 1988, 500),
    ("The Matrix", 1999, 1000),
    ("A Day in the Matrx", 1996, 0),
    ("Matrux", 2011, 0),
]


@pytest.fixture(scope="module")
def many_titles() -> TitleSearch:
    title, year, ratings = zip(*TITLES, strict=True)
    return TitleSearch(
        Movies(np.arange(len(TITLES)), list(title), list(year), [()] * len(TITLES)),
        np.array(ratings),
    )


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("the heat", ("The Heat", 2013), id="article-decides"),
        pytest.param("heat", ("Heat", 1995), id="without-it-the-popular-one"),
        pytest.param("heat 1972", ("Heat", 1972), id="year"),
        pytest.param("heat 1971", ("Heat", 1972), id="year-beside"),
        pytest.param("heat, the 2013", ("The Heat", 2013), id="article-last-and-year"),
        pytest.param("teh heat", ("The Heat", 2013), id="slip-in-the-article"),
        pytest.param("a matrix", ("The Matrix", 1999), id="another-article"),
        pytest.param("matrix the", ("The Matrix", 1999), id="article-last-without-comma"),
        pytest.param("hard", ("Die Hard", 1988), id="foreign-article"),
        pytest.param("rocky 2", ("Rocky II", 1979), id="digit-for-numeral"),
        pytest.param("rocky 5", ("Rocky V", 1990), id="digit-for-a-single-letter"),
        pytest.param("rocky two", ("Rocky II", 1979), id="word-for-numeral"),
        pytest.param("rocky five", ("Rocky V", 1990), id="word-for-a-single-letter"),
        pytest.param("star wars episode 1", TITLES[12][:2], id="numeral-one"),
        pytest.param("xmen", ("X-Men", 2000), id="letter-that-is-no-numeral"),
        pytest.param("spiderman", ("Spider-Man", 2002), id="joined"),
        pytest.param("spi derman", ("Spider-Man", 2002), id="split"),
        pytest.param("schindler s list", ("Schindler's List", 1993), id="apostrophe-as-space"),
        pytest.param("fast and furious", ("Fast & Furious", 2009), id="ampersand"),
        pytest.param("se7en", ("Seven (a.k.a. Se7en)", 1995), id="also-many_titles-as"),
        pytest.param("cite des enfants perdu", TITLES[10][:2], id="title-in-brackets-with-slip"),
        pytest.param("the empire strikes bakc", TITLES[11][:2], id="part-with-slip"),
        pytest.param("500 days of sumer", ("(500) Days of Summer", 2009), id="brackets-in-front"),
        pytest.param("ирония судбы", ("Ирония судьбы", 1975), id="other-letters"),
        pytest.param("matrx", ("The Matrix", 1999), id="obscure-titles-do-not-hide-it"),
    ],
)
def test_title_search_puts_the_intended_movie_first(
    many_titles: TitleSearch, query: str, expected: tuple[str, int]
) -> None:
    assert TITLES[many_titles.find(query, 1)[0]][:2] == expected


def test_title_keys_of_brackets_parts_and_numerals() -> None:
    assert title_keys("The Postman (a.k.a. Il Postino) (The Mailman)").keys() == {
        "the postman a k a il postino the mailman",
        "postman a k a il postino the mailman",
        *("the postman", "postman", "il postino", "postino", "the mailman", "mailman"),
    }
    assert title_keys("Alien: Part II") == {"alien part 2": 0, "alien": 0.7, "part 2": 0.7}
    assert title_keys("V for Vendetta") == {"v for vendetta": 0}
    assert title_keys("!!!") == {}


@given(st.text(max_size=200), st.integers(1, 30))
@example("\ud800", 5)
@example("ﷺ" * 200, 5)
@example("the 1999", 5)
@example("(1999)", 5)
@example("a" * 200, 5)
@example("the of and a in to " * 10, 30)
@example("1234567890" * 20, 5)
def test_title_search_answers_any_text(many_titles: TitleSearch, query: str, k: int) -> None:
    items = many_titles.find(query, k).tolist()
    assert len(items) == len(set(items)) <= k
    assert set(items) <= set(range(len(TITLES)))


def test_trigram_index_nearest_shares_letters() -> None:
    index = TrigramIndex(["matrix", "the matrix", "heat", "up", "spider man"])
    bonus_T = np.zeros(5, dtype=np.float32)
    assert index.nearest("matrx", 1, bonus_T).tolist() == [0]
    assert index.nearest("spiderman", 1, bonus_T).tolist() == [4]
    assert index.nearest("yp", 9, bonus_T).tolist() == [3]
    assert index.nearest("qqq", 9, bonus_T).tolist() == []
