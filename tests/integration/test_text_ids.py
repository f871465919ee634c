"""Test that the API takes and gives text ids as they are, and what it says without ratings."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

import service
from marquee.api.handlers import Handlers
from marquee.api.process.loaded_model import LoadedModel
from marquee.core.movies import Movies
from marquee.feedback.store import EventStore
from marquee.recommender.bundle import write_bundle
from tests.support.api_fuzz import Contract
from tests.support.tiny_bundle import text_id, tiny_parts, write_tiny

HEAT, SUSPECTS, PULP = text_id(6), text_id(50), text_id(296)
ANY_ID = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=128
)


contract = cache(Contract)


class Client:
    """The service in this process; each answer is checked by /openapi.json."""

    def __init__(self, client: Any) -> None:
        self._client, self._contract = client, contract()

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        answer = self._client.post(path, json=body)
        self._contract.check("POST", path, answer)
        assert answer.status_code == status, answer.text
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self._client.get(path)
        self._contract.check("GET", path.split("?")[0], answer)
        return answer.json()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EventStore]:
    store = EventStore(f"sqlite:///{tmp_path / 'events.sqlite'}")
    yield store
    store.close()


@pytest.fixture
def text_client(service_client: Any, tmp_path: Path, store: EventStore) -> Iterator[Client]:
    bundle = write_tiny(tmp_path / "text", text_ids=True)
    service.routes.state.handlers = Handlers(LoadedModel.load(str(bundle)), store)
    yield Client(service_client)
    del service.routes.state.handlers


@pytest.fixture
def plain_client(service_client: Any, tmp_path: Path, store: EventStore) -> Iterator[Client]:
    """The service of a bundle without ratings and times."""
    bundle = write_tiny(tmp_path / "plain", has_ratings=False)
    service.routes.state.handlers = Handlers(LoadedModel.load(str(bundle)), store)
    yield Client(service_client)
    del service.routes.state.handlers


def event_of(movie_id: Any, kind: str = "rating", **fields: Any) -> dict[str, Any]:
    event = {"event_id": f"{kind}-{movie_id!r}", "user_id": "ana", "movie_id": movie_id}
    return event | {"kind": kind} | ({"stars": 4.0} if kind == "rating" else {}) | fields


def test_text_ids_are_those_of_the_bundle(text_client: Client) -> None:
    history = [{"movie_id": HEAT, "stars": 4.0}, {"movie_id": SUSPECTS}]
    body = {"history": history, "k": 3, "explain": True, "exclude_ids": [PULP]}
    answer = text_client.post("/recommend", body)
    assert "unknown_ids" not in answer
    assert all(item["movie_id"].startswith("tt") for item in answer["items"])
    reasons = {entry["movie_id"] for item in answer["items"] for entry in item["because"]}
    assert reasons <= {HEAT, SUSPECTS} and PULP not in [i["movie_id"] for i in answer["items"]]
    (result,) = text_client.post("/recommend_batch", {"requests": [body]})["results"]
    assert result == answer
    for path in ("/predict", "/rerank"):
        items = text_client.post(path, {"movie_ids": [PULP], "history": history})["items"]
        assert [item["movie_id"] for item in items] == [PULP]
    assert text_client.post("/similar", {"movie_id": HEAT, "k": 1})["items"]
    assert text_client.post("/charts", {"kind": "popular", "k": 1})["items"][0]["movie_id"] == PULP
    assert text_client.post("/movies/get", {"movie_id": HEAT})["title"] == "Heat"
    assert text_client.get("/movies/search?q=heat")["items"][0]["movie_id"] == HEAT
    assert text_client.get("/model")["id_type"] == "text"


@pytest.mark.parametrize("sent", [6, "6", "tt6/é", "tt0006/e\u0301", f" {HEAT}", HEAT.upper(), 6.5])
def test_text_id_is_compared_exactly(text_client: Client, sent: Any) -> None:
    body = {"history": [{"movie_id": sent}], "include_ids": [sent], "exclude_ids": [sent]}
    answer = text_client.post("/recommend", body)
    assert (answer["unknown_ids"], answer["items"]) == ([sent], [])
    text_client.post("/movies/get", {"movie_id": sent}, status=404)


def numeric_parts() -> dict[str, Any]:
    parts = tiny_parts()
    movies, ids = parts["movies"], ["0114508", "114508", *map(str, range(8))]
    column = np.array(ids, dtype=object)
    return parts | {"movies": Movies(column, movies.title, movies.year, movies.genres)}


def test_integer_is_its_digits_where_ids_are_text(
    service_client: Any, tmp_path: Path, store: EventStore
) -> None:
    """ "0114508" is another movie."""
    write_bundle(tmp_path / "bundle", **numeric_parts())
    service.routes.state.handlers = Handlers(LoadedModel.load(str(tmp_path / "bundle")), store)
    client = Client(service_client)
    items = client.post("/predict", {"movie_ids": [114508, "0114508", 7.0]})["items"]
    assert [item["movie_id"] for item in items] == ["114508", "0114508", "7"]
    client.post("/events", {"events": [event_of(114508), event_of("0114508"), event_of("05")]})
    history = client.post("/users/history", {"user_id": "ana"})["items"]
    assert [item["movie_id"] for item in history] == ["114508", "0114508", "05"]
    assert "title" not in history[2]
    del service.routes.state.handlers


@hypothesis.settings(
    max_examples=15,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(ids=st.lists(ANY_ID, min_size=10, max_size=10, unique=True))
def test_ids_of_any_text_round_trip(
    service_client: Any, tmp_path_factory: pytest.TempPathFactory, ids: list[str]
) -> None:
    folder, parts = tmp_path_factory.mktemp("any"), tiny_parts()
    movies, column = parts["movies"], np.array(ids, dtype=object)
    movies = Movies(column, [""] * 10, movies.year, movies.genres)
    write_bundle(folder / "bundle", **parts | {"movies": movies})
    store = EventStore(f"sqlite:///{folder / 'events.sqlite'}")
    service.routes.state.handlers = Handlers(LoadedModel.load(str(folder / "bundle")), store)
    client = Client(service_client)
    listed = [item["movie_id"] for item in client.post("/recommend", {"k": 10})["items"]]
    assert sorted(listed) == sorted(ids)
    assert "unknown_ids" not in client.post("/similar", {"movie_ids": listed})
    assert client.post("/movies/get", {"movie_id": listed[0]})["movie_id"] == listed[0]
    events = [event_of(id_, event_id=f"{n}") for n, id_ in enumerate(listed)]
    receipt = client.post("/events", {"events": events})
    assert receipt == {"accepted": 10, "duplicates": 0, "rejected": []}
    history = client.post("/users/history", {"user_id": "ana"})["items"]
    assert [item["movie_id"] for item in history] == listed
    exported = client.post("/users/export", {"user_id": "ana"})["events"]
    assert [event["movie_id"] for event in exported] == listed
    assert client.post("/recommend", {"user_id": "ana"})["items"] == []
    del service.routes.state.handlers
    store.close()


def test_stored_ids_of_an_integer_bundle_count_for_text(
    service_client: Any, tmp_path: Path, store: EventStore
) -> None:
    """A data set's ids become text when one title comes whose id is no integer."""
    store.import_ratings(["ana"], [7], [4.0], [100])
    write_bundle(tmp_path / "bundle", **numeric_parts())
    service.routes.state.handlers = Handlers(LoadedModel.load(str(tmp_path / "bundle")), store)
    client = Client(service_client)
    (entry,) = client.post("/users/history", {"user_id": "ana"})["items"]
    assert (entry["movie_id"], entry["stars"]) == ("7", 4.0) and "title" in entry
    answer = client.post("/recommend", {"user_id": "ana", "k": 10})
    assert answer["strategy"] == "history"
    assert "7" not in [item["movie_id"] for item in answer["items"]]
    del service.routes.state.handlers


def test_bundle_without_ratings_answers_without_stars(plain_client: Client) -> None:
    history = [{"movie_id": 6, "stars": 4.25}, {"movie_id": 50, "watched": 0.95}]
    bodies: dict[str, dict[str, Any]] = {
        "/recommend": {"history": history, "explain": True},
        "/predict": {"history": history, "movie_ids": [1, 6]},
        "/rerank": {"history": history, "movie_ids": [1, 6]},
        "/rate_next": {"history": history},
        "/charts": {"kind": "popular"},
    }
    for path, body in bodies.items():
        items = plain_client.post(path, body)["items"]
        assert items and not any("stars" in item for item in items), path
    rated, unrated = (
        plain_client.post("/recommend", {"history": entries})
        for entries in (history[:1], [{"movie_id": 6}])
    )
    assert rated == unrated
    error = plain_client.post("/charts", {"kind": "hidden_gems"}, status=422)["error"]
    assert error["fields"][0]["field"] == "kind" and "popular" in error["message"]


def test_bundle_without_ratings_says_so_in_its_card(plain_client: Client) -> None:
    card = plain_client.get("/model")
    assert (card["has_ratings"], card["scale"], card["id_type"]) == (False, None, "int")
    assert "popular" in card["charts"] and "hidden_gems" not in card["charts"]
    assert card["features"] == {"item": [], "user": []}


def test_bundle_without_ratings_stores_ratings_and_watches(plain_client: Client) -> None:
    events = [event_of(6, stars=77.0), event_of(50, "watch", watched=0.9)]
    assert plain_client.post("/events", {"events": events})["accepted"] == 2
    history = plain_client.post("/users/history", {"user_id": "ana"})["items"]
    assert [(item["movie_id"], item.get("stars")) for item in history] == [(6, 77.0), (50, None)]
    items = plain_client.post("/recommend", {"user_id": "ana"})["items"]
    assert {6, 50} & {item["movie_id"] for item in items} == set()
