"""The app's addresses, and any text in them or in a field: no page ends in an error screen."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app_pages import parameters
from tests.support.app_session import (
    PAGES,
    add_ratings,
    checked,
    literal,
    open_page,
    page_text,
    query_param,
    service_of_the_app,
)
from tests.support.fake_service import MOVIES, FakeService

KEYS = (
    *("me", "name", "mix", "movie", "pick", "genres", "decade", "novelty", "calibration", "report"),
    *("start-tab", "taste-0", "start-typed", "start-way", "rate-tab", "rate-typed", "rate-way"),
    *("fair", "again-seen"),
)
NASTY = (
    *("²", "http://[", "\u202e", "\0", "nan", "1e400", "-1", "9" * 400, "W" * 3000, " ", "a/../b"),
    *("<b>", "$x$", ":red[x]", ":material/star:", "```", "Comedy:nan", "What you rated", "true"),
)
ANY_TEXT = st.text(max_size=40) | st.sampled_from(NASTY)
ANY_ADDRESS = st.dictionaries(st.sampled_from(KEYS), st.lists(ANY_TEXT, min_size=1, max_size=2))
few = settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def rated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeService]:
    """The fake service, with five ratings of ana."""
    with service_of_the_app(monkeypatch, tmp_path) as fake:
        add_ratings(fake, "ana", {1: 5.0, 7: 4.0, 8: 3.0, 9: 2.5, 10: 4.5})
        yield fake


@pytest.mark.parametrize("page", PAGES)
@few
@given(address=ANY_ADDRESS)
def test_page_with_any_address_shows_itself(
    rated: FakeService, page: str, address: dict[str, Any]
) -> None:
    at = open_page(page, **address)
    assert not at.exception and not at.error and at.title[0].value, address
    assert len(query_param(at, "me")) <= parameters.MAX_ID_CHARS
    assert "name" not in at.query_params or len(query_param(at, "name")) <= 40


@pytest.mark.parametrize(
    ("page", "key"),
    [("night", "guest-0"), ("profile", "enter"), ("profile", "name"), ("rate", "rate-typed")],
)
@few
@given(text=ANY_TEXT)
def test_field_with_any_text_shows_its_page(
    rated: FakeService, page: str, key: str, text: str
) -> None:
    checked(open_page(page).text_input(key=key).set_value(text).run())


@pytest.mark.parametrize(
    ("page", "query", "sentence"),
    [
        ("movie", {"movie": "²"}, "The address names no movie"),
        ("movie", {}, "The address names no movie"),
        ("for_you", {"me": "a\0b"}, "The address holds no id that can be used"),
        ("for_you", {"novelty": "nan"}, "a value of “novelty” that cannot be used"),
        ("for_you", {"genres": "Opera"}, "a value of “genres” that cannot be used"),
        ("for_you", {"mix": "Comedy:x"}, "Parts of the genre mix"),
        ("rate", {"rate-tab": "x"}, "a value of “rate-tab” that cannot be used"),
        ("rate", {"pick": "²"}, "a value of “pick” that cannot be used"),
        ("night", {"fair": "x"}, "a value of “fair” that cannot be used"),
    ],
)
def test_unusable_parameter_is_one_sentence(
    rated: FakeService, page: str, query: dict[str, str], sentence: str
) -> None:
    assert page_text(checked(open_page(page, **query))).count(sentence) == 1


@pytest.mark.parametrize(
    ("page", "query", "shown"),
    [
        ("for_you", {"novelty": "0.5", "genres": ["Horror", "Drama"]}, ("novelty", 0.5)),
        ("for_you", {"decade": "2000s"}, ("decade", "2000s")),
        ("rate", {"rate-way": "Movies whose stars say most"}, ("rate-way", None)),
        ("rate", {"rate-typed": "alpha", "pick": "36"}, ("rate-found-alpha", 36)),
        ("rate", {"rate-tab": "What you rated", "pick": "7"}, ("before-movie", 7)),
        ("night", {"fair": "Best on average", "again-seen": "true"}, ("again-seen", True)),
        ("start", {"taste-0": "true"}, ("taste-0", True)),
    ],
)
def test_page_is_drawn_from_its_address(
    rated: FakeService, page: str, query: dict[str, Any], shown: tuple[str, Any]
) -> None:
    at = checked(open_page(page, **query))
    key, value = shown
    assert at.session_state[key] == (value if value is not None else query[key])
    assert not at.info or "cannot be used" not in page_text(at)


def test_choice_is_written_into_the_address(rated: FakeService) -> None:
    at = open_page("for_you")
    at.slider(key="novelty").set_value(0.5).run()
    at = checked(at.multiselect(key="genres").set_value(["Horror", "Drama"]).run())
    assert query_param(at, "novelty") == "0.5"
    assert at.query_params["genres"] == ["Horror", "Drama"]
    at = checked(at.slider(key="novelty").set_value(0.0).run())
    assert "novelty" not in at.query_params


def test_link_back_to_a_page_keeps_its_choices(rated: FakeService) -> None:
    at = open_page("for_you")
    at.slider(key="novelty").set_value(0.5).run()
    at = checked(at.switch_page("app_pages/about.py").run())
    links = {link.proto.page: link.proto.query_string for link in at.get_by_key("nav").page_link}
    assert links["for_you"] == "me=ana&novelty=0.5"
    assert links["rate"] == "me=ana"


def test_other_user_in_the_address_ends_undo(rated: FakeService) -> None:
    at = open_page("rate")
    at.button(key="rate-unseen").click().run()
    assert "rate-undo" in [button.key for button in at.button]
    at.query_params["me"] = "ben"
    assert "rate-undo" not in [button.key for button in checked(at.run()).button]


def test_guests_of_one_name_have_two_columns(rated: FakeService) -> None:
    at = open_page("night")
    for n, guest in enumerate(("ben", "eva", "http://[")):
        text = f"http://x/night?me={guest}&name=Ben" if n < 2 else guest
        at = checked(at.text_input(key=f"guest-{n}").set_value(text).run())
    columns = list(at.dataframe[-1].value.columns)
    assert columns[2:] == ["Ben would give", "Ben (2) would give"]
    assert "This is no profile id" in page_text(at)
    assert "me" in at.query_params and "ben" not in str(at.query_params)


@pytest.mark.parametrize("text", ["$x^2$ <b>y</b> &lt;", ":red[hot] :material/star:", "a\u202eb->"])
def test_title_is_shown_literally(
    rated: FakeService, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setitem(MOVIES, 3, MOVIES[3] | {"title": text})
    shown = literal(parameters.plain(text))
    assert shown == parameters.clean(text)
    for at in (open_page("movie", movie="3"), open_page("rate", pick="3")):
        escaped = parameters.plain(text)
        assert escaped in at.title[0].value + at.subheader[0].value
        assert text not in page_text(at)
