"""Reasons: exact leave-one-out effects of a history, or the genres that were asked for."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import FILMS

ALL = [film[0] for film in FILMS]
HEAT, SUSPECTS, TOY = 6, 50, 1


def reasons(recommender: Recommender, history: list[Any], **more: Any) -> dict[int, list[Any]]:
    answer = recommender.recommend(history=history, explain=True, **more)
    return {item["movie_id"]: item["because"] for item in answer["items"]}


def score(recommender: Recommender, history: list[Any], movie_id: int) -> float:
    return float(recommender.score([history], [movie_id])[0, 0])


histories = st.lists(
    st.tuples(st.sampled_from(ALL), st.sampled_from([None, 0.5, 3.0, 5.0])),
    min_size=1,
    max_size=6,
    unique_by=lambda entry: entry[0],
)


@settings(max_examples=60, deadline=None)
@given(history=histories)
def test_without_a_named_film_the_score_is_lower_by_what_is_named(
    recommender: Recommender, history: list[Any]
) -> None:
    """Histories of up to six films, where the encoder reads four."""
    for movie_id, because in reasons(recommender, history).items():
        effects = [reason["effect"] for reason in because]
        assert effects == sorted(effects, reverse=True) and len(effects) <= 3
        for reason in because:
            without = [entry for entry in history if entry[0] != reason["movie_id"]]
            lost = score(recommender, history, movie_id) - score(recommender, without, movie_id)
            assert lost > 0 and lost == pytest.approx(reason["effect"], abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(history=histories)
def test_no_better_reason_is_left_out(recommender: Recommender, history: list[Any]) -> None:
    for movie_id, because in reasons(recommender, history, k=3).items():
        named = {reason["movie_id"] for reason in because}
        least = because[-1]["effect"] if len(because) == 3 else 1e-4
        whole = score(recommender, history, movie_id)
        for entry in history[-4:]:
            if entry[0] not in named:
                without = [other for other in history if other[0] != entry[0]]
                assert whole - score(recommender, without, movie_id) <= least + 1e-5


def test_the_explanation_changes_nothing_else(recommender: Recommender) -> None:
    history = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    plain = recommender.recommend(history=history)
    explained = recommender.recommend(history=history, explain=True)
    for item in explained["items"]:
        assert isinstance(item.pop("because"), list)
    assert explained == plain and "because" not in plain["items"][0]


def test_a_list_of_genres_names_the_genres_that_carry_it(recommender: Recommender) -> None:
    profile = {"Crime": 3.0, "Thriller": 1.0}
    answer = recommender.recommend(genre_profile=profile, explain=True)
    assert answer["strategy"] == "content"
    because = {item["movie_id"]: item["because"] for item in answer["items"]}
    assert because[SUSPECTS] == [  # Crime and Thriller
        {"genre": "Crime", "effect": 0.375},
        {"genre": "Thriller", "effect": 0.125},
    ]
    assert because[HEAT] == [{"genre": "Crime", "effect": 0.375}] and because[TOY] == []


def test_nobodys_popular_list_has_no_reasons(recommender: Recommender) -> None:
    answer = recommender.recommend(explain=True)
    assert answer["strategy"] == "popular"
    assert all(item["because"] == [] for item in answer["items"])


def test_a_history_is_encoded_once_an_entry(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four entries that the encoder reads, and the whole; not the two before them."""
    asked: list[int] = []
    encode = recommender.scorer.encoder.__call__

    def counted(histories: Any) -> Any:
        asked.append(len(histories))
        return encode(histories)

    monkeypatch.setattr(recommender.scorer, "encoder", counted)
    reasons(recommender, [1, 6, 10, 32, 50, 110])
    assert asked == [1, 5]
    assert np.isfinite(asked).all()
