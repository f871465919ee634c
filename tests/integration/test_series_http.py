"""Series over HTTP: a list holds one entry, an episode counts for it, the next one is known."""

from typing import Any

import pytest

SERIES, S1, S2 = 900, 901, 902
EPISODES = [911, 912, 921]


@pytest.fixture
def series_client(client: Any) -> Any:
    movies = [
        {"movie_id": SERIES, "title": "The Harbor", "kind": "series", "genres": ["Crime"]},
        {"movie_id": S1, "kind": "season", "parent_id": SERIES, "number": 1},
        {"movie_id": S2, "kind": "season", "parent_id": SERIES, "number": 2},
        {"movie_id": 912, "kind": "episode", "parent_id": S1, "number": 2},
        {"movie_id": 911, "kind": "episode", "parent_id": S1, "number": 1},
        {"movie_id": 921, "kind": "episode", "parent_id": S2, "number": 1},
    ]
    answer = client.put("/movies", json={"movies": movies}).json()
    assert answer == {"accepted": 6, "rejected": []}
    return client


def next_of(client: Any, movie_id: int) -> int | None:
    movie = client.get(f"/movies/{movie_id}").json()
    return movie.get("next_episode")


def test_next_episode_goes_on_with_the_next_season(series_client: Any) -> None:
    expected = [(SERIES, 911), (S1, 911), (911, 912), (912, 921), (S2, 921), (921, None)]
    assert [(id_, next_of(series_client, id_)) for id_, _ in expected] == expected
    series_client.delete("/movies/912")
    assert next_of(series_client, 911) == 921


def test_list_holds_one_entry_a_series(series_client: Any) -> None:
    body = {"history": [{"movie_id": 6}], "k": 50}
    items = series_client.post("/recommend", json=body).json()["items"]
    ids = {item["movie_id"] for item in items}
    assert SERIES in ids and not {S1, S2, *EPISODES} & ids


def test_watched_episode_counts_for_the_series(series_client: Any) -> None:
    episode = {"history": [{"movie_id": 6}, {"movie_id": 911, "watched": 0.95}], "k": 50}
    series = {"history": [{"movie_id": 6}, {"movie_id": SERIES, "watched": 0.95}], "k": 50}
    answers = [series_client.post("/recommend", json=body).json() for body in (episode, series)]
    assert answers[0] == answers[1]
    assert SERIES not in {item["movie_id"] for item in answers[0]["items"]}, "it is seen"
    event = {"event_id": "e", "user_id": "eve", "movie_id": 921, "kind": "watch", "watched": 1.0}
    series_client.post("/events", json={"events": [event]})
    items = series_client.post("/recommend", json={"user_id": "eve", "k": 50}).json()["items"]
    assert SERIES not in {item["movie_id"] for item in items}


def test_episode_before_its_series_counts_by_itself(client: Any) -> None:
    movies = [{"movie_id": 911, "kind": "episode", "parent_id": SERIES, "title": "Pilot"}]
    client.put("/movies", json={"movies": movies})
    answer = client.post("/recommend", json={"history": [{"movie_id": 911}], "k": 50}).json()
    assert answer["strategy"] == "history" and "unknown_ids" not in answer
    assert next_of(client, 911) is None
