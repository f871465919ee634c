"""The public verbs: scores by the formula, lists, filters, pages, controls and responses."""

import inspect
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from pydantic import TypeAdapter

from marquee.recommender.bundle import write_bundle
from marquee.recommender.errors import RequestError
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender
from marquee.recommender.responses import (
    ChartsResponse,
    Movie,
    MovieReference,
    PredictResponse,
    RateNextResponse,
    RecommendResponse,
    SimilarResponse,
)
from tests.support.tiny_bundle import MOVIES, tiny_parts

HEAT, GOLDENEYE, SUSPECTS, PULP, RUNNER, RUNNER_2049 = 6, 10, 50, 296, 480, 541
ALL_IDS = [movie[0] for movie in MOVIES]


def ids(response: Any) -> list[int]:
    return [item["movie_id"] for item in response["items"]]


def user_mlp(user_D: np.ndarray) -> np.ndarray:
    """The second output of the hand-made encoder."""
    graph = onnx.load_model_from_string(tiny_parts()["encoder"]).graph
    to_hidden = next(array for array in graph.initializer if array.name == "to_hidden")
    return np.asarray(user_D @ onnx.numpy_helper.to_array(to_hidden))


def test_score_follows_the_neumf_formula(recommender: Recommender) -> None:
    arrays = tiny_parts()["arrays"]
    logit_BI = recommender.score([[HEAT, (SUSPECTS, 5.0)]])
    assert logit_BI.shape == (1, len(MOVIES)) and logit_BI.dtype == np.float32
    item_ID = arrays["item_vector"]
    user_D = (item_ID[1] + 2 * item_ID[4]) / 2  # 5 stars is the 10th of the scale: 1 + .1 x 10
    gmf_I = arrays["item_gmf"] @ user_D + arrays["item_bias"]
    mlp_I = np.maximum(arrays["item_mlp"] + user_mlp(user_D), 0) @ arrays["mlp_out"]
    np.testing.assert_allclose(logit_BI[0], gmf_I + mlp_I, atol=1e-5)


def test_score_of_an_item_without_genres_is_the_mlp_alone(recommender: Recommender) -> None:
    arrays = tiny_parts()["arrays"]
    logit_I = recommender.score([[110]])[0] - arrays["item_bias"]  # the user vector is 0
    mlp_I = np.maximum(arrays["item_mlp"], 0) @ arrays["mlp_out"]
    np.testing.assert_allclose(logit_I, mlp_I, atol=1e-6)


def test_score_of_movie_ids_equals_columns_of_all(recommender: Recommender) -> None:
    histories = [[HEAT], [PULP, 1]]
    logit_BI = recommender.score(histories)
    column = {movie_id: n for n, movie_id in enumerate(recommender.movie_ids.tolist())}
    shared = recommender.score(histories, [RUNNER, 1])
    own = recommender.score(histories, np.array([[RUNNER, 1], [HEAT, RUNNER]]))
    np.testing.assert_allclose(shared, logit_BI[:, [column[RUNNER], column[1]]], atol=1e-6)
    np.testing.assert_allclose(own[1], logit_BI[1, [column[HEAT], column[RUNNER]]], atol=1e-6)


@pytest.mark.parametrize("movie_ids", [[[1], [1]], [[[1]]], 1])
def test_score_movie_ids_of_a_wrong_shape_raises(recommender: Recommender, movie_ids: Any) -> None:
    with pytest.raises(RequestError, match=r"movie_ids: shape .*, expected \(C,\) or \(1, C\)"):
        recommender.score([[HEAT]], movie_ids)


def test_score_batch_equals_single(recommender: Recommender) -> None:
    rng = np.random.default_rng(0)
    histories = [rng.choice(ALL_IDS, size=n % 8, replace=False).tolist() for n in range(150)]
    batch = recommender.score(histories)
    for history, logit_I in zip(histories, batch, strict=True):
        np.testing.assert_allclose(recommender.score([history])[0], logit_I, atol=1e-6)


def test_score_of_no_users_or_no_movies_is_empty(recommender: Recommender) -> None:
    assert recommender.score([]).shape == (0, len(MOVIES))
    assert recommender.score([[HEAT]], []).shape == (1, 0)
    assert recommender.recommend(include_ids=[])["items"] == []


def test_score_reads_the_latest_entries_of_a_long_history(recommender: Recommender) -> None:
    latest = [1, HEAT, 32, PULP]  # history_length 4
    np.testing.assert_array_equal(
        recommender.score([[RUNNER, GOLDENEYE, *latest]]), recommender.score([latest])
    )
    assert RUNNER not in ids(recommender.recommend(history=[RUNNER, *latest]))


def test_recommend_response_has_the_keys_of_the_contract(recommender: Recommender) -> None:
    response = recommender.recommend(history=[(HEAT, 4.0)], k=2)
    assert set(response) == {"items", "strategy", "model_version", "next_offset"}
    assert response["strategy"] == "history" and response["next_offset"] == 2
    assert response["model_version"] == recommender.model_version
    keys = ["movie_id", "title", "year", "genres", "score", "stars", "num_ratings"]
    for item in response["items"]:
        assert list(item) == keys
        assert set(item["stars"]) == {"expected", "low", "high", "p_like"}


def test_recommend_sorts_by_score_and_leaves_out_the_seen(recommender: Recommender) -> None:
    score = dict(zip(ALL_IDS, recommender.score([[HEAT]])[0].tolist(), strict=True))
    del score[HEAT]
    by_score = sorted(score, key=lambda movie_id: -score[movie_id])
    assert ids(recommender.recommend(history=[HEAT], k=100)) == by_score
    assert HEAT in ids(recommender.recommend(history=[HEAT], k=100, exclude_seen=False))


@pytest.mark.parametrize("withheld", range(len(MOVIES)))
def test_recommend_on_a_checkerboard_puts_the_withheld_first(tmp_path: Path, withheld: int) -> None:
    """Two camps, even and odd rows: the one item of its camp that a user lacks comes first."""
    parts = tiny_parts()
    arrays = parts["arrays"]
    camp_I = np.arange(len(MOVIES)) % 2
    arrays["item_vector"] = arrays["item_gmf"] = np.eye(6, dtype=np.float32)[camp_I]
    arrays["mlp_out"] *= 0
    write_bundle(tmp_path / "b", **parts)
    is_watched_I = (camp_I == camp_I[withheld]) & (np.arange(len(MOVIES)) != withheld)
    history = np.array(ALL_IDS)[is_watched_I].tolist()
    response = Recommender.load(tmp_path / "b").recommend(history=history, k=1)
    assert ids(response) == [ALL_IDS[withheld]]


def test_recommend_without_history_is_the_popular_list(recommender: Recommender) -> None:
    response = recommender.recommend(k=3)
    assert response["strategy"] == "popular"
    assert ids(response) == [PULP, 1, SUSPECTS]  # 60, 50 and 45 ratings
    assert response["items"][0]["score"] == pytest.approx(math.log(61))
    assert [item["num_ratings"] for item in response["items"]] == [60, 50, 45]


@pytest.mark.parametrize("k", [1, 3, 4, 10, 100])
@pytest.mark.parametrize("history", [[], [HEAT]], ids=["popular", "history"])
def test_recommend_pages_join_to_the_full_list(
    recommender: Recommender, history: list[int], k: int
) -> None:
    pages: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page = recommender.recommend(history=history, k=k, offset=offset)
        pages += ids(page)
        offset = page["next_offset"]
    assert pages == ids(recommender.recommend(history=history, k=100))
    assert len(pages) == len(MOVIES) - len(history)


def test_recommend_page_past_the_end_is_empty(recommender: Recommender) -> None:
    response = recommender.recommend(offset=10**18)
    assert response["items"] == [] and response["next_offset"] is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param(None, ALL_IDS, id="none"),
        pytest.param({"genres": ["Animation", "Drama"]}, [1, 32, 260, PULP], id="any-genre"),
        pytest.param({"genres": []}, ALL_IDS, id="empty-genres"),
        pytest.param({"exclude_genres": ["Action", "Drama"]}, [1, SUSPECTS, 110], id="exclude"),
        pytest.param({"year_min": 2001}, [260, RUNNER_2049], id="year-min"),
        pytest.param({"year_max": 1994}, [PULP, RUNNER], id="year-max"),
        pytest.param({"year_min": None}, ALL_IDS, id="null"),
        pytest.param({"min_ratings": 50}, [1, PULP], id="num-ratings"),
        pytest.param({"genres": ["Action"], "year_max": 1994}, [RUNNER], id="both"),
        pytest.param({"where": {"year": {"exists": False}}}, [110], id="where-missing"),
        pytest.param(
            {"where": {"genres": "Action", "num_ratings": {"lt": 36}}, "year_max": 1994},
            [RUNNER],
            id="where-and-year",
        ),
    ],
)
def test_recommend_filters_hold_together(
    recommender: Recommender, filters: dict[str, Any], expected: list[int]
) -> None:
    assert sorted(ids(recommender.recommend(filters=filters, k=100))) == expected


def test_recommend_include_and_exclude_ids(recommender: Recommender) -> None:
    query: dict[str, Any] = {
        "history": [HEAT],
        "include_ids": [HEAT, 1, 32],
        "exclude_ids": [32],
    }
    assert ids(recommender.recommend(**query)) == [1]
    assert sorted(ids(recommender.recommend(**query, exclude_seen=False))) == [1, HEAT]


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        pytest.param({"k": 0}, "invalid", "k", id="k"),
        pytest.param({"offset": -1}, "invalid", "offset", id="offset"),
        pytest.param({"filters": {"genre": ["A"]}}, "invalid", "filters", id="unknown-filter"),
        pytest.param(
            {"filters": {"genres": ["Dramma"]}}, "unknown_genre", "filters.genres", id="genre"
        ),
        pytest.param(
            {"filters": {"year_min": 2, "year_max": 1}}, "invalid", "filters.year_min", id="years"
        ),
        pytest.param(
            {"filters": {"where": {"year": {"like": 1}}}},
            "invalid",
            "filters.where.year",
            id="where",
        ),
        pytest.param({"include_ids": [7]}, "unknown_movie", "include_ids.0", id="include"),
        pytest.param({"exclude_ids": [1, 7]}, "unknown_movie", "exclude_ids.1", id="exclude"),
        pytest.param({"not_interested": [7]}, "unknown_movie", "not_interested.0", id="refused"),
        pytest.param({"diversity": 2}, "invalid", "diversity", id="control"),
    ],
)
def test_recommend_invalid_query_names_its_field(
    recommender: Recommender, query: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(RequestError) as error:
        recommender.recommend(**query)
    assert (error.value.code, error.value.field) == (code, field)


def test_predict_keeps_the_order_of_the_request(recommender: Recommender) -> None:
    response = recommender.predict(history=[(HEAT, 5.0)], movie_ids=[RUNNER, 1, RUNNER])
    assert ids(response) == [RUNNER, 1, RUNNER]
    expected = recommender.predict_stars([[(HEAT, 5.0)]], [RUNNER, 1])
    stars = [item["stars"]["expected"] for item in response["items"][:2]]
    np.testing.assert_allclose(stars, expected[0], rtol=1e-6)


def test_rerank_sorts_what_predict_returns(recommender: Recommender) -> None:
    history = [(HEAT, 5.0)]
    predicted = recommender.predict(history=history, movie_ids=ALL_IDS)["items"]
    by_score = sorted(predicted, key=lambda item: -item["score"])
    reranked = recommender.rerank(history=history, movie_ids=ALL_IDS)["items"]
    assert [item["movie_id"] for item in reranked] == [item["movie_id"] for item in by_score]


def test_similar_ranks_by_shared_genres(recommender: Recommender) -> None:
    response = recommender.similar([RUNNER], k=2)
    assert ids(response) == [RUNNER_2049, GOLDENEYE]
    assert [item["score"] for item in response["items"]] == pytest.approx([1, 1 / math.sqrt(2)])
    assert "stars" not in response["items"][0]


def test_similar_to_several_is_cosine_to_their_mean(recommender: Recommender) -> None:
    response = recommender.similar([HEAT, RUNNER], k=100, filters={"genres": ["Action"]})
    # mean direction (2 Action, Crime, Thriller) / sqrt(6)
    assert ids(response) == [RUNNER_2049, GOLDENEYE]
    scores = [item["score"] for item in response["items"]]
    assert scores == pytest.approx([3 / math.sqrt(12), 2 / math.sqrt(6)])


@pytest.mark.parametrize("verb", ["similar", "charts"])
def test_common_lists_pages_join(recommender: Recommender, verb: str) -> None:
    first = {"similar": [RUNNER], "charts": "popular"}[verb]

    def page(**query: Any) -> Any:
        return getattr(recommender, verb)(first, exclude_ids=[HEAT], **query)

    all_pages = page(k=100)
    assert HEAT not in ids(all_pages) and all_pages["next_offset"] is None
    listed: list[int] = []
    offset: int | None = 0
    while offset is not None:
        part = page(k=3, offset=offset)
        listed, offset = listed + ids(part), part["next_offset"]
    assert listed == ids(all_pages)
    assert page(k=3, offset=10**18)["items"] == []
    with pytest.raises(RequestError, match="movie 7"):
        getattr(recommender, verb)(first, exclude_ids=[7])


def test_similar_to_no_movie_raises(recommender: Recommender) -> None:
    with pytest.raises(RequestError, match="movie_ids: empty, expected one or more"):
        recommender.similar([])


@pytest.mark.parametrize("control", [{"novelty": 1.0}, {"freshness": 1.0}], ids=str)
def test_recommend_control_moves_items_and_keeps_scores(
    recommender: Recommender, control: dict[str, float]
) -> None:
    """`score` is the network's; the order is the control's, page by page."""
    history = [(HEAT, 5.0)]
    plain = recommender.recommend(history=history, k=100)
    score = {item["movie_id"]: item["score"] for item in plain["items"]}
    moved = recommender.recommend(history=history, k=100, **control)
    assert sorted(ids(moved)) == sorted(ids(plain)) and ids(moved) != ids(plain)
    assert {item["movie_id"]: item["score"] for item in moved["items"]} == score
    pages = [
        recommender.recommend(history=history, k=3, offset=offset, **control) for offset in (0, 3)
    ]
    assert ids(pages[0]) + ids(pages[1]) == ids(moved)[:6]


def test_recommend_parameters_are_those_of_the_query() -> None:
    signature = inspect.signature(Recommender.recommend)
    parameters = dict(list(signature.parameters.items())[1:])
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    defaults = {field.name: field.default for field in fields(RecommendQuery)}
    assert {name: p.default for name, p in parameters.items()} == defaults


def test_recommend_query_equals_recommend_and_batch(recommender: Recommender) -> None:
    """Another value for each field, so that none is passed on as another."""
    values: dict[str, Any] = {
        "history": [(HEAT, 4.0)],
        "k": 3,
        "offset": 1,
        "filters": {"year_min": 1990},
        "include_ids": [HEAT, 1, PULP, RUNNER_2049, 260, 32],
        "exclude_ids": [1],
        "exclude_seen": False,
        "calibration": 0.2,
        "novelty": 0.3,
        "freshness": 0.4,
        "diversity": 0.5,
        "genre_profile": {"Drama": 1.0},
        "explain": True,
        "not_interested": [RUNNER],
        "viewer": {"plan": "basic"},
        "surface": "home",
    }
    query = RecommendQuery(**values)
    assert set(values) == {field.name for field in fields(RecommendQuery)}
    expected = recommender.recommend_query(query)
    assert recommender.recommend(**values) == expected and len(expected["items"]) == 3
    assert list(recommender.recommend_batch([query])) == [expected]


def test_recommend_batch_yields_errors_in_their_place(recommender: Recommender) -> None:
    queries = [
        RecommendQuery(history=[HEAT], k=2),
        RecommendQuery(history=[7]),
        RecommendQuery(k=0),
        RecommendQuery(history=[PULP], k=2),
    ]
    first, unknown, no_items, last = recommender.recommend_batch(queries)
    assert isinstance(unknown, RequestError) and unknown.field == "history.0.movie_id"
    assert isinstance(no_items, RequestError) and no_items.field == "k"
    for query, response in ((queries[0], first), (queries[3], last)):
        assert not isinstance(response, RequestError)
        assert ids(response) == ids(recommender.recommend_query(query))


def test_responses_match_their_types(recommender: Recommender) -> None:
    """Every key and nothing else, so that the OpenAPI document says what is sent."""
    history = [(HEAT, 5.0), PULP]
    for kind, response in (
        (RecommendResponse, recommender.recommend(history, explain=True)),
        (RecommendResponse, recommender.recommend(genre_profile={"Drama": 1.0}, explain=True)),
        (RecommendResponse, recommender.recommend()),
        (PredictResponse, recommender.predict(history=history, movie_ids=ALL_IDS)),
        (PredictResponse, recommender.rerank(history=history, movie_ids=ALL_IDS)),
        (SimilarResponse, recommender.similar([HEAT])),
        (ChartsResponse, recommender.charts("hidden_gems")),
        (RateNextResponse, recommender.rate_next(history=history)),
        (Movie, recommender.catalog.movie(HEAT)),
        (MovieReference, recommender.catalog.movie_reference(HEAT)),
        (MovieReference, recommender.catalog.movie_reference(999)),
    ):
        assert TypeAdapter(kind).validate_python(response, strict=True) == response
        with pytest.raises(ValueError, match="extra"):
            TypeAdapter(kind).validate_python({**response, "other": 1})
