"""Odd histories have a defined answer, the same from the library and over HTTP."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.api.requests import MAX_HISTORY
from marquee.core.movies import Movies
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import SHAPES, write_bundle
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import FILMS, HISTORY_LENGTH, tiny_parts

HEAT, GOLDENEYE, SUSPECTS, PULP = 6, 10, 50, 296
ALL = [film[0] for film in FILMS]
GONE = 999
"""A movie that this bundle does not hold."""


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["movie_id"] for item in answer["items"]]


def body(entries: list[Any]) -> list[dict[str, Any]]:
    """Entries of the library as a request writes them."""
    keys = ("movie_id", "stars", "watched")
    rows = [entry if isinstance(entry, tuple) else (entry,) for entry in entries]
    return [dict(zip(keys, row, strict=False)) for row in rows]


@pytest.mark.parametrize(
    ("entries", "same_as"),
    [
        pytest.param([HEAT], [(HEAT, None, None)], id="one-film"),
        pytest.param(ALL * 1_000, ALL, id="ten-thousand-entries"),
        pytest.param([(HEAT, 2.0), PULP, (HEAT, 5.0)], [PULP, (HEAT, 5.0)], id="repeat"),
        pytest.param([(HEAT, 5.0), PULP, HEAT], [PULP, HEAT], id="repeat-without-stars"),
        pytest.param([PULP, HEAT, (HEAT, None, 0.05)], [PULP, (HEAT, None, 0)], id="repeat-left"),
        pytest.param([(HEAT, None, 0.05), PULP, HEAT], [PULP, HEAT], id="left-then-watched"),
        pytest.param([HEAT, SUSPECTS], [(HEAT, None), (SUSPECTS, None)], id="no-stars"),
        pytest.param([(HEAT, None, 0.9)], [(HEAT, 4.0)], id="watched-is-4-stars"),
        pytest.param([(HEAT, None, 0.1)], [HEAT], id="a-tenth-is-watched-in-part"),
        pytest.param([(HEAT, 1.0, 0.95)], [(HEAT, 1.0)], id="stars-before-watched"),
        pytest.param([(HEAT, 1.0, 0.05)], [(HEAT, 1.0)], id="stars-before-leaving"),
    ],
)
def test_an_odd_history_is_answered_as_a_plain_one(
    recommender: Recommender, client: Any, entries: list[Any], same_as: list[Any]
) -> None:
    np.testing.assert_array_equal(recommender.score([entries]), recommender.score([same_as]))
    expected = recommender.recommend(history=same_as, k=100)
    assert recommender.recommend(history=entries, k=100) == expected
    answer = client.post("/recommend", json={"history": body(entries), "k": 100})
    assert answer.status_code == 200 and answer.json() == expected
    assert expected["strategy"] == "history"
    seen = {entry[0] if isinstance(entry, tuple) else entry for entry in entries}
    assert set(ids(expected)) == set(ALL) - seen


def test_of_ten_thousand_films_the_latest_are_read_and_none_is_shown(tmp_path: Path) -> None:
    parts = tiny_parts()
    rows = np.arange(MAX_HISTORY + 3) % len(FILMS)
    names = [f"Film {row}" for row in range(len(rows))]
    movies = Movies(np.arange(1, len(rows) + 1), names, [None] * len(rows), [()] * len(rows))
    per_item = {name: axes.index("I") for name, axes in SHAPES.items() if "I" in axes}
    taken = {name: parts["arrays"][name].take(rows, axis) for name, axis in per_item.items()}
    parts |= {"movies": movies, "arrays": parts["arrays"] | taken}
    write_bundle(tmp_path / "large", **parts)
    large = Recommender.load(tmp_path / "large")
    history = list(range(1, MAX_HISTORY + 1))
    np.testing.assert_array_equal(large.score([history]), large.score([history[-HISTORY_LENGTH:]]))
    answer = large.recommend(history=history, k=10)
    assert sorted(ids(answer)) == [MAX_HISTORY + 1, MAX_HISTORY + 2, MAX_HISTORY + 3]
    assert answer["next_offset"] is None


def test_one_entry_more_than_ten_thousand_is_422(client: Any) -> None:
    given = body([HEAT] * (MAX_HISTORY + 1))
    answer = client.post("/recommend", json={"history": given})
    assert answer.status_code == 422 and MAX_HISTORY == 10_000
    assert answer.json()["error"]["fields"][0]["field"] == "history"


def test_the_longest_entries_of_the_longest_history_fit_a_request(client: Any) -> None:
    entry = {"movie_id": HEAT, "stars": 4.5, "watched": 0.55, "at": "2026-11-22T12:00:00.000Z"}
    answer = client.post("/recommend", json={"history": [entry] * MAX_HISTORY})
    assert answer.status_code == 200 and answer.json()["strategy"] == "history"


def test_who_has_seen_everything_gets_an_empty_page(recommender: Recommender, client: Any) -> None:
    answer = client.post("/recommend", json={"history": body(ALL)}).json()
    assert answer == recommender.recommend(history=ALL)
    assert (answer["items"], answer["strategy"], answer["next_offset"]) == ([], "history", None)


def test_an_unknown_film_in_a_request_is_an_error(recommender: Recommender, client: Any) -> None:
    for entries in ([GONE], [HEAT, (GONE, 4.0)]):
        for ask in (recommender.score, recommender.predict_stars):
            with pytest.raises(RequestError, match=f"movie {GONE}: not in the catalog"):
                ask([entries], [HEAT])
        answer = client.post("/recommend", json={"history": body(entries)})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (404, "unknown_movie")
        assert error["fields"][0]["field"] == f"history.{len(entries) - 1}.movie_id"


def test_stored_films_that_left_the_bundle_are_skipped(
    recommender: Recommender, client: Any, events_url: str
) -> None:
    store = EventStore(events_url)
    store.import_ratings(["only", "only"], [GONE, GONE + 1], [5.0, 4.0], [100, 200])
    store.import_ratings(["some", "some"], [GONE, HEAT], [5.0, 4.0], [100, 200])
    only = client.post("/recommend", json={"user_id": "only", "k": 3}).json()
    assert only == recommender.recommend(k=3) and only["strategy"] == "popular"
    some = client.post("/recommend", json={"user_id": "some"}).json()
    assert some == recommender.recommend(history=[(HEAT, 4.0)])


def test_without_any_film_to_read_the_scores_are_of_the_popular_list(
    recommender: Recommender, client: Any
) -> None:
    popular = [math.log(1 + film[-1]) for film in FILMS]
    for entries in ([], [(PULP, None, 0.05)]):
        np.testing.assert_allclose(recommender.score([entries])[0], popular, rtol=1e-6)
        answer = client.post("/recommend", json={"history": body(entries), "k": 100}).json()
        assert answer["strategy"] == "popular"
        assert (PULP in ids(answer)) == (not entries)


def test_without_stars_the_stars_expected_are_a_strangers(recommender: Recommender) -> None:
    silent, stranger = recommender.predict_stars([[HEAT, SUSPECTS, (PULP, None, 0.5)], []], ALL)
    np.testing.assert_array_equal(silent, stranger)
    watched = recommender.predict_stars([[(HEAT, None, 0.95)], [(HEAT, 4.0)]], ALL)
    np.testing.assert_array_equal(watched[0], watched[1])


@pytest.mark.parametrize("flat", [[HEAT, SUSPECTS], [None]], ids=["one-history", "nobody"])
def test_histories_are_lists_of_entries(recommender: Recommender, flat: Any) -> None:
    with pytest.raises(RequestError, match=r"history: .*, expected a list of entries"):
        recommender.score(flat)


@pytest.mark.parametrize(
    ("entries", "same_as"),
    [
        pytest.param([{"movie_id": HEAT}], [HEAT], id="id"),
        pytest.param([{"movie_id": HEAT, "stars": 4.0}], [(HEAT, 4.0)], id="stars"),
        pytest.param([{"movie_id": HEAT, "watched": 0.95}], [(HEAT, None, 0.95)], id="watched"),
        pytest.param(
            [{"movie_id": HEAT, "stars": None, "watched": None, "at": None}], [HEAT], id="nulls"
        ),
        pytest.param([PULP, {"movie_id": HEAT, "stars": 2}], [PULP, (HEAT, 2.0)], id="mixed"),
        pytest.param(
            [{"movie_id": PULP, "at": "2026-01-31T20:15:00Z"}, HEAT], [PULP, HEAT], id="one-time"
        ),
        pytest.param(
            [HEAT, {"movie_id": PULP, "at": "2020-01-31T20:15:00Z"}], [HEAT, PULP], id="time-last"
        ),
        pytest.param((entry for entry in [{"movie_id": HEAT}, PULP]), [HEAT, PULP], id="iterator"),
    ],
)
def test_a_mapping_is_read_as_the_tuple(
    recommender: Recommender, entries: Any, same_as: list[Any]
) -> None:
    mapped, plain = recommender.parse_history(entries), recommender.parse_history(same_as)
    np.testing.assert_array_equal(mapped.item_L, plain.item_L)
    np.testing.assert_array_equal(mapped.rating_bin_L, plain.rating_bin_L)
    np.testing.assert_array_equal(mapped.abandoned, plain.abandoned)


def test_mappings_with_times_are_sorted_by_them_stably(
    recommender: Recommender, client: Any
) -> None:
    """As the service sorts them: to the microsecond, across zones, equal times in their order."""
    entries = [
        {"movie_id": HEAT, "stars": 4.0, "at": "2026-01-31T20:15:00.000001Z"},
        {"movie_id": PULP, "stars": 5.0, "at": "2026-01-31T21:15:00+01:00"},
        {"movie_id": SUSPECTS, "stars": 3.0, "at": "2026-01-31t20:15:00z"},
        {"movie_id": GOLDENEYE, "watched": 0.05, "at": "2025-01-31T20:15:00Z"},
    ]
    history = recommender.parse_history(entries)
    assert recommender.movie_ids[history.item_L].tolist() == [PULP, SUSPECTS, HEAT]
    assert recommender.movie_ids[history.abandoned].tolist() == [GOLDENEYE]
    parsed = [entry | {"at": datetime.fromisoformat(entry["at"].upper())} for entry in entries]
    np.testing.assert_array_equal(recommender.score([parsed]), recommender.score([entries]))
    answer = client.post("/recommend", json={"history": entries, "k": 100})
    assert answer.json() == recommender.recommend(entries, k=100)


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        pytest.param(
            {"movie_id": PULP, "portion": 0.5}, "history.1.portion", "movie_id, stars", id="key"
        ),
        pytest.param({"stars": 4.0}, "history.1.movie_id", "no movie_id, expected one", id="no-id"),
        pytest.param({"movie_id": "6"}, "history.1.movie_id", "expected an integer", id="text-id"),
        pytest.param({"movie_id": 7}, "history.1.movie_id", "movie 7", id="unknown"),
        pytest.param({"movie_id": PULP, "stars": 9}, "history.1.stars", "off the", id="stars"),
        pytest.param({"movie_id": PULP, "watched": 2}, "history.1.watched", "share", id="watched"),
        pytest.param({"movie_id": PULP, "at": "noon"}, "history.1.at", "offset", id="no-time"),
        pytest.param({"movie_id": PULP, "at": 5}, "history.1.at", "offset", id="number"),
        pytest.param(
            {"movie_id": PULP, "at": "2026-01-31T20:15:00"}, "history.1.at", "offset", id="no-zone"
        ),
        pytest.param(
            {"movie_id": PULP, "at": datetime(2026, 1, 31)}, "history.1.at", "offset", id="naive"
        ),
    ],
)
@pytest.mark.parametrize("first", [HEAT, {"movie_id": HEAT, "at": "2030-01-31T20:15:00Z"}])
def test_a_wrong_mapping_names_its_key(
    recommender: Recommender, first: Any, wrong: dict[str, Any], field: str, message: str
) -> None:
    """The place is that of the entry as written, also where entries are sorted by time."""
    with pytest.raises(RequestError, match=message) as error:
        recommender.recommend([first, wrong])
    assert error.value.field == field
