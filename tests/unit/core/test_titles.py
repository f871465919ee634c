"""Titles as people read and type them."""

import pytest

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
        pytest.param("(1962-1966)", "(1962-1966)", None, id="title-is-years"),
        pytest.param(" (2012) ", "(2012)", None, id="title-is-a-year"),
        pytest.param("1984 (1984)", "1984", 1984, id="number-and-year"),
        pytest.param("Room (1234)", "Room (1234)", None, id="no-year-of-a-release"),
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
