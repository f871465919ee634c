"""A large catalogue is answered from candidates, as if all of it had been scored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.recommender.ann_index import (
    MIN_ITEMS_FOR_ANN,
    NUM_CANDIDATES,
    AnnIndex,
    is_ann_worthwhile,
)
from marquee.recommender.bundle import write_bundle
from marquee.recommender.encoder import Head, UserVector
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import FILMS, tiny_parts

pytest.importorskip("faiss")

HEAT, SUSPECTS = 6, 50
I, D, H = 20_000, 16, 4  # noqa: E741


@pytest.fixture(scope="module")
def head() -> Head:
    rng = np.random.default_rng(0)
    gmf_ID, mlp_HI, out_H, bias_I = (
        rng.standard_normal(shape, np.float32) for shape in ((I, D), (H, I), H, I)
    )
    return Head(item_gmf_ID=gmf_ID, item_mlp_HI=mlp_HI, mlp_out_H=out_H, item_bias_I=bias_I)


def persons(number: int) -> list[UserVector]:
    rng = np.random.default_rng(1)
    return [
        UserVector(rng.standard_normal(D, np.float32), rng.standard_normal(H, np.float32))
        for _ in range(number)
    ]


def test_the_best_are_among_the_candidates(head: Head) -> None:
    """Though the MLP, which the codes know by its mean alone, counts much here."""
    reach, found = AnnIndex(head, persons(4)), []
    for user in persons(40):
        rows = reach.search(user.gmf_D)
        assert len(rows) == NUM_CANDIDATES and (np.diff(rows) > 0).all()
        best = np.argsort(-head.logits(user))[:10]
        found.append(np.isin(best, rows).mean())
    assert np.mean(found) > 0.98


def test_it_is_the_same_each_time(head: Head) -> None:
    first, second = (AnnIndex(head, persons(2)).search(persons(1)[0].gmf_D) for _ in range(2))
    assert first.tolist() == second.tolist()


def test_only_large_catalogues_are_reached_for() -> None:
    assert is_ann_worthwhile(MIN_ITEMS_FOR_ANN)
    assert not is_ann_worthwhile(MIN_ITEMS_FOR_ANN - 1)


@pytest.fixture
def reaching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recommender:
    """The hand-made bundle, taken for a large one, with seven candidates."""
    folder = tmp_path / "tiny"
    write_bundle(folder, **tiny_parts())  # without golden answers, which hold every movie
    monkeypatch.setattr("marquee.recommender.ann_index.MIN_ITEMS_FOR_ANN", 1)
    monkeypatch.setattr("marquee.recommender.scoring.AnnIndex", NearestSeven)
    return Recommender.load(folder)


class NearestSeven(AnnIndex):
    """The seven best products: too few movies for codes."""

    def __init__(self, head: Head, halves: Any) -> None:
        self._vectors = head.item_gmf_ID

    def search(self, user_gmf_D: np.ndarray) -> np.ndarray:
        return np.sort(np.argsort(-self._vectors @ user_gmf_D, kind="stable")[:7])


def test_a_list_holds_candidates_alone_and_its_pages_agree(
    reaching: Recommender, recommender: Recommender
) -> None:
    history = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    whole = reaching.recommend(history=history, k=20)
    every = recommender.recommend(history=history, k=20)
    assert whole["next_offset"] is None and len(whole["items"]) == 7 - 2 < len(every["items"])
    best = [item for item in every["items"] if item in whole["items"]]
    assert whole["items"] == best, "exact scores and stars, in the same order"
    pages = [reaching.recommend(history=history, k=2, offset=at)["items"] for at in (0, 2, 4)]
    assert [item for page in pages for item in page] == whole["items"]


@pytest.mark.parametrize(
    "asked",
    [
        {"filters": {"genres": ["Drama"]}},
        {"include_ids": [film[0] for film in FILMS]},
        {"novelty": 0.3},
        {"freshness": 0.3},
        {"genre_profile": {"Drama": 1.0}},
        {"history": []},
    ],
)
def test_what_may_need_any_movie_scores_all(
    reaching: Recommender, recommender: Recommender, asked: dict[str, Any]
) -> None:
    asked = {"history": [(HEAT, 4.0)], "k": 20} | asked
    assert reaching.recommend(**asked)["items"] == recommender.recommend(**asked)["items"]


def test_explanations_and_predictions_are_exact(
    reaching: Recommender, recommender: Recommender
) -> None:
    history = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    (item,) = reaching.recommend(history=history, k=1, explain=True)["items"]
    assert item == recommender.recommend(history=history, k=1, explain=True)["items"][0]
    ids = [film[0] for film in FILMS]
    wanted = recommender.predict(history=history, movie_ids=ids)["items"]
    assert reaching.predict(history=history, movie_ids=ids)["items"] == wanted
