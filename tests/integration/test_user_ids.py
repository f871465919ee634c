"""Test that a user's data is reached by exactly their id: in a body any text, in a path safe ones.

A service and an nginx before it, each a process of its own: nginx decodes a path, joins its parts
and encodes it again, as most proxies do.
"""

import http.client
import json
import posixpath
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st

from marquee_client import Marquee
from tests.support import nginx, processes

KEY = "letters"
ODD_IDS = [
    "a/../b", "a//b", "..", ".", "/", "a/", "%2F", "a%2Fb", "%252e%252e", "a?b", "a#b", "a;b=c",
    "a b", " a", "a ", "a+b", "a\\b", "history", "erase", "export", "settings", "a/history", "7.0",
    "07", "null", "é", "e\u0301", "\N{CLAPPER BOARD}", "\u202e", '"', "x" * 128, "İ",
    "--", "' OR 1=1",
]  # fmt: skip
HEAT, SUSPECTS = 6, 50


@pytest.fixture(scope="module")
def service_url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("service")
    with processes.running(bundle_folder, home, API_KEYS=KEY) as (url, _):
        yield url
    assert "Traceback" not in (home / "output").read_text()


@pytest.fixture(scope="module")
def marquee(service_url: str) -> Iterator[Marquee]:
    """The client behind nginx, whose bare proxy_pass rewrites the path."""
    with (
        nginx.running(f"location /api/ {{ proxy_pass {service_url}/; }}") as url,
        Marquee(f"{url}/api", KEY) as marquee,
    ):
        yield marquee


def neighbors_of(user_id: str) -> set[str]:
    """Return the users that a proxy, a router or a database might take for this one."""
    read = {
        unquote(user_id), quote(user_id, safe=""), quote(user_id), posixpath.normpath(user_id),
        user_id.replace("//", "/"), *user_id.split("/"), *user_id.split("?"), *user_id.split("#"),
        user_id.split(";")[0], user_id.strip(), f"{user_id} ", user_id.casefold(), user_id[:64],
        unicodedata.normalize("NFC", user_id), unicodedata.normalize("NFD", user_id),
        user_id.replace("+", " "), user_id.lstrip("0"), user_id.removesuffix(".0"),
    }  # fmt: skip
    return {other for other in read if other != user_id and 1 <= len(other) <= 128}


PRINTABLE = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=128)
PARTS = st.sampled_from(["a", "/", "..", "%2F", "history", ".", " "])
PATH_LIKE = st.lists(PARTS, min_size=1, max_size=9).map("".join)


def check_id(marquee: Marquee, user_id: str) -> None:
    """Store, read, export and erase something of a user whose neighbors have something, too."""
    neighbors = neighbors_of(user_id)
    for other in neighbors:
        marquee.rate(other, SUSPECTS, 5.0)
    marquee.rate(user_id, HEAT, 4.0)
    history = marquee.history(user_id)
    assert history["user_id"] == user_id
    assert [item["movie_id"] for item in history["items"]] == [HEAT]
    export = marquee.export(user_id)
    assert export["user_id"] == user_id
    assert [event["movie_id"] for event in export["events"]] == [HEAT]
    assert marquee.forget(user_id)["deleted"] == 1
    assert marquee.export(user_id)["events"] == []
    for other in neighbors:
        assert marquee.forget(other)["deleted"] == 1, f"{other!r} is a neighbor of {user_id!r}"


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_user_id_that_proxies_change_reaches_one_user(marquee: Marquee, user_id: str) -> None:
    check_id(marquee, user_id)


@hypothesis.settings(max_examples=30, database=None)
@hypothesis.given(PRINTABLE | PATH_LIKE)
def test_user_id_of_any_text_reaches_one_user(marquee: Marquee, user_id: str) -> None:
    check_id(marquee, user_id)


def send(service_url: str, method: str, target: str) -> tuple[int, Any]:
    """Send a request line as it is; httpx and nginx would tidy up the path."""
    connection = http.client.HTTPConnection(urlsplit(service_url).netloc, timeout=10)
    connection.request(method, target, headers={"Authorization": f"Bearer {KEY}"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


@pytest.mark.parametrize(
    "user_id",
    ["anna", "anna@example.org", "0.1~a_B:c+d-e", "..a", "a%40b", "%61nna", "a%3Ab", "-5", "get"],
)
def test_safe_user_id_in_a_path_is_that_user(service_url: str, user_id: str) -> None:
    with Marquee(service_url, KEY) as marquee:
        marquee.rate(unquote(user_id), HEAT, 4.0)
    status, history = send(service_url, "GET", f"/users/{user_id}/history")
    assert (status, history["user_id"], len(history["items"])) == (200, unquote(user_id), 1)
    assert send(service_url, "DELETE", f"/users/{user_id}") == (200, {"deleted": 1})


UNSAFE = [
    "a%2Fb", "a%2fb", "a/b", "a//b", "a/../b", "%2E%2E", "%2e", "..", ".", "a%252Fb", "a%3Fb",
    "a%23b", "a;b", "a%3Bb", "a%20b", "%20", "a%5Cb", "%C3%A9", "%F0%9F%8E%AC", "%ff", "a%25",
    "history", "erase", "export", "settings", "%68istory", "a!", "a,b", "a'b", "(a)", "a&b",
]  # fmt: skip


@pytest.mark.parametrize("user_id", UNSAFE)
def test_unsafe_user_id_in_a_path_is_refused(service_url: str, user_id: str) -> None:
    neighbors = ["a", "b", "anna", "history", "..", "a/b"]
    with Marquee(service_url, KEY) as marquee:
        for neighbor in neighbors:
            marquee.rate(neighbor, HEAT, 4.0)
        for method, target, remedy in [
            ("GET", f"/users/{user_id}/history", "POST /users/history"),
            ("DELETE", f"/users/{user_id}", "POST /users/erase"),
        ]:
            status, content = send(service_url, method, target)
            error = content["error"]
            assert (status, error["code"]) == (422, "unsafe_in_path"), (target, content)
            assert remedy in error["message"] and error["fields"][0]["field"] == "user_id"
        assert [marquee.forget(neighbor)["deleted"] for neighbor in neighbors] == [1] * 6


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        pytest.param("DELETE", "/users/", 422, id="nothing"),
        pytest.param("DELETE", "/users/a/", 422, id="slash-at-the-end"),
        pytest.param("DELETE", "/users/a%0A", 422, id="newline-at-the-end"),
        pytest.param("DELETE", "/users/a?b", 422, id="question-mark"),
        pytest.param("DELETE", "/users/a%2Fhistory", 422, id="encoded-route"),
        pytest.param("DELETE", "/users/a/history", 405, id="a-history"),
        pytest.param("GET", "/users//history", 422, id="nothing-in-between"),
        pytest.param("GET", "/users/a%2Fhistory", 422, id="encoded-slash-of-the-route"),
        pytest.param("GET", "/users/a/history?user_id=b", 422, id="second-user"),
        pytest.param("GET", "/users/" + "a" * 129 + "/history", 422, id="too-long"),
        pytest.param("GET", "/users/history", 405, id="get-of-a-post"),
        pytest.param("POST", "/users/a", 405, id="post-of-a-delete"),
        pytest.param("GET", "/movies/6%2F7", 422, id="movie"),
        pytest.param("GET", "/movies/6/7", 422, id="two-movies"),
        pytest.param("GET", "/movies/06", 404, id="leading-zero"),
        pytest.param("GET", "/movies/6.0", 404, id="float"),
        pytest.param("GET", "/movies/get", 405, id="movie-get-of-a-post"),
    ],
)
def test_path_of_another_form_is_refused(
    service_url: str, method: str, target: str, status: int
) -> None:
    with Marquee(service_url, KEY) as marquee:
        marquee.rate("a", HEAT, 4.0)
        assert send(service_url, method, target)[0] == status
        assert marquee.forget("a")["deleted"] == 1


def test_export_holds_every_stored_row(client: Any) -> None:
    """User 42 has three imported ratings, one of a movie that the bundle does not hold."""
    event = {"event_id": "c", "user_id": "42", "movie_id": 1, "kind": "click"}
    event |= {"at": "2026-01-01T00:00:00Z"}
    assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
    export = client.post("/users/export", json={"user_id": 42}).json()
    imported = {"kind": "rating", "stars": 4.0, "at": "1970-01-01T00:01:40Z"}
    assert export["events"][0] == imported | {"movie_id": HEAT}
    assert [row["movie_id"] for row in export["events"]] == [HEAT, SUSPECTS, 999, 1]
    assert export["events"][3] == {name: event[name] for name in event if name != "user_id"}
    assert (export["user_id"], export["user_key"], export["settings"]) == ("42", None, {})


def test_erase_deletes_every_row_and_says_so(client: Any) -> None:
    answer = client.post("/users/erase", json={"user_id": 42.0}).json()
    assert answer["deleted"] == 3 and "backups" in answer["receipt"]
    assert client.post("/users/export", json={"user_id": "42"}).json()["events"] == []
    assert client.post("/users/erase", json={"user_id": "42"}).json()["deleted"] == 0


def test_unknown_user_has_an_empty_history(client: Any) -> None:
    answer = client.post("/users/history", json={"user_id": "nobody/.."})
    assert (answer.status_code, answer.json()) == (200, {"user_id": "nobody/..", "items": []})


def test_get_movie_answers_like_its_path(client: Any) -> None:
    for movie_id in (6, 6.0, "6"):
        answer: httpx.Response = client.post("/movies/get", json={"movie_id": movie_id})
        assert answer.json() == client.get("/movies/6").json()
    assert client.post("/movies/get", json={"movie_id": 7}).status_code == 404


@pytest.mark.parametrize("path", ["/users/history", "/users/export", "/users/erase"])
@pytest.mark.parametrize("user_id", [None, 7.5, True, "", "x" * 129, ["a"], "a\n"])
def test_user_request_without_an_id_is_refused(client: Any, path: str, user_id: Any) -> None:
    answer = client.post(path, json={"user_id": user_id})
    assert (answer.status_code, answer.json()["error"]["fields"][0]["field"]) == (422, "user_id")
