"""The catalog over HTTP: titles are put, edited and deleted, and count in the next answer."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marquee.api.catalog.catalog_requests import MoviesRequest
from marquee.api.handlers import Handlers
from marquee.api.process.loaded_model import LoadedModel
from marquee.api.process.shared_state import SharedState
from marquee.api.requests import SearchParams
from marquee.feedback.errors import StoreUnavailable
from marquee.feedback.store import EventStore
from tests.support.http_errors import assert_shape

HEAT, SUSPECTS, PULP = 6, 50, 296
NEW = {"movie_id": 900, "title": "The Harbor", "year": 2026, "genres": ["Crime", "Nordic"]}


def put(client: Any, *movies: dict[str, Any]) -> dict[str, Any]:
    answer = client.put("/movies", json={"movies": list(movies)})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["movie_id"] for item in answer.json()["items"]]


def every_list(client: Any, viewer: dict[str, Any] | None = None) -> list[list[int]]:
    """The ids of every endpoint that lists titles."""
    history, more = [{"movie_id": HEAT}], {} if viewer is None else {"viewer": viewer}
    batch = client.post(
        "/recommend_batch", json={"requests": [{"history": history, "k": 50} | more]}
    )
    return [
        ids(client.post("/recommend", json={"history": history, "k": 50} | more)),
        ids(client.post("/recommend", json={"user_id": "nobody", "k": 50} | more)),
        [item["movie_id"] for item in batch.json()["results"][0]["items"]],
        ids(client.post("/similar", json={"movie_id": HEAT, "k": 50} | more)),
        ids(client.post("/charts", json={"kind": "popular", "k": 50} | more)),
        ids(client.post("/charts", json={"kind": "new", "k": 50} | more)),
        ids(client.post("/rerank", json={"history": history, "movie_ids": [PULP, 900]} | more)),
        ids(client.get("/movies/search", params={"q": "the harbor", "k": 50} | (viewer or {})))
        + ids(client.get("/movies/search", params={"q": "pulp fiction", "k": 50} | (viewer or {}))),
    ]


def test_new_title_is_in_every_list_of_the_next_request(client: Any) -> None:
    assert put(client, NEW) == {"accepted": 1, "rejected": []}
    assert all(900 in listed for listed in every_list(client))
    assert client.get("/movies/900").json() == NEW | {"num_ratings": 0}
    assert 900 not in ids(client.post("/rate_next", json={"k": 50}))


def test_edit_shows_at_once_and_absent_fields_stay(client: Any) -> None:
    before = client.get(f"/movies/{PULP}").json()
    put(client, {"movie_id": PULP, "title": "Pulp", "attributes": {"mood": ["dark", "funny"]}})
    put(client, {"movie_id": PULP, "min_age": 18, "attributes": {"studio": "M"}})
    after = client.post("/movies/get", json={"movie_id": PULP}).json()
    attributes = {"mood": ["dark", "funny"], "studio": "M"}
    assert after == before | {"title": "Pulp", "min_age": 18, "attributes": attributes}
    where = {"all": [{"mood": "funny"}, {"min_age": {"gte": 16}}]}
    assert ids(client.post("/recommend", json={"filters": {"where": where}})) == [PULP]
    put(client, {"movie_id": PULP, "min_age": None, "year": None})
    movie = client.get(f"/movies/{PULP}").json()
    assert "min_age" not in movie and movie["year"] is None


def test_deleted_title_is_in_no_list_until_it_is_put_again(client: Any) -> None:
    put(client, NEW)
    assert client.delete(f"/movies/{PULP}").json() == {"deleted": 1}
    assert client.post("/movies/delete", json={"movie_id": 900}).json() == {"deleted": 1}
    assert client.delete("/movies/900").json() == {"deleted": 0}
    assert not any({PULP, 900} & set(listed) for listed in every_list(client))
    assert_shape(client.get(f"/movies/{PULP}"), 404, "unknown_movie")
    assert_shape(client.delete("/movies/12345"), 404, "unknown_movie")
    history = client.post("/recommend", json={"history": [{"movie_id": PULP}]})
    assert "unknown_ids" not in history.json(), "histories keep it"
    put(client, {"movie_id": 900})
    assert client.get("/movies/900").json() == NEW | {"num_ratings": 0}


@pytest.mark.parametrize(
    ("fields", "viewer", "is_seen"),
    [
        ({"countries": ["DE"]}, {"country": "FR"}, False),
        ({"countries": ["DE"]}, {"country": "DE"}, True),
        ({"min_age": 16}, {"max_age": 12}, False),
        ({"available_from": "2100-01-01T00:00:00Z"}, {}, False),
        ({"available_until": "2000-01-01T00:00:00Z"}, {}, False),
        ({"kind": "episode"}, {}, False),
    ],
)
def test_restriction_holds_on_every_endpoint(
    client: Any, fields: dict[str, Any], viewer: dict[str, Any], is_seen: bool
) -> None:
    put(client, NEW | fields, {"movie_id": PULP} | fields)
    for listed in every_list(client, viewer):
        assert bool({PULP, 900} & set(listed)) is is_seen, listed
    questions = ids(client.post("/rate_next", json={"k": 50, "viewer": viewer}))
    assert (PULP in questions) is is_seen


def test_cached_list_ends_with_a_window(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    put(client, {"movie_id": PULP, "available_until": soon.isoformat()})
    body = {"user_id": "42", "k": 50}
    assert PULP in ids(client.post("/recommend", json=body))
    import service

    catalog = service.routes.state.handlers.model.recommender.catalog
    monkeypatch.setattr(catalog, "clock", lambda: int((soon.timestamp() + 1) * 1e6))
    assert PULP not in ids(client.post("/recommend", json=body))


def test_event_of_an_unknown_title_counts_when_it_arrives(client: Any) -> None:
    event = {"event_id": "e-1", "user_id": "eve", "movie_id": 900, "kind": "rating", "stars": 5.0}
    answer = client.post("/events", json={"events": [event]})
    assert answer.json()["unknown_ids"] == [900]
    before = client.post("/recommend", json={"user_id": "eve", "k": 50}).json()
    put(client, NEW)
    after = client.post("/recommend", json={"user_id": "eve", "k": 50}).json()
    assert (before["strategy"], after["strategy"]) == ("popular", "history")
    (item,) = client.post("/users/history", json={"user_id": "eve"}).json()["items"]
    assert item["title"] == "The Harbor"


def test_page_of_movies_is_the_catalog_as_it_is(client: Any) -> None:
    put(client, NEW, {"movie_id": -5, "title": "First"})
    client.delete(f"/movies/{HEAT}")
    pages, cursor = list[list[int]](), None
    while True:
        params = {"limit": 4} | ({} if cursor is None else {"cursor": cursor})
        answer = client.get("/movies", params=params)
        pages.append(ids(answer))
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert [movie_id for page in pages for movie_id in page] == [
        -5,
        1,
        10,
        32,
        50,
        110,
        260,
        296,
        480,
        541,
        900,
    ]
    assert_shape(client.get("/movies", params={"cursor": "x"}), 422, "invalid")


BAD = [
    ({"title": "x" * 1001}, "title"),
    ({"genres": ["g"] * 101}, "genres"),
    ({"year": 12345}, "year"),
    ({"countries": ["de"]}, "countries"),
    ({"countries": []}, "countries"),
    ({"kind": "film"}, "kind"),
    ({"colour": "red"}, "colour"),
    ({"attributes": {"year": 5}}, "attributes.year"),
    ({"attributes": {"a": {"b": 1}}}, "attributes"),
    ({"vector": [1.0, 2.0]}, "vector"),
    ({"available_from": "2026-01-02T00:00:00Z", "available_until": "2026-01-01T00:00:00Z"}, "unt"),
    ({"kind": "episode", "parent_id": 901}, "parent_id"),
    ({"kind": "movie", "parent_id": PULP}, "parent_id"),
    ({"artwork_url": "javascript:alert(1)"}, "artwork_url"),
]


@pytest.mark.parametrize(("fields", "named"), BAD, ids=[named for _, named in BAD])
def test_bad_title_is_rejected_alone(client: Any, fields: dict[str, Any], named: str) -> None:
    answer = put(client, NEW, {"movie_id": 901, "title": "Bad"} | fields, {"movie_id": 902})
    (rejected,) = answer["rejected"]
    assert answer["accepted"] == 2 and rejected["movie_id"] == 901 and named in rejected["message"]
    assert_shape(client.get("/movies/901"), 404, "unknown_movie")


def test_odd_titles_and_ids_are_kept_as_they_are(client: Any) -> None:
    for n, title in enumerate(["x" * 1000, "مرحبا بالعالم", "🎬🍿", "A/B\\C?", '"'], 910):
        put(client, {"movie_id": n, "title": title})
        assert client.get(f"/movies/{n}").json()["title"] == title
    answer = put(client, {"movie_id": "abc"}, {"movie_id": "0911"}, {"movie_id": "912"})
    assert answer["accepted"] == 1 and len(answer["rejected"]) == 2
    assert ids(client.get("/movies/search", params={"q": "مرحبا"}))[:1] == [911]


def test_cycle_of_parents_is_rejected(client: Any) -> None:
    season = {"kind": "season", "parent_id": 920}
    answer = put(client, {"movie_id": 920, "kind": "series"}, {"movie_id": 921} | season)
    assert answer["accepted"] == 2
    answer = put(client, {"movie_id": 920, "kind": "season", "parent_id": 921})
    assert answer["accepted"] == 0 and "parent_id" in answer["rejected"][0]["message"]


def test_ten_thousand_genres_do_not_fill_the_memory(client: Any) -> None:
    movies = [
        {"movie_id": 1000 + n, "genres": [f"genre {n}-{g}" for g in range(100)]} for n in range(100)
    ]
    answer = put(client, *movies)
    assert 0 < answer["accepted"] < 100
    assert "at most 500" in answer["rejected"][0]["message"]


def test_same_batch_twice_changes_nothing(client: Any) -> None:
    import service

    put(client, NEW)
    serial = service.routes.state.handlers.model.recommender.catalog.serial
    assert put(client, NEW) == {"accepted": 1, "rejected": []}
    assert service.routes.state.handlers.model.recommender.catalog.serial == serial


def test_write_while_the_store_is_away_changes_nothing(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import service

    def away(*_: Any) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(service.routes.state.handlers.catalog._store, "put_movies", away)
    assert_shape(client.put("/movies", json={"movies": [NEW]}), 503, "unavailable")
    assert_shape(client.get("/movies/900"), 404, "unknown_movie")


def test_replicas_and_workers_follow(store_url: str, loaded_model: LoadedModel) -> None:
    """Two workers of one service, and a replica with memory of its own."""
    shared = SharedState()
    stores = [EventStore(store_url) for _ in range(3)]
    first, second = (Handlers(loaded_model, store, shared=shared) for store in stores[:2])
    replica = Handlers(loaded_model, stores[2])

    async def follow() -> None:
        request = MoviesRequest.model_validate({"movies": [NEW]})
        await first.catalog.put_movies(request)
        query = SearchParams(q="the harbor")
        for handlers in (first, second):
            assert (await handlers.search(query))["items"][0]["movie_id"] == 900
        assert (await replica.search(query))["items"] == []
        running = asyncio.create_task(replica.follower.run())
        for _ in range(50):
            await asyncio.sleep(0.1)
            if (await replica.search(query))["items"]:
                break
        assert (await replica.search(query))["items"][0]["movie_id"] == 900
        running.cancel()
        await replica.swap_model(loaded_model)
        assert (await replica.search(query))["items"][0]["movie_id"] == 900, "a new bundle, too"

    asyncio.run(follow())
    for store in stores:
        store.close()


def test_catalog_survives_a_restart(
    bundle_folder: Path, events_url: str, loaded_model: LoadedModel
) -> None:
    async def put_and_restart() -> None:
        store = EventStore(events_url)
        handlers = Handlers(loaded_model, store)
        movies = [NEW, {"movie_id": PULP, "title": "Pulp"}]
        await handlers.catalog.put_movies(MoviesRequest.model_validate({"movies": movies}))
        store.close()
        again = Handlers(loaded_model, EventStore(events_url))
        assert (await again.ready()).get("catalog") == "away"
        await again.follower.catch_up()
        assert "catalog" not in await again.ready()
        assert (await again.search(SearchParams(q="pulp")))["items"][0]["title"] == "Pulp"

    asyncio.run(put_and_restart())


def test_required_viewer_is_asked_of_every_list(
    loaded_model: LoadedModel, events_url: str, client: Any
) -> None:
    import service

    store = EventStore(events_url)
    required = ("country", "max_age")
    service.routes.state.handlers = Handlers(loaded_model, store, viewer_required=required)
    viewer: dict[str, Any] = {"country": "DE"}
    for path, body in (
        ("/recommend", {}),
        ("/similar", {"movie_id": HEAT}),
        ("/charts", {"kind": "popular"}),
        ("/rate_next", {}),
        ("/rerank", {"movie_ids": [HEAT]}),
    ):
        error = assert_shape(client.post(path, json=body | {"viewer": viewer}), 422, "invalid")
        assert error["fields"][0]["field"] == "viewer.max_age"
        full = body | {"viewer": viewer | {"max_age": 12}}
        assert client.post(path, json=full).status_code == 200
    results = client.post("/recommend_batch", json={"requests": [{}]}).json()["results"]
    assert results[0]["error"]["fields"][0]["field"] == "viewer.country"
    assert_shape(client.get("/movies/search?q=heat"), 422, "invalid")
    assert client.get("/movies/search?q=heat&country=DE&max_age=12").status_code == 200
    assert client.post("/predict", json={"movie_ids": [HEAT]}).status_code == 200, "no list"
