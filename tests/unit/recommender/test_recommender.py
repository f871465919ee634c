"""The library: logits by the formula, histories as callers write them, lists, paging, stars."""

import doctest
import inspect
import itertools
import math
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from marquee.core import item_stats
from marquee.recommender import history as history_module
from marquee.recommender import recommender as recommender_module
from marquee.recommender import topk
from marquee.recommender.bundle import read_bundle, write_bundle
from marquee.recommender.errors import RequestError
from marquee.recommender.query import RecommendQuery
from marquee.recommender.rating_model import RatingModel, _phi
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
from marquee.recommender.search import trigram_index
from tests.support.paths import ROOT
from tests.support.tiny_bundle import FILMS, tiny_parts

HEAT, GOLDENEYE, SUSPECTS, PULP, RUNNER, RUNNER_2049 = 6, 10, 50, 296, 480, 541
ALL = [film[0] for film in FILMS]


def ids(answer: dict[str, Any]) -> list[int]:
    return [item["movie_id"] for item in answer["items"]]


def test_scores_follow_the_formula(recommender: Recommender) -> None:
    arrays = tiny_parts()["arrays"]
    got = recommender.score([[HEAT, (SUSPECTS, 5.0)]])
    vector = arrays["item_vector"]
    user = (vector[1] + 2 * vector[4]) / 2  # 5 stars is the 10th of the scale: 1 + .1 x 10
    gmf = arrays["item_gmf"] @ user + arrays["item_bias"]
    zero = recommender.score([[110]])[0] - arrays["item_bias"]  # a film without genres: user = 0
    np.testing.assert_allclose(
        zero, np.maximum(arrays["item_mlp"], 0) @ arrays["mlp_out"], atol=1e-6
    )
    assert got.shape == (1, len(FILMS)) and got.dtype == np.float32
    hidden = _hidden(user)
    mlp = np.maximum(arrays["item_mlp"] + hidden, 0) @ arrays["mlp_out"]
    np.testing.assert_allclose(got[0], gmf + mlp, atol=1e-5)


def _hidden(user: np.ndarray) -> np.ndarray:
    import onnx

    graph = onnx.load_model_from_string(tiny_parts()["encoder"]).graph
    to_hidden = next(i for i in graph.initializer if i.name == "to_hidden")
    return np.asarray(user @ onnx.numpy_helper.to_array(to_hidden))


def test_the_movies_asked_for_are_columns_of_the_whole(recommender: Recommender) -> None:
    histories = [[HEAT], [PULP, 1]]
    every = recommender.score(histories)
    column = {movie_id: n for n, movie_id in enumerate(recommender.movie_ids.tolist())}
    shared = recommender.score(histories, [RUNNER, 1])
    own = recommender.score(histories, np.array([[RUNNER, 1], [HEAT, RUNNER]]))
    np.testing.assert_allclose(shared, every[:, [column[RUNNER], column[1]]], atol=1e-6)
    np.testing.assert_allclose(own[1], every[1, [column[HEAT], column[RUNNER]]], atol=1e-6)


def test_batch_equals_single(recommender: Recommender) -> None:
    rng = np.random.default_rng(0)
    histories = [rng.choice(ALL, size=n % 8, replace=False).tolist() for n in range(150)]
    batch = recommender.score(histories)
    for history, row in zip(histories, batch, strict=True):
        np.testing.assert_allclose(recommender.score([history])[0], row, atol=1e-6)


def test_no_people_and_no_movies_are_empty_answers(recommender: Recommender) -> None:
    assert recommender.score([]).shape == (0, len(FILMS))
    assert recommender.score([[HEAT]], []).shape == (1, 0)
    assert recommender.recommend(include_ids=[])["items"] == []


def test_a_long_history_is_cut_to_its_latest_films(recommender: Recommender) -> None:
    latest = [1, HEAT, 32, PULP]  # history_length 4
    np.testing.assert_array_equal(
        recommender.score([[RUNNER, GOLDENEYE, *latest]]), recommender.score([latest])
    )
    assert RUNNER not in ids(recommender.recommend(history=[RUNNER, *latest]))


@pytest.mark.parametrize(
    ("entries", "same_as"),
    [
        pytest.param([(HEAT, None)], [HEAT], id="no-stars"),
        pytest.param([(HEAT,)], [HEAT], id="one-tuple"),
        pytest.param([[HEAT, 4.0]], [(HEAT, 4.0)], id="list"),
        pytest.param([np.int64(HEAT)], [HEAT], id="numpy-id"),
        pytest.param([(HEAT, np.float32(4.5))], [(HEAT, 4.5)], id="numpy-stars"),
        pytest.param([(HEAT, 4)], [(HEAT, 4.0)], id="whole-stars"),
        pytest.param([(HEAT, 2.0), 1, (HEAT, 5.0)], [1, (HEAT, 5.0)], id="the-last-counts"),
        pytest.param([(HEAT, None, 0.9), 1], [(HEAT, 4.0), 1], id="watched-is-4-stars"),
        pytest.param([(HEAT, 2.0, 0.95)], [(HEAT, 2.0)], id="stars-before-watched"),
        pytest.param([(HEAT, None, 0.5)], [HEAT], id="half-watched"),
        pytest.param([1, (HEAT, None, 0.05)], [1], id="left-at-once"),
    ],
)
def test_ways_to_write_a_history(
    recommender: Recommender, entries: list[Any], same_as: list[Any]
) -> None:
    np.testing.assert_array_equal(recommender.score([entries]), recommender.score([same_as]))


def test_a_film_left_at_once_counts_as_seen(recommender: Recommender) -> None:
    answer = recommender.recommend(history=[(PULP, None, 0.05)])
    assert answer["strategy"] == "popular" and PULP not in ids(answer)


@pytest.mark.parametrize(
    ("entry", "code", "field", "sentence"),
    [
        pytest.param(
            7, "unknown_movie", "history.0.movie_id", "movie 7: not in the catalog", id="unknown"
        ),
        pytest.param((7, 4.0), "unknown_movie", "history.0.movie_id", "movie 7", id="pair"),
        pytest.param((1, 5.5), "invalid", "history.0.stars", "off the scale", id="off-scale"),
        pytest.param((1, math.nan), "invalid", "history.0.stars", "off the scale", id="nan"),
        pytest.param((1, "5"), "invalid", "history.0.stars", "off the scale", id="text-stars"),
        pytest.param((1, True), "invalid", "history.0.stars", "off the scale", id="bool-stars"),
        pytest.param(True, "invalid", "history.0.movie_id", "expected an integer", id="bool-id"),
        pytest.param("1", "invalid", "history.0.movie_id", "expected an integer", id="text-id"),
        pytest.param(1.0, "invalid", "history.0.movie_id", "expected an integer", id="float-id"),
        pytest.param((1, 4.0, 1.5), "invalid", "history.0.watched", "share from 0", id="watched"),
        pytest.param((1, 4.0, 0.5, 9), "invalid", "history.0", "4 parts", id="four-parts"),
    ],
)
def test_a_bad_entry_is_told(
    recommender: Recommender, entry: Any, code: str, field: str, sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence) as caught:
        recommender.score([[entry]])
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_recommendation_has_the_contracts_shape(recommender: Recommender) -> None:
    answer = recommender.recommend(history=[(HEAT, 4.0)], k=2)
    assert set(answer) == {"items", "strategy", "model_version", "next_offset"}
    assert answer["strategy"] == "history" and answer["next_offset"] == 2
    assert answer["model_version"] == recommender.model_version
    for item in answer["items"]:
        assert list(item) == [
            "movie_id",
            "title",
            "year",
            "genres",
            "score",
            "stars",
            "num_ratings",
        ]
        assert set(item["stars"]) == {"expected", "low", "high", "p_like"}


def test_the_best_come_first_and_the_seen_are_left_out(recommender: Recommender) -> None:
    score = dict(zip(ALL, recommender.score([[HEAT]])[0].tolist(), strict=True))
    del score[HEAT]
    best = sorted(score, key=lambda movie_id: -score[movie_id])
    assert ids(recommender.recommend(history=[HEAT], k=100)) == best
    assert HEAT in ids(recommender.recommend(history=[HEAT], k=100, exclude_seen=False))


@pytest.mark.parametrize("withheld", range(len(FILMS)))
def test_checkerboard(tmp_path: Path, withheld: int) -> None:
    """Two camps, even and odd rows: the one film of its camp that a person lacks comes first."""
    parts = tiny_parts()
    arrays = parts["arrays"]
    camp = np.arange(len(FILMS)) % 2
    arrays["item_vector"] = arrays["item_gmf"] = np.eye(6, dtype=np.float32)[camp]
    arrays["mlp_out"] *= 0
    write_bundle(tmp_path / "b", **parts)
    watched = [m for n, m in enumerate(ALL) if camp[n] == camp[withheld] and n != withheld]
    answer = Recommender.load(tmp_path / "b").recommend(history=watched, k=1)
    assert ids(answer) == [ALL[withheld]]


def test_nobody_known_gets_the_popular_list(recommender: Recommender) -> None:
    answer = recommender.recommend(k=3)
    assert answer["strategy"] == "popular"
    assert ids(answer) == [PULP, 1, SUSPECTS]  # 60, 50 and 45 ratings
    assert answer["items"][0]["score"] == pytest.approx(math.log(61))
    assert [item["num_ratings"] for item in answer["items"]] == [60, 50, 45]


@pytest.mark.parametrize("k", [1, 3, 4, 10, 100])
@pytest.mark.parametrize("history", [[], [HEAT]], ids=["popular", "history"])
def test_pages_join_to_the_whole_list(recommender: Recommender, history: list[int], k: int) -> None:
    whole, pages, offset = ids(recommender.recommend(history=history, k=100)), [], 0
    while offset is not None:
        page = recommender.recommend(history=history, k=k, offset=offset)
        pages += ids(page)
        offset = page["next_offset"]
    assert pages == whole and len(whole) == len(FILMS) - len(history)


def test_a_page_past_the_end_is_empty(recommender: Recommender) -> None:
    answer = recommender.recommend(offset=10**18)
    assert answer["items"] == [] and answer["next_offset"] is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param(None, ALL, id="none"),
        pytest.param({"genres": ["Animation", "Drama"]}, [1, 32, 260, PULP], id="any-genre"),
        pytest.param({"genres": []}, ALL, id="no-genre-asked"),
        pytest.param({"exclude_genres": ["Action", "Drama"]}, [1, SUSPECTS, 110], id="exclude"),
        pytest.param({"year_min": 2001}, [260, RUNNER_2049], id="year-min"),
        pytest.param({"year_max": 1994}, [PULP, RUNNER], id="year-max"),
        pytest.param({"min_ratings": 50}, [1, PULP], id="num_ratings"),
        pytest.param({"genres": ["Action"], "year_max": 1994}, [RUNNER], id="both"),
    ],
)
def test_filters(recommender: Recommender, filters: dict[str, Any], expected: list[int]) -> None:
    assert sorted(ids(recommender.recommend(filters=filters, k=100))) == expected


def test_only_and_never_these(recommender: Recommender) -> None:
    asked = {"history": [HEAT], "include_ids": [HEAT, 1, 32], "exclude_ids": [32]}
    assert ids(recommender.recommend(**asked)) == [1]
    assert sorted(ids(recommender.recommend(**asked, exclude_seen=False))) == [1, HEAT]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        pytest.param({"k": 0}, "invalid", id="k"),
        pytest.param({"offset": -1}, "invalid", id="offset"),
        pytest.param({"filters": {"genre": ["Drama"]}}, "invalid", id="unknown-filter"),
        pytest.param({"filters": {"genres": ["Dramma"]}}, "unknown_genre", id="unknown-genre"),
        pytest.param({"filters": {"year_min": 2, "year_max": 1}}, "invalid", id="years-crossed"),
        pytest.param({"include_ids": [7]}, "unknown_movie", id="include"),
        pytest.param({"exclude_ids": [7]}, "unknown_movie", id="exclude"),
    ],
)
def test_a_bad_question_is_told(recommender: Recommender, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(RequestError) as caught:
        recommender.recommend(**asked)
    assert caught.value.code == code


def test_predict_keeps_the_order_asked(recommender: Recommender) -> None:
    answer = recommender.predict(history=[(HEAT, 5.0)], movie_ids=[RUNNER, 1, RUNNER])
    assert ids(answer) == [RUNNER, 1, RUNNER]
    expected = recommender.predict_stars([[(HEAT, 5.0)]], [RUNNER, 1])
    got = [item["stars"]["expected"] for item in answer["items"][:2]]
    np.testing.assert_allclose(got, expected[0], rtol=1e-6)


def test_similar_films_share_genres(recommender: Recommender) -> None:
    answer = recommender.similar([RUNNER], k=2)
    assert ids(answer) == [RUNNER_2049, GOLDENEYE]
    assert [item["score"] for item in answer["items"]] == pytest.approx([1, 1 / math.sqrt(2)])
    assert "stars" not in answer["items"][0]


def test_similar_to_several_is_similar_to_their_mean(recommender: Recommender) -> None:
    answer = recommender.similar([HEAT, RUNNER], k=100, filters={"genres": ["Action"]})
    # mean direction (2 Action, Crime, Thriller) / sqrt(6)
    assert ids(answer) == [RUNNER_2049, GOLDENEYE]
    score = [item["score"] for item in answer["items"]]
    assert score == pytest.approx([3 / math.sqrt(12), 2 / math.sqrt(6)])


def stars(recommender: Recommender, history: list[Any], movie_id: int) -> dict[str, float]:
    item = recommender.predict(history=history, movie_ids=[movie_id])["items"][0]
    return dict(item["stars"])


def test_stars_of_a_stranger_are_the_films_own(bundle_folder: Any) -> None:
    """Ten bins of width 1/2 around 3.5 - 0.5 = 3.0; variance (-1)^2 of taste, 1/4 of the person's
    bias, 1 of a rating."""
    sigma, middle = math.sqrt(1 + 1 / 4 + 1), 3.0

    def below(edge: float) -> float:
        return 0.5 * (1 + math.erf((edge - middle) / sigma / math.sqrt(2)))

    edges = [-math.inf, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, math.inf]
    chance = [below(b) - below(a) for a, b in itertools.pairwise(edges)]
    got = stars(Recommender(read_bundle(bundle_folder)), [], 1)
    assert got["expected"] == pytest.approx(3.0)
    assert got["p_like"] == pytest.approx(sum(chance[7:]), abs=1e-6)
    assert (got["low"], got["high"]) == (0.5, 5.0)  # P(.5) = .067, P(<= 4.5) = .878


def test_who_rates_high_is_expected_to_rate_high(recommender: Recommender) -> None:
    none, harsh, kind = (stars(recommender, h, 1) for h in ([], [(HEAT, 0.5)], [(HEAT, 5.0)]))
    assert harsh["expected"] < none["expected"] < kind["expected"]
    assert harsh["p_like"] < none["p_like"] < kind["p_like"]


@pytest.mark.parametrize("value", [0.5, 3.0, 5.0])
def test_who_always_gives_the_same_is_expected_to_give_it_again(
    recommender: Recommender, value: float
) -> None:
    """Of eight films, the same stars for all: the ninth lies nearer to them than a stranger's."""
    *seen, ninth = [film[0] for film in FILMS][:9]
    none, always = (
        stars(recommender, history, ninth) for history in ([], [(film, value) for film in seen])
    )
    assert abs(always["expected"] - value) < abs(none["expected"] - value)
    assert 0.5 <= always["low"] <= always["expected"] <= always["high"] <= 5
    assert (always["p_like"] > none["p_like"]) == (value == 5.0)


def test_ten_thousand_times_the_same_star_is_that_film_once(recommender: Recommender) -> None:
    assert stars(recommender, [(HEAT, 1.0)] * 10_000, 1) == stars(recommender, [(HEAT, 1.0)], 1)


def test_controls_move_the_list_and_leave_the_scores(recommender: Recommender) -> None:
    """`score` is the network's; the order is the control's, page by page."""
    history = [(HEAT, 5.0)]
    plain = recommender.recommend(history=history, k=100)
    score = {item["movie_id"]: item["score"] for item in plain["items"]}
    for control in ({"novelty": 1.0}, {"freshness": 1.0}):
        moved = recommender.recommend(history=history, k=100, **control)
        assert sorted(ids(moved)) == sorted(ids(plain)) and ids(moved) != ids(plain), control
        assert {item["movie_id"]: item["score"] for item in moved["items"]} == score
        first, rest = (
            recommender.recommend(history=history, k=3, offset=offset, **control)
            for offset in (0, 3)
        )
        assert ids(first) + ids(rest) == ids(moved)[:6]


def test_a_person_is_the_regression_of_their_stars_on_their_films(bundle_folder: Any) -> None:
    """5 stars for Heat, which has taste -1 + 2/9 and bias -.5 + 1/9: one equation, two rounds."""
    recommender = Recommender(read_bundle(bundle_folder))
    people = RatingModel.from_bundle(read_bundle(bundle_folder)).posterior(
        [recommender.parse_history([(HEAT, 5.0), 1])]  # a film without stars says nothing
    )
    v, rest, prior, steady = np.array([-1 + 2 / 9, 1]), 5 - 3.5 + 0.5 - 1 / 9, np.diag([1, 4]), 1.0
    for _ in range(2):
        cov = np.linalg.inv(prior + steady * np.outer(v, v))
        mean = cov @ (steady * v * rest)
        steady = (10 + 1) / (10 + (rest - v @ mean) ** 2 + v @ cov @ v)
    side = np.diag([1, 2])  # the prior's: a person is held as (1 x taste, 2 x bias)
    np.testing.assert_allclose(people.mean_BSE[0], [side @ mean] * 2, atol=1e-6)
    root_SEE = people.root_BSEE[0] @ np.linalg.inv(side)
    found = root_SEE.mT @ root_SEE
    np.testing.assert_allclose(found, [cov, cov], atol=1e-6)
    np.testing.assert_allclose(people.noise_BS[0], 1 / steady, atol=1e-6)


def test_a_film_left_at_once_counts_as_two_stars_not_as_a_place_in_the_list(
    recommender: Recommender,
) -> None:
    left, two = [(HEAT, 5.0), (GOLDENEYE, None, 0.05)], [(HEAT, 5.0), (GOLDENEYE, 2.0)]
    assert stars(recommender, left, 1) == pytest.approx(stars(recommender, two, 1))
    np.testing.assert_array_equal(recommender.score([left]), recommender.score([left[:1]]))


def test_which_films_were_rated_tells_something_whatever_the_stars(
    recommender: Recommender,
) -> None:
    """The last film moves the person's own bias by .5, one of two films by .5 / sqrt(2); watching
    it without a rating does not, as leanings are learned from ratings."""
    last = FILMS[-1][0]
    for history, moved in (
        ([], 0),
        ([(last, 2.0)], 0.5),
        ([(HEAT, 3.0), (last, 2.0)], 0.5 / math.sqrt(2)),
        ([(HEAT, 3.0), last], 0),
        ([(last, None, 0.05)], 0),
    ):
        prior_SE = recommender.rating_model._prior_mean(recommender.parse_history(history))
        np.testing.assert_allclose(prior_SE, [[0, 2 * moved]] * 2, atol=1e-6)  # 2: the prior's
    watched, stranger = (stars(recommender, history, 1) for history in ([last], []))
    assert watched == stranger


def test_a_steady_person_is_predicted_more_closely_than_an_erratic_one(
    recommender: Recommender,
) -> None:
    width = []
    for given in ([3.0, 3.0, 3.0, 3.0], [5.0, 1.0, 5.0, 1.0]):
        history = list(zip([HEAT, GOLDENEYE, 32, 50], given, strict=True))
        s = stars(recommender, history, 260)
        width.append(s["high"] - s["low"])
    assert width[0] < width[1]


def test_stars_of_many_people_together_are_those_of_each(recommender: Recommender) -> None:
    """Histories and lists of any length, and of none."""
    histories = [[], [(HEAT, 5.0)], [1], [(movie_id, 2.5) for movie_id in ALL], [(6, None, 0.05)]]
    people = [
        recommender.parse_history(history) for history in histories
    ] * 5  # more than go together
    rows = [np.arange(n % 4) for n in range(len(people))]
    describe = recommender.rating_model.describe
    for person, each, found in zip(people, rows, describe(people, rows), strict=True):
        (alone,) = describe([person], [each])
        assert len(found) == len(each) == len(alone)
        for one, other in zip(found, alone, strict=True):
            assert one == pytest.approx(other, abs=1e-6)


def test_a_long_history_is_read_in_parts_to_the_same_stars(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = [(movie_id, 3.5) for movie_id in ALL]
    whole = recommender.predict_stars([history], ALL)
    monkeypatch.setattr("marquee.recommender.rating_model.ENTRIES_PER_BLOCK", 3)
    np.testing.assert_allclose(recommender.predict_stars([history], ALL), whole, atol=1e-5)


def test_a_film_with_few_ratings_has_a_wider_interval(recommender: Recommender) -> None:
    """Both lie in the middle of taste; the draws differ about the second."""
    many, few = (stars(recommender, [], movie_id) for movie_id in (SUSPECTS, 110))
    assert many["high"] - many["low"] < few["high"] - few["low"]


def test_the_interval_holds_the_expected_stars(recommender: Recommender) -> None:
    for rated in ([], [(HEAT, 0.5), (PULP, 0.5), (1, 0.5)], [(HEAT, 5.0), (PULP, 5.0), (1, 5.0)]):
        for item in recommender.predict(history=rated, movie_ids=ALL)["items"]:
            s = item["stars"]
            assert 0.5 <= s["low"] <= s["expected"] <= s["high"] <= 5.0 and 0 <= s["p_like"] <= 1


def test_the_normal_distribution_function() -> None:
    z = np.linspace(-6, 6, 241)
    exact = [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in z]
    np.testing.assert_allclose(_phi(z), exact, atol=2e-7)


def test_recommend_spells_its_parameters_out_as_the_query_does() -> None:
    signature = inspect.signature(Recommender.recommend)
    parameters = dict(list(signature.parameters.items())[1:])
    assert all(p.kind is not p.VAR_KEYWORD for p in parameters.values())
    defaults = {field.name: field.default for field in fields(RecommendQuery)}
    assert {name: p.default for name, p in parameters.items()} == defaults


def test_a_query_is_answered_as_recommend_with_its_fields(recommender: Recommender) -> None:
    """A strange value for each field, so that none is passed on as another."""
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
    }
    query = RecommendQuery(**values)
    assert set(values) == {field.name for field in fields(RecommendQuery)}
    expected = recommender.recommend_query(query)
    assert recommender.recommend(**values) == expected and len(expected["items"]) == 3
    (batched,) = recommender.recommend_batch([query])
    assert batched == expected


def test_responses_are_those_of_their_types(recommender: Recommender) -> None:
    """Every key and nothing else, so that the OpenAPI document says what is sent."""
    history = [(HEAT, 5.0), PULP]
    for kind, response in (
        (RecommendResponse, recommender.recommend(history, explain=True)),
        (RecommendResponse, recommender.recommend(genre_profile={"Drama": 1.0}, explain=True)),
        (RecommendResponse, recommender.recommend()),
        (PredictResponse, recommender.predict(history=history, movie_ids=ALL)),
        (PredictResponse, recommender.rerank(history=history, movie_ids=ALL)),
        (SimilarResponse, recommender.similar([HEAT])),
        (ChartsResponse, recommender.charts("hidden_gems")),
        (RateNextResponse, recommender.rate_next(history=history)),
        (Movie, recommender.movie(HEAT)),
        (MovieReference, recommender.movie_reference(HEAT)),
        (MovieReference, recommender.movie_reference(999)),
    ):
        assert TypeAdapter(kind).validate_python(response, strict=True) == response


def test_the_library_is_imported_on_first_use() -> None:
    code = (
        "import sys, marquee.core.errors, marquee\n"
        "assert 'onnxruntime' not in sys.modules and 'pydantic' not in sys.modules\n"
        "from marquee import Recommender, RecommendQuery, RequestError\n"
        "assert Recommender.__module__ == 'marquee.recommender.recommender'\n"
        "assert 'onnxruntime' in sys.modules and 'torch' not in sys.modules\n"
        "assert set(marquee.__all__) <= set(dir(marquee)) and not hasattr(marquee, 'Other')\n"
        "from marquee import *\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    "module",
    [recommender_module, history_module, topk, trigram_index, item_stats],
    ids=lambda module: module.__name__,
)
def test_examples_of_docstrings_run(recommender: Recommender, module: Any) -> None:
    runner = doctest.DocTestRunner()
    tests = doctest.DocTestFinder().find(module, extraglobs={"recommender": recommender})
    results = [runner.run(test) for test in tests if test.examples]
    assert results and not runner.failures
