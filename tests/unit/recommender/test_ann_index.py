"""The ANN index: its candidates, and the lists of a catalog that is answered from them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marquee.recommender import ann_index, scoring
from marquee.recommender.ann_index import (
    MIN_ITEMS_FOR_ANN,
    NUM_CANDIDATES,
    AnnIndex,
    is_ann_worthwhile,
)
from marquee.recommender.bundle import write_bundle
from marquee.recommender.catalog.title import CatalogChange
from marquee.recommender.encoder import Head, UserVector
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES, tiny_parts

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


def random_users(number: int) -> list[UserVector]:
    rng = np.random.default_rng(1)
    return [
        UserVector(rng.standard_normal(D, np.float32), rng.standard_normal(H, np.float32))
        for _ in range(number)
    ]


def test_ann_search_holds_the_best_items(head: Head) -> None:
    """Though the MLP, which the codes know by its mean alone, counts much here."""
    index, recalls = AnnIndex(head, random_users(4)), []
    for user in random_users(40):
        items = index.search(user.gmf_D)
        assert len(items) == NUM_CANDIDATES and (np.diff(items) > 0).all()
        best = np.argsort(-head.logits(user))[:10]
        recalls.append(np.isin(best, items).mean())
    assert np.mean(recalls) > 0.98


def test_ann_search_is_deterministic(head: Head) -> None:
    first, second = (
        AnnIndex(head, random_users(2)).search(random_users(1)[0].gmf_D) for _ in range(2)
    )
    assert first.tolist() == second.tolist()


def test_ann_is_worthwhile_for_large_catalogs_only() -> None:
    assert is_ann_worthwhile(MIN_ITEMS_FOR_ANN)
    assert not is_ann_worthwhile(MIN_ITEMS_FOR_ANN - 1)


@pytest.fixture
def ann_recommender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recommender:
    """The hand-made bundle, treated as a large one, with seven candidates."""
    folder = tmp_path / "tiny"
    write_bundle(folder, **tiny_parts())  # without golden answers, which hold every movie
    monkeypatch.setattr(ann_index, "MIN_ITEMS_FOR_ANN", 1)
    monkeypatch.setattr(scoring, "AnnIndex", NearestSeven)
    return Recommender.load(folder)


class NearestSeven(AnnIndex):
    """The seven best products: too few movies for codes."""

    def __init__(self, head: Head, user_vectors: Any) -> None:
        self._vectors = head.item_gmf_ID

    def search(self, user_gmf_D: np.ndarray) -> np.ndarray:
        return np.sort(np.argsort(-self._vectors @ user_gmf_D, kind="stable")[:7])


def test_ann_list_holds_candidates_and_pages_join(
    ann_recommender: Recommender, recommender: Recommender
) -> None:
    history = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    response = ann_recommender.recommend(history=history, k=20)
    items, exact_items = response["items"], recommender.recommend(history=history, k=20)["items"]
    assert response["next_offset"] is None and len(items) == 7 - 2 < len(exact_items)
    best = [item for item in exact_items if item in items]
    assert items == best, "exact scores and stars, in the same order"
    pages = [
        ann_recommender.recommend(history=history, k=2, offset=at)["items"] for at in (0, 2, 4)
    ]
    assert [item for page in pages for item in page] == items


@pytest.mark.parametrize(
    "query",
    [
        {"filters": {"genres": ["Drama"]}},
        {"include_ids": [movie[0] for movie in MOVIES]},
        {"novelty": 0.3},
        {"freshness": 0.3},
        {"genre_profile": {"Drama": 1.0}},
        {"history": []},
    ],
)
def test_ann_is_skipped_where_any_item_may_be_listed(
    ann_recommender: Recommender, recommender: Recommender, query: dict[str, Any]
) -> None:
    query = {"history": [(HEAT, 4.0)], "k": 20} | query
    assert ann_recommender.recommend(**query)["items"] == recommender.recommend(**query)["items"]


def test_ann_explanations_and_predictions_are_exact(
    ann_recommender: Recommender, recommender: Recommender
) -> None:
    history = [(HEAT, 4.0), (SUSPECTS, 5.0)]
    (item,) = ann_recommender.recommend(history=history, k=1, explain=True)["items"]
    assert item == recommender.recommend(history=history, k=1, explain=True)["items"][0]
    ids = [movie[0] for movie in MOVIES]
    expected = recommender.predict(history=history, movie_ids=ids)["items"]
    assert ann_recommender.predict(history=history, movie_ids=ids)["items"] == expected


def test_ann_gives_way_where_few_candidates_may_be_listed(
    ann_recommender: Recommender, recommender: Recommender
) -> None:
    rights = [
        CatalogChange(movie_id=movie[0], document={"countries": ["DE"]}) for movie in MOVIES[:7]
    ]
    query: Any = {"history": [(HEAT, 4.0)], "k": 20, "viewer": {"country": "US"}}
    lists = [
        each.with_changes(rights).recommend(**query) for each in (ann_recommender, recommender)
    ]
    assert lists[0]["items"] == lists[1]["items"] and len(lists[0]["items"]) == len(MOVIES) - 7


def test_ann_list_holds_added_titles(
    ann_recommender: Recommender, recommender: Recommender
) -> None:
    new = CatalogChange(movie_id=900, document={"title": "X", "genres": ["Action", "Crime"]})
    query: Any = {"history": [(HEAT, 4.0)], "k": 20}
    answers = [
        each.with_changes([new]).recommend(**query) for each in (ann_recommender, recommender)
    ]
    added = [[item for item in each["items"] if item["movie_id"] == 900] for each in answers]
    assert added[0] == added[1] != []
