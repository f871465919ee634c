"""Expected stars and intervals: the posterior by hand, batches, edges of the scale."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from marquee.recommender import rating_model
from marquee.recommender.rating_model import normal_cdf
from marquee.recommender.recommender import Recommender
from tests.support.tiny_bundle import MOVIES

HEAT, GOLDENEYE, SUSPECTS, PULP = 6, 10, 50, 296
ALL_IDS = [movie[0] for movie in MOVIES]


def stars_of(recommender: Recommender, history: list[Any], movie_id: int) -> dict[str, float]:
    (item,) = recommender.predict(history=history, movie_ids=[movie_id])["items"]
    return {**item["stars"]}


def test_stars_without_history_are_the_prior_by_hand(recommender: Recommender) -> None:
    """Ten bins of width 1/2 around 3.5 - 0.5 = 3.0; variance (-1)^2 of taste, 1/4 of the user's
    bias, 1 of a rating."""
    sigma, mean = math.sqrt(1 + 1 / 4 + 1), 3.0

    def below(edge: float) -> float:
        return 0.5 * (1 + math.erf((edge - mean) / sigma / math.sqrt(2)))

    edges = [-math.inf, 0.75, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, math.inf]
    probability_R = [below(high) - below(low) for low, high in itertools.pairwise(edges)]
    stars = stars_of(recommender, [], 1)
    assert stars["expected"] == pytest.approx(3.0)
    assert stars["p_like"] == pytest.approx(sum(probability_R[7:]), abs=1e-6)
    assert (stars["low"], stars["high"]) == (0.5, 5.0)  # P(.5) = .067, P(<= 4.5) = .878
    probabilities = recommender.star_probabilities([], [1])[0]
    np.testing.assert_allclose(probabilities, probability_R, atol=1e-6)


def test_stars_grow_with_the_ratings_of_the_history(recommender: Recommender) -> None:
    none, low, high = (stars_of(recommender, h, 1) for h in ([], [(HEAT, 0.5)], [(HEAT, 5.0)]))
    assert low["expected"] < none["expected"] < high["expected"]
    assert low["p_like"] < none["p_like"] < high["p_like"]


@pytest.mark.parametrize("value", [0.5, 3.0, 5.0])
def test_stars_of_a_constant_rater_approach_that_value(
    recommender: Recommender, value: float
) -> None:
    """Eight items with equal ratings: the ninth lies nearer to them than without a history."""
    *seen, ninth = ALL_IDS[:9]
    none = stars_of(recommender, [], ninth)
    constant = stars_of(recommender, [(movie_id, value) for movie_id in seen], ninth)
    assert abs(constant["expected"] - value) < abs(none["expected"] - value)
    assert 0.5 <= constant["low"] <= constant["expected"] <= constant["high"] <= 5
    assert (constant["p_like"] > none["p_like"]) == (value == 5.0)


def test_stars_count_a_repeated_entry_once(recommender: Recommender) -> None:
    once = stars_of(recommender, [(HEAT, 1.0)], 1)
    assert stars_of(recommender, [(HEAT, 1.0)] * 10_000, 1) == once


def test_posterior_is_the_regression_by_hand(recommender: Recommender) -> None:
    """5 stars for Heat, which has taste -1 + 2/9 and bias -.5 + 1/9: one equation, two rounds."""
    history = recommender.catalog.parse_history([(HEAT, 5.0), 1])  # no stars: no evidence
    posterior = recommender.rating_model.posterior([history])
    item_E, residual, prior_EE = np.array([-1 + 2 / 9, 1]), 5 - 3.5 + 0.5 - 1 / 9, np.diag([1, 4])
    precision = 1.0
    for _ in range(2):
        cov_EE = np.linalg.inv(prior_EE + precision * np.outer(item_E, item_E))
        mean_E = cov_EE @ (precision * item_E * residual)
        error = residual - item_E @ mean_E
        precision = (10 + 1) / (10 + error**2 + item_E @ cov_EE @ item_E)
    scale_EE = np.diag([1, 2])  # of the prior: a user is held as (1 x taste, 2 x bias)
    np.testing.assert_allclose(posterior.mean_BSE[0], [scale_EE @ mean_E] * 2, atol=1e-6)
    root_SEE = posterior.root_BSEE[0] @ np.linalg.inv(scale_EE)
    np.testing.assert_allclose(root_SEE.mT @ root_SEE, [cov_EE, cov_EE], atol=1e-6)
    np.testing.assert_allclose(posterior.noise_BS[0], 1 / precision, atol=1e-6)


def test_abandoned_item_counts_as_two_stars(recommender: Recommender) -> None:
    abandoned = [(HEAT, 5.0), (GOLDENEYE, None, 0.05)]
    two_stars = stars_of(recommender, [(HEAT, 5.0), (GOLDENEYE, 2.0)], 1)
    assert stars_of(recommender, abandoned, 1) == pytest.approx(two_stars)
    np.testing.assert_array_equal(
        recommender.score([abandoned]), recommender.score([abandoned[:1]])
    )


@pytest.mark.parametrize(
    ("history", "shift"),
    [
        pytest.param([], 0, id="empty"),
        pytest.param([(541, 2.0)], 0.5, id="rated"),
        pytest.param([(HEAT, 3.0), (541, 2.0)], 0.5 / math.sqrt(2), id="one-of-two"),
        pytest.param([(HEAT, 3.0), 541], 0, id="watched-without-rating"),
        pytest.param([(541, None, 0.05)], 0, id="abandoned"),
    ],
)
def test_prior_mean_moves_with_rated_items_alone(
    recommender: Recommender, history: list[Any], shift: float
) -> None:
    """The last item moves the user's bias by .5, one of two items by .5 / sqrt(2). Watching it
    without a rating does not, as the weights are learned from ratings."""
    prior_SE = recommender.rating_model.prior_mean(recommender.catalog.parse_history(history))
    np.testing.assert_allclose(prior_SE, [[0, 2 * shift]] * 2, atol=1e-6)  # 2: of the prior


def test_stars_ignore_a_watched_item_without_rating(recommender: Recommender) -> None:
    assert stars_of(recommender, [541], 1) == stars_of(recommender, [], 1)


def test_interval_is_narrower_for_a_consistent_rater(recommender: Recommender) -> None:
    widths = []
    for ratings in ([3.0, 3.0, 3.0, 3.0], [5.0, 1.0, 5.0, 1.0]):
        history = list(zip([HEAT, GOLDENEYE, 32, SUSPECTS], ratings, strict=True))
        stars = stars_of(recommender, history, 260)
        widths.append(stars["high"] - stars["low"])
    assert widths[0] < widths[1]


def test_describe_batch_equals_single(recommender: Recommender) -> None:
    """Histories and lists of any length, and of none; more than one batch."""
    entries = [[], [(HEAT, 5.0)], [1], [(m, 2.5) for m in ALL_IDS], [(HEAT, None, 0.05)]]
    histories = [recommender.catalog.parse_history(history) for history in entries] * 5
    items = [np.arange(n % 4) for n in range(len(histories))]
    describe = recommender.rating_model.describe
    for history, item_K, batched in zip(histories, items, describe(histories, items), strict=True):
        (single,) = describe([history], [item_K])
        assert len(batched) == len(single) == len(item_K)
        for stars, expected in zip(batched, single, strict=True):
            assert stars == pytest.approx(expected, abs=1e-6)


def test_stars_of_a_long_history_do_not_depend_on_blocks(
    recommender: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = [(movie_id, 3.5) for movie_id in ALL_IDS]
    expected = recommender.predict_stars([history], ALL_IDS)
    monkeypatch.setattr(rating_model, "ENTRIES_PER_BLOCK", 3)
    np.testing.assert_allclose(recommender.predict_stars([history], ALL_IDS), expected, atol=1e-5)


def test_interval_is_wider_for_an_item_with_few_ratings(recommender: Recommender) -> None:
    """Both lie in the middle of taste; the draws differ about the second."""
    many, few = (stars_of(recommender, [], movie_id) for movie_id in (SUSPECTS, 110))
    assert many["high"] - many["low"] < few["high"] - few["low"]


@pytest.mark.parametrize("value", [None, 0.5, 5.0])
def test_interval_holds_the_expected_stars(recommender: Recommender, value: float | None) -> None:
    history = [] if value is None else [(HEAT, value), (PULP, value), (1, value)]
    for item in recommender.predict(history=history, movie_ids=ALL_IDS)["items"]:
        stars = item["stars"]
        assert 0.5 <= stars["low"] <= stars["expected"] <= stars["high"] <= 5.0
        assert 0 <= stars["p_like"] <= 1


def test_normal_cdf_is_exact_to_seven_digits() -> None:
    z = np.linspace(-6, 6, 241)
    exact = [0.5 * (1 + math.erf(value / math.sqrt(2))) for value in z]
    np.testing.assert_allclose(normal_cdf(z), exact, atol=2e-7)
