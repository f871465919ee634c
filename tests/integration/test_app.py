"""The app, page by page, against a fake service whose lists can be worked out by eye.

What earlier Streamlit recommenders got wrong (a cut list of titles, a second favourite that counted
for nothing, a ranking sorted by row, errors turned into "Oops!") has a test each.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from marquee.insights.findings_command import main as insights
from marquee_client import Retries
from tests.support.fake_service import FILMS, Fake, fake_service
from tests.support.paths import ROOT

PAGES = ("start", "for_you", "rate", "taste", "night", "profile", "findings", "about", "movie")
WIDGETS = ("button", "checkbox", "multiselect", "radio", "select_slider", "selectbox", "slider")
SCANNER = "streamlit.components.v2.manifest_scanner"
TIMEOUT_S = 30
FIVE, RATED, FILES = "Or rate five movies", "What you rated", "Import and export"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Fake]:
    st.cache_data.clear()
    with fake_service() as service:
        monkeypatch.setenv("MARQUEE_URL", service.url)
        monkeypatch.setattr("app_pages.api.RETRIES", Retries(times=0))
        # Each AppTest reads what every installed package says of itself: half a second.
        monkeypatch.setattr(f"{SCANNER}.scan_component_manifests", list)
        monkeypatch.setenv("APP_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("FINDINGS", str(tmp_path / "reports"))
        monkeypatch.delenv("POSTERS", raising=False)
        monkeypatch.delenv("MARQUEE_KEY", raising=False)
        yield service


def rated(fake: Fake, user_id: str, **stars: float) -> None:
    """rated(fake, "ana", f3=5.0): film 3."""
    for n, (film, given) in enumerate(stars.items()):
        at = datetime(2026, 1, 1, 0, 0, len(fake.events) + n, tzinfo=UTC).isoformat()
        event = {"event_id": f"e{len(fake.events)}", "user_id": user_id, "kind": "rating"}
        fake.events[event["event_id"]] = event | {
            "movie_id": int(film[1:]),
            "stars": given,
            "at": at,
        }


def opened(page: str, tab: str = "", **query: str) -> AppTest:
    at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S)
    at.query_params.update({"me": "ana"} | query)
    if tab:
        at.session_state[f"{page}-tab"] = tab
    return at.switch_page(f"app_pages/{page}.py").run()


def fine(at: AppTest) -> AppTest:
    assert not at.exception, at.exception[0].message
    assert not at.error, at.error[0].value
    return at


def said(at: AppTest) -> str:
    """Everything that can be read on the page."""
    kinds = (
        "title",
        "header",
        "subheader",
        "markdown",
        "caption",
        "info",
        "warning",
        "error",
        "success",
    )
    parts = [element.value for kind in kinds for element in getattr(at, kind)]
    return "\n".join([*parts, *(html.value for html in at.html)])


def asked(at: AppTest, name: str) -> str:
    """A part of the address."""
    found = at.query_params[name]
    return found if isinstance(found, str) else found[0]


def titles(at: AppTest, row: str) -> list[str]:
    """Of the cards of a row, in their order: the films that its links lead to."""
    links = at.get_by_key(f"row-{row}").page_link
    return [FILMS[int(parse_qs(link.proto.query_string)["movie"][0])]["title"] for link in links]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_drawn_and_labels_its_controls(fake: Fake, page: str) -> None:
    rated(fake, "ana", f1=5.0, f7=4.0, f8=3.0, f9=2.5, f10=4.5)
    at = fine(opened(page, movie="3"))
    assert at.title[0].value
    for kind in WIDGETS:
        for widget in getattr(at, kind):
            assert widget.label.strip(), (kind, widget.key)


def test_a_genre_that_the_catalogue_lacks_takes_no_page_away(fake: Fake) -> None:
    fine(opened("for_you", mix="Opera:2,Comedy:1.5,Drama:²,War"))
    sent = [body for route, body in fake.asked if route == "/recommend_batch"][-1]
    assert sent["requests"][0]["genre_profile"] == {"Comedy": 1.5}


def test_three_tastes_make_a_list_and_stand_in_the_address(fake: Fake) -> None:
    at = fine(opened("start"))
    show = at.button(key="show")
    assert show.disabled
    for key in ("taste-0", "taste-2", "taste-5"):
        at.checkbox(key=key).check()
    at.run()
    at = fine(at.button(key="show").click().run())
    assert asked(at, "mix") == "Action:1,Comedy:1,Horror:1"
    at.switch_page("app_pages/for_you.py").run()
    (lists,) = [body for route, body in fake.asked if route == "/recommend_batch"][-1:]
    assert lists["requests"][0]["genre_profile"] == {"Action": 1, "Comedy": 1, "Horror": 1}
    assert "your tastes" in said(fine(at))


def test_rating_five_films_is_counted_and_leads_on(fake: Fake) -> None:
    at = opened("start", FIVE)
    for n in range(5):
        assert at.get("progress")[0].proto.text == f"{n} of 5 movies rated"
        at = fine(at.button(key="start-rate").click().run())
    assert "That is enough" in said(at)
    assert {e["movie_id"] for e in fake.events.values()} == {1, 2, 3, 4, 5}


def test_the_order_of_the_ranking_is_kept(fake: Fake) -> None:
    rated(fake, "ana", f9=5.0)
    fake.asked.clear()
    at = fine(opened("for_you"))
    (sent,) = [body for route, body in fake.asked if route == "/recommend_batch"]
    best = fake.post_recommend(sent["requests"][0])["items"]
    assert titles(at, "top") == [film["title"] for film in best]
    assert titles(at, "top")[0] == "Film 3 Delta"  # Drama and Horror as film 9, and better known
    (liked, *_) = sent["requests"][1:]
    shown = set(titles(at, "top"))
    rest = [f["title"] for f in fake.post_recommend(liked)["items"] if f["title"] not in shown]
    assert titles(at, "liked") == rest[:12]


def test_every_favourite_counts(fake: Fake) -> None:
    """Three favourites, each another genre: the service gets all, and each is a reason."""
    at = opened("rate")
    for title in ("Film 31 Delta", "Film 33 Beta", "Film 35 Delta"):
        at.text_input(key="rate-typed").set_value(title).run()
        (slider,) = [s for s in at.select_slider if s.key.startswith("rate-stars-")]
        slider.set_value(5.0).run()
        at = fine(at.button(key="rate-rate").click().run())
    stored = {e["movie_id"]: e["stars"] for e in fake.events.values()}
    assert stored == {31: 5.0, 33: 5.0, 35: 5.0}
    because = said(opened("for_you"))
    for title in ("Film 31 Delta", "Film 33 Beta", "Film 35 Delta"):
        assert f"because of {title}" in because or f", {title}" in because


def test_every_title_can_be_picked(fake: Fake) -> None:
    """Also those that no chart and no queue offers."""
    at = opened("rate")
    for film in (FILMS[31], FILMS[38], FILMS[40]):
        at.text_input(key="rate-typed").set_value(film["title"]).run()
        assert f"rate-stars-{film['movie_id']}" in [s.key for s in at.select_slider]
    fine(at)


def test_a_find_that_is_not_the_first_can_be_picked(fake: Fake) -> None:
    at = opened("rate")
    at.text_input(key="rate-typed").set_value("alpha").run()
    (found,) = [radio for radio in at.radio if radio.label == "Found 10"]
    found.set_value(36).run()
    assert "rate-stars-36" in [s.key for s in fine(at).select_slider]


def test_a_title_that_is_nowhere_is_said_to_be(fake: Fake) -> None:
    at = opened("rate")
    at.text_input(key="rate-typed").set_value("zzz").run()
    assert "Nothing is called like “zzz”" in said(fine(at))


def test_a_refusal_is_shown_in_the_words_of_the_service(fake: Fake) -> None:
    fake.refuse = "/recommend"
    at = opened("for_you")
    assert not at.exception
    assert at.error[0].value == "The service refused that: the fake refuses this"


def test_an_error_of_the_code_is_not_hidden(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr("app_pages.api.similar", broken)
    assert opened("movie", movie="3").exception


def test_one_refused_list_of_many_is_not_passed_over(fake: Fake) -> None:
    whole = fake.post_recommend_batch
    fault = {"error": {"code": "invalid", "message": "genre Opera is none of this catalogue"}}
    fake.post_recommend_batch = (
        lambda body: {  # type: ignore[method-assign]
            "results": [*whole(body)["results"][:-1], fault]
        }
    )
    assert "genre Opera" in opened("for_you").error[0].value


def test_while_the_service_is_away_the_popular_list_stands_in_and_the_way_back_works(
    fake: Fake,
) -> None:
    fine(opened("start"))  # the popular list is written to disk
    fake.away = True
    st.cache_data.clear()
    at = opened("for_you")
    assert not at.exception
    assert "The service is away" in at.warning[0].value
    assert "**Film 1 Beta**" in said(at)
    fake.away = False
    at = fine(at.button(key="again-__main__-show").click().run())
    assert not at.warning
    assert titles(at, "top")


def test_a_service_that_never_answered_has_a_screen_too(fake: Fake) -> None:
    fake.away = True
    for page in ("start", "rate", "movie"):
        at = opened(page, movie="3")
        assert not at.exception
        assert "The service is away" in said(at), page
        assert "No list is kept on this machine yet" in said(at)


def test_a_rating_that_was_not_stored_is_said_to_be(fake: Fake) -> None:
    at = opened("rate")
    fake.refuse = "/events"
    at.button(key="rate-rate").click().run()
    assert at.error[0].value == "Not saved: the fake refuses this."
    assert not fake.events


def test_undo_brings_back_what_stood_before(fake: Fake) -> None:
    rated(fake, "ana", f1=2.0)
    at = opened("rate")
    at.text_input(key="rate-typed").set_value("Film 1 Beta").run()
    at.select_slider(key="rate-stars-1").set_value(4.5).run()
    assert at.button(key="rate-rate").label == "Change 2 to 4.5 ★"
    at.button(key="rate-rate").click().run()
    assert fake.known("ana")[0]["stars"] == 4.5
    fine(at.button(key="rate-undo").click().run())
    assert fake.known("ana")[0]["stars"] == 2.0


def test_what_was_not_seen_or_is_not_wanted_is_not_asked_again(fake: Fake) -> None:
    at = opened("rate")
    at.button(key="rate-unseen").click().run()
    at.button(key="rate-refuse").click().run()
    kinds = {e["movie_id"]: e["kind"] for e in fake.events.values()}
    assert kinds == {1: "not_seen", 2: "not_interested"}
    offered = [b.key for b in fine(at).button if (b.key or "").startswith("rate-pick-")]
    assert "rate-stars-3" in [slider.key for slider in at.select_slider]
    assert offered[0] == "rate-pick-4"  # beside the film that is asked about, not again
    at.button(key="rate-undo").click().run()
    assert "rate-stars-2" in [slider.key for slider in at.select_slider]


def test_what_was_refused_can_be_brought_back(fake: Fake) -> None:
    at = opened("movie", movie="3")
    at.button(key="movie-refuse").click().run()
    assert titles(opened("rate", RATED), "refused") == ["Film 3 Delta"]
    at = fine(at.button(key="back").click().run())
    assert "Not for you" not in said(at)
    assert not fake.known("ana")


def test_a_rating_can_be_removed(fake: Fake) -> None:
    rated(fake, "ana", f1=2.0, f2=3.0)
    at = opened("rate", RATED)
    at.selectbox(key="before-movie").set_value(1).run()
    fine(at.button(key="before-remove").click().run())
    assert [one["movie_id"] for one in fake.known("ana")] == [2]


def test_films_whose_stars_say_most_come_with_their_reason(fake: Fake) -> None:
    at = opened("rate")
    at.segmented_control(key="rate-way").set_value("Movies whose stars say most").run()
    assert "25% likely that you have seen it, and 3 more ratings let it be judged" in said(fine(at))


def test_the_yardstick_names_what_got_as_many_stars(fake: Fake) -> None:
    rated(fake, "ana", f1=5.0, f7=4.0)
    at = opened("rate")
    (slider,) = [s for s in at.select_slider if s.key.startswith("rate-stars-")]
    slider.set_value(4.0).run()
    assert "You gave 4 to Film 7 Delta" in said(at)
    slider.set_value(4.5).run()
    assert "You gave 4 to Film 7 Delta and 5 to Film 1 Beta" in said(at)


def test_filters_and_controls_reach_the_service(fake: Fake) -> None:
    at = opened("for_you")
    at.multiselect(key="genres").set_value(["Horror"]).run()
    at.selectbox(key="decade").set_value("2000s").run()
    at.slider(key="novelty").set_value(0.5).run()
    at = fine(at.slider(key="calibration").set_value(1.0).run())
    sent = [body for route, body in fake.asked if route == "/recommend_batch"][-1]
    top = sent["requests"][0]
    wanted = {"genres": ["Horror"], "year_min": 2000, "year_max": 2009}
    assert all(one["filters"] == wanted for one in sent["requests"])
    assert (top["novelty"], top["calibration"]) == (0.5, 1.0)
    assert top["exclude_ids"] == list(range(1, 16))  # half of the popular chart's 30
    by_title = {film["title"]: film for film in FILMS.values()}
    assert titles(at, "top")
    for title in titles(at, "top"):
        assert "Horror" in by_title[title]["genres"]


def test_filters_that_leave_nothing_say_so(fake: Fake) -> None:
    at = opened("for_you")
    at.selectbox(key="decade").set_value("Before 1960").run()
    assert "No movie fits these filters" in said(fine(at))


def test_the_film_page_says_how_sure_it_is_and_why(fake: Fake) -> None:
    rated(fake, "ana", f9=5.0)
    text = said(fine(opened("movie", movie="3")))
    assert "About 4.1 stars from you" in text
    assert "between 2.5 and 5.0" in text
    assert "Behind it: 380 ratings" in text
    assert '<span class="chip">Film 9 Beta</span>' in text
    assert "Too few ratings" in said(fine(opened("movie", movie="40")))


def test_a_film_that_is_nowhere_has_a_screen(fake: Fake) -> None:
    at = opened("movie", movie="999")
    assert not at.exception
    assert "not in this catalog" in at.warning[0].value
    assert "No movie was asked for" in said(fine(opened("movie", movie="x")))


def test_too_few_ratings_for_a_taste_are_said_to_be(fake: Fake) -> None:
    assert "Rate a few movies" in said(fine(opened("taste")))
    rated(fake, "ana", f1=4.0)
    assert "1 rated so far" in said(fine(opened("taste")))


def test_a_mix_set_by_hand_is_asked_for(fake: Fake) -> None:
    rated(fake, "ana", f1=4.0, f2=3.0)
    at = opened("taste")
    at.slider(key="mix-Comedy").set_value(9.0).run()
    at = fine(at.button(key="use-mix").click().run())
    sent = [body for route, body in fake.asked if route == "/recommend_batch"][-1]["requests"]
    profile = sent[1]["genre_profile"]
    assert max(profile, key=profile.get) == "Comedy"
    assert "Comedy:9" in asked(at, "mix")


@pytest.mark.parametrize(
    ("text", "added", "lost"),
    [
        pytest.param(
            "userId,movieId,rating,timestamp\n9,3,4.5,1000000000\n9,999,4,1000000000\n",
            {3: 4.5},
            ["movie 999"],
            id="movielens",
        ),
        pytest.param(
            "Date,Name,Year,Letterboxd URI,Rating\n2020-01-02,Film 5 Beta,1985,x,3.5\n"
            "2020-01-02,Film 6 Gamma,1950,x,3\n2020-01-02,Nowhere,1990,x,3\n"
            "2020-01-03,Film 7 Delta,1987,x,\n",
            {5: 3.5},
            ["Film 6 Gamma (1950)", "Nowhere (1990)", "Film 7 Delta (1987)"],
            id="letterboxd",
        ),
    ],
)
def test_imported_rows_are_stored_or_listed(
    fake: Fake, text: str, added: dict[int, float], lost: list[str]
) -> None:
    at = opened("rate", FILES)
    for again in (0, len(added)):
        at.file_uploader[0].set_value(("ratings.csv", text.encode(), "text/csv")).run()
        at = fine(at.button(key="import").click().run())
        told = f"{len(added) - again} ratings added, {again} were there before, {len(lost)} not"
        assert told in at.success[0].value
        assert sorted(at.dataframe[-1].value["movie"]) == sorted(lost)
    assert {one["movie_id"]: one["stars"] for one in fake.known("ana")} == added


def test_a_file_of_neither_format_is_named(fake: Fake) -> None:
    at = opened("rate", FILES)
    at.file_uploader[0].set_value(("x.csv", b"a,b\n1,2\n", "text/csv")).run()
    assert at.error[0].value.startswith("x.csv: the first line is a, b; expected the columns")


def test_a_movie_night_joins_whoever_is_there(fake: Fake) -> None:
    rated(fake, "ana", f1=5.0)
    rated(fake, "ben", f3=5.0)
    at = opened("night")
    assert "Ask the others" in said(at)
    at = fine(at.text_input(key="guest-0").set_value("http://x/night?me=ben&name=Ben").run())
    shown = titles(at, "night")
    assert len(shown) == 12
    assert not {"Film 1 Beta", "Film 3 Delta"} & set(shown)
    assert "Ben would give" in at.dataframe[-1].value.columns


def test_a_profile_is_made_kept_named_and_deleted(fake: Fake) -> None:
    first = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S).run()
    user_id = asked(first, "me")
    assert user_id.startswith("anon-")
    rated(fake, user_id, f1=4.0)
    at = opened("profile", me=user_id)
    assert "1 rating." in said(at)
    at.text_input(key="name").set_value("Ana B")
    at = fine(at.button(key="use-name").click().run())
    assert asked(at, "name") == "Ana B"
    assert at.button(key="delete").disabled
    at.checkbox(key="sure").check().run()
    at = fine(at.button(key="delete").click().run())
    assert not fake.events
    assert asked(at, "me") != user_id
    assert "name" not in at.query_params


def test_findings_are_shown_whole_or_said_to_be_absent(fake: Fake, tmp_path: Path) -> None:
    """The report that `make findings` writes of the demo data, word by word."""
    assert "There is no report" in said(fine(opened("findings")))
    folder = tmp_path / "reports" / "demo"
    assert insights(["demo", "--out", str(folder)]) == 0
    report = json.loads((folder / "findings.json").read_text())
    at = fine(opened("findings"))
    shown = said(at).replace("\\", "")
    for sentence in (report["title"], report["facts"], *report["notes"], *report["cannot_tell"]):
        assert sentence in shown
    for finding in report["findings"]:
        for part in ("title", "sentence", "shown", "interval", "so_what", "how_sure"):
            assert finding[part] is None or finding[part] in shown, (finding["id"], part)
    in_order = sorted(report["findings"], key=lambda each: not each["told"])
    charts = [each["chart"] for each in in_order if each["chart"]]
    for chart, table in zip(charts, at.dataframe, strict=True):
        assert list(table.value.columns) == chart["columns"]
        assert len(table.value) == len(chart["rows"])


@pytest.mark.parametrize("text", ["{", "[]", '{"findings": [{"title": "Drama leads"}]}'])
def test_a_file_that_is_no_report_says_how_to_write_one(
    fake: Fake, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "reports" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "findings.json").write_text(text)
    at = opened("findings")
    (error,), (heading,) = at.error, at.title
    assert heading.value == "Findings"
    assert "is no report that can be shown" in error.value
    assert "make findings DATA=ml-1m writes it again" in error.value


def test_generated_films_are_labelled_synthetic(fake: Fake) -> None:
    assert "Synthetic" not in said(opened("for_you"))
    fake.name = "demo"
    st.cache_data.clear()
    assert "Synthetic" in said(opened("for_you"))
