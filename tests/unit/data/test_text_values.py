"""Single values of items and users: text taken for what it is, years and numbers in any form."""

import datetime
import math
from typing import Any

import pytest

from marquee.data.attributes.text_values import (
    BAD,
    number_of,
    text_of,
    title_of,
    year_of,
)

NONE_TEXTS = ["", " ", "nan", "NaN", "NULL", "null", "None", "N/A", "\\N", "<NA>"]


@pytest.mark.parametrize("cell", [None, math.nan, *NONE_TEXTS, "(no genres listed)"])
def test_text_of_words_for_none_is_none(cell: Any) -> None:
    assert text_of(cell) is None
    assert number_of(cell if isinstance(cell, str) else None) is None
    assert year_of(cell) is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        pytest.param(" Drama ", "Drama", id="space"),
        pytest.param("NA", "NA", id="namibia"),
        pytest.param("007", "007", id="zeros"),
        pytest.param("5.0", "5.0", id="text-as-written"),
        pytest.param(5.0, "5", id="integer-as-float"),
        pytest.param(5.5, "5.5", id="fraction"),
        pytest.param(12, "12", id="integer"),
        pytest.param(True, "true", id="boolean"),
        pytest.param("Nankoku", "Nankoku", id="begins-with-nan"),
        pytest.param("Sense &amp; Sensibility", "Sense & Sensibility", id="entity"),
        pytest.param("L&#39;Avventura", "L'Avventura", id="entity-of-a-number"),
        pytest.param("R&B; AT&T", "R&B; AT&T", id="no-entity"),
    ],
)
def test_text_of_value_is_text(cell: Any, text: str) -> None:
    assert text_of(cell) == text


@pytest.mark.parametrize(
    "title", ["None", "Null", "1984", "2012", "(1962-1966)", "Nan Goldin", "NA"]
)
def test_title_of_odd_title_stays_a_title(title: str) -> None:
    assert title_of(title) == title


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "NULL", "\\N", "N/A", None, math.nan])
def test_title_of_no_title_is_none(cell: Any) -> None:
    assert title_of(cell) is None


@pytest.mark.parametrize(
    ("cell", "year"),
    [
        pytest.param("1995", 1995, id="plain"),
        pytest.param("1995.0", 1995, id="pandas"),
        pytest.param(1995.0, 1995, id="float"),
        pytest.param(1995, 1995, id="integer"),
        pytest.param('"1995"', 1995, id="quotes-inside"),
        pytest.param("1995-03-01", 1995, id="date"),
        pytest.param("1995-03-01T00:00:00Z", 1995, id="time"),
        pytest.param("01-Jan-1995", 1995, id="date-in-words"),
        pytest.param("3/1/1995", 1995, id="american-date"),
        pytest.param("01.03.1995", 1995, id="german-date"),
        pytest.param("19950301", 1995, id="compact-date"),
        pytest.param("1995–1998", 1995, id="series"),
        pytest.param("1995– ", 1995, id="series-goes-on"),
        pytest.param("(1995)", 1995, id="brackets"),
        pytest.param(datetime.date(1995, 3, 1), 1995, id="typed-date"),
        pytest.param(datetime.datetime(1995, 3, 1, 5), 1995, id="typed-time"),
    ],
)
def test_year_of_any_form_is_the_year(cell: Any, year: int) -> None:
    assert year_of(cell) == year


@pytest.mark.parametrize(
    "cell",
    ["0", "-1", "95", "9999", "1995.5", "0001-01-01", "3/1/95", "soon", "794016000", "12345678"],
)
def test_year_of_absurd_value_is_bad(cell: str) -> None:
    assert year_of(cell) is BAD


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        pytest.param("86.0", 86.0, id="text"),
        pytest.param("-1e3", -1000.0, id="exponent"),
        pytest.param(".5", 0.5, id="no-zero"),
    ],
)
def test_number_of_number_is_float(cell: Any, number: float) -> None:
    assert number_of(cell) == number


@pytest.mark.parametrize("cell", ["12 cm", "1_000", "1,500", "inf", "-Infinity", "1e99"])
def test_number_of_other_value_is_bad(cell: Any) -> None:
    assert number_of(cell) is BAD
