"""Preference elicitation: the factors, the sample, and how soon answers tell a user's taste."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from marquee.evaluation.baselines.elicitation import simulate_session
from marquee.recommender.elicitation import (
    MIN_ITEM_RATINGS,
    RatingElicitation,
    sample_items,
    sampling_weight,
    scarcity,
)
from marquee.recommender.errors import RequestError
from marquee.recommender.history import EMPTY_HISTORY, History
from marquee.recommender.recommender import Recommender

I, NUM_USERS, NUM_ANSWERS = 120, 60, 4  # noqa: E741


def ids(response: Any) -> list[int]:
    return [item["movie_id"] for item in response["items"]]


def history_of(*entries: tuple[int, int]) -> History:
    """Pairs of item and rating bin."""
    item_L, rating_bin_L = np.array(entries, np.int64).T
    return History(item_L=item_L, rating_bin_L=rating_bin_L)


@pytest.mark.parametrize("seed", range(20))
def test_rate_next_leaves_out_seen_and_refused(recommender: Recommender, seed: int) -> None:
    response = recommender.rate_next(
        history=[(6, 4.0), (10, None, 0.05)], k=10, not_seen=[50], not_interested=[1], seed=seed
    )
    assert sorted(ids(response)) == [32, 110, 260, 296, 480, 541]


def test_rate_next_is_sorted_by_the_product(recommender: Recommender) -> None:
    items = recommender.rate_next(history=[(6, 4.0)])["items"]
    products = [np.prod(list(item["why"].values())) for item in items]
    assert products == sorted(products, reverse=True) and products[0] > products[-1] > 0
    for item in items:
        assert list(item["why"]) == ["seen_probability", "information", "scarcity"]
        assert 0 < item["why"]["seen_probability"] <= 1 and 0 < item["why"]["scarcity"] <= 1
        assert item["why"]["information"] > 0 and item["stars"]["expected"]


def test_rate_next_depends_on_the_seed_alone(recommender: Recommender) -> None:
    lists = [ids(recommender.rate_next(k=3, seed=seed)) for seed in range(10)]
    assert lists == [ids(recommender.rate_next(k=3, seed=seed)) for seed in range(10)]
    assert len(set(map(tuple, lists))) > 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        pytest.param({"k": 0}, "k", id="k-0"),
        pytest.param({"not_seen": [7]}, "not_seen.0", id="unknown-not-seen"),
        pytest.param({"not_interested": [1, 7]}, "not_interested.1", id="unknown-not-interested"),
    ],
)
def test_rate_next_invalid_query_names_its_field(
    recommender: Recommender, query: dict[str, Any], field: str
) -> None:
    with pytest.raises(RequestError) as error:
        recommender.rate_next(**query)
    assert error.value.field == field


@pytest.fixture(scope="module")
def elicitation(recommender: Recommender) -> RatingElicitation:
    """The movies of the hand-made bundle, as 200 users would have rated them."""
    return RatingElicitation(recommender.num_ratings, 200, recommender.rating_model)


def test_information_falls_after_a_similar_item(elicitation: RatingElicitation) -> None:
    """Tastes of items go from -1 to 1 along the rows; 3.5 stars are the mean."""
    before_I = elicitation.information(EMPTY_HISTORY)
    after_I = elicitation.information(history_of((8, 7)))
    assert after_I[9] < before_I[9] and after_I[7] < before_I[7]
    assert after_I[9] / before_I[9] < after_I[4] / before_I[4]


def test_information_is_larger_for_items_to_be_liked(elicitation: RatingElicitation) -> None:
    liked_I, disliked_I = (elicitation.information(history_of((8, bin_))) for bin_ in (9, 5))
    assert liked_I[9] > disliked_I[9] and liked_I[0] < disliked_I[0]


def test_seen_probability_follows_ratings_and_network(elicitation: RatingElicitation) -> None:
    cold_I = elicitation.seen_probability(None)
    assert cold_I[7] == cold_I.max() and cold_I[9] == cold_I.min() > 0
    logit_I = np.zeros(10, np.float32)
    logit_I[9] = 9
    personal_I = elicitation.seen_probability(logit_I)
    assert personal_I[9] > cold_I[9] and personal_I[7] < cold_I[7] and personal_I.max() < 1


def test_scarcity_falls_with_every_rating() -> None:
    scarcity_I = scarcity(np.arange(200.0), 6000)
    assert scarcity_I[0] == 1 and (np.diff(scarcity_I) < 0).all()
    assert scarcity_I[MIN_ITEM_RATINGS - 1] == 1 / MIN_ITEM_RATINGS
    assert scarcity_I[100] == 0.5 / 200


def test_sample_items_draws_by_weight() -> None:
    rng, mask_I = np.random.default_rng(0), np.array([True, True, True, False])
    weight_I = np.array([6.0, 3.0, 1.0, 90.0])
    first = [sample_items(weight_I, mask_I, rng)[0] for _ in range(4000)]
    assert np.bincount(first, minlength=4) / 4000 == pytest.approx([0.6, 0.3, 0.1, 0], abs=0.03)


@pytest.fixture(scope="module")
def taste_I() -> np.ndarray:
    """Of 120 items every second one tells nothing of a user's taste."""
    taste_I = np.zeros(I, np.float32)
    taste_I[::2] = np.random.default_rng(0).normal(size=I // 2) * 2
    return taste_I


@pytest.fixture(scope="module")
def simulated(recommender: Recommender, taste_I: np.ndarray) -> RatingElicitation:
    """120 items, a few of them rated by many."""
    item_ISE = np.full((I, 2, 2), 0.5, np.float32)  # the user's level has variance 1/4
    item_ISE[..., 0] = taste_I[:, None]
    rating_model = replace(
        recommender.rating_model,
        item_ISE=item_ISE,
        bias_IS=np.zeros((I, 2), np.float32),
        implicit_IF=np.zeros((I, 1), np.float32),
    )
    num_ratings_I = (3000 * np.arange(1, I + 1) ** -0.7).astype(np.int64)
    return RatingElicitation(num_ratings_I, 5000, rating_model)


def session_means(
    elicitation: RatingElicitation, taste_I: np.ndarray, **factors: np.ndarray
) -> tuple[float, float]:
    """Return questions for 4 answers, and the variance of taste after them: means over users.

    Users have seen each item with the probability that its ratings imply. factors: replace those
    of the same name.
    """
    rng, questions, variances = np.random.default_rng(1), [], []
    for _ in range(NUM_USERS):
        has_seen_I = rng.random(I) < elicitation.seen_probability(None)
        unasked_I, items, num_questions = np.ones(I, bool), [], 0
        while len(items) < NUM_ANSWERS and (has_seen_I & unasked_I).any():
            history = history_of(*((item, 7) for item in items)) if items else EMPTY_HISTORY
            weight_I = sampling_weight(elicitation.factors(history, None) | factors)
            order = sample_items(weight_I, unasked_I, rng)
            answered, counts = simulate_session(order, has_seen_I, 1)
            unasked_I[order[: counts[0]]] = False
            num_questions += int(counts[0])
            items.append(int(answered[0]))
        questions.append(num_questions)
        variances.append(1 / (1 + (taste_I[items] ** 2).sum()))
    return float(np.mean(questions)), float(np.mean(variances))


def test_elicitation_learns_sooner_than_without_factors(
    simulated: RatingElicitation, taste_I: np.ndarray
) -> None:
    ones = np.ones(I)
    questions, variance = session_means(simulated, taste_I)
    _, variance_at_random = session_means(
        simulated, taste_I, seen_probability=ones, information=ones, scarcity=ones
    )
    _, variance_without = session_means(simulated, taste_I, information=ones)
    questions_without, _ = session_means(simulated, taste_I, seen_probability=ones)
    assert variance < 0.9 * variance_at_random and variance < 0.9 * variance_without
    assert questions < 0.9 * questions_without
