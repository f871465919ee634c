"""Test that text from outside is parsed, bounded and told apart."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_pages import parameters

LONG = "W" * 3000


@pytest.mark.parametrize(
    ("text", "movie_id"),
    [
        ("3", 3),
        ("0", 0),
        ("²", None),
        ("٣", None),
        ("-3", -3),
        ("3.0", None),
        (" 3", None),
        ("3\n", None),
        ("9" * 19, None),
        ("9" * 5000, None),
        ("", None),
    ],
)
def test_movie_id_takes_ascii_digits_alone(text: str, movie_id: int | None) -> None:
    assert parameters.movie_id(text, is_text=False) == movie_id


@pytest.mark.parametrize("text", ["3", "0114508", "²", " 3", "a/../b", "a,b", "\u202e", "x" * 128])
def test_movie_id_of_text_is_the_text_itself(text: str) -> None:
    assert parameters.movie_id(text, is_text=True) == text


@pytest.mark.parametrize("text", ["", "x" * 129, "a\0", "a\ufffd"])
def test_movie_id_of_unusable_text_is_none(text: str) -> None:
    assert parameters.movie_id(text, is_text=True) is None


@pytest.mark.parametrize(
    ("text", "is_usable"),
    [
        ("ana", True),
        ("a" * 128, True),
        ("a" * 129, False),
        ("", False),
        ("a\nb", False),
        ("J\ufffdrgen", False),
    ],
)
def test_user_id_is_bounded_as_in_the_service(text: str, is_usable: bool) -> None:
    assert (parameters.user_id(text) is not None) is is_usable


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("  Ana \t B\n", "Ana B"),
        (LONG, "W" * parameters.MAX_NAME_CHARS),
        ("\u202eanA\u202c", "anA"),
        ("\u200b\u200d", ""),
        ("👩\u200d🚀", "👩\u200d🚀"),
    ],
)
def test_name_is_one_short_visible_line(text: str, name: str) -> None:
    assert parameters.name(text) == name


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        (" ana-1 ", ("ana-1", "")),
        ("http://x/rate?me=ana-1&name=Ana%20B", ("ana-1", "Ana B")),
        ("localhost:8501/rate?me=ana-1", ("ana-1", "")),
        ("http://x/rate?me=a&me=b", ("b", "")),
        ("http://[", None),
        ("http://x/rate", None),
        ("http://x/rate?me=%00", None),
        ("http://x/?me=ana" + 200 * "&me=ana", None),
        (LONG, None),
        ("", None),
    ],
)
def test_profile_is_an_id_or_an_address(text: str, profile: tuple[str, str] | None) -> None:
    assert parameters.profile(text) == profile


@pytest.mark.parametrize(
    ("text", "mix"),
    [
        ("Comedy:1.5,War:2", {"Comedy": 1.5, "War": 2.0}),
        ("Kids%2C Family:1", {"Kids, Family": 1.0}),
        ("Drama:²,War,:3,Sci-Fi:0,Horror:nan", {}),
        ("a" * 100 + ":1", {}),
        (",".join(["War:1"] * 1000), {}),
    ],
)
def test_mix_leaves_out_what_is_no_weight(text: str, mix: dict[str, float]) -> None:
    assert parameters.mix(text) == mix
    assert parameters.mix(parameters.mix_text(mix)) == mix


@pytest.mark.parametrize("text", ["nan", "inf", "-0.1", "1.1", "", "x", "1e400"])
def test_share_outside_0_to_1_is_none(text: str) -> None:
    assert parameters.share(text) is None


def test_distinct_numbers_names_that_come_again() -> None:
    names = ["Ben", "Ben (2)", "Ben", "Ben"]
    assert parameters.distinct(names) == ["Ben", "Ben (2)", "Ben (3)", "Ben (4)"]


@given(st.text(max_size=300))
def test_parsers_return_for_any_text(text: str) -> None:
    integer = partial(parameters.movie_id, is_text=False)
    for parse in (integer, parameters.user_id, parameters.share, parameters.switch):
        parse(text)
    profile = parameters.profile(text)
    names = [parameters.name(text), profile.name if profile else "", parameters.search(text)]
    assert all(name == " ".join(name.split()) for name in names)
    assert len(names[0]) <= parameters.MAX_NAME_CHARS
    mix = parameters.mix(text)
    assert parameters.mix(parameters.mix_text(mix)).keys() == mix.keys()
