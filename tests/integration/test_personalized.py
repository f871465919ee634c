"""A user may choose lists that use nothing of what is known of them."""

from typing import Any

from marquee.feedback.store import EventStore
from marquee.feedback.user_settings import UserSettings

HEAT = 6


def lists(client: Any, user_id: str, **more: Any) -> list[Any]:
    """Answers of every endpoint that reads a user, without what names the user."""
    body = {"user_id": user_id} | more
    history = {"history": [{"movie_id": HEAT, "stars": 5.0}]}
    batch = client.post("/recommend_batch", json={"requests": [body, body | history]}).json()
    return [
        client.post("/recommend", json=body).json(),
        client.post("/recommend", json=body | history).json(),
        *batch["results"],
        client.post("/predict", json=body | history | {"movie_ids": [10, 296]}).json(),
        client.post("/rerank", json=body | history | {"movie_ids": [10, 296]}).json(),
        client.post("/similar", json=body | {"movie_id": 480}).json(),
        client.post("/charts", json=body | {"kind": "popular"}).json(),
    ]


def test_personalized_false_gives_the_lists_of_nobody(client: Any) -> None:
    anonymous = lists(client, "nobody", personalized=False)
    assert lists(client, "42", personalized=False) == anonymous != lists(client, "42")
    assert {answer.get("strategy", "popular") for answer in anonymous} == {"popular"}


def test_choice_holds_until_it_is_changed_and_is_exported(client: Any) -> None:
    before, anonymous = lists(client, "42"), lists(client, "nobody", personalized=False)
    assert client.post("/users/export", json={"user_id": "42"}).json()["settings"] == {}
    body = {"user_id": "42", "personalized": False}
    assert client.post("/users/settings", json=body).json() == body
    assert lists(client, "42") == anonymous
    assert lists(client, "42", personalized=True) == anonymous, "the user's choice counts"
    export = client.post("/users/export", json={"user_id": "42"}).json()
    assert export["settings"] == {"personalized": False}
    client.post("/users/settings", json=body | {"personalized": True})
    assert lists(client, "42") == before


def test_erased_user_has_no_choice(client: Any) -> None:
    client.post("/users/settings", json={"user_id": "new", "personalized": False})
    assert client.post("/users/erase", json={"user_id": "new"}).json()["deleted"] == 1
    assert client.post("/users/export", json={"user_id": "new"}).json()["settings"] == {}


def test_choice_changes_the_version_of_the_user(store_url: str) -> None:
    """So that other replicas see it."""
    store = EventStore(store_url)
    settings, before = UserSettings(store.database), store.state_version("ann")
    settings.set_personalized("ann", False)
    assert store.state_version("ann") != before
    assert store.user_state("ann").is_personalized is False
    store.close()
