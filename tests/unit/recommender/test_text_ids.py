"""Text ids, and bundles without ratings: the hand-made bundle under another id type."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.core.ids import as_ids
from marquee.core.movies import Movies
from marquee.recommender.errors import RequestError
from marquee.recommender.recommender import Recommender
from marquee.recommender.search.title_search import TitleSearch
from tests.support.tiny_bundle import text_id, write_tiny

HEAT, SUSPECTS, PULP = 6, 50, 296


@pytest.fixture(scope="module")
def text_recommender(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    return Recommender.load(write_tiny(tmp_path_factory.mktemp("text") / "b", text_ids=True))


@pytest.fixture(scope="module")
def unrated(tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    folder = tmp_path_factory.mktemp("unrated") / "b"
    return Recommender.load(write_tiny(folder, has_ratings=False))


def renamed(value: Any) -> Any:
    """Return a response with its movie ids as text."""
    if isinstance(value, list):
        return [renamed(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: text_id(each) if key == "movie_id" else each if key == "model_version"
        else renamed(each)
        for key, each in value.items()
    }  # fmt: skip


@pytest.mark.parametrize("verb", ["recommend", "predict", "rerank", "similar", "rate_next"])
def test_text_ids_answers_equal_those_of_integers(
    recommender: Recommender, text_recommender: Recommender, verb: str
) -> None:
    def answer(model: Recommender, movie_id: Any) -> Any:
        history = [(movie_id(HEAT), 4.0), movie_id(SUSPECTS), {"movie_id": movie_id(PULP)}]
        listed = [movie_id(1), movie_id(480)]
        query: dict[str, Any] = {"history": history}
        if verb == "recommend":
            query |= {"include_ids": [movie_id(10), movie_id(480)], "exclude_ids": [movie_id(10)]}
            query |= {"not_interested": [movie_id(541)], "explain": True}
        elif verb == "rate_next":
            query |= {"not_seen": [movie_id(1)]}
        elif verb == "similar":
            query = {"movie_ids": listed}
        else:
            query |= {"movie_ids": listed}
        return getattr(model, verb)(**query) | {"model_version": ""}

    expected = answer(recommender, int)
    assert answer(text_recommender, text_id) == renamed(expected) and expected["items"]


@pytest.mark.parametrize("movie_ids", [["0114508"], ["tt0006/É"], ["6"], [6], [""], ["tt0006/é "]])
def test_text_ids_are_compared_exactly(text_recommender: Recommender, movie_ids: list[Any]) -> None:
    for verb in (text_recommender.similar, lambda ids: text_recommender.recommend(ids)):
        with pytest.raises(RequestError) as error:
            verb(movie_ids)
        assert error.value.code == "unknown_movie"
    assert text_recommender.catalog.known_ids([*movie_ids, text_id(HEAT)]) == [text_id(HEAT)]


def test_text_ids_in_arrays_score_as_lists(text_recommender: Recommender) -> None:
    ids = [text_id(HEAT), text_id(PULP)]
    expected = text_recommender.score([[text_id(1)], []], ids)
    for array in (np.array(ids), np.array(ids, object), [ids, ids], np.array([ids, ids])):
        np.testing.assert_array_equal(text_recommender.score([[text_id(1)], []], array), expected)


def test_recommend_history_that_is_a_text_raises(text_recommender: Recommender) -> None:
    with pytest.raises(RequestError, match="expected a list of entries"):
        text_recommender.recommend("tt0006/é")


def test_without_ratings_answers_have_no_stars(unrated: Recommender) -> None:
    assert not unrated.has_ratings and unrated.rating_model is None
    assert unrated.chart_kinds == ("popular", "new")  # no times, either
    responses: list[Any] = [
        unrated.recommend([(HEAT, 4.0), (PULP, None, 0.95)], explain=True),
        unrated.predict(history=[HEAT], movie_ids=[1]),
        unrated.rerank(history=[HEAT], movie_ids=[1, 480]),
        unrated.rate_next(history=[HEAT], k=2),
        unrated.charts("new"),
    ]
    for response in responses:
        assert response["items"] and all("stars" not in item for item in response["items"])
    with pytest.raises(RequestError, match="kind: 'hidden_gems', expected one of popular, new"):
        unrated.charts("hidden_gems")


def test_without_ratings_a_rating_is_ignored(unrated: Recommender) -> None:
    rated, bare = unrated.score([[(HEAT, 4.0), (PULP, 77)], [HEAT, PULP]])
    np.testing.assert_array_equal(rated, bare)


@pytest.mark.parametrize(
    "ids",
    [
        pytest.param(["0114508", "0114509", "0999999"], id="leading-zeros"),
        pytest.param(
            ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d"],
            id="uuid",
        ),
        pytest.param(["电影一", "фильм", "a/b c"], id="scripts"),
    ],
)
def test_title_search_finds_ids_as_titles(ids: list[str]) -> None:
    movies = Movies(as_ids(ids), list(ids), [None] * len(ids), [()] * len(ids))
    search = TitleSearch(movies, np.zeros(len(ids), np.int64))
    for item, movie_id in enumerate(ids):
        assert search.find(movie_id, 5)[:1].tolist() == [item]
    assert search.find("zebra", 5).tolist() == []


def test_title_search_of_titles_without_letters_finds_none() -> None:
    movies = Movies(as_ids(["---", "!!!"]), ["---", "!!!"], [None] * 2, [()] * 2)
    search = TitleSearch(movies, np.zeros(2, np.int64))
    assert search.find("---", 5).tolist() == search.find("heat", 5).tolist() == []


def test_write_tiny_of_each_kind_loads(tmp_path: Path) -> None:
    both = Recommender.load(write_tiny(tmp_path / "b", text_ids=True, has_ratings=False))
    assert both.id_type == "text" and not both.has_ratings
