"""Test that movies which the bundle does not hold are skipped and named, on every endpoint."""

from typing import Any

import pytest

HEAT, SUSPECTS, PULP = 6, 50, 296
UNKNOWN = [7, 2**63 - 1]
STRANGE = ["07", "tt0113277", 5.5, "a/b?c", " 6", -1, "9" * 100]
HISTORY = [{"movie_id": HEAT, "stars": 4.0}]
UNKNOWN_HISTORY = [{"movie_id": UNKNOWN[0]}, *HISTORY, {"movie_id": UNKNOWN[1], "stars": 5.0}]


@pytest.mark.parametrize(
    ("path", "body", "known"),
    [
        pytest.param(
            "/recommend", {"history": UNKNOWN_HISTORY}, {"history": HISTORY}, id="history"
        ),
        pytest.param("/recommend", {"history": UNKNOWN_HISTORY[::2]}, {"history": []}, id="only"),
        pytest.param(
            "/recommend", {"include_ids": [PULP, *UNKNOWN]}, {"include_ids": [PULP]}, id="include"
        ),
        pytest.param(
            "/recommend", {"include_ids": UNKNOWN}, {"include_ids": []}, id="no-candidate"
        ),
        pytest.param(
            "/recommend", {"exclude_ids": [*UNKNOWN, PULP]}, {"exclude_ids": [PULP]}, id="exclude"
        ),
        pytest.param(
            "/recommend",
            {"history": UNKNOWN_HISTORY, "exclude_ids": UNKNOWN, "explain": True},
            {"history": HISTORY, "exclude_ids": [], "explain": True},
            id="both",
        ),
        pytest.param(
            "/recommend",
            {"user_id": 42, "history": UNKNOWN_HISTORY[:1] + UNKNOWN_HISTORY[2:]},
            {"user_id": 42, "history": []},
            id="stored-user",
        ),
        pytest.param(
            "/predict",
            {"history": UNKNOWN_HISTORY, "movie_ids": [UNKNOWN[0], PULP, UNKNOWN[1]]},
            {"history": HISTORY, "movie_ids": [PULP]},
            id="predict",
        ),
        pytest.param(
            "/rerank",
            {"movie_ids": [*UNKNOWN, PULP, SUSPECTS]},
            {"movie_ids": [PULP, SUSPECTS]},
            id="rerank",
        ),
        pytest.param(
            "/similar", {"movie_ids": [*UNKNOWN, PULP]}, {"movie_ids": [PULP]}, id="similar"
        ),
        pytest.param(
            "/rate_next", {"history": UNKNOWN_HISTORY}, {"history": HISTORY}, id="rate-next"
        ),
    ],
)
def test_unknown_movies_are_skipped_and_named(
    client: Any, path: str, body: dict[str, Any], known: dict[str, Any]
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    content = answer.json()
    assert content.pop("unknown_ids") == UNKNOWN
    assert content == client.post(path, json=known).json()


def test_ids_of_another_form_are_skipped_and_named_as_sent(client: Any) -> None:
    entries = [{"movie_id": movie_id} for movie_id in [*STRANGE, "6", 50.0]]
    body = {"history": entries, "include_ids": [*STRANGE, str(PULP)], "exclude_ids": STRANGE}
    answer = client.post("/recommend", json=body).json()
    assert answer.pop("unknown_ids") == STRANGE
    known = {"history": [{"movie_id": HEAT}, {"movie_id": SUSPECTS}], "include_ids": [PULP]}
    assert answer == client.post("/recommend", json=known).json()
    answer = client.post("/predict", json={"movie_ids": ["296", *STRANGE, 6]}).json()
    assert [item["movie_id"] for item in answer["items"]] == [PULP, HEAT]
    assert answer["unknown_ids"] == STRANGE


@pytest.mark.parametrize("movie_id", ["07", "tt7", 5.5, 7, 2**63])
def test_movie_of_another_form_is_unknown(client: Any, movie_id: Any) -> None:
    for path in ("/similar", "/movies/get"):
        answer = client.post(path, json={"movie_id": movie_id})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_movie")


@pytest.mark.parametrize("path", ["/predict", "/rerank", "/similar"])
def test_unknown_movies_alone_give_no_items(client: Any, path: str) -> None:
    answer = client.post(path, json={"movie_ids": UNKNOWN})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["items"], answer.json()["unknown_ids"]) == ([], UNKNOWN)


def test_unknown_movies_of_a_batch_are_named_in_their_list(client: Any) -> None:
    off_scale = [{"movie_id": 7}, {"movie_id": HEAT, "stars": 4.25}]
    parts = [{"history": UNKNOWN_HISTORY}, {"history": off_scale}, {"history": HISTORY}]
    named, refused, plain = client.post("/recommend_batch", json={"requests": parts}).json()[
        "results"
    ]
    assert named.pop("unknown_ids") == UNKNOWN and named == plain
    assert refused["error"]["fields"][0]["field"] == "history.1.stars"
    (only,) = client.post("/recommend_batch", json={"requests": parts[1:2]}).json()["results"]
    assert only == refused


def test_malformed_request_of_a_batch_fails_alone(client: Any) -> None:
    at = {"movie_id": HEAT, "at": "20261101"}
    parts: list[Any] = [{"k": 1}, {"k": 0}, None, {"history": [at]}, {"k": 1}]
    answer = client.post("/recommend_batch", json={"requests": parts})
    first, *malformed, last = answer.json()["results"]
    assert len(first["items"]) == 1 and first == last
    errors = [result["error"] for result in malformed]
    assert [error["code"] for error in errors] == ["invalid"] * 3
    assert [error["fields"][0]["field"] for error in errors] == ["k", "request", "history.0.at"]


@pytest.mark.parametrize("call", [("GET", "/movies/7", None), ("POST", "/movies/get", 7)])
def test_unknown_movie_error_names_its_field(client: Any, call: tuple[str, str, Any]) -> None:
    method, path, movie_id = call
    answer = client.request(method, path, json=movie_id and {"movie_id": movie_id})
    assert answer.json()["error"]["fields"][0]["field"] == "movie_id"


def test_known_movies_give_no_unknown_ids(client: Any) -> None:
    body = {"history": HISTORY, "include_ids": [PULP], "exclude_ids": [SUSPECTS]}
    assert "unknown_ids" not in client.post("/recommend", json=body).json()
