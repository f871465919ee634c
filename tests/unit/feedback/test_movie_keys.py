"""Test that each movie id has a key of its own, and comes back from it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquee.feedback.movie_keys import movie_key, movie_of
from marquee.feedback.sql import placeholder

ids = st.integers(-(2**63), 2**63 - 1) | st.text(min_size=1)


@pytest.mark.parametrize(
    ("movie_id", "key"),
    [
        pytest.param(5, "5", id="integer"),
        pytest.param(-(2**63), "-9223372036854775808", id="smallest"),
        pytest.param("5", '"5"', id="digits"),
        pytest.param("0114508", '"0114508"', id="leading-zero"),
        pytest.param('a"\\\n', r'"a\"\\\n"', id="escapes"),
        pytest.param("é\N{GRINNING FACE}", '"é\N{GRINNING FACE}"', id="unicode"),
    ],
)
def test_movie_key_is_json(movie_id: int | str, key: str) -> None:
    assert movie_key(movie_id) == key and movie_of(key) == movie_id


@given(ids)
def test_movie_of_key_is_the_id(movie_id: int | str) -> None:
    back = movie_of(movie_key(movie_id))
    assert (type(back), back) == (type(movie_id), movie_id)


@given(st.sets(ids, min_size=2, max_size=20))
def test_placeholder_is_one_number_per_id(movie_ids: set[int | str]) -> None:
    numbers = {placeholder(movie_key(movie_id)) for movie_id in movie_ids}
    assert len(numbers) == len(movie_ids)
    assert all(-(2**63) <= number < 2**63 for number in numbers)
