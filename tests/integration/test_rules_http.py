"""Rules over HTTP: they are stored, keep every list from the next request on, and are previewed."""

import asyncio
from typing import Any

import pytest

from marquee.api.access.auth import current_actor
from marquee.api.catalog.rule_requests import RuleIn, RuleParams
from marquee.api.handlers import Handlers
from marquee.api.process.loaded_model import LoadedModel
from marquee.api.process.shared_state import SharedState
from marquee.api.requests import ChartsRequest
from marquee.catalog.catalog_store import CatalogStore
from marquee.feedback.store import EventStore
from tests.support.http_errors import assert_shape

HEAT, SUSPECTS, PULP, RUNNER_2049 = 6, 50, 296, 541
CRIME = {HEAT, SUSPECTS, PULP}
HISTORY = [{"movie_id": 1, "stars": 5.0}]


def put(client: Any, name: str, **rule: Any) -> list[str]:
    answer = client.put(f"/rules/{name}", json=rule)
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == name
    return list(answer.json()["warnings"])


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [item["movie_id"] for item in answer.json()["items"]]


def lists(client: Any, **more: Any) -> dict[str, list[int]]:
    """The ids of every endpoint that lists titles in an order, by surface."""
    history = {"history": HISTORY, "k": 50} | more
    search = client.get("/movies/search", params={"q": "heat", "k": 50})
    return {
        "recommend": ids(client.post("/recommend", json=history)),
        "similar": ids(client.post("/similar", json={"movie_id": 480, "k": 50} | more)),
        "charts": ids(client.post("/charts", json={"kind": "popular", "k": 50} | more)),
        "rerank": ids(client.post("/rerank", json={"movie_ids": [1, HEAT, 10, PULP]} | more)),
        "search": ids(search),
    }


def test_exclude_and_require_hold_on_every_endpoint(client: Any) -> None:
    put(client, "no-crime", where={"genres": "Crime"}, action="exclude")
    questions = ids(client.post("/rate_next", json={"k": 50}))
    for listed in (*lists(client).values(), questions):
        assert not CRIME & set(listed)
    assert client.delete("/rules/no-crime").json() == {"deleted": 1}
    put(client, "crime-only", where={"genres": "Crime"}, action="require")
    assert set(lists(client)["charts"]) == CRIME
    assert client.delete("/rules/crime-only").json() == {"deleted": 1}
    assert client.delete("/rules/crime-only").json() == {"deleted": 0}
    assert len(lists(client)["charts"]) == 10


@pytest.mark.parametrize("surface", ["recommend", "similar", "charts", "rerank"])
def test_pin_boost_and_bury_change_the_order_and_are_named(client: Any, surface: str) -> None:
    before = lists(client)[surface]
    last, first = before[-1], before[0]
    put(client, "pin", where={"title": title_of(client, last)}, action={"pin": {"place": 1}})
    put(client, "bury", where={"title": title_of(client, first)}, action="bury")
    assert lists(client)[surface] == [last, *before[1:-1], first]
    client.delete("/rules/pin")
    client.delete("/rules/bury")
    put(client, "up", where={"title": title_of(client, last)}, action={"boost": {"by": 1000}})
    assert lists(client)[surface][0] == last
    if surface == "recommend":
        items = client.post("/recommend", json={"history": HISTORY, "k": 50}).json()["items"]
        assert [item.get("rules") for item in items] == [["up"], *[None] * (len(items) - 1)]


def title_of(client: Any, movie_id: int) -> str:
    return str(client.get(f"/movies/{movie_id}").json()["title"])


def test_rule_of_a_surface_and_a_viewer_holds_there_alone(client: Any) -> None:
    when = {"surface": "home", "viewer": {"country": {"in": ["DE", "AT"]}}}
    put(client, "r", where={"genres": "Crime"}, action="exclude", when=when)
    assert CRIME & set(lists(client)["recommend"])
    assert CRIME & set(lists(client, surface="home")["recommend"])
    assert CRIME & set(lists(client, viewer={"country": "DE"})["recommend"])
    german = lists(client, surface="home", viewer={"country": "DE"})
    assert not CRIME & set(german["recommend"]) and not CRIME & set(german["charts"])


def test_cap_and_share_hold_on_each_page_and_pages_join(client: Any) -> None:
    put(client, "cap", where={}, action={"cap": {"attribute": "year", "most": 1}})
    pages, offset = [], 0
    while offset is not None:
        body = {"kind": "popular", "k": 3, "offset": offset}
        answer = client.post("/charts", json=body).json()
        pages.append([item["movie_id"] for item in answer["items"]])
        years = [item["year"] for item in answer["items"]]
        assert len(set(years)) == len(years)
        offset = answer["next_offset"]
    listed = [movie_id for page in pages for movie_id in page]
    assert len(listed) == len(set(listed)) == 10, "no title twice, none left out"


def test_rule_counts_at_once_in_every_list_of_a_batch(client: Any) -> None:
    put(client, "r", where={"genres": "Crime"}, action="exclude")
    body = {"requests": [{"history": HISTORY, "k": 50}, {"user_id": "42", "k": 50}]}
    for result in client.post("/recommend_batch", json=body).json()["results"]:
        assert not CRIME & {item["movie_id"] for item in result["items"]}


def test_cached_list_is_not_older_than_a_rule(client: Any) -> None:
    body = {"user_id": "42", "k": 50}
    assert PULP in ids(client.post("/recommend", json=body))
    put(client, "r", where={"title": "Pulp Fiction"}, action="exclude")
    assert PULP not in ids(client.post("/recommend", json=body))
    client.delete("/rules/r")
    assert PULP in ids(client.post("/recommend", json=body))


def test_rules_are_listed_as_they_win_with_their_conflicts(client: Any) -> None:
    put(client, "b", where={"genres": "Crime"}, action={"pin": {"place": 1}})
    warnings = put(client, "a", where={"year": 1995}, action={"pin": {"place": 1}}, priority=5)
    assert len(warnings) == 1 and "'a' and 'b'" in warnings[0]
    answer = client.get("/rules").json()
    assert [item["name"] for item in answer["items"]] == ["a", "b"]
    assert answer["items"][0]["rule"]["priority"] == 5 and answer["warnings"] == warnings
    (warning,) = put(client, "c", where={"year": {"lt": 1900}}, action="require")
    assert "no title" in warning
    assert lists(client)["recommend"] == []


def test_preview_compares_lists_and_stores_nothing(client: Any) -> None:
    rule = {"where": {"genres": "Crime"}, "action": "exclude", "num_lists": 20}
    answer = client.post("/rules/preview", json=rule).json()
    assert 0 < answer["changed"] <= answer["lists"] and 0 < len(answer["examples"]) <= 3
    for example in answer["examples"]:
        assert CRIME & set(example["before"]) and not CRIME & set(example["after"])
    harmless = client.post("/rules/preview", json=rule | {"where": {"genres": "Western"}}).json()
    assert harmless["changed"] == 0 and harmless["examples"] == []
    assert client.get("/rules").json()["items"] == []


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"action": "exclude"}, "where"),
        ({"where": {}, "action": "explode"}, "action"),
        ({"where": {}, "action": {"pin": {"place": 0}}}, "action.pin.place"),
        ({"where": {"year": {"near": 5}}, "action": "bury"}, "where.year"),
        ({"where": {}, "action": "bury", "from": "tomorrow"}, "from"),
        ({"where": {}, "action": "bury", "color": 1}, "color"),
    ],
)
def test_bad_rule_is_refused(client: Any, rule: dict[str, Any], field: str) -> None:
    for answer in (client.put("/rules/r", json=rule), client.post("/rules/preview", json=rule)):
        error = assert_shape(answer, 422, "invalid")
        assert any(field in fault["field"] for fault in error["fields"]), error
    assert client.get("/rules").json()["items"] == []


def test_expression_fifty_levels_deep_is_refused(client: Any) -> None:
    where: dict[str, Any] = {"year": 1995}
    for _ in range(50):
        where = {"not": where}
    assert_shape(client.put("/rules/r", json={"where": where, "action": "bury"}), 422, "invalid")


def test_rules_of_another_worker_and_of_another_replica(
    store_url: str, loaded_model: LoadedModel
) -> None:
    shared = SharedState()
    stores = [EventStore(store_url) for _ in range(3)]
    first, second = (Handlers(loaded_model, store, shared=shared) for store in stores[:2])
    replica = Handlers(loaded_model, stores[2])
    rule = RuleIn.model_validate({"where": {"title": "Pulp Fiction"}, "action": "exclude"})

    async def follow() -> None:
        current_actor.set("local")  # tests of keys have set it in this process
        await first.rules.put_rule(RuleParams(name="r"), rule)
        request = ChartsRequest(kind="popular")
        assert PULP not in [item["movie_id"] for item in (await second.charts(request))["items"]]
        await replica.follower.catch_up()
        assert PULP not in [item["movie_id"] for item in (await replica.charts(request))["items"]]
        await replica.swap_model(loaded_model)
        assert PULP not in [item["movie_id"] for item in (await replica.charts(request))["items"]]

    asyncio.run(follow())
    entries, _ = CatalogStore(stores[0].database).audit()
    assert [(entry.action, entry.subject, entry.actor) for entry in entries] == [
        ("put", "rules/r", "local")
    ]
    for store in stores:
        store.close()
