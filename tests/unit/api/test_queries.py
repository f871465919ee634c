"""Test the way from a request and a stored user to a query."""

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest

from marquee.api.conversion import build_query, cache_key, merge_history, to_dict
from marquee.api.requests import Filters, HistoryEntry, RecommendRequest
from marquee.api.store_access import CachedUser
from marquee.feedback.user_state import UserState
from marquee.recommender.query import RecommendQuery
from marquee.recommender.recommender import Recommender

HEAT, SUSPECTS, UNKNOWN = 6, 50, 999


def user_of(*history: Any, not_interested: tuple[int, ...] = ()) -> CachedUser:
    state = UserState(tuple(history), not_interested)
    return CachedUser(state=state, version=(0, 0), shared_version=0, checked_s=0.0)


def entry_at(movie_id: int, second: int) -> HistoryEntry:
    return HistoryEntry.model_validate(
        {"movie_id": movie_id, "at": datetime.fromtimestamp(second, UTC).isoformat()}
    )


def test_request_and_query_have_the_same_fields_and_defaults() -> None:
    request, query = dict(RecommendRequest()), RecommendQuery()
    del request["user_id"], request["require_history"], request["personalized"]
    names = {field.name for field in fields(RecommendQuery)} - {"not_interested"}
    assert set(request) == names
    assert {name: getattr(query, name) or None for name in names} == {
        name: value or None for name, value in request.items()
    }


def test_to_dict_null_of_a_condition_stays() -> None:
    """Without it the filter would match everything; the recommender refuses it."""
    filters = Filters(where={"year": None}, year_min=1990)
    assert to_dict(filters) == {"where": {"year": None}, "year_min": 1990}


def test_build_query_takes_every_field(recommender: Recommender) -> None:
    request = RecommendRequest(
        k=3, offset=2, novelty=0.5, explain=True, exclude_seen=False, filters=Filters(year_min=1990)
    )
    query = build_query(recommender, request, None)
    assert (query.k, query.offset, query.novelty, query.explain) == (3, 2, 0.5, True)
    assert query.filters == {"year_min": 1990} and not query.exclude_seen
    assert list(query.not_interested) == []


def test_build_query_unknown_not_interested_is_left_out(recommender: Recommender) -> None:
    user = user_of(not_interested=(HEAT, UNKNOWN))
    assert list(build_query(recommender, RecommendRequest(), user).not_interested) == [HEAT]


def test_merge_history_untimed_entry_comes_last(recommender: Recommender) -> None:
    user = user_of((HEAT, 4.0, None, 100_000_000), (SUSPECTS, 5.0, None, 170_000_000))
    request = RecommendRequest(history=[entry_at(1, 120), HistoryEntry(movie_id=32)])
    ids = [entry[0] for entry in merge_history(recommender, request, user)]  # type: ignore[index]
    assert ids == [HEAT, SUSPECTS, 1, 32]


def test_merge_history_all_timed_sorts_by_time(recommender: Recommender) -> None:
    user = user_of((HEAT, 4.0, None, 100_000_000), (SUSPECTS, 5.0, None, 170_000_000))
    request = RecommendRequest(history=[entry_at(1, 120), entry_at(32, 50)])
    ids = [entry[0] for entry in merge_history(recommender, request, user)]  # type: ignore[index]
    assert ids == [32, HEAT, 1, SUSPECTS]


def test_merge_history_without_user_and_history_is_empty(recommender: Recommender) -> None:
    assert merge_history(recommender, RecommendRequest(), None) == []


def test_cache_key_same_request_same_key() -> None:
    assert cache_key(RecommendRequest(k=3)) == cache_key(RecommendRequest(k=3, user_id=1))


@pytest.mark.parametrize(
    "changes",
    [
        {"k": 4},
        {"offset": 1},
        {"exclude_seen": False},
        {"explain": True},
        {"calibration": 0.5},
        {"novelty": 0.5},
        {"freshness": 0.5},
        {"diversity": 0.5},
    ],
    ids=str,
)
def test_cache_key_other_field_other_key(changes: dict[str, Any]) -> None:
    assert cache_key(RecommendRequest(**changes)) not in (None, cache_key(RecommendRequest()))


@pytest.mark.parametrize(
    "changes",
    [
        {"history": []},
        {"history": [{"movie_id": 6}]},
        {"include_ids": [6]},
        {"exclude_ids": []},
        {"filters": {}},
        {"genre_profile": {"Action": 1.0}},
    ],
    ids=str,
)
def test_cache_key_request_that_is_not_plain_has_none(changes: dict[str, Any]) -> None:
    assert cache_key(RecommendRequest(**changes)) is None


def test_filters_to_dict_leaves_out_what_is_not_set() -> None:
    assert to_dict(None) is None
    assert to_dict(Filters()) == {}
    assert to_dict(Filters(genres=["Action"])) == {"genres": ["Action"]}
