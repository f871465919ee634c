"""Test that ids are sent as they are meant, or refused before anything is sent."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from marquee_client import Marquee

Calls = dict[str, Callable[[Marquee, Any], Any]]
USER_CALLS: Calls = {
    "history": lambda client, user_id: client.history(user_id),
    "export": lambda client, user_id: client.export(user_id),
    "forget": lambda client, user_id: client.forget(user_id),
    "rate": lambda client, user_id: client.rate(user_id, 6, 4.0),
    "recommend": lambda client, user_id: client.recommend(user_id=user_id),
    "rate_next": lambda client, user_id: client.rate_next(user_id=user_id),
    "predict": lambda client, user_id: client.predict([6], user_id=user_id),
    "batch": lambda client, user_id: client.recommend_batch([{"user_id": user_id}]),
    "events": lambda client, user_id: client.send_events(
        [{"user_id": user_id, "movie_id": 6, "kind": "click"}]
    ),
}
MOVIE_CALLS: Calls = {
    "movie": lambda client, movie_id: client.movie(movie_id),
    "rate": lambda client, movie_id: client.rate("ann", movie_id, 4.0),
    "similar": lambda client, movie_id: client.similar(movie_id),
    "similar-to-several": lambda client, movie_id: client.similar([movie_id]),
    "predict": lambda client, movie_id: client.predict([movie_id]),
    "rerank": lambda client, movie_id: client.rerank([movie_id]),
    "history": lambda client, movie_id: client.recommend(history=[{"movie_id": movie_id}]),
    "include": lambda client, movie_id: client.recommend(include_ids=[movie_id]),
    "exclude": lambda client, movie_id: client.recommend(exclude_ids=[movie_id]),
    "batch": lambda client, movie_id: client.recommend_batch(
        [{"history": [{"movie_id": movie_id}]}]
    ),
    "events": lambda client, movie_id: client.send_events(
        [{"user_id": "ann", "movie_id": movie_id, "kind": "click"}]
    ),
}
WHOLE = [7, 7.0, np.int32(7), np.float64(7), np.float32(7), pd.Series([7.0, None]).iloc[0]]
NO_ID = [
    7.5, float("nan"), float("inf"), -float("inf"), True, np.True_, np.float64(7.5), np.nan, pd.NA,
    pd.NaT, 2.0**53, 1e300, np.float32(2**24), b"7", [7], {"id": 7}, object(), "\ud800",
]  # fmt: skip


def bodies_of(call: Callable[[Marquee, Any], Any], value: Any) -> list[Any]:
    """Make a call; return the bodies of the requests that it sends."""
    bodies: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"rejected": []})

    with Marquee(transport=httpx.MockTransport(answer)) as client:
        call(client, value)
    return bodies


def values_of(body: Any, names: tuple[str, ...]) -> list[Any]:
    """Return all values of these keys, at any depth."""
    if isinstance(body, dict):
        own = [body[name] for name in names if name in body]
        return own + [value for part in body.values() for value in values_of(part, names)]
    return (
        [value for part in body for value in values_of(part, names)] if type(body) is list else []
    )


@pytest.mark.parametrize("name", USER_CALLS)
def test_client_user_id_whole_float_is_its_integer(name: str) -> None:
    for value in WHOLE:
        (body,) = bodies_of(USER_CALLS[name], value)
        ids = values_of(body, ("user_id",))
        assert ids == [7] and type(ids[0]) is int
    (body,) = bodies_of(USER_CALLS[name], "7.0")
    assert values_of(body, ("user_id",)) == ["7.0"]


@pytest.mark.parametrize("name", MOVIE_CALLS)
def test_client_movie_id_whole_float_is_its_integer(name: str) -> None:
    for value in WHOLE:
        (body,) = bodies_of(MOVIE_CALLS[name], value)
        assert "7" in str(body) and "7.0" not in str(body)
        names = ("movie_id", "movie_ids", "include_ids", "exclude_ids")
        assert values_of(body, names) in ([7], [[7]])


@pytest.mark.parametrize(("calls", "name"), [
    *((USER_CALLS, name) for name in USER_CALLS), *((MOVIE_CALLS, name) for name in MOVIE_CALLS),
])  # fmt: skip
def test_client_value_that_is_no_id_is_never_sent(calls: Calls, name: str) -> None:
    for value in NO_ID:
        if calls is MOVIE_CALLS and name == "similar" and value == [7]:
            continue  # several movies
        with pytest.raises(ValueError, match=r"(user|movie)_id.*expected|_ids.*expected"):
            bodies_of(calls[name], value)


@pytest.mark.parametrize("name", ["history", "export", "forget", "rate", "events"])
def test_client_none_is_refused_where_a_user_is_needed(name: str) -> None:
    with pytest.raises(ValueError, match=r"user_id: None, expected text or an integer"):
        bodies_of(USER_CALLS[name], None)
    assert bodies_of(USER_CALLS["recommend"], None) == [{"user_id": None}]


def test_client_ids_of_arrays_and_generators_are_sent() -> None:
    (body,) = bodies_of(lambda client, ids: client.predict(ids), np.array([6.0, 50.0]))
    assert body == {"movie_ids": [6, 50]}
    (body,) = bodies_of(lambda client, ids: client.recommend(exclude_ids=ids), pd.Series([6, 50]))
    assert body == {"exclude_ids": [6, 50]}
    (body,) = bodies_of(lambda client, ids: client.rerank(iter(ids)), [6, "50"])
    assert body == {"movie_ids": [6, "50"]}


def test_client_array_in_place_of_an_id_is_refused() -> None:
    for value in (np.array([7]), np.array([[6, 7]]), pd.Series([7])):
        with pytest.raises(ValueError, match=r"(?s)user_id: .*expected text or an integer"):
            bodies_of(USER_CALLS["history"], value)
    with pytest.raises(ValueError, match=r"movie_ids\.0: array.*expected text or an integer"):
        bodies_of(lambda client, ids: client.predict(ids), np.array([[6, 7]]))
    assert bodies_of(MOVIE_CALLS["similar"], np.array(7)) == [{"movie_id": 7}]


def test_client_arrays_are_sent_as_lists() -> None:
    (body,) = bodies_of(
        lambda client, names: client.charts(filters={"genres": names}), np.array(["War", "Drama"])
    )
    assert body == {"kind": "popular", "filters": {"genres": ["War", "Drama"]}}


def test_client_event_that_is_none_is_left_to_the_service() -> None:
    event = {"user_id": 7, "movie_id": 6, "kind": "click", "event_id": "a"}
    (body,) = bodies_of(lambda client, events: client.send_events(events), [event, 5, None])
    assert body == {"events": [event, 5, None]}
    with pytest.raises(ValueError, match="a single event, expected a list"):
        bodies_of(lambda client, events: client.send_events(events), event)


def test_client_text_in_place_of_a_list_is_no_list_of_letters() -> None:
    with pytest.raises(ValueError, match=r"movie_ids: '50', expected a list of ids"):
        bodies_of(lambda client, ids: client.predict(ids), "50")
    assert bodies_of(lambda client, ids: client.similar(ids), "50") == [{"movie_id": "50"}]


def test_client_request_of_the_caller_stays_as_it_is() -> None:
    entry = {"movie_id": 7.0}
    (body,) = bodies_of(lambda client, part: client.recommend(history=[part]), entry)
    assert body == {"history": [{"movie_id": 7}]} and type(entry["movie_id"]) is float


@pytest.mark.parametrize("name", MOVIE_CALLS)
def test_client_text_movie_id_is_sent_as_it_is(name: str) -> None:
    for value in ("0114508", "a/b?c ü", np.str_("0114508"), pd.Series(["0114508"])[0]):
        (body,) = bodies_of(MOVIE_CALLS[name], value)
        names = ("movie_id", "movie_ids", "include_ids", "exclude_ids")
        assert values_of(body, names) in ([str(value)], [[str(value)]])


def test_client_text_ids_of_pandas_are_a_list() -> None:
    for column in (pd.Series(["01", "1"]), pd.Series(["01", "1"], dtype="string").to_numpy()):
        (body,) = bodies_of(lambda client, ids: client.predict(ids), column)
        assert body == {"movie_ids": ["01", "1"]}
    with pytest.raises(ValueError, match=r"movie_ids\.1: .*expected text or an integer"):
        bodies_of(lambda client, ids: client.predict(ids), pd.Series(["01", None]))
