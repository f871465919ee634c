"""Figures of predicted stars, by arithmetic that can be checked by eye."""

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


def means(predicted: RatingPredictions) -> dict[str, float]:
    figures = summarise_ratings(rating_metrics(predicted), draws=50)
    return {name: each["mean"] for name, each in figures.items()}


def drawn(num: int) -> tuple[np.ndarray, np.ndarray]:
    """Distributions, (T, 5), and rows of the scale drawn from them."""
    rng = np.random.default_rng(0)
    chance = rng.dirichlet(np.ones(5), num)
    return chance, (rng.random(num)[:, None] > chance.cumsum(1)).sum(1).clip(max=4)


def told(chance: np.ndarray, star: np.ndarray) -> RatingPredictions:
    """What a model with these distributions says."""
    support = np.random.default_rng(1).choice([0, 1, 3, 10, 50, 500], len(star))
    person = np.arange(len(star)) % 200
    like, place = chance[:, 3:].sum(1), randomized_pit(chance, star)
    return RatingPredictions(
        user=person,
        rating=star + 1.0,
        expected=chance @ np.array(SCALE),
        p_like=like,
        pit=place,
        num_ratings=support,
    )


def test_rmse_and_mae_are_over_ratings_not_persons() -> None:
    """One person misses by 1 three times, another once by 3."""
    predicted = RatingPredictions(
        user=np.array([0, 0, 0, 1]),
        rating=np.array([3.0, 3, 3, 5]),
        expected=np.array([4.0, 2, 4, 2]),
    )
    assert means(predicted) == {
        "rmse": pytest.approx(np.sqrt((1 + 1 + 1 + 9) / 4)),
        "mae": pytest.approx((1 + 1 + 1 + 3) / 4),
    }


def test_a_perfect_distribution_covers_ninety_percent_in_every_bucket() -> None:
    found = means(told(*drawn(60_000)))
    buckets = [name for name in found if name.startswith("coverage@90")]
    assert len(buckets) == 1 + 6
    for name in buckets:
        assert found[name] == pytest.approx(0.9, abs=0.012), name
    assert found["ece"] < 0.01


def test_too_narrow_a_distribution_covers_less_and_is_off() -> None:
    chance, star = drawn(20_000)
    found = means(told(chance**3 / (chance**3).sum(1, keepdims=True), star))
    assert found["coverage@90"] < 0.8 and found["ece"] > 0.05


def test_ece_by_hand() -> None:
    """30 ratings in 15 bins of two; every chance of 4 or more is .5, one in four is liked."""
    stars = np.where(np.arange(30) % 4 == 0, 4.0, 1.0)  # rows 0, 4, …: every other bin holds one
    half = np.full(30, 0.5)
    found = means(
        RatingPredictions(
            user=np.zeros(30, np.int64),
            rating=stars,
            expected=np.full(30, 2.5),
            p_like=half,
            pit=half,
        )
    )
    liked = np.array([(stars[2 * b : 2 * b + 2] >= 4).sum() for b in range(15)])
    assert found["ece"] == pytest.approx(np.abs(2 * 0.5 - liked).sum() / 30)


def test_places_are_uniform_where_the_chances_are_right() -> None:
    place = np.sort(randomized_pit(*drawn(20_000)))
    assert place == pytest.approx(np.linspace(0, 1, 20_000), abs=0.015)
    sure = np.tile([0.0, 0, 1, 0, 0], (2, 1))  # what cannot be lies at an end
    assert randomized_pit(sure, np.array([0, 4])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("stars", "kind"),
    [
        pytest.param([5, 5, 4, 5, 5, 4, 5, 5, 5, 3], "high", id="nine-in-ten-high"),
        pytest.param([5, 1, 2, 3, 2, 3, 2, 3, 2, 3], "harsh", id="mean-2.6"),
        pytest.param([5, 1, 4, 5, 3, 3, 4, 3, 2, 5], "full-range", id="both-ends"),
        pytest.param([3, 3, 4, 3, 4, 3, 3, 4, 3, 3], "other", id="middle"),
    ],
)
def test_kinds_of_raters(stars: list[float], kind: str) -> None:
    found = rater_kinds(np.zeros(10, np.int64), np.array(stars, float), 1, SCALE)
    assert RATER_KINDS[found[0]] == kind


def test_an_interval_draws_persons_with_all_their_ratings() -> None:
    """Ten ratings of ten persons vary; the same ten of one person cannot."""
    miss = np.array([0.1, 2, 0.1, 2, 0.1, 2, 0.1, 2, 0.1, 2])
    many = RatingPredictions(user=np.arange(10), rating=np.full(10, 3.0), expected=3 + miss)
    one = replace(many, user=np.zeros(10, np.int64))
    wide, none = (summarise_ratings(rating_metrics(each))["rmse"] for each in (many, one))
    assert wide["low"] < wide["mean"] < wide["high"]
    assert none["low"] == pytest.approx(none["mean"]) == pytest.approx(none["high"])


def test_models_are_compared_on_the_same_drawn_persons() -> None:
    """A model that is off by .1 more everywhere is worse under every draw."""
    rng = np.random.default_rng(0)
    stars = rng.integers(1, 6, 400).astype(float)
    ours = RatingPredictions(
        user=np.arange(400) % 40, rating=stars, expected=stars + rng.choice([1.0, 2.0], 400)
    )
    theirs = replace(ours, expected=ours.expected + 0.1)
    figures = [rating_metrics(each) for each in (ours, theirs)]
    found = compare_ratings(figures[0], figures[1])["mae"]
    for each in ("diff", "low", "high"):
        assert found[each] == pytest.approx(-0.1)


def test_snips_weighs_a_rare_movie_as_the_many_ratings_it_lacks() -> None:
    """A miss of 1 on a movie with 9 ratings, one of 3 on a movie with none: 1 : 10."""
    predicted = RatingPredictions(
        user=np.array([0, 1]),
        rating=np.array([3.0, 4]),
        expected=np.array([4.0, 1]),
        num_ratings=np.array([9, 0]),
    )
    found = means(predicted)
    assert found["rmse"] == pytest.approx(np.sqrt(5))
    assert found["rmse_snips/propensity=movie"] == pytest.approx(np.sqrt((1 + 10 * 9) / 11))
