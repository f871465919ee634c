"""Histories over HTTP: the service answers as the library does, and refuses as it does."""

from typing import Any

import pytest

from marquee.api.requests import MAX_HISTORY
from marquee.feedback.store import EventStore
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES

HEAT, GOLDENEYE, SUSPECTS, PULP = 6, 10, 50, 296
ALL_IDS = [movie[0] for movie in MOVIES]
UNKNOWN = 999


def ids(response: Any) -> list[int]:
    return [item["movie_id"] for item in response["items"]]


def body(entries: list[Any]) -> list[dict[str, Any]]:
    """Entries of the library as a request writes them."""
    keys = ("movie_id", "stars", "watched")
    rows = [entry if isinstance(entry, tuple) else (entry,) for entry in entries]
    return [dict(zip(keys, row, strict=False)) for row in rows]


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([HEAT], id="one-movie"),
        pytest.param(ALL_IDS * 1_000, id="ten-thousand-entries"),
        pytest.param([(HEAT, 2.0), PULP, (HEAT, 5.0)], id="repeat"),
        pytest.param([(HEAT, 5.0), PULP, HEAT], id="repeat-without-stars"),
        pytest.param([PULP, HEAT, (HEAT, None, 0.05)], id="repeat-left"),
        pytest.param([(HEAT, None, 0.05), PULP, HEAT], id="left-then-watched"),
        pytest.param([HEAT, SUSPECTS], id="no-stars"),
        pytest.param([(HEAT, None, 0.9)], id="finished-is-4-stars"),
        pytest.param([(HEAT, None, 0.1)], id="a-tenth-is-watched"),
        pytest.param([(HEAT, 1.0, 0.95)], id="stars-before-finished"),
        pytest.param([(HEAT, 1.0, 0.05)], id="stars-before-abandoned"),
    ],
)
def test_recommend_history_over_http_equals_library(
    recommender: Recommender, client: Any, entries: list[Any]
) -> None:
    expected = recommender.recommend(history=entries, k=100)
    response = client.post("/recommend", json={"history": body(entries), "k": 100})
    assert response.status_code == 200 and response.json() == expected
    assert expected["strategy"] == "history"
    seen = {entry[0] if isinstance(entry, tuple) else entry for entry in entries}
    assert set(ids(expected)) == set(ALL_IDS) - seen


def test_recommend_history_of_all_movies_is_an_empty_page(
    recommender: Recommender, client: Any
) -> None:
    response = client.post("/recommend", json={"history": body(ALL_IDS)}).json()
    assert response == recommender.recommend(history=ALL_IDS) and response["items"] == []


@pytest.mark.parametrize("entries", [[], [(PULP, None, 0.05)]], ids=["empty", "abandoned"])
def test_recommend_without_a_readable_entry_is_popular(client: Any, entries: list[Any]) -> None:
    response = client.post("/recommend", json={"history": body(entries), "k": 100}).json()
    assert response["strategy"] == "popular"
    assert (PULP in ids(response)) == (not entries)


def test_recommend_history_above_the_limit_is_422(client: Any) -> None:
    response = client.post("/recommend", json={"history": body([HEAT] * (MAX_HISTORY + 1))})
    assert response.status_code == 422 and MAX_HISTORY == 10_000
    assert response.json()["error"]["fields"][0]["field"] == "history"


def test_recommend_longest_history_fits_a_request(client: Any) -> None:
    entry = {"movie_id": HEAT, "stars": 4.5, "watched": 0.55, "at": "2026-11-22T12:00:00.000Z"}
    response = client.post("/recommend", json={"history": [entry] * MAX_HISTORY})
    assert response.status_code == 200 and response.json()["strategy"] == "history"


def test_recommend_stored_history_skips_unknown_movies(
    recommender: Recommender, client: Any, events_url: str
) -> None:
    store = EventStore(events_url)
    store.import_ratings(["only", "only"], [UNKNOWN, UNKNOWN + 1], [5.0, 4.0], [100, 200])
    store.import_ratings(["some", "some"], [UNKNOWN, HEAT], [5.0, 4.0], [100, 200])
    only = client.post("/recommend", json={"user_id": "only", "k": 3}).json()
    assert only == recommender.recommend(k=3) and only["strategy"] == "popular"
    some = client.post("/recommend", json={"user_id": "some"}).json()
    assert some == recommender.recommend(history=[(HEAT, 4.0)])


def test_recommend_history_with_times_equals_library(recommender: Recommender, client: Any) -> None:
    entries = [
        {"movie_id": HEAT, "stars": 4.0, "at": "2026-01-31T20:15:00.000001Z"},
        {"movie_id": PULP, "stars": 5.0, "at": "2026-01-31T21:15:00+01:00"},
        {"movie_id": SUSPECTS, "stars": 3.0, "at": "2026-01-31t20:15:00z"},
        {"movie_id": GOLDENEYE, "watched": 0.05, "at": "2025-01-31T20:15:00Z"},
    ]
    response = client.post("/recommend", json={"history": entries, "k": 100})
    assert response.json() == recommender.recommend(entries, k=100)
