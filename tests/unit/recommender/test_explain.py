"""Explanations: exact leave-one-out effects of a history, or the genres of the profile."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES

ALL_IDS = [movie[0] for movie in MOVIES]
HEAT, SUSPECTS, TOY = 6, 50, 1


def reasons(recommender: Recommender, history: list[Any], **query: Any) -> dict[int, list[Any]]:
    response = recommender.recommend(history=history, explain=True, **query)
    return {item["movie_id"]: item["because"] for item in response["items"]}


def score(recommender: Recommender, history: list[Any], movie_id: int) -> float:
    return float(recommender.score([history], [movie_id])[0, 0])


histories = st.lists(
    st.tuples(st.sampled_from(ALL_IDS), st.sampled_from([None, 0.5, 3.0, 5.0])),
    min_size=1,
    max_size=6,
    unique_by=lambda entry: entry[0],
)


@settings(max_examples=60)
@given(history=histories)
def test_explain_effect_is_the_loss_without_the_entry(
    recommender: Recommender, history: list[Any]
) -> None:
    """Histories of up to six movies, where the encoder reads four."""
    for movie_id, because in reasons(recommender, history).items():
        effects = [reason["effect"] for reason in because]
        assert effects == sorted(effects, reverse=True) and len(effects) <= 3
        for reason in because:
            without = [entry for entry in history if entry[0] != reason["movie_id"]]
            loss = score(recommender, history, movie_id) - score(recommender, without, movie_id)
            assert loss > 0 and loss == pytest.approx(reason["effect"], abs=1e-4)


@settings(max_examples=30)
@given(history=histories)
def test_explain_names_the_largest_effects(recommender: Recommender, history: list[Any]) -> None:
    for movie_id, because in reasons(recommender, history, k=3).items():
        explained = {reason["movie_id"] for reason in because}
        smallest = because[-1]["effect"] if len(because) == 3 else 1e-4
        full = score(recommender, history, movie_id)
        for entry in history[-4:]:
            if entry[0] not in explained:
                without = [other for other in history if other[0] != entry[0]]
                assert full - score(recommender, without, movie_id) <= smallest + 1e-5


def test_explain_leaves_the_list_unchanged(recommender: Recommender) -> None:
    history = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    plain = recommender.recommend(history=history)
    explained = recommender.recommend(history=history, explain=True)
    for item in explained["items"]:
        assert isinstance(item.pop("because"), list)
    assert explained == plain and "because" not in plain["items"][0]


def test_explain_by_genre_profile_names_its_genres(recommender: Recommender) -> None:
    profile = {"Crime": 3.0, "Thriller": 1.0}
    response = recommender.recommend(genre_profile=profile, explain=True)
    assert response["strategy"] == "content"
    because = {item["movie_id"]: item["because"] for item in response["items"]}
    assert because[SUSPECTS] == [  # Crime and Thriller
        {"genre": "Crime", "effect": 0.375},
        {"genre": "Thriller", "effect": 0.125},
    ]
    assert because[HEAT] == [{"genre": "Crime", "effect": 0.375}] and because[TOY] == []


def test_explain_popular_list_has_no_reasons(recommender: Recommender) -> None:
    response = recommender.recommend(explain=True)
    assert response["strategy"] == "popular"
    assert all(item["because"] == [] for item in response["items"])


def test_explain_encodes_the_history_once_per_entry(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The four entries that the encoder reads, and all of them; not the two before them."""
    batch_sizes: list[int] = []
    encode = recommender.scorer.encoder.__call__

    def count(histories: Any) -> Any:
        batch_sizes.append(len(histories))
        return encode(histories)

    monkeypatch.setattr(recommender.scorer, "encoder", count)
    reasons(recommender, [1, 6, 10, 32, 50, 110])
    assert batch_sizes == [1, 5]
