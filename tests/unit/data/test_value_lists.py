"""Several values of one cell: every form of a list, and how it is recognised."""

from typing import Any

import pytest

from marquee.data.attributes.text_values import BAD
from marquee.data.attributes.value_lists import Form, find_form, numbers_in


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param("Drama|War", id="bar"),
        pytest.param("Drama; War", id="semicolon"),
        pytest.param("Drama, War", id="comma"),
        pytest.param("Drama,War,Drama", id="comma-without-space"),
        pytest.param('["Drama", "War"]', id="json"),
        pytest.param('[{"id": 18, "name": "Drama"}, {"id": 2, "name": "War"}]', id="tmdb"),
        pytest.param("[{'id': 18, 'name': 'Drama'}, {'id': 2, 'name': 'War'}]", id="kaggle"),
        pytest.param("['Drama', 'War']", id="python"),
        pytest.param("{'Drama', 'War'}", id="python-set"),
        pytest.param("['Drama' 'War']", id="numpy"),
        pytest.param("['Drama'\n 'War']", id="numpy-lines"),
        pytest.param("['Drama', nan, 'War']", id="python-with-nan"),
        pytest.param("[Drama, War]", id="hive"),
        pytest.param("{Drama,War}", id="postgresql"),
        pytest.param('{"Drama","War"}', id="postgresql-quotes"),
        pytest.param('[["Drama"], ["War", "Drama"]]', id="lists-in-a-list"),
        pytest.param("{'Drama': 120, 'War': 3, 'Comedy': 0}", id="counts-by-name"),
        pytest.param(["Drama", None, "War"], id="typed"),
        pytest.param([["Drama"], ["War"]], id="typed-lists-in-a-list"),
        pytest.param({"Drama": 120, "War": 3}, id="typed-map"),
        pytest.param([{"id": 18, "name": "Drama"}, {"id": 2, "name": "War"}], id="typed-objects"),
    ],
)
def test_find_form_every_list_gives_its_names(cell: Any) -> None:
    assert find_form([cell, None, ""]).split(cell) == ("Drama", "War")


@pytest.mark.parametrize(
    ("cells", "names"),
    [
        pytest.param(["Crime/Drama", "Drama"], ("Crime", "Drama"), id="slash-separates"),
        pytest.param(["Action/Adventure", "Drama"], ("Action/Adventure",), id="slash-in-a-name"),
        pytest.param(
            ["Action/Adventure, Drama", "Drama, War"], ("Action/Adventure", "Drama"), id="both"
        ),
        pytest.param(
            ["Film, Art|Drama", "Drama|War", "War"], ("Film, Art", "Drama"), id="comma-in-a-name"
        ),
        pytest.param(["N/A", "Drama"], (), id="not-available"),
        pytest.param(["nan", "Drama"], (), id="nan"),
        pytest.param(["(no genres listed)", "Drama|War"], (), id="movielens"),
        pytest.param(["[]", '["Drama"]'], (), id="empty-list"),
        pytest.param(["Drama||NULL| War ", "War"], ("Drama", "War"), id="empty-parts"),
        pytest.param(["[Live] Jazz", "Rock"], ("[Live] Jazz",), id="bracket-in-a-name"),
    ],
)
def test_find_form_first_cell_splits_as_meant(cells: list[str], names: tuple[str, ...]) -> None:
    assert find_form(cells).split(cells[0]) == names


def test_find_form_known_separator_is_taken() -> None:
    form = find_form(["Drama|War, Civil"], ", ")
    assert form.split("Drama|War, Civil") == ("Drama|War", "Civil")
    assert find_form(['["Drama"]', "[]"], ",").split('["Drama"]') == ("Drama",)


def test_form_split_broken_list_is_bad() -> None:
    assert Form(is_list=True).split('["Drama", ["War"') == ('["Drama", ["War"',)
    assert Form(is_list=True).split("[[Drama]") is BAD


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (Form(separator="|"), "separated by '|'"),
        (Form(is_list=True), "lists in brackets"),
        (Form(), "one value in a cell"),
    ],
)
def test_form_describe_says_what_was_recognised(form: Form, text: str) -> None:
    assert form.describe() == text


@pytest.mark.parametrize(
    ("cell", "separator"),
    [("[1, 2.5]", None), ("1 2.5", None), ("1;2.5", ";"), ("1|2.5", None), ([1, 2.5], None)],
)
def test_numbers_in_every_form_gives_the_numbers(cell: Any, separator: str | None) -> None:
    assert numbers_in(cell, separator) == [1, 2.5]


def test_numbers_in_no_vector_is_none_or_bad() -> None:
    assert numbers_in("NULL", None) is None and numbers_in(None, None) is None
    assert numbers_in("1 two", None) is BAD and numbers_in({"a": 1}, None) is BAD
