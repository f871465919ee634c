"""A catalog that changes under a bundle: new titles, edits, deletions, and who may see what."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.core.times import unix_us
from marquee.recommender.catalog.title import CatalogChange
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from marquee.recommender.search.title_search import TitleSearch
from tests.support.tiny_bundle import MOVIES

HEAT, SUSPECTS, PULP = 6, 50, 296
HISTORY = [(HEAT, 5.0), (SUSPECTS, 4.0)]
BUNDLE_IDS = [movie[0] for movie in MOVIES]


def change(
    movie_id: int, *, is_deleted: bool = False, at: int = 1, **document: Any
) -> CatalogChange:
    return CatalogChange(
        movie_id=movie_id, document=document, is_deleted=is_deleted, added_us=at * 1_000_000
    )


def listed(response: Any) -> list[int]:
    return [item["movie_id"] for item in response["items"]]


def found(recommender: Recommender, query: str) -> list[int]:
    base = recommender.catalog.num_bundle_items
    movies = recommender.movies.select(recommender.movie_ids[:base])
    search = TitleSearch(movies, recommender.num_ratings[:base])
    items = search.with_segments(recommender.catalog.segments).find(query, 10)
    return [int(recommender.movie_ids[item]) for item in items]


def test_new_title_is_listed_searched_similar_and_predicted(recommender: Recommender) -> None:
    new = change(900, title="The Harbor", year=2026, genres=["Crime", "Thriller"])
    changed = recommender.with_changes([new])
    response = changed.recommend(HISTORY, k=20)
    item = next(item for item in response["items"] if item["movie_id"] == 900)
    assert item["title"] == "The Harbor" and item["year"] == 2026 and item["num_ratings"] == 0
    (prediction,) = changed.predict(history=HISTORY, movie_ids=[900])["items"]
    assert prediction["score"] == pytest.approx(item["score"], abs=1e-5)
    assert prediction["stars"] == item["stars"]
    assert 900 in listed(changed.similar([HEAT], k=20))
    assert listed(changed.similar([900], k=20)) and 900 in listed(changed.charts("popular", k=20))
    assert listed(changed.charts("new", k=1)) == [900]
    assert found(changed, "the harbor")[0] == 900
    assert 900 not in listed(recommender.recommend(HISTORY, k=20)), "the other is as it was"


def test_new_title_has_the_vectors_of_the_content_graph(recommender: Recommender) -> None:
    title = {"title": "Heat", "year": 1995, "genres": ["Crime"]}
    changed = recommender.with_changes([change(900, **title), change(901, **title)])
    content = changed.item_content.arrays([changed.catalog.title(len(MOVIES)).content(None)])
    head, vectors = changed.scorer.head, changed.scorer.encoder.item_vectors
    np.testing.assert_array_equal(vectors[np.array([len(MOVIES)])], content["item_vector"])
    np.testing.assert_array_equal(
        head.take(np.array([len(MOVIES)])).item_gmf_ID, content["item_gmf"]
    )
    score, other = changed.score([HISTORY], [900, 901])[0]
    assert score == other


def test_new_title_in_a_history_counts(recommender: Recommender) -> None:
    changed = recommender.with_changes([change(900, title="X", year=1990, genres=["Drama"])])
    without, with_it = changed.score([HISTORY, [*HISTORY, (900, 5.0)]])
    assert not np.allclose(without, with_it)
    stars = changed.predict(history=[*HISTORY, (900, 1.0)], movie_ids=[PULP, 900])["items"]
    assert all(1 <= item["stars"]["low"] <= item["stars"]["high"] <= 5 for item in stars)
    explained = changed.recommend([*HISTORY, 900], k=3, explain=True)
    assert 900 not in listed(explained)


def test_edit_of_a_bundle_title_shows_and_keeps_its_score(
    recommender: Recommender,
) -> None:
    edit = change(PULP, title="Pulp Nonfiction", genres=["Documentary"], year=None)
    changed = recommender.with_changes([edit])
    movie = changed.catalog.movie(PULP)
    assert (movie["title"], movie["year"], movie["genres"]) == (
        "Pulp Nonfiction",
        None,
        ["Documentary"],
    )
    np.testing.assert_array_equal(changed.score([HISTORY]), recommender.score([HISTORY]))
    filters = {"genres": ["Documentary"]}
    assert listed(changed.recommend(HISTORY, filters=filters)) == [PULP]
    assert listed(changed.charts("popular", filters={"where": {"title": "Pulp Fiction"}})) == []
    assert (
        found(changed, "pulp nonfiction")[0] == PULP
        and found(recommender, "pulp fiction")[0] == PULP
    )
    profile = changed.recommend(HISTORY, genre_profile={"Documentary": 1.0}, k=1)
    assert listed(profile) == [PULP]


def test_field_that_is_absent_is_the_bundles(recommender: Recommender) -> None:
    before = recommender.catalog.movie(PULP)
    changed = recommender.with_changes([change(PULP, year=2000)]).with_changes([change(PULP)])
    assert changed.catalog.movie(PULP) == before, "a change says all that was ever said"


def test_deleted_title_is_in_no_list_and_stays_in_histories(recommender: Recommender) -> None:
    changed = recommender.with_changes(
        [change(PULP, is_deleted=True), change(900, title="X", is_deleted=True)]
    )
    for response in (
        changed.recommend(HISTORY, k=50),
        changed.similar([HEAT], k=50),
        changed.charts("popular", k=50),
        changed.charts("new", k=50),
        changed.rate_next(history=HISTORY, k=50),
        changed.rerank(history=HISTORY, movie_ids=[PULP, 900, SUSPECTS]),
    ):
        assert not {PULP, 900} & set(listed(response)) and response["items"]
    np.testing.assert_array_equal(
        changed.score([[PULP]])[0, : len(MOVIES)], recommender.score([[PULP]])[0]
    )
    revived = changed.with_changes([change(PULP)])
    assert PULP in listed(revived.recommend(HISTORY, k=50))


NOW_US = unix_us(datetime(2026, 11, 30, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("document", "viewer", "is_seen"),
    [
        ({"countries": ["DE", "FR"]}, {"country": "DE"}, True),
        ({"countries": ["DE", "FR"]}, {"country": "US"}, False),
        ({"countries": ["DE"]}, {}, True),
        ({"min_age": 16}, {"max_age": 12}, False),
        ({"min_age": 16}, {"max_age": 16}, True),
        ({"min_age": 16}, {}, True),
        ({"available_from": "2026-11-30T12:00:00Z"}, {}, True),
        ({"available_from": "2026-11-30T12:00:01Z"}, {}, False),
        ({"available_until": "2026-11-30T12:00:01Z"}, {}, True),
        ({"available_until": "2026-11-30T12:00:00Z"}, {}, False),
        ({"kind": "episode"}, {}, False),
        ({"kind": "series"}, {}, True),
    ],
)
def test_viewer_sees_what_rights_age_and_window_allow(
    recommender: Recommender, document: dict[str, Any], viewer: dict[str, Any], is_seen: bool
) -> None:
    changed = recommender.with_changes(
        [change(PULP, **document), change(900, title="X", **document)]
    )
    changed.catalog.clock = lambda: NOW_US
    for response in (
        changed.recommend(HISTORY, k=50, viewer=viewer),
        changed.similar([HEAT], k=50, viewer=viewer),
        changed.charts("popular", k=50, viewer=viewer),
        changed.rerank(history=HISTORY, movie_ids=[PULP, 900, SUSPECTS], viewer=viewer),
    ):
        assert ({PULP, 900} <= set(listed(response))) is is_seen
    questions = listed(changed.rate_next(history=HISTORY, k=50, viewer=viewer))
    assert (PULP in questions) is is_seen


@pytest.mark.parametrize("viewer", [{"country": 5}, {"max_age": "12"}, {"max_age": True}])
def test_viewer_of_a_wrong_type_is_an_error(
    recommender: Recommender, viewer: dict[str, Any]
) -> None:
    with pytest.raises(RequestError, match="viewer") as error:
        recommender.recommend(HISTORY, viewer=viewer)
    assert error.value.field and error.value.field.startswith("viewer.")


CHANGES = st.lists(
    st.builds(
        change,
        st.sampled_from([*BUNDLE_IDS[:4], *range(900, 912)]),
        is_deleted=st.booleans(),
        title=st.sampled_from(["Heat", "Harbor", "عنوان", "🎬", ""]),
        year=st.sampled_from([None, 1950, 1995, 2026]),
        genres=st.lists(st.sampled_from(["Crime", "Drama", "Nordic", "Ocean"]), unique=True),
        countries=st.sampled_from([None, ["DE"], ["DE", "US"]]),
        min_age=st.sampled_from([None, 0, 12, 18]),
    ),
    min_size=1,
    max_size=30,
)


@settings(deadline=None, max_examples=60)
@given(changes=CHANGES, sizes=st.lists(st.integers(1, 7), min_size=30, max_size=30))
def test_changes_in_steps_equal_the_changes_at_once(
    recommender: Recommender, changes: list[CatalogChange], sizes: list[int]
) -> None:
    first_at: dict[Any, int] = {}
    for n, each in enumerate(changes):
        first_at.setdefault(each.movie_id, n + 1)
    changes = [replace(each, added_us=first_at[each.movie_id]) for each in changes]
    stepwise, later = recommender, list(changes)
    for size in sizes:
        if later:
            stepwise, later = stepwise.with_changes(later[:size]), later[size:]
    last = {each.movie_id: each for each in changes}
    at_once = recommender.with_changes(last.values())
    assert stepwise.movie_ids.tolist() == at_once.movie_ids.tolist()
    viewer = {"country": "US", "max_age": 13}
    where = {"any": [{"genres": "Nordic"}, {"year": {"lt": 1990}}, {"not": {"min_age": {"gt": 0}}}]}
    for each in (stepwise, at_once):
        each.catalog.clock = lambda: NOW_US
    for verb, options in [
        ("recommend", {"history": HISTORY, "k": 50, "viewer": viewer, "calibration": 0.5}),
        ("recommend", {"history": HISTORY, "k": 50, "filters": {"where": where}, "diversity": 0.5}),
        ("similar", {"movie_ids": [HEAT], "k": 50, "viewer": viewer}),
        ("charts", {"kind": "new", "k": 50}),
        ("charts", {"kind": "popular", "k": 50, "filters": {"where": where}}),
    ]:
        assert getattr(stepwise, verb)(**options) == getattr(at_once, verb)(**options)
    for query in ("heat", "harbor", "عنوان"):
        assert found(stepwise, query) == found(at_once, query)
    for movie_id, each in last.items():
        item = stepwise.catalog.indices_of([movie_id], "x")[0]
        assert stepwise.catalog.title(int(item)).is_deleted is each.is_deleted
