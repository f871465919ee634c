"""Pages of any list: none repeats another, nothing seen or excluded comes, every filter holds."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import FILMS

ALL = [film[0] for film in FILMS]
OF = {film[0]: film for film in FILMS}
GENRES = sorted({genre for film in FILMS for genre in film[3]})

ids = st.lists(st.sampled_from(ALL), max_size=4, unique=True)
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
questions = st.fixed_dictionaries(
    {
        "history": st.lists(st.tuples(st.sampled_from(ALL), st.sampled_from([None, 1.0, 5.0]))),
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


@settings(max_examples=300, deadline=None)
@given(question=questions, k=st.integers(1, 7))
def test_pages(recommender: Recommender, question: dict[str, Any], k: int) -> None:
    question["filters"] = {
        name: value for name, value in (question["filters"] or {}).items() if value is not None
    }
    whole = recommender.recommend(**question, k=100)
    assert whole["next_offset"] is None
    listed, offset = [], 0
    while offset is not None:
        page = recommender.recommend(**question, k=k, offset=offset)
        listed += page["items"]
        assert page["next_offset"] in (None, offset + k)
        offset = page["next_offset"]
    for item, same in zip(listed, whole["items"], strict=True):  # pages put together are the list
        assert item.pop("stars") == pytest.approx(same.pop("stars"), abs=1e-5)  # but for rounding
        assert item == same
    found = [item["movie_id"] for item in listed]
    assert len(set(found)) == len(found)
    assert set(found) == expected(question)


def expected(question: dict[str, Any]) -> set[int]:
    """What may come, by the words of docs/serving.md."""
    out = set(question["not_interested"]) | set(question["exclude_ids"] or [])
    if question["exclude_seen"]:
        out |= {movie_id for movie_id, _ in question["history"]}
    return {movie_id for movie_id in ALL if movie_id not in out and passes(movie_id, question)}


def passes(movie_id: int, question: dict[str, Any]) -> bool:
    _, _, year, genres, num_ratings = OF[movie_id]
    asked = question["filters"]
    if question["include_ids"] is not None and movie_id not in question["include_ids"]:
        return False
    if asked.get("genres") and not set(genres) & set(asked["genres"]):
        return False
    if set(genres) & set(asked.get("exclude_genres") or []):
        return False
    if "year_min" in asked and (year is None or year < asked["year_min"]):
        return False
    return bool(num_ratings >= asked.get("min_ratings", 0))
