"""/openapi.json tells the truth: every endpoint, answer and error, under odd requests too."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.openapi_files import CLIENT_TYPES, OPENAPI, generated_files
from marquee.api.openapi import PARAM_ROUTES, POST_ENDPOINTS
from marquee.api.openapi_examples import REQUEST_EXAMPLES, RESPONSE_EXAMPLES
from tests.support.api_fuzz import Told, odd_requests, schemathesis
from tests.support.http_errors import assert_shape
from tests.support.paths import ROOT
from tests.support.processes import running

ENDPOINTS = [("POST", path) for path in POST_ENDPOINTS] + [
    (PARAM_ROUTES[path].method.upper(), path) for path in PARAM_ROUTES
]


@pytest.fixture(scope="session")
def told() -> Told:
    return Told()


def ask(client: Any, method: str, path: str) -> Any:
    """The example of an endpoint, asked."""
    given = dict(REQUEST_EXAMPLES.get(path, {}))
    if method == "POST":
        return client.post(path, json=given)
    address = re.sub(r"{(\w+)}", lambda name: str(given.pop(name[1])), path)
    return client.request(method, address, params=given)


def test_the_document_is_openapi(told: Told) -> None:
    OpenAPIV31SpecValidator(told.document).validate()
    assert told.document["openapi"].startswith("3.1")


@pytest.mark.parametrize("path", [OPENAPI, CLIENT_TYPES], ids=lambda path: path.name)
def test_what_is_generated_is_up_to_date(path: Path) -> None:
    assert path.read_text() == generated_files()[path], "run make openapi"


def test_the_document_on_disk_is_the_services(client: Any) -> None:
    assert json.loads(OPENAPI.read_text()) == client.get("/openapi.json").json()


def test_errors_of_the_examples_are_those_that_are_sent(client: Any) -> None:
    """Movie 7 is in no bundle of the tests."""
    one = RESPONSE_EXAMPLES["/recommend_batch"]["results"][1]
    sent = client.post("/recommend", json={"history": [{"movie_id": 7}]})
    assert sent.json() == one
    (rejected,) = RESPONSE_EXAMPLES["/events"]["rejected"]
    event = REQUEST_EXAMPLES["/events"]["events"][0] | {"movie_id": 7, "event_id": "e-2"}
    answer = client.post("/events", json={"events": [event]})
    assert answer.json()["rejected"] == [rejected]


def test_every_endpoint_of_the_readme_is_in_the_document(told: Told) -> None:
    readme = (ROOT / "README.md").read_text()
    named = {
        (method.lower(), re.sub(r"\?.*", "", path).replace("{id}", "{}"))
        for cell in re.findall(r"^\| (`(?:GET|POST|DELETE) /.+?`) \|", readme, re.M)
        for method, found in re.findall(r"`(\w+) (/.+?)`", cell)
        for path in found.split()
    }
    there = {
        (method, re.sub(r"{\w+}", "{}", path))
        for path, methods in told.document["paths"].items()
        for method in methods
    }
    assert len(named) >= 17 and named == there


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_example_is_right_and_is_answered(
    client: Any, told: Told, method: str, path: str
) -> None:
    """In the order of the table: what the example of /events stores, the last one deletes."""
    operation = told.document["paths"][path][method.lower()]
    if method == "POST":
        content = operation["requestBody"]["content"]["application/json"]
        assert told.faults(content["schema"], content["example"]) == []
    for parameter in operation.get("parameters", []):
        assert told.faults(parameter["schema"], parameter["example"]) == []
    answered = operation["responses"]["200"]["content"]["application/json"]
    assert told.faults(answered["schema"], answered["example"]) == []
    answer = ask(client, method, path)
    assert answer.status_code == 200, answer.text
    told.check(method, path, answer)
    assert set(answer.json()) >= set(RESPONSE_EXAMPLES[path]), (
        "the example says what is not answered"
    )


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/openapi.json"])
def test_what_is_open_is_as_documented(client: Any, told: Told, path: str) -> None:
    told.check("GET", path, client.get(path))


def test_what_the_document_does_not_hold_fails_the_check(client: Any, told: Told) -> None:
    """The instrument first: a wrong body, a wrong status, a wrong type each is seen."""
    answer = client.post("/recommend", json={})
    with pytest.raises(AssertionError):
        told.check("POST", "/similar", answer)
    with pytest.raises(AssertionError):
        told.check("GET", "/movies/search", client.get("/movies/7"))
    with pytest.raises(AssertionError):
        told.check("GET", "/model", client.get("/livez"))


@pytest.mark.parametrize("seed", range(3))
def test_odd_requests_are_answered_as_documented(client: Any, told: Told, seed: int) -> None:
    found = odd_requests(client.request, told, number=150, seed=seed)
    assert {200, 400, 405, 422} <= set(found), "the requests must be of every kind"


@pytest.fixture(scope="module")
def url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service on a real socket: the client within this process reads addresses its own way."""
    home = tmp_path_factory.mktemp("service")
    with running(bundle_folder, home) as (url, _):
        yield url
    assert "Traceback" not in (home / "output").read_text()


def test_schemathesis_finds_nothing(url: str, tmp_path: Path) -> None:
    assert schemathesis(url, examples=1, seed=1, place=tmp_path) > 500


@pytest.mark.parametrize(
    "user_id",
    [
        "a/b",
        "..",
        "../../etc/passwd",
        "a/history",
        "%2e%2e",
        "é𝕳",
        "x" * 64,
        "a b?c#d",
        "\u202e",
        ".",
    ],
)
def test_an_id_of_any_letters_is_one_person(url: str, user_id: str) -> None:
    client = httpx.Client(base_url=url)
    event = {"event_id": f"odd {user_id}"[:64], "user_id": user_id, "movie_id": 6}
    event |= {"kind": "watch", "at": "2026-01-01T00:00:00Z"}
    assert client.post("/events", json={"events": [event]}).json()["accepted"] == 1
    address = "/users/" + quote(user_id, safe="").replace(".", "%2E")  # ".." would go up
    history = client.get(f"{address}/history").json()
    assert history["user_id"] == user_id and [i["movie_id"] for i in history["items"]] == [6]
    assert client.request("DELETE", address).json() == {"deleted": 1}
    assert client.get(f"{address}/history").json()["items"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("DELETE", "/users/42%0A", 422, "invalid", id="newline"),
        pytest.param("GET", "/model%0A", 422, "invalid", id="newline-route"),
        pytest.param("DELETE", "/users/42/history", 405, "method_not_allowed", id="no-such"),
        pytest.param("GET", "/movies/search?q=heat&k=1_0", 422, "invalid", id="underscore"),
        pytest.param("GET", "/movies/search?q=heat&k=3&k=4", 422, "invalid", id="twice"),
        pytest.param("GET", "/movies/search?q=heat&q=toy", 422, "invalid", id="two-queries"),
        pytest.param("GET", "/model/", 404, "not_found", id="slash"),
        pytest.param("POST", "/recommend/", 404, "not_found", id="slash-post"),
        pytest.param("POST", "/model", 405, "method_not_allowed", id="post-without-body"),
        pytest.param("POST", "/livez", 405, "method_not_allowed", id="post-livez"),
    ],
)
def test_an_address_is_read_to_its_end(
    client: Any, method: str, path: str, status: int, code: str
) -> None:
    before = client.get("/users/42/history").json()
    body = {"json": {}} if path == "/recommend/" else {}
    answer = client.request(method, path, follow_redirects=False, **body)
    assert_shape(answer, status, code)
    assert ("allow" in answer.headers) == (status == 405)
    assert client.get("/users/42/history").json() == before and before["items"]
