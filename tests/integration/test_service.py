"""Test the HTTP contract: answers equal the library's, and every error has the one shape."""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from marquee.api.telemetry import RequestLog
from marquee.recommender.recommender import Recommender
from marquee.recommender.responses import PredictResponse, RecommendResponse, SimilarResponse
from tests.support.http_errors import assert_shape

HEAT, SUSPECTS, PULP = 6, 50, 296


def ids(answer: Any) -> list[int]:
    return [item["movie_id"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no-user"),
        pytest.param({"history": [{"movie_id": HEAT, "stars": 4.0}], "k": 3}, id="history"),
        pytest.param({"history": [{"movie_id": HEAT, "watched": 0.95}], "k": 3}, id="watched"),
        pytest.param({"filters": {"genres": ["Drama"], "year_min": 1995}}, id="filters"),
        pytest.param({"include_ids": [1, HEAT], "exclude_ids": [1]}, id="only-never"),
        pytest.param({"history": [{"movie_id": 1}], "exclude_seen": False, "offset": 2}, id="page"),
    ],
)
def test_recommend_equals_library(
    client: Any, recommender: Recommender, body: dict[str, Any]
) -> None:
    answer = client.post("/recommend", json=body)
    entries = [(e["movie_id"], e.get("stars"), e.get("watched")) for e in body.get("history", [])]
    assert answer.json() == recommender.recommend(**body | {"history": entries})
    assert TypeAdapter(RecommendResponse).validate_python(answer.json())


def test_predict_and_similar_equal_library(client: Any, recommender: Recommender) -> None:
    predict = client.post("/predict", json={"history": [{"movie_id": 1}], "movie_ids": [HEAT, 1]})
    assert predict.json() == recommender.predict(history=[1], movie_ids=[HEAT, 1])
    assert TypeAdapter(PredictResponse).validate_python(predict.json())
    similar = client.post("/similar", json={"movie_id": HEAT, "k": 3})
    assert similar.json() == recommender.similar([HEAT], 3)
    assert similar.json() == client.post("/similar", json={"movie_ids": [HEAT], "k": 3}).json()
    assert TypeAdapter(SimilarResponse).validate_python(similar.json())


@pytest.mark.parametrize("user_id", [42, "42"])
def test_recommend_stored_history_comes_first(
    client: Any, recommender: Recommender, user_id: int | str
) -> None:
    """The store also holds movie 999, which this bundle does not know."""
    stored = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    answer = client.post("/recommend", json={"user_id": user_id})
    assert answer.json() == recommender.recommend(history=stored)
    more = client.post("/recommend", json={"user_id": user_id, "history": [{"movie_id": 1}]})
    assert more.json() == recommender.recommend(history=[*stored, 1])


def test_recommend_all_entries_timed_sorts_by_time(client: Any, recommender: Recommender) -> None:
    between = {"movie_id": 1, "at": "1970-01-01T00:02:00Z"}  # second 120, between 100 and 170
    answer = client.post("/recommend", json={"user_id": 42, "history": [between, {"movie_id": 32}]})
    same = recommender.recommend(history=[(HEAT, 4.0), (SUSPECTS, 5.0), 1, 32])
    assert answer.json() == same  # 32 has no time: the order given stands
    later = {"movie_id": HEAT, "stars": 0.5, "at": "1970-01-01T01:00:00+01:00"}  # second 0
    answer = client.post("/recommend", json={"user_id": 42, "history": [later]})
    assert answer.json() == recommender.recommend(history=[(HEAT, 4.0), (SUSPECTS, 5.0)])


@pytest.mark.parametrize(
    ("path", "body"), [("/similar", {"movie_id": 1}), ("/charts", {"kind": "popular"})]
)
def test_common_list_leaves_out_what_the_user_knows(
    client: Any, path: str, body: dict[str, Any]
) -> None:
    everything = client.post(path, json=body | {"k": 100})
    assert {HEAT, SUSPECTS, PULP} <= set(ids(everything))
    answer = client.post(path, json=body | {"k": 3, "user_id": 42, "exclude_ids": [PULP, 999]})
    assert answer.json()["unknown_ids"] == [999]
    others = [movie for movie in ids(everything) if movie not in (HEAT, SUSPECTS, PULP)]
    assert ids(answer) == others[:3] and answer.json()["next_offset"] == 3
    page = body | {"k": 100, "offset": 3, "user_id": 42, "exclude_ids": [PULP]}
    assert ids(client.post(path, json=page)) == others[3:]


def test_search_pages_join(client: Any) -> None:
    all_ids = ids(client.get("/movies/search?q=blade runner&k=10"))
    parts = [
        client.get(f"/movies/search?q=blade runner&k=1&offset={n}") for n in range(len(all_ids) + 1)
    ]
    assert len(all_ids) > 1 and [ids(part) for part in parts] == [
        *([movie] for movie in all_ids),
        [],
    ]
    next_offsets = [part.json()["next_offset"] for part in parts]
    assert next_offsets == [*range(1, len(all_ids)), None, None]


def test_recommend_unknown_user_gets_popular(client: Any) -> None:
    answer = client.post("/recommend", json={"user_id": "unknown", "k": 2})
    assert answer.json()["strategy"] == "popular" and ids(answer) == [PULP, 1]


def test_search_returns_movies_by_title(client: Any) -> None:
    answer = client.get("/movies/search", params={"q": "heat 1995", "k": 1})
    heat = {"movie_id": 6, "title": "Heat", "year": 1995, "genres": ["Action", "Crime"]}
    assert answer.json()["items"] == [heat | {"num_ratings": 40}]
    assert client.get("/movies/6").json() == heat | {"num_ratings": 40}
    assert client.get("/movies/search?q=zzzzzz").json()["items"] == []


def test_history_has_stars_and_times(client: Any) -> None:
    answer = client.get("/users/42/history").json()
    assert answer["user_id"] == "42"
    assert [(i["movie_id"], i["stars"], i["at"]) for i in answer["items"]] == [
        (6, 4.0, "1970-01-01T00:01:40Z"),
        (50, 5.0, "1970-01-01T00:02:50Z"),
        (999, 3.0, "1970-01-01T00:03:00Z"),
    ]
    assert answer["items"][0]["title"] == "Heat" and "title" not in answer["items"][2]


def test_model_card_omits_files(client: Any, recommender: Recommender) -> None:
    card = client.get("/model").json()
    assert card["model_version"] == recommender.model_version and card["refit"] == "none"
    assert "files" not in card


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_health_paths_return_200(client: Any, path: str) -> None:
    assert client.get(path).status_code == 200


def test_metrics_label_requests_by_route(client: Any) -> None:
    for path in ("/movies/1", "/movies/6", "/users/42/history", "/wp-admin/setup.php"):
        client.get(path)
    metrics = client.get("/metrics").text
    assert 'endpoint="/movies/{movie_id}"' in metrics
    assert 'endpoint="/users/{user_id}/history"' in metrics
    assert 'endpoint="other"' in metrics
    assert 'endpoint="/movies/1"' not in metrics and "wp-admin" not in metrics


HUGE = 10**30


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "field"),
    [
        pytest.param("/recommend", {"k": 0}, 422, "invalid", "k", id="k-0"),
        pytest.param("/recommend", {"k": 101}, 422, "invalid", "k", id="k-101"),
        pytest.param("/recommend", {"k": True}, 422, "invalid", "k", id="k-bool"),
        pytest.param("/recommend", {"k": "10"}, 422, "invalid", "k", id="k-text"),
        pytest.param("/recommend", {"k": 1.5}, 422, "invalid", "k", id="k-half"),
        pytest.param("/recommend", {"offset": -1}, 422, "invalid", "offset", id="offset"),
        pytest.param("/recommend", {"offset": HUGE}, 422, "invalid", "offset", id="offset-huge"),
        pytest.param("/recommend", {"user_id": True}, 422, "invalid", "user_id", id="user-bool"),
        pytest.param("/recommend", {"user_id": ""}, 422, "invalid", "user_id", id="user-empty"),
        pytest.param("/recommend", {"user_id": "x" * 129}, 422, "invalid", "user_id", id="long"),
        pytest.param("/recommend", {"user_id": 1.5}, 422, "invalid", "user_id", id="user-float"),
        pytest.param("/recommend", {"user_id": "a\x00"}, 422, "invalid", "user_id", id="user-nul"),
        pytest.param("/recommend", {"novelty": 1.1}, 422, "invalid", "novelty", id="novelty-1.1"),
        pytest.param(
            "/recommend", {"calibration": -0.1}, 422, "invalid", "calibration", id="calibration<0"
        ),
        pytest.param(
            "/recommend", {"freshness": "1"}, 422, "invalid", "freshness", id="freshness-text"
        ),
        pytest.param(
            "/recommend",
            {"genre_profile": {"Wra": 1}},
            422,
            "unknown_genre",
            "genre_profile.Wra",
            id="profile-unknown",
        ),
        pytest.param(
            "/recommend", {"genre_profile": {}}, 422, "invalid", "genre_profile", id="profile-empty"
        ),
        pytest.param(
            "/recommend",
            {"genre_profile": {"Action": -1}},
            422,
            "invalid",
            "genre_profile.Action",
            id="profile-negative",
        ),
        pytest.param("/recommend", {"mood": "sad"}, 422, "invalid", "mood", id="unknown-key"),
        pytest.param("/recommend", {"diversity": 2}, 422, "invalid", "diversity", id="diversity-2"),
        pytest.param("/recommend", {"explain": 1}, 422, "invalid", "explain", id="explain-1"),
        pytest.param("/charts", {"kind": "best"}, 422, "invalid", "kind", id="no-chart"),
        pytest.param("/charts", {}, 422, "invalid", "kind", id="chart-of-nothing"),
        pytest.param("/rate_next", {"k": 0}, 422, "invalid", "k", id="rate-0"),
        pytest.param(
            "/recommend_batch", {"requests": []}, 422, "invalid", "requests", id="empty-batch"
        ),
        pytest.param(
            "/recommend_batch",
            {"requests": [{"k": 0}, None]},
            422,
            "invalid",
            "requests.0.k",
            id="batch-of-none",
        ),
        pytest.param("/recommend", {"history": {}}, 422, "invalid", "history", id="no-list"),
        pytest.param(
            "/recommend",
            {"history": [{"movie_id": 7}, {"movie_id": 1, "stars": 4.25}]},
            422,
            "invalid",
            "history.1.stars",
            id="off-the-scale-behind-unknown",
        ),
        pytest.param(
            "/recommend",
            {"history": [{"movie_id": 10**200}]},
            422,
            "invalid",
            "history.0.movie_id",
            id="movie-huge",
        ),
        pytest.param(
            "/recommend",
            {"history": [{"movie_id": 1, "stars": 4.25}]},
            422,
            "invalid",
            "history.0.stars",
            id="off-the-scale",
        ),
        pytest.param(
            "/recommend",
            {"history": [{"movie_id": 1, "at": "2020-01-01T00:00:00"}]},
            422,
            "invalid",
            "history.0.at",
            id="no-offset",
        ),
        pytest.param(
            "/recommend",
            {"filters": {"genres": ["Dramma"]}},
            422,
            "unknown_genre",
            "filters.genres",
            id="unknown-genre",
        ),
        pytest.param("/recommend", [], 422, "invalid", "body", id="a-list"),
        pytest.param("/recommend", None, 422, "invalid", "body", id="null"),
        pytest.param("/predict", {}, 422, "invalid", "movie_ids", id="predict-nothing"),
        pytest.param("/predict", {"movie_ids": []}, 422, "invalid", "movie_ids", id="predict-none"),
        pytest.param("/similar", {"movie_id": 7}, 404, "unknown_movie", "movie_id", id="similar-7"),
        pytest.param("/similar", {}, 422, "invalid", "movie_id", id="similar-nothing"),
        pytest.param(
            "/similar",
            {"movie_id": 1, "movie_ids": [1]},
            422,
            "invalid",
            "movie_id",
            id="similar-both",
        ),
    ],
)
def test_request_invalid_field_names_it(
    client: Any, path: str, body: Any, status: int, code: str, field: str
) -> None:
    answer = client.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    error = assert_shape(answer, status, code)
    assert error["fields"][0]["field"] == field


@pytest.mark.parametrize(
    ("raw", "kind", "status", "code"),
    [
        pytest.param(b"", "application/json", 400, "not_json", id="empty"),
        pytest.param(b"{", "application/json", 400, "not_json", id="half"),
        pytest.param(b"\xff{}", "application/json", 400, "not_json", id="not-utf8"),
        pytest.param(b"\xff\xfe{}", "application/json", 415, "unsupported_encoding", id="utf-16"),
        pytest.param(b'{"user_id":"\\ud800"}', "application/json", 400, "not_json", id="surrogate"),
        pytest.param(b'{"a":' * 9000, "application/json", 400, "not_json", id="deep"),
        pytest.param(b"[" * 9000 + b"]" * 9000, "application/json", 400, "not_json", id="lists"),
        pytest.param(
            b'{"k":1' + b"0" * 9000 + b"}", "application/json", 400, "not_json", id="9000"
        ),
        pytest.param(b'{"k":NaN}', "application/json", 422, "invalid", id="nan"),
        pytest.param(
            b'{"history":[{"movie_id":1,"stars":1e999}]}',
            "application/json",
            422,
            "invalid",
            id="infinity",
        ),
        pytest.param(b"{}", "text/plain", 400, "not_json", id="text"),
        pytest.param(b"k=3", "application/x-www-form-urlencoded", 400, "not_json", id="form"),
        pytest.param(b"x", "application/vnd.bentoml+pickle", 400, "not_json", id="pickle"),
        pytest.param(b" " * (1 << 20) + b"{}", "application/json", 413, "too_large", id="large"),
    ],
)
def test_request_malformed_body_refused(
    client: Any, raw: bytes, kind: str, status: int, code: str
) -> None:
    answer = client.post("/recommend", content=raw, headers={"Content-Type": kind})
    assert_shape(answer, status, code)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/movies/7", 404, "unknown_movie", id="unknown-movie"),
        pytest.param("GET", "/movies/x", 404, "unknown_movie", id="movie-text"),
        pytest.param("GET", f"/movies/{HUGE}", 404, "unknown_movie", id="movie-huge"),
        pytest.param("GET", "/movies/6?x=1", 422, "unsafe_in_path", id="movie-query"),
        pytest.param("GET", "/movies/%ff", 422, "unsafe_in_path", id="not-utf8"),
        pytest.param("GET", "/movies/search", 422, "invalid", id="no-query"),
        pytest.param("GET", "/movies/search?q=", 422, "invalid", id="empty-query"),
        pytest.param("GET", "/movies/search?q=heat&k=0", 422, "invalid", id="k-0"),
        pytest.param("GET", "/movies/search?q=heat&page=2", 422, "invalid", id="unknown-parameter"),
        pytest.param("GET", "/movies/1_0", 404, "unknown_movie", id="movie-underscore"),
        pytest.param("GET", "/", 404, "not_found", id="no-page"),
        pytest.param("GET", "/docs.json", 404, "not_found", id="another-contract"),
        pytest.param("GET", "/static_content/index.html", 404, "not_found", id="no-tag-manager"),
        pytest.param("GET", "/users/%00/history", 422, "invalid", id="nul"),
        pytest.param("GET", "/nothing/here", 404, "not_found", id="no-such-route"),
        pytest.param("GET", "/recommend", 405, "method_not_allowed", id="get-a-post"),
        pytest.param("DELETE", "/recommend", 405, "method_not_allowed", id="delete-a-post"),
        pytest.param("POST", "/model", 405, "method_not_allowed", id="post-a-get"),
    ],
)
def test_request_wrong_path_or_method_refused(
    client: Any, method: str, path: str, status: int, code: str
) -> None:
    body = {"json": {}} if method == "POST" else {}
    assert_shape(client.request(method, path, **body), status, code)


def test_recommend_rerank_controls_equal_library(recommender: Any, client: Any) -> None:
    body = {"calibration": 0.4, "novelty": 0.2, "freshness": 0.1, "genre_profile": {"Action": 2.0}}
    history = [{"movie_id": 6, "stars": 5}]
    answer = client.post("/recommend", json={"history": history, "k": 4} | body)
    assert answer.status_code == 200
    assert answer.json() == recommender.recommend(history=[(6, 5.0)], k=4, **body)


def test_request_log_names_route_instead_of_user(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[tuple[Any, ...]] = []
    monkeypatch.setattr(RequestLog, "includes", lambda *_: True)
    monkeypatch.setattr(RequestLog, "write", lambda _, *line: lines.append(line))
    client.get("/users/anna/history")
    client.get("/movies/search?q=secret")
    assert [line[2] for line in lines] == ["/users/{user_id}/history", "/movies/search"]
    assert "anna" not in str(lines) and "secret" not in str(lines)
