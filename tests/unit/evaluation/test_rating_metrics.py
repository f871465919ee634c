"""Metrics of predicted ratings, by arithmetic that can be checked by eye."""

from dataclasses import replace

import numpy as np
import pytest

from marquee.evaluation.metrics.rating import (
    RATER_KINDS,
    RatingPredictions,
    compare_ratings,
    randomized_pit,
    rater_kinds,
    rating_metrics,
    summarise_ratings,
)

SCALE = (1.0, 2.0, 3.0, 4.0, 5.0)


def means(predictions: RatingPredictions) -> dict[str, float]:
    sections = summarise_ratings(rating_metrics(predictions), draws=50)
    return {name: interval["mean"] for name, interval in sections.items()}


def draw_ratings(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Distributions, (T, 5), and rows of the scale drawn from them."""
    rng = np.random.default_rng(0)
    probability_NV = rng.dirichlet(np.ones(5), num)
    return probability_NV, (rng.random(num)[:, None] > probability_NV.cumsum(1)).sum(1).clip(max=4)


def predict(probability_NV: np.ndarray, value_N: np.ndarray) -> RatingPredictions:
    """Return the predictions of a model with these distributions."""
    num_ratings = np.random.default_rng(1).choice([0, 1, 3, 10, 50, 500], len(value_N))
    user = np.arange(len(value_N)) % 200
    p_like, pit = probability_NV[:, 3:].sum(1), randomized_pit(probability_NV, value_N)
    return RatingPredictions(
        user=user,
        rating=value_N + 1.0,
        expected=probability_NV @ np.array(SCALE),
        p_like=p_like,
        pit=pit,
        num_ratings=num_ratings,
    )


def test_rmse_and_mae_are_over_ratings_not_users() -> None:
    """One user is off by 1 three times, another once by 3."""
    predictions = RatingPredictions(
        user=np.array([0, 0, 0, 1]),
        rating=np.array([3.0, 3, 3, 5]),
        expected=np.array([4.0, 2, 4, 2]),
    )
    assert means(predictions) == {
        "rmse": pytest.approx(np.sqrt((1 + 1 + 1 + 9) / 4)),
        "mae": pytest.approx((1 + 1 + 1 + 3) / 4),
    }


def test_coverage_of_true_distribution_is_ninety_percent() -> None:
    metrics = means(predict(*draw_ratings(60_000)))
    buckets = [name for name in metrics if name.startswith("coverage@90")]
    assert len(buckets) == 1 + 6
    for name in buckets:
        assert metrics[name] == pytest.approx(0.9, abs=0.012), name
    assert metrics["ece"] < 0.01


def test_coverage_and_ece_of_narrow_distribution_are_off() -> None:
    probability_NV, value_N = draw_ratings(20_000)
    metrics = means(predict(probability_NV**3 / (probability_NV**3).sum(1, keepdims=True), value_N))
    assert metrics["coverage@90"] < 0.8 and metrics["ece"] > 0.05


def test_ece_of_thirty_ratings_by_hand() -> None:
    """30 ratings in 15 bins of two; every chance of 4 or more is .5, one in four is liked."""
    ratings = np.where(np.arange(30) % 4 == 0, 4.0, 1.0)  # rows 0, 4, …: every other bin holds one
    half = np.full(30, 0.5)
    metrics = means(
        RatingPredictions(
            user=np.zeros(30, np.int64),
            rating=ratings,
            expected=np.full(30, 2.5),
            p_like=half,
            pit=half,
        )
    )
    liked = np.array([(ratings[2 * b : 2 * b + 2] >= 4).sum() for b in range(15)])
    assert metrics["ece"] == pytest.approx(np.abs(2 * 0.5 - liked).sum() / 30)


def test_randomized_pit_of_true_distribution_is_uniform() -> None:
    pit = np.sort(randomized_pit(*draw_ratings(20_000)))
    assert pit == pytest.approx(np.linspace(0, 1, 20_000), abs=0.015)
    certain = np.tile([0.0, 0, 1, 0, 0], (2, 1))  # what cannot be lies at an end
    assert randomized_pit(certain, np.array([0, 4])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("ratings", "kind"),
    [
        pytest.param([5, 5, 4, 5, 5, 4, 5, 5, 5, 3], "high", id="nine-in-ten-high"),
        pytest.param([5, 1, 2, 3, 2, 3, 2, 3, 2, 3], "harsh", id="mean-2.6"),
        pytest.param([5, 1, 4, 5, 3, 3, 4, 3, 2, 5], "full-range", id="both-ends"),
        pytest.param([3, 3, 4, 3, 4, 3, 3, 4, 3, 3], "other", id="middle"),
    ],
)
def test_rater_kinds_of_ratings(ratings: list[float], kind: str) -> None:
    (row,) = rater_kinds(np.zeros(10, np.int64), np.array(ratings, float), 1, SCALE)
    assert RATER_KINDS[row] == kind


def test_rating_interval_resamples_users() -> None:
    """Ten ratings of ten users vary; the same ten of one user cannot."""
    error_N = np.array([0.1, 2, 0.1, 2, 0.1, 2, 0.1, 2, 0.1, 2])
    ten_users = RatingPredictions(user=np.arange(10), rating=np.full(10, 3.0), expected=3 + error_N)
    one_user = replace(ten_users, user=np.zeros(10, np.int64))
    wide, narrow = (
        summarise_ratings(rating_metrics(each))["rmse"] for each in (ten_users, one_user)
    )
    assert wide["low"] < wide["mean"] < wide["high"]
    assert narrow["low"] == pytest.approx(narrow["mean"]) == pytest.approx(narrow["high"])


def test_compare_ratings_pairs_draws_of_users() -> None:
    """A model that is off by .1 more everywhere is worse under every draw."""
    rng = np.random.default_rng(0)
    ratings = rng.integers(1, 6, 400).astype(float)
    model = RatingPredictions(
        user=np.arange(400) % 40, rating=ratings, expected=ratings + rng.choice([1.0, 2.0], 400)
    )
    reference = replace(model, expected=model.expected + 0.1)
    difference = compare_ratings(rating_metrics(model), rating_metrics(reference))["mae"]
    assert list(difference.values()) == pytest.approx([-0.1] * 3)


def test_rmse_snips_weighs_by_inverse_propensity() -> None:
    """A miss of 1 on a movie with 9 ratings, one of 3 on a movie with none: 1 : 10."""
    predictions = RatingPredictions(
        user=np.array([0, 1]),
        rating=np.array([3.0, 4]),
        expected=np.array([4.0, 1]),
        num_ratings=np.array([9, 0]),
    )
    metrics = means(predictions)
    assert metrics["rmse"] == pytest.approx(np.sqrt(5))
    assert metrics["rmse_snips/propensity=movie"] == pytest.approx(np.sqrt((1 + 10 * 9) / 11))
