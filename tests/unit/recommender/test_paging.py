"""Pages of any query: they join, nothing seen or excluded is listed, every filter holds."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES

ALL_IDS = [movie[0] for movie in MOVIES]
MOVIE_OF = {movie[0]: movie for movie in MOVIES}
GENRES = sorted({genre for movie in MOVIES for genre in movie[3]})

ids = st.lists(st.sampled_from(ALL_IDS), max_size=4, unique=True)
strength = st.sampled_from([0.0, 0.0, 0.3, 1.0])
genres = st.lists(st.sampled_from(GENRES), max_size=2, unique=True)
years = st.none() | st.sampled_from([1982, 1995, 2001])
filters = st.fixed_dictionaries(
    {},
    optional={
        "genres": genres,
        "exclude_genres": genres,
        "year_min": years,
        "min_ratings": st.sampled_from([0, 20, 45]),
    },
)
queries = st.fixed_dictionaries(
    {
        "history": st.lists(st.tuples(st.sampled_from(ALL_IDS), st.sampled_from([None, 1.0, 5.0]))),
        "exclude_seen": st.booleans(),
        "not_interested": ids,
        "filters": st.none() | filters,
        "include_ids": st.none() | ids,
        "exclude_ids": st.none() | ids,
        "genre_profile": st.none()
        | st.dictionaries(st.sampled_from(GENRES), st.just(1.0), min_size=1),
    }
    | dict.fromkeys(("calibration", "novelty", "freshness", "diversity"), strength)
)


@settings(max_examples=300)
@given(query=queries, k=st.integers(1, 7))
def test_pages_of_any_query_join_and_keep_its_filters(
    recommender: Recommender, query: dict[str, Any], k: int
) -> None:
    query["filters"] = {
        name: value for name, value in (query["filters"] or {}).items() if value is not None
    }
    full = recommender.recommend(**query, k=100)
    assert full["next_offset"] is None
    listed, offset = [], 0
    while offset is not None:
        page = recommender.recommend(**query, k=k, offset=offset)
        listed += page["items"]
        assert page["next_offset"] in (None, offset + k)
        offset = page["next_offset"]
    for item, same in zip(listed, full["items"], strict=True):  # pages put together are the list
        assert item.pop("stars") == pytest.approx(same.pop("stars"), abs=1e-5)  # but for rounding
        assert item == same
    listed_ids = [item["movie_id"] for item in listed]
    assert len(set(listed_ids)) == len(listed_ids)
    assert set(listed_ids) == expected_ids(query)


def expected_ids(query: dict[str, Any]) -> set[int]:
    """The ids that may be listed."""
    excluded = set(query["not_interested"]) | set(query["exclude_ids"] or [])
    if query["exclude_seen"]:
        excluded |= {movie_id for movie_id, _ in query["history"]}
    return {
        movie_id
        for movie_id in ALL_IDS
        if movie_id not in excluded and passes_filters(movie_id, query)
    }


def passes_filters(movie_id: int, query: dict[str, Any]) -> bool:
    _, _, year, genres, num_ratings = MOVIE_OF[movie_id]
    limits = query["filters"]
    if query["include_ids"] is not None and movie_id not in query["include_ids"]:
        return False
    if limits.get("genres") and not set(genres) & set(limits["genres"]):
        return False
    if set(genres) & set(limits.get("exclude_genres") or []):
        return False
    if "year_min" in limits and (year is None or year < limits["year_min"]):
        return False
    return bool(num_ratings >= limits.get("min_ratings", 0))
