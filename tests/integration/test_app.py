"""The app, page by page, against a fake service whose lists can be worked out by eye.

What earlier Streamlit recommenders got wrong (a cut list of titles, a second favourite that counted
for nothing, a ranking sorted by row, errors turned into "Oops!") has a test each.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app_pages import api
from marquee.insights.findings_command import main as insights
from tests.support.app_session import (
    PAGES,
    TIMEOUT_S,
    add_ratings,
    checked,
    literal,
    open_page,
    page_text,
    query_param,
    service_of_the_app,
)
from tests.support.fake_service import MOVIES, FakeService
from tests.support.paths import ROOT

WIDGETS = ("button", "checkbox", "multiselect", "radio", "select_slider", "selectbox", "slider")
FIVE, RATED, FILES = "Or rate five movies", "What you rated", "Import and export"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeService]:
    with service_of_the_app(monkeypatch, tmp_path) as service:
        yield service


def row_titles(at: AppTest, row: str) -> list[str]:
    """Return the titles of the movies that the links of a row lead to, in order."""
    links = at.get_by_key(f"row-{row}").page_link
    return [MOVIES[int(parse_qs(link.proto.query_string)["movie"][0])]["title"] for link in links]


def batch_queries(fake: FakeService) -> list[dict[str, Any]]:
    """Return the queries of the last request of several lists."""
    bodies = [body for route, body in fake.requests if route == "/recommend_batch"]
    return list(bodies[-1]["requests"])


@pytest.mark.parametrize("page", PAGES)
def test_page_labels_every_control(fake: FakeService, page: str) -> None:
    add_ratings(fake, "ana", {1: 5.0, 7: 4.0, 8: 3.0, 9: 2.5, 10: 4.5})
    at = checked(open_page(page, movie="3"))
    assert at.title[0].value
    for kind in WIDGETS:
        for widget in getattr(at, kind):
            assert widget.label.strip(), (kind, widget.key)


def test_genre_mix_ignores_unknown_genres(fake: FakeService) -> None:
    checked(open_page("for_you", mix="Opera:2,Comedy:1.5,Drama:²,War"))
    assert batch_queries(fake)[0]["genre_profile"] == {"Comedy": 1.5}


def test_start_three_tastes_set_the_genre_mix(fake: FakeService) -> None:
    at = checked(open_page("start"))
    assert at.get_by_key("show").page_link[0].proto.disabled
    for key in ("taste-0", "taste-2", "taste-5"):
        at.checkbox(key=key).check()
    link = checked(at.run()).get_by_key("show").page_link[0].proto
    assert not link.disabled
    (mix,) = parse_qs(link.query_string)["mix"]
    assert mix == "Action:1,Comedy:1,Horror:1"
    at = open_page("for_you", mix=mix)
    assert batch_queries(fake)[0]["genre_profile"] == {"Action": 1, "Comedy": 1, "Horror": 1}
    assert "your tastes" in page_text(checked(at))


def test_start_five_ratings_lead_to_the_list(fake: FakeService) -> None:
    at = open_page("start", FIVE)
    for n in range(5):
        assert at.get("progress")[0].proto.text == f"{n} of 5 movies rated"
        at = checked(at.button(key="start-rate").click().run())
    assert "That is enough" in page_text(at)
    assert {e["movie_id"] for e in fake.events.values()} == {1, 2, 3, 4, 5}
    at = checked(at.button(key="start-rate").click().run())
    assert at.get("progress")[0].proto.text == "5 of 5 movies rated"


def test_for_you_keeps_the_ranking_order(fake: FakeService) -> None:
    add_ratings(fake, "ana", {9: 5.0})
    at = checked(open_page("for_you"))
    top, liked, *_ = batch_queries(fake)
    top_titles = [movie["title"] for movie in fake.post_recommend(top)["items"]]
    assert row_titles(at, "top") == top_titles
    assert top_titles[0] == "Movie 3 Delta"  # Drama and Horror as movie 9, and better known
    liked_titles = [movie["title"] for movie in fake.post_recommend(liked)["items"]]
    unused = [title for title in liked_titles if title not in top_titles]
    assert row_titles(at, "liked") == unused[:12]


def test_for_you_explains_with_every_favourite(fake: FakeService) -> None:
    """Three favourites, each another genre: the service gets all, and each is a reason."""
    at = open_page("rate")
    for title in ("Movie 31 Delta", "Movie 33 Beta", "Movie 35 Delta"):
        at.text_input(key="rate-typed").set_value(title).run()
        (slider,) = [s for s in at.select_slider if s.key.startswith("rate-stars-")]
        slider.set_value(5.0).run()
        at = checked(at.button(key="rate-rate").click().run())
    stored = {e["movie_id"]: e["stars"] for e in fake.events.values()}
    assert stored == {31: 5.0, 33: 5.0, 35: 5.0}
    because = page_text(open_page("for_you"))
    for title in ("Movie 31 Delta", "Movie 33 Beta", "Movie 35 Delta"):
        assert f"because of {title}" in because or f", {title}" in because


def test_search_finds_titles_outside_the_charts(fake: FakeService) -> None:
    """Also those that no chart and no queue offers."""
    at = open_page("rate")
    for movie in (MOVIES[31], MOVIES[38], MOVIES[40]):
        at.text_input(key="rate-typed").set_value(movie["title"]).run()
        assert f"rate-stars-{movie['movie_id']}" in [s.key for s in at.select_slider]
    checked(at)


def test_search_selects_a_later_hit(fake: FakeService) -> None:
    at = open_page("rate")
    at.text_input(key="rate-typed").set_value("alpha").run()
    (hits,) = [radio for radio in at.radio if radio.label == "Found 10"]
    hits.set_value(36).run()
    assert "rate-stars-36" in [s.key for s in checked(at).select_slider]


def test_search_without_hits_says_so(fake: FakeService) -> None:
    at = open_page("rate")
    at.text_input(key="rate-typed").set_value("zzz").run()
    assert "No title is like “zzz”" in page_text(checked(at))


def test_refused_request_shows_the_service_message(fake: FakeService) -> None:
    fake.refuse = "/recommend"
    at = open_page("for_you")
    assert not at.exception
    assert at.error[0].value.startswith("The service refused this request: the fake refuses this.")


def test_page_does_not_hide_a_bug(fake: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(api, "similar", fail)
    assert open_page("movie", movie="3").exception


def test_recommend_batch_error_is_shown(fake: FakeService) -> None:
    fake.last_result = {"error": {"code": "invalid", "message": "genre Opera: not in the catalog"}}
    assert "genre Opera" in open_page("for_you").error[0].value


def test_unavailable_history_in_a_batch_is_no_refusal(fake: FakeService) -> None:
    fake.last_result = {"error": {"code": "unavailable", "message": "the history is away"}}
    at = open_page("for_you")
    assert not at.error
    assert "The service does not answer" in at.warning[0].value


@pytest.mark.parametrize("page", ["start", "for_you", "rate", "taste", "night", "movie"])
def test_page_requires_the_history_of_each_list(fake: FakeService, page: str) -> None:
    """Without it the popular movies would be shown as the visitor's own list."""
    add_ratings(fake, "ana", dict.fromkeys(range(1, 18), 4.0))
    at = open_page(page, tab="Or rate five movies" if page == "start" else "", movie="3")
    if page == "night":
        at.text_input(key="guest-0").set_value("ben").run()
    checked(at)
    bodies = [body for _, body in fake.requests]
    lists = [query for body in bodies for query in body.get("requests", [body])]
    of_users = [query for query in lists if "user_id" in query and len(query) > 1]
    assert of_users
    assert all(query.get("require_history") for query in of_users)


def test_unavailable_service_shows_the_popular_list(fake: FakeService) -> None:
    checked(open_page("start"))  # the popular list is written to disk
    fake.away = True
    st.cache_data.clear()
    at = open_page("for_you")
    assert not at.exception
    assert "The service does not answer" in at.warning[0].value
    assert "**Movie 1 Beta**" in page_text(at)
    fake.away = False
    at = checked(at.button(key="again-__main__-show").click().run())
    assert not at.warning
    assert row_titles(at, "top")


def test_unavailable_service_without_saved_list_says_so(fake: FakeService) -> None:
    fake.away = True
    for page in ("start", "rate", "movie"):
        at = open_page(page, movie="3")
        assert not at.exception
        assert "The service does not answer" in page_text(at), page
        assert "This machine has no list to show yet" in page_text(at)


def test_rating_refused_is_reported(fake: FakeService) -> None:
    at = open_page("rate")
    fake.refuse = "/events"
    at.button(key="rate-rate").click().run()
    assert literal(at.error[0].value).startswith("Not saved: the fake refuses this.")
    assert not fake.events


def test_undo_restores_the_previous_stars(fake: FakeService) -> None:
    add_ratings(fake, "ana", {1: 2.0})
    at = open_page("rate")
    at.text_input(key="rate-typed").set_value("Movie 1 Beta").run()
    at.select_slider(key="rate-stars-1").set_value(4.5).run()
    assert at.button(key="rate-rate").label == "Change 2 to 4.5 ★"
    at.button(key="rate-rate").click().run()
    assert fake.history("ana")[0]["stars"] == 4.5
    checked(at.button(key="rate-undo").click().run())
    assert fake.history("ana")[0]["stars"] == 2.0


def test_queue_skips_not_seen_and_not_interested(fake: FakeService) -> None:
    at = open_page("rate")
    at.button(key="rate-unseen").click().run()
    at.button(key="rate-refuse").click().run()
    kinds = {e["movie_id"]: e["kind"] for e in fake.events.values()}
    assert kinds == {1: "not_seen", 2: "not_interested"}
    offered = [b.key for b in checked(at).button if (b.key or "").startswith("rate-pick-")]
    assert "rate-stars-3" in [slider.key for slider in at.select_slider]
    assert offered[0] == "rate-pick-4"  # beside the movie that is asked about, not again
    at.button(key="rate-undo").click().run()
    assert "rate-stars-2" in [slider.key for slider in at.select_slider]


def test_not_interested_can_be_undone(fake: FakeService) -> None:
    at = open_page("movie", movie="3")
    at.button(key="movie-refuse").click().run()
    assert row_titles(open_page("rate", RATED), "refused") == ["Movie 3 Delta"]
    at = checked(at.button(key="back").click().run())
    assert "Not for you" not in page_text(at)
    assert not fake.history("ana")


def test_rating_can_be_removed(fake: FakeService) -> None:
    add_ratings(fake, "ana", {1: 2.0, 2: 3.0})
    at = open_page("rate", RATED)
    at.selectbox(key="before-movie").set_value(1).run()
    checked(at.button(key="before-remove").click().run())
    assert [entry["movie_id"] for entry in fake.history("ana")] == [2]


def test_rating_can_be_changed(fake: FakeService) -> None:
    add_ratings(fake, "ana", {1: 2.0, 2: 3.0})
    at = open_page("rate", RATED)
    at.selectbox(key="before-movie").set_value(1).run()
    at.select_slider(key="before-stars-1").set_value(4.5).run()
    assert at.button(key="before-rate").label == "Change 2 to 4.5 ★"
    checked(at.button(key="before-rate").click().run())
    assert {e["movie_id"]: e["stars"] for e in fake.history("ana")} == {1: 4.5, 2: 3.0}


def test_rate_next_shows_its_reason(fake: FakeService) -> None:
    at = open_page("rate")
    at.segmented_control(key="rate-way").set_value("Movies whose stars say most").run()
    assert "seen it is 25%, and it needs 3 more ratings to be judged" in page_text(checked(at))


def test_yardstick_names_movies_with_equal_stars(fake: FakeService) -> None:
    add_ratings(fake, "ana", {1: 5.0, 7: 4.0})
    at = open_page("rate")
    (slider,) = [s for s in at.select_slider if s.key.startswith("rate-stars-")]
    slider.set_value(4.0).run()
    assert "You gave 4 to Movie 7 Delta" in page_text(at)
    slider.set_value(4.5).run()
    assert "You gave 4 to Movie 7 Delta and 5 to Movie 1 Beta" in page_text(at)


def test_filters_and_controls_reach_the_request(fake: FakeService) -> None:
    at = open_page("for_you")
    at.multiselect(key="genres").set_value(["Horror"]).run()
    at.selectbox(key="decade").set_value("2000s").run()
    at.slider(key="novelty").set_value(0.5).run()
    at = checked(at.slider(key="calibration").set_value(1.0).run())
    queries = batch_queries(fake)
    filters = {"genres": ["Horror"], "year_min": 2000, "year_max": 2009}
    assert all(query["filters"] == filters for query in queries)
    assert (queries[0]["novelty"], queries[0]["calibration"]) == (0.5, 1.0)
    assert queries[0]["exclude_ids"] == list(range(1, 16))  # half of the popular chart's 30
    by_title = {movie["title"]: movie for movie in MOVIES.values()}
    assert row_titles(at, "top")
    for title in row_titles(at, "top"):
        assert "Horror" in by_title[title]["genres"]


def test_filters_without_matches_say_so(fake: FakeService) -> None:
    at = open_page("for_you")
    at.selectbox(key="decade").set_value("Before 1960").run()
    assert "No movie fits these filters" in page_text(checked(at))


def test_movie_page_shows_interval_and_reasons(fake: FakeService) -> None:
    add_ratings(fake, "ana", {9: 5.0})
    text = page_text(checked(open_page("movie", movie="3")))
    assert "About 4.1 stars from you" in text
    assert "between 2.5 and 5.0" in text
    assert "Behind it: 380 ratings" in text
    assert '<span class="chip">Movie 9 Beta</span>' in text
    assert "Too few ratings" in page_text(checked(open_page("movie", movie="40")))


def test_movie_page_unknown_movie_says_so(fake: FakeService) -> None:
    at = open_page("movie", movie="999")
    assert not at.exception
    assert "not in the catalog" in at.warning[0].value
    assert at.title[0].value == "Movie"
    assert "The address names no movie" in page_text(checked(open_page("movie", movie="x")))


def test_taste_asks_for_ratings(fake: FakeService) -> None:
    assert "Rate a few movies" in page_text(checked(open_page("taste")))
    add_ratings(fake, "ana", {1: 4.0})
    assert "1 rated so far" in page_text(checked(open_page("taste")))


def test_taste_mix_reaches_the_request(fake: FakeService) -> None:
    add_ratings(fake, "ana", {1: 4.0, 2: 3.0})
    at = open_page("taste")
    at.slider(key="mix-Comedy").set_value(9.0).run()
    at = checked(at.button(key="use-mix").click().run())
    profile = batch_queries(fake)[1]["genre_profile"]
    assert max(profile, key=profile.get) == "Comedy"
    assert "Comedy:9" in query_param(at, "mix")


@pytest.mark.parametrize(
    ("text", "stored", "not_imported"),
    [
        pytest.param(
            "userId,movieId,rating,timestamp\n9,3,4.5,1000000000\n9,999,4,1000000000\n",
            {3: 4.5},
            ["movie 999"],
            id="movielens",
        ),
        pytest.param(
            "Date,Name,Year,Letterboxd URI,Rating\n2020-01-02,Movie 5 Beta,1985,x,3.5\n"
            "2020-01-02,Movie 6 Gamma,1950,x,3\n2020-01-02,Nowhere,1990,x,3\n"
            "2020-01-03,Movie 7 Delta,1987,x,\n",
            {5: 3.5},
            ["Movie 6 Gamma (1950)", "Nowhere (1990)", "Movie 7 Delta (1987)"],
            id="letterboxd",
        ),
    ],
)
def test_import_stores_or_lists_each_row(
    fake: FakeService, text: str, stored: dict[int, float], not_imported: list[str]
) -> None:
    at = open_page("rate", FILES)
    for duplicates in (0, len(stored)):
        at.file_uploader[0].set_value(("ratings.csv", text.encode(), "text/csv")).run()
        at = checked(at.button(key="import").click().run())
        assert at.success[0].value == (
            f"{len(stored) - duplicates} ratings added, {duplicates} already there, "
            f"{len(not_imported)} not imported."
        )
        assert sorted(at.dataframe[-1].value["movie"]) == sorted(not_imported)
    assert {entry["movie_id"]: entry["stars"] for entry in fake.history("ana")} == stored


def test_import_bad_cells_spoil_no_other_row(fake: FakeService) -> None:
    """With the line ends of an old Mac, one row twice, and rows without a time."""
    bad = ["4,1e400,", "5,inf,", "6,nan,", "7,4,1e400", "8,4,02/03/2024", f"9,4,{'x' * 140_000}"]
    text = "\r".join(["movieId,rating,timestamp", "3,4.5,", *bad, "3,4.5,", "1,4,1000000000"])
    at = open_page("rate", FILES)
    for added, known in ((2, 1), (0, 3)):
        at.file_uploader[0].set_value(("ratings.csv", text.encode(), "text/csv")).run()
        at = at.radio[0].set_value(5.0).run()
        at = checked(at.button(key="import").click().run())
        report = f"{added} ratings added, {known} already there, 6 not imported."
        assert at.success[0].value == report
    table = at.dataframe[-1].value
    assert list(table["line"]) == [3, 4, 5, 6, 7, 8] and all(table["why"])
    assert {entry["movie_id"]: entry["stars"] for entry in fake.history("ana")} == {3: 4.5, 1: 4.0}


def test_import_of_an_unknown_scale_asks_for_it(fake: FakeService) -> None:
    """Trakt's title,year,rating of 1 to 10: 4 of 10 must not become 4 of 5."""
    text = "title,year,rating\nMovie 5 Beta,1985,4\nMovie 6 Gamma,1986,9\nMovie 7 Delta,1987,12\n"
    at = open_page("rate", FILES)
    at = at.file_uploader[0].set_value(("x.csv", text.encode(), "text/csv")).run()
    assert at.button(key="import").disabled and at.radio[0].value is None
    of_5, of_10, _ = at.radio[0].options
    assert of_5 == "5 (4 of 5 becomes 4 of 5)"
    assert of_10 == "10 (9 of 10 becomes 4.5 of 5, 4 of 10 becomes 2 of 5)"
    at = checked(at.radio[0].set_value(10.0).run())
    at = checked(at.button(key="import").click().run())
    assert {entry["movie_id"]: entry["stars"] for entry in fake.history("ana")} == {5: 2.0, 6: 4.5}
    assert list(at.dataframe[-1].value["why"]) == ["rating 12, expected above 0, at most 10"]


def test_import_of_a_known_form_says_its_scale(fake: FakeService) -> None:
    fake.scale = [float(n) for n in range(101)]
    text = "Const,Your Rating,Date Rated,Title,Year\ntt1,7,2024-02-11,Movie 5 Beta,1985\n"
    at = open_page("rate", FILES)
    at = at.file_uploader[0].set_value(("x.csv", text.encode(), "text/csv")).run()
    assert not at.radio and "A file of IMDb, whose ratings are of 10" in page_text(at)
    assert "7 of 10 becomes 70 of 100" in page_text(at)
    checked(at.button(key="import").click().run())
    assert fake.history("ana")[0]["stars"] == 70.0


@pytest.mark.parametrize("page", PAGES)
def test_page_of_a_bare_catalog_shows_no_stars(fake: FakeService, page: str) -> None:
    """Text ids, no ratings, genres, years or titles."""
    fake.is_bare = True
    add_ratings(fake, "ben", {3: 5.0, 4: 1.0})
    text = page_text(checked(open_page(page, movie="m/003", me="ben")))
    assert "★" not in text and "stars" not in text.lower() and "year unknown" not in text
    at = checked(open_page(page, movie="m/003"))
    assert "★" not in page_text(at)
    assert not at.select_slider and not {"genres", "decade"} & {w.key for w in at.multiselect}


def test_bare_catalog_marks_what_was_watched(fake: FakeService) -> None:
    fake.is_bare = True
    at = open_page("start")
    for n in range(5):
        assert at.get("progress")[0].proto.text == f"{n} of 5 movies marked"
        at = checked(at.button(key="start-watched").click().run())
    assert "That is enough" in page_text(at)
    events = list(fake.events.values())
    assert [event["movie_id"] for event in events] == [1, 2, 3, 4, 5]
    assert {event["kind"] for event in events} == {"watch"}
    movie = page_text(checked(open_page("movie", movie="m/003")))
    assert "You have watched it" in movie and "380 plays" in movie
    at = checked(open_page("rate", "What you watched"))
    assert list(at.dataframe[-1].value["movie"]) == [f"m/00{n}" for n in (5, 4, 3, 2, 1)]
    assert "Because you watched m/005" in page_text(checked(open_page("for_you")))


def test_bare_catalog_imports_and_finds_text_ids(fake: FakeService) -> None:
    fake.is_bare = True
    at = open_page("rate", FILES)
    text = "userId,movieId,timestamp\n1,m/007,1000000000000\n1,m/999,1000000000\n1,7,1000000000\n"
    at = at.file_uploader[0].set_value(("x.csv", text.encode(), "text/csv")).run()
    at = checked(at.button(key="import").click().run())
    assert at.success[0].value == "1 movies added, 0 already there, 2 not imported."
    assert [entry["movie_id"] for entry in fake.history("ana")] == [7]
    at = checked(open_page("rate", pick="m/009"))
    assert "m/009" in [heading.value for heading in at.subheader]
    assert "not in the catalog" in open_page("movie", movie="9").warning[0].value


def test_import_rejects_an_unknown_format(fake: FakeService) -> None:
    at = open_page("rate", FILES)
    at.file_uploader[0].set_value(("x.csv", b"a,b\n1,2\n", "text/csv")).run()
    message = literal(at.error[0].value)
    assert message.startswith("x.csv: the first line is a, b; expected the columns")


def test_night_merges_the_lists_of_all_users(fake: FakeService) -> None:
    add_ratings(fake, "ana", {1: 5.0})
    add_ratings(fake, "ben", {3: 5.0})
    at = open_page("night")
    assert "Ask the others" in page_text(at)
    at = checked(at.text_input(key="guest-0").set_value("http://x/night?me=ben&name=Ben").run())
    titles = row_titles(at, "night")
    assert len(titles) == 12
    assert not {"Movie 1 Beta", "Movie 3 Delta"} & set(titles)
    assert "Ben would give" in at.dataframe[-1].value.columns


def test_profile_is_created_named_and_deleted(fake: FakeService) -> None:
    first = AppTest.from_file(str(ROOT / "app.py"), default_timeout=TIMEOUT_S).run()
    user_id = query_param(first, "me")
    assert user_id.startswith("anon-")
    add_ratings(fake, user_id, {1: 4.0})
    at = open_page("profile", me=user_id)
    assert "1 rating." in page_text(at)
    at.text_input(key="name").set_value("Ana B")
    at = checked(at.button(key="use-name").click().run())
    assert query_param(at, "name") == "Ana B"
    assert at.button(key="delete").disabled
    at.checkbox(key="sure").check().run()
    at = checked(at.button(key="delete").click().run())
    assert not fake.events
    assert query_param(at, "me") != user_id
    assert "name" not in at.query_params


def test_findings_page_shows_the_full_report(fake: FakeService, tmp_path: Path) -> None:
    """Compare with the report that `make findings` writes of the demo data, word by word."""
    assert "There is no report" in page_text(checked(open_page("findings")))
    folder = tmp_path / "reports" / "demo"
    assert insights(["demo", "--out", str(folder)]) == 0
    report = json.loads((folder / "findings.json").read_text())
    at = checked(open_page("findings"))
    text = page_text(at).replace("\\", "")
    for sentence in (report["title"], report["facts"], *report["notes"], *report["limits"]):
        assert sentence in text
    for finding in report["findings"]:
        for part in ("title", "sentence", "value_text", "interval_text", "action", "how_sure"):
            assert finding[part] is None or finding[part] in text, (finding["id"], part)
    in_order = sorted(report["findings"], key=lambda finding: not finding["available"])
    charts = [finding["chart"] for finding in in_order if finding["chart"]]
    for chart, table in zip(charts, at.dataframe, strict=True):
        assert list(table.value.columns) == chart["columns"]
        assert len(table.value) == len(chart["rows"])


def test_findings_page_of_several_opens_that_of_the_model(
    fake: FakeService, tmp_path: Path
) -> None:
    for name in ("demo", "tiny", "zoo"):
        assert insights(["demo", "--out", str(tmp_path / "reports" / name)]) == 0
    assert checked(open_page("findings")).selectbox(key="report").value == "tiny"
    assert checked(open_page("findings", report="zoo")).selectbox(key="report").value == "zoo"
    fake.name = "no report"
    st.cache_data.clear()
    assert checked(open_page("findings")).selectbox(key="report").value == "demo"
    fake.away = True
    st.cache_data.clear()
    assert checked(open_page("findings")).selectbox(key="report").value == "demo"


@pytest.mark.parametrize("text", ["{", "[]", '{"findings": [{"title": "Drama leads"}]}'])
def test_findings_page_rejects_a_broken_report(
    fake: FakeService, tmp_path: Path, text: str
) -> None:
    folder = tmp_path / "reports" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "findings.json").write_text(text)
    at = open_page("findings")
    (error,), (heading,) = at.error, at.title
    assert heading.value == "Findings"
    assert "is no report that can be shown" in error.value
    assert "Run `make findings DATA=ml-1m` to write it again" in error.value


def test_demo_data_is_labelled_synthetic(fake: FakeService) -> None:
    assert "Synthetic" not in page_text(open_page("for_you"))
    fake.name = "demo"
    st.cache_data.clear()
    assert "Synthetic" in page_text(open_page("for_you"))
