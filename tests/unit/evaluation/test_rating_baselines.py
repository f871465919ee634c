"""Baselines of protocol `stars`: biases, item neighbors and SVD++ on ratings by hand."""

from importlib.util import find_spec

import numpy as np
import pytest

from marquee.evaluation.baselines import rating
from marquee.evaluation.baselines.interactions import Interactions
from marquee.evaluation.baselines.rating import (
    Biases,
    ItemNeighbors,
    SVDPlusPlus,
    rating_baselines,
)


def interactions() -> Interactions:
    """Users 0 and 1 love items 0 and 1 alike, user 2 neither; all give item 2 a 3."""
    rows = [(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 5), (2, 0, 1), (2, 1, 1)]
    rows += [(0, 2, 3), (1, 2, 3), (2, 2, 3), (3, 0, 5), (4, 0, 1)]
    user, item, stars = np.array(rows).T
    return Interactions(user=user, item=item, rating=stars.astype(float), num_users=5, num_items=4)


def test_biases_without_damping_by_hand() -> None:
    """The mean is 37/11; item 2 has 3; user 3 has one rating, 5 for an item of mean 17/5."""
    model = Biases(0.0001, 0.0001).fit(interactions())
    mean, first = 37 / 11, (5 + 5 + 1 + 5 + 1) / 5
    rating = model.predict(np.array([3]), np.array([2]))
    assert rating == pytest.approx([3 + (5 - first)], abs=1e-3)
    unknown = Biases(5, 5).fit(interactions()).predict(np.array([3]), np.array([3]))
    assert unknown == pytest.approx([mean + (5 - mean - 5 * (first - mean) / 10) / 6])


def test_item_neighbors_use_similar_items() -> None:
    """Item 1 is rated like item 0, which biases see only in part."""
    pairs = np.array([3, 4]), np.array([1, 1])
    loved, hated = ItemNeighbors(2, 0.1, 1, 1).fit(interactions()).predict(*pairs)
    by_bias = Biases(1, 1).fit(interactions()).predict(*pairs)
    assert loved > by_bias[0] and hated < by_bias[1]


@pytest.mark.skipif(find_spec("surprise") is None, reason="needs pip install -e '.[baselines]'")
def test_svd_plus_plus_learns_user_biases() -> None:
    """Users 0 to 9 give 5, the others 1."""
    user, item = np.repeat(np.arange(20), 8), np.tile(np.arange(8), 20)
    is_train = np.arange(160) % 8 != user % 8
    stars = np.where(user < 10, 5.0, 1.0)
    train = Interactions(
        user=user[is_train], item=item[is_train], rating=stars[is_train], num_users=20, num_items=8
    )
    ratings = (
        SVDPlusPlus(num_epochs=40, l2=0.02).fit(train).predict(user[~is_train], item[~is_train])
    )
    assert (ratings[:10] > 4).all() and (ratings[10:] < 2).all()


def test_svd_plus_plus_without_surprise_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rating, "find_spec", lambda name: None)
    assert list(rating_baselines()) == ["biases", "item-knn"]
    assert "pip install -e '.[baselines]'" in capsys.readouterr().out
