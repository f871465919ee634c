"""Simulated persons, and estimates that find their truth."""

import numpy as np
import pytest

from marquee.evaluation.metrics.propensity import item_propensity, rating_propensity, snips_rmse
from marquee.evaluation.simulator import RATE_PROBABILITY, World


@pytest.fixture(scope="module")
def world() -> World:
    return World.generate(0, num_users=800, num_items=300)


def test_people_rate_what_they_like_and_leave_what_they_do_not(world: World) -> None:
    stars_of_rated, stars_of_all = world.rating_UI[world.rated_UI].mean(), world.rating_UI.mean()
    assert stars_of_rated > stars_of_all + 0.5
    portion, liking = world.watched_share_UI, world.liking_UI
    bins = [(0, 0.1), (0.1, 0.9), (0.9, 1.01)]
    means = [liking[(portion >= low) & (portion < high)].mean() for low, high in bins]
    assert means == sorted(means) and means[0] + 1 < means[2]
    assert (np.isnan(portion) == ~world.watched_UI).all()
    assert not (world.rated_UI & ~world.watched_UI).any()


def test_the_true_propensity_is_the_share_that_rates(world: World) -> None:
    for star, rate in enumerate(RATE_PROBABILITY, start=1):
        at = world.rating_UI == star
        watched = at & world.watched_UI
        assert world.rated_UI[watched].mean() == pytest.approx(rate, abs=0.05)
        assert world.rated_UI[at].mean() == pytest.approx(world.propensity_UI[at].mean(), abs=0.01)


def test_the_same_seed_is_the_same_world(world: World) -> None:
    again = World.generate(0, num_users=800, num_items=300)
    assert (again.rating_UI == world.rating_UI).all() and (again.rated_UI == world.rated_UI).all()
    persons = np.array([3, 5])
    assert again.to_csv(persons) == world.to_csv(persons)
    ratings, movies = world.to_csv(persons)
    assert len(ratings.splitlines()) == 1 + world.rated_UI[persons].sum()
    assert len(movies.splitlines()) == 301


def test_snips_finds_the_error_over_all_pairs(world: World) -> None:
    """A model that says 4 to everybody: good where people rate, bad where they do not."""
    error_UI = 4.0 - world.rating_UI
    truth = np.sqrt((error_UI**2).mean())
    error_T, chance_T = error_UI[world.rated_UI], world.propensity_UI[world.rated_UI]
    naive = np.sqrt((error_T**2).mean())
    rng = np.random.default_rng(0)
    random_R = world.rating_UI.ravel()[rng.integers(world.rating_UI.size, size=3000)]
    given_T = world.rating_UI[world.rated_UI].astype(int) - 1
    share = world.rated_UI.mean()
    stars_T = rating_propensity(given_T, random_R.astype(int) - 1, share, 5)
    assert naive < truth - 0.4
    assert snips_rmse(error_T, chance_T) == pytest.approx(truth, abs=0.05)
    assert snips_rmse(error_T, stars_T) == pytest.approx(truth, abs=0.05)
    num_I = world.rated_UI.sum(0)
    movie_T = item_propensity(num_I[np.nonzero(world.rated_UI)[1]], len(world.rating_UI))
    assert naive - 0.1 < snips_rmse(error_T, movie_T) < truth - 0.2, "popularity is not all of it"


def test_propensities_by_hand() -> None:
    assert item_propensity(np.array([0, 9]), 99).tolist() == [0.01, 0.1]
    found = rating_propensity(np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1]), 0.1, 3)
    assert found.tolist() == pytest.approx([0.1 * 0.25 / (3 / 4.5), *[0.1 * 0.75 / (1 / 4.5)] * 3])
    with pytest.raises(ValueError, match="a propensity of 0"):
        snips_rmse(np.ones(2), np.array([0.5, 0.0]))
