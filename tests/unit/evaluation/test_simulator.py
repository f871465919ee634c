"""Simulated users, and estimates of propensity on them that meet the truth."""

import numpy as np
import pytest

from marquee.evaluation.metrics.rating import item_propensity, rating_propensity, snips_rmse
from marquee.evaluation.simulator import RATE_PROBABILITY, World


@pytest.fixture(scope="module")
def world() -> World:
    return World.generate(0, num_users=800, num_items=300)


def test_world_rates_liked_and_leaves_disliked_items(world: World) -> None:
    mean_of_rated, mean_of_all = world.rating_UI[world.rated_UI].mean(), world.rating_UI.mean()
    assert mean_of_rated > mean_of_all + 0.5
    watched_share, liking = world.watched_share_UI, world.liking_UI
    bins = [(0, 0.1), (0.1, 0.9), (0.9, 1.01)]
    means = [liking[(watched_share >= low) & (watched_share < high)].mean() for low, high in bins]
    assert means == sorted(means) and means[0] + 1 < means[2]
    assert (np.isnan(watched_share) == ~world.watched_UI).all()
    assert not (world.rated_UI & ~world.watched_UI).any()


def test_world_propensity_is_share_that_rates(world: World) -> None:
    for value, rate in enumerate(RATE_PROBABILITY, start=1):
        has_value = world.rating_UI == value
        watched = has_value & world.watched_UI
        assert world.rated_UI[watched].mean() == pytest.approx(rate, abs=0.05)
        assert world.rated_UI[has_value].mean() == pytest.approx(
            world.propensity_UI[has_value].mean(), abs=0.01
        )


def test_world_of_same_seed_is_identical(world: World) -> None:
    repeated = World.generate(0, num_users=800, num_items=300)
    assert (repeated.rating_UI == world.rating_UI).all() and (
        repeated.rated_UI == world.rated_UI
    ).all()
    users = np.array([3, 5])
    assert repeated.to_csv(users) == world.to_csv(users)
    ratings, movies = world.to_csv(users)
    assert len(ratings.splitlines()) == 1 + world.rated_UI[users].sum()
    assert len(movies.splitlines()) == 301


def test_snips_rmse_recovers_error_over_all_pairs(world: World) -> None:
    """A model that predicts 4 for all: good where users rate, bad where they do not."""
    error_UI = 4.0 - world.rating_UI
    truth = np.sqrt((error_UI**2).mean())
    error_T, propensity_T = error_UI[world.rated_UI], world.propensity_UI[world.rated_UI]
    naive = np.sqrt((error_T**2).mean())
    rng = np.random.default_rng(0)
    random_R = world.rating_UI.ravel()[rng.integers(world.rating_UI.size, size=3000)]
    value_T = world.rating_UI[world.rated_UI].astype(int) - 1
    share = world.rated_UI.mean()
    value_propensity_T = rating_propensity(value_T, random_R.astype(int) - 1, share, 5)
    assert naive < truth - 0.4
    assert snips_rmse(error_T, propensity_T) == pytest.approx(truth, abs=0.05)
    assert snips_rmse(error_T, value_propensity_T) == pytest.approx(truth, abs=0.05)
    num_I = world.rated_UI.sum(0)
    item_propensity_T = item_propensity(num_I[np.nonzero(world.rated_UI)[1]], len(world.rating_UI))
    assert naive - 0.1 < snips_rmse(error_T, item_propensity_T) < truth - 0.2, (
        "popularity is not all of it"
    )


def test_item_and_rating_propensity_by_hand() -> None:
    assert item_propensity(np.array([0, 9]), 99).tolist() == [0.01, 0.1]
    propensity = rating_propensity(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]), 0.1, 3)
    assert propensity.tolist() == pytest.approx(
        [0.1 * 0.25 / (3 / 4.5), *[0.1 * 0.75 / (1 / 4.5)] * 3]
    )
    with pytest.raises(ValueError, match="a propensity of 0"):
        snips_rmse(np.ones(2), np.array([0.5, 0.0]))
