"""Test the cost of requests: the documented maxima against the documented budget."""

from types import SimpleNamespace
from typing import Any

import pytest

from marquee.api.compute import cost
from marquee.api.requests import (
    MAX_HISTORY,
    MAX_IDS,
    MAX_PREDICTIONS,
    MAX_REQUESTS,
    PredictRequest,
    RateNextRequest,
    RecommendRequest,
)
from marquee.feedback.user_state import UserState
from marquee.recommender.errors import RequestError

PROFILE = {"genre_profile": {"Action": 1.0}}


def history(length: int) -> dict[str, Any]:
    return {"history": [{"movie_id": 1}] * length}


def bundle(num_layers: int | None = 2, num_movies: int = 62_000) -> Any:
    network = {} if num_layers is None else {"network": {"num_layers": num_layers}}
    scorer = SimpleNamespace(history_length=200)
    return SimpleNamespace(manifest=network, scorer=scorer, movie_ids=range(num_movies))


def user(num_entries: int = 0, num_not_interested: int = 0) -> Any:
    state = UserState(((1, 4.0, None, 0),) * num_entries, (1,) * num_not_interested)
    return SimpleNamespace(state=state)


def list_cost(fields: dict[str, Any], stored: Any = None, recommender: Any = None) -> float:
    return cost.list_cost(recommender or bundle(), RecommendRequest(**fields), stored)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, 3, id="popular"),
        pytest.param(history(200), 3.5, id="history"),
        pytest.param({"include_ids": [1] * 1_500, "exclude_ids": [1] * 1_500}, 5, id="ids"),
        pytest.param({"offset": 10_000}, 4, id="offset"),
        pytest.param({"offset": 2**62}, 9, id="offset-beyond-any-catalog"),
        pytest.param({"diversity": 0.5, "k": 30}, 3 + 2, id="diversity"),
        pytest.param({"calibration": 0.5}, 3 + 12, id="calibration"),
        pytest.param({**PROFILE, "k": 25}, 3 + 3 * 12, id="profile-of-25"),
        pytest.param({**PROFILE, "offset": 190, "k": 100}, 3 + 0.019 + 20 * 12, id="profile-far"),
        pytest.param({"explain": True}, 3, id="explain-nothing"),
        pytest.param(
            {"explain": True, **history(100)}, 3.25 + 10 + 10 + 100, id="explain-100-entries"
        ),
        pytest.param(
            {"explain": True, **history(2_000)}, 3 + 5 + 20 + 40 + 400, id="explain-what-is-read"
        ),
    ],
)
def test_list_cost_adds_what_a_request_sets(fields: dict[str, Any], expected: float) -> None:
    assert list_cost(fields) == pytest.approx(expected)


def test_list_cost_counts_the_stored_state() -> None:
    assert list_cost(history(100), user(700)) == 3 + 2
    assert list_cost({}, user(0, 50)) == 3 + 10
    assert list_cost({}, user(0, 5_000)) == 3 + 20


@pytest.mark.parametrize(("num_layers", "expected"), [(1, 10), (2, 35), (3, 60), (None, 35)])
def test_explain_cost_grows_with_the_layers(num_layers: int | None, expected: float) -> None:
    fields = {"explain": True, **history(50)}
    added = list_cost(fields, None, bundle(num_layers)) - list_cost(history(50))
    assert added == pytest.approx(expected - 2.5)


@pytest.mark.parametrize(
    ("num_movies", "expected"), [(31, 1.001), (31_000, 2), (10**6, 1 + 100 / 31)]
)
def test_list_cost_grows_with_the_catalog(num_movies: int, expected: float) -> None:
    assert list_cost({}, None, bundle(2, num_movies)) == pytest.approx(expected)


def test_largest_single_requests_are_within_the_budget() -> None:
    ids = {"include_ids": [1] * MAX_IDS, "exclude_ids": [1] * MAX_IDS}
    controls = {"calibration": 1.0, "diversity": 1.0, "novelty": 1.0, "freshness": 1.0}
    page = {"k": 100, "offset": 2**62, "explain": True}
    largest = {**history(MAX_HISTORY), **ids, **controls, **page, **PROFILE}
    stored = user(MAX_HISTORY, MAX_HISTORY)
    assert list_cost(largest, stored) <= cost.MAX_COST
    movies = PredictRequest(**history(MAX_HISTORY), movie_ids=[1] * MAX_PREDICTIONS)
    assert cost.predict_cost(movies, stored) <= cost.MAX_COST
    rating = RateNextRequest(**history(MAX_HISTORY))
    assert cost.rate_next_cost(bundle(), rating, stored) <= cost.MAX_COST


@pytest.mark.parametrize(
    ("fields", "num_stored"),
    [
        pytest.param({}, 1_000, id="stored-histories"),
        pytest.param({"k": 100, **history(100)}, 0, id="sent-histories"),
        pytest.param({"diversity": 1.0, "novelty": 1.0}, 200, id="diversity-and-novelty"),
        pytest.param({"filters": {"genres": ["Action"]}, "offset": 10_000}, 200, id="filters"),
    ],
)
def test_largest_batch_of_plain_lists_is_in_budget(fields: dict[str, Any], num_stored: int) -> None:
    cost.check_batch([list_cost(fields, user(num_stored))] * MAX_REQUESTS)


@pytest.mark.parametrize(
    ("fields", "num_layers", "expected"),
    [
        ({"calibration": 1.0, **history(200)}, 2, 96),
        ({"explain": True, **history(50)}, 1, 141),
        ({"explain": True, **history(50)}, 2, 42),
        ({"explain": True, **history(200)}, 1, 23),
        ({"explain": True, **history(200)}, 2, 3),
    ],
)
def test_docs_table_says_how_many_lists_fit(
    fields: dict[str, Any], num_layers: int, expected: int
) -> None:
    """The table of docs/api.md, Limits and costs."""
    each = list_cost(fields, None, bundle(num_layers))
    cost.check_batch([each] * expected)
    with pytest.raises(RequestError, match=f"send at most {expected} of"):
        cost.check_batch([each] * (expected + 1))


def test_plain_list_of_a_usual_history_is_inline() -> None:
    assert list_cost({"k": 100}, user(1_000)) <= cost.INLINE_COST < list_cost({"calibration": 0.1})


def test_batch_above_the_budget_names_how_many_fit() -> None:
    with pytest.raises(RequestError) as raised:
        cost.check_batch([100.0] * 14 + [300.0])
    assert (raised.value.code, raised.value.field) == ("too_costly", "requests")
    assert str(raised.value) == (
        "requests: 15 lists that cost 1,700, expected at most 1,500; "
        "send at most 5 of these in one request"
    )


def test_blocks_hold_lists_of_similar_cost() -> None:
    blocks = cost.split_blocks({0: 3.0, 1: 400.0, 2: 30.0, 3: 4.0, 4: 30.0} | {7: 60.0})
    assert blocks == [[0, 3, 2], [4], [7], [1]]
    assert len(cost.split_blocks(dict.fromkeys(range(256), 3.125))) == 256 / 16
    assert cost.split_blocks({}) == []
