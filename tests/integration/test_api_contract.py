"""Test that every answer is as /openapi.json documents it, to odd requests too."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.openapi_files import OPENAPI
from marquee.api.openapi import POST_ENDPOINTS, ROUTES
from marquee.api.openapi_examples import REQUEST_EXAMPLES, RESPONSE_EXAMPLES
from tests.support.api_fuzz import Contract, run_schemathesis, send_odd_requests
from tests.support.http_errors import assert_shape
from tests.support.paths import ROOT
from tests.support.processes import running

ENDPOINTS = [("POST", path) for path in POST_ENDPOINTS] + [
    (method, path) for method, _, path in (route.partition(" ") for route in ROUTES)
]


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract()


def send_example(client: Any, method: str, path: str) -> Any:
    if method == "POST":
        return client.post(path, json=REQUEST_EXAMPLES[path])
    example = dict(REQUEST_EXAMPLES.get(f"{method} {path}", {}))
    if method == "PUT":
        return client.put(path.replace("{name}", "crime-week"), json=example)
    sent_path = re.sub(r"{(\w+)}", lambda name: str(example.pop(name[1])), path)
    return client.request(method, sent_path, params=example)


def test_openapi_document_is_valid() -> None:
    document = json.loads(OPENAPI.read_text())
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1")


def test_openapi_file_is_the_services_document(client: Any) -> None:
    assert json.loads(OPENAPI.read_text()) == client.get("/openapi.json").json()


def test_openapi_example_errors_are_those_sent(client: Any) -> None:
    error = RESPONSE_EXAMPLES["/recommend_batch"]["results"][1]
    filters = {"year_min": 2000, "year_max": 1990}
    answer = client.post("/recommend", json={"filters": filters})
    assert answer.json() == error
    (rejected,) = RESPONSE_EXAMPLES["/events"]["rejected"]
    event = REQUEST_EXAMPLES["/events"]["events"][0] | {"kind": "watch", "event_id": "e-2"}
    answer = client.post("/events", json={"events": [event]})
    assert answer.json()["rejected"] == [rejected]


def test_docs_table_names_every_endpoint(contract: Contract) -> None:
    page = (ROOT / "docs/api.md").read_text()
    named = {
        (method.lower(), re.sub(r"\?.*", "", path).replace("{id}", "{}"))
        for cell in re.findall(r"^\| (`(?:GET|POST|PUT|DELETE) /.+?`) \|", page, re.M)
        for method, paths in re.findall(r"`(\w+) (/.+?)`", cell)
        for path in paths.split()
    }
    documented = {
        (method, re.sub(r"{\w+}", "{}", path))
        for path, methods in contract.document["paths"].items()
        for method in methods
    }
    assert len(named) >= 17 and named == documented


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_openapi_example_is_valid_and_answered(
    client: Any, contract: Contract, method: str, path: str
) -> None:
    operation = contract.document["paths"][path][method.lower()]
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        assert contract.errors(content["schema"], content["example"]) == []
    for parameter in operation.get("parameters", []):
        assert contract.errors(parameter["schema"], parameter["example"]) == []
    response = operation["responses"]["200"]["content"]["application/json"]
    assert contract.errors(response["schema"], response["example"]) == []
    answer = send_example(client, method, path)
    assert answer.status_code == 200, answer.text
    contract.check(method, path, answer)
    name = path if method == "POST" else f"{method} {path}"
    optional = {"countries"} if path in ("/movies/get", "/movies/{movie_id}") else set()
    assert set(answer.json()) >= set(RESPONSE_EXAMPLES[name]) - optional


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/openapi.json"])
def test_openapi_public_paths_are_as_documented(client: Any, contract: Contract, path: str) -> None:
    contract.check("GET", path, client.get(path))


def test_contract_check_sees_undocumented_answers(client: Any, contract: Contract) -> None:
    """A wrong body, a wrong status, a wrong type."""
    answer = client.post("/recommend", json={})
    with pytest.raises(AssertionError):
        contract.check("POST", "/similar", answer)
    with pytest.raises(AssertionError):
        contract.check("GET", "/movies/search", client.get("/movies/7"))
    with pytest.raises(AssertionError):
        contract.check("GET", "/model", client.get("/livez"))


@pytest.mark.parametrize("seed", range(3))
def test_odd_requests_get_documented_answers(client: Any, contract: Contract, seed: int) -> None:
    statuses = send_odd_requests(client.request, contract, number=150, seed=seed)
    assert {200, 400, 405, 422} <= set(statuses), "the requests must be of every kind"


@pytest.fixture(scope="module")
def url(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service on a real socket: the client within this process reads addresses its own way."""
    home = tmp_path_factory.mktemp("service")
    with running(bundle_folder, home) as (url, _):
        yield url
    assert "Traceback" not in (home / "output").read_text()


def test_schemathesis_finds_no_error(url: str, tmp_path: Path) -> None:
    assert run_schemathesis(url, examples=1, seed=1, folder=tmp_path) > 500


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
def test_path_is_read_to_its_end(
    client: Any, method: str, path: str, status: int, code: str
) -> None:
    before = client.get("/users/42/history").json()
    body: dict[str, Any] = {"json": {}} if path == "/recommend/" else {}
    answer = client.request(method, path, follow_redirects=False, **body)
    assert_shape(answer, status, code)
    assert ("allow" in answer.headers) == (status == 405)
    assert client.get("/users/42/history").json() == before and before["items"]
