"""What to ask for next: never the same twice, the product decides, and asking so learns sooner."""

from dataclasses import replace

import numpy as np
import pytest

from marquee.evaluation.baselines.elicitation import (
    question_order,
    share_with_ratings,
    simulate_session,
)
from marquee.recommender.elicitation import (
    MIN_ITEM_RATINGS,
    RatingElicitation,
    sample_items,
    scarcity,
)
from marquee.recommender.errors import RequestError
from marquee.recommender.history import History
from marquee.recommender.recommender import Recommender


def ids(answer: dict) -> list[int]:  # type: ignore[type-arg]
    return [item["movie_id"] for item in answer["items"]]


def history(*entries: tuple[int, int]) -> History:
    item_L, rating_bin_L = (np.array(each, np.int64) for each in zip(*entries, strict=True))
    return History(item_L=item_L, rating_bin_L=rating_bin_L)


NOBODY = History(item_L=np.empty(0, np.int64), rating_bin_L=np.empty(0, np.int64))


def test_nothing_is_asked_for_twice(recommender: Recommender) -> None:
    for seed in range(20):
        answer = recommender.rate_next(
            history=[(6, 4.0), (10, None, 0.05)], k=10, not_seen=[50], not_interested=[1], seed=seed
        )
        assert sorted(ids(answer)) == [32, 110, 260, 296, 480, 541]


def test_the_product_orders_the_list(recommender: Recommender) -> None:
    items = recommender.rate_next(history=[(6, 4.0)])["items"]
    product = [np.prod(list(item["why"].values())) for item in items]
    assert product == sorted(product, reverse=True) and product[0] > product[-1] > 0
    for item in items:
        assert list(item["why"]) == ["seen_probability", "information", "scarcity"]
        assert 0 < item["why"]["seen_probability"] <= 1 and 0 < item["why"]["scarcity"] <= 1
        assert item["why"]["information"] > 0 and item["stars"]["expected"]


def test_the_same_question_has_the_same_answer_and_another_seed_another(
    recommender: Recommender,
) -> None:
    asked = [ids(recommender.rate_next(k=3, seed=seed)) for seed in range(10)]
    assert asked == [ids(recommender.rate_next(k=3, seed=seed)) for seed in range(10)]
    assert len(set(map(tuple, asked))) > 1


@pytest.fixture(scope="module")
def asking(recommender: Recommender) -> RatingElicitation:
    """The films of the hand-made bundle, as 200 persons would have rated them."""
    return RatingElicitation(recommender.num_ratings, 200, recommender.rating_model)


def test_a_rating_tells_less_after_a_similar_film(asking: RatingElicitation) -> None:
    """Tastes of films go from -1 to 1 along the rows; 3.5 stars are the mean."""
    before, rated = (asking.information(each) for each in (NOBODY, history((8, 7))))
    assert rated[9] < before[9] and rated[7] < before[7]
    assert rated[9] / before[9] < rated[4] / before[4]


def test_a_rating_tells_more_of_a_film_that_will_be_liked(asking: RatingElicitation) -> None:
    liked, not_liked = (asking.information(history((8, star))) for star in (9, 5))
    assert liked[9] > not_liked[9] and liked[0] < not_liked[0]


def test_what_many_have_rated_or_the_network_expects_is_likelier_seen(
    asking: RatingElicitation,
) -> None:
    cold = asking.seen_probability(None)
    assert cold[7] == cold.max() and cold[9] == cold.min() > 0
    expects_last = np.zeros(10, np.float32)
    expects_last[9] = 9
    own = asking.seen_probability(expects_last)
    assert own[9] > cold[9] and own[7] < cold[7] and own.max() < 1


def test_the_fewer_ratings_the_scarcer() -> None:
    scarce = scarcity(np.arange(200.0), 6000)
    assert scarce[0] == 1 and (np.diff(scarce) < 0).all()
    assert scarce[MIN_ITEM_RATINGS - 1] == 1 / MIN_ITEM_RATINGS and scarce[100] == 0.5 / 200


def test_films_are_drawn_as_their_weights(recommender: Recommender) -> None:
    rng, keep = np.random.default_rng(0), np.array([True, True, True, False])
    first = [sample_items(np.array([6.0, 3.0, 1.0, 90.0]), keep, rng)[0] for _ in range(4000)]
    assert np.bincount(first, minlength=4) / 4000 == pytest.approx([0.6, 0.3, 0.1, 0], abs=0.03)


I, PERSONS, ANSWERS = 120, 60, 4  # noqa: E741


@pytest.fixture(scope="module")
def simulated(recommender: Recommender) -> RatingElicitation:
    """120 films, a few of them rated by many; every second one tells nothing of anybody's taste."""
    rng = np.random.default_rng(0)
    item_ISE = np.full((I, 2, 2), 0.5, np.float32)  # the person's level has variance 1/4
    item_ISE[..., 0] = 0
    item_ISE[::2, :, 0] = rng.normal(size=(I // 2, 1)) * 2
    stars = replace(
        recommender.rating_model,
        item_ISE=item_ISE,
        bias_IS=np.zeros((I, 2), np.float32),
        implicit_IF=np.zeros((I, 1), np.float32),
    )
    return RatingElicitation((3000 * np.arange(1, I + 1) ** -0.7).astype(np.int64), 5000, stars)


def sat(asking: RatingElicitation, **without: np.ndarray) -> tuple[float, float]:
    """Questions for 4 answers, and how unsure the person's taste still is: means over persons who
    have seen each film with the chance that its ratings say."""
    rng, questions, unsure = np.random.default_rng(1), [], []
    for _ in range(PERSONS):
        has_seen, keep, items, asked = (
            rng.random(I) < asking.seen_probability(None),
            np.ones(I, bool),
            [],
            0,
        )
        while len(items) < ANSWERS and (has_seen & keep).any():
            person = history(*((row, 7) for row in items)) if items else NOBODY
            factors = replace(asking.factors(person, None), **without)
            order = sample_items(factors.product_I, keep, rng)
            row, took = simulate_session(order, has_seen, 1)
            keep[order[: took[0]]] = False
            asked += took[0]
            items.append(row[0])
        questions.append(asked)
        unsure.append(1 / (1 + (asking._rating_model.item_ISE[items, 0, 0] ** 2).sum()))
    return float(np.mean(questions)), float(np.mean(unsure))


def test_asking_so_learns_sooner_than_at_random(simulated: RatingElicitation) -> None:
    ones = np.ones(I)
    questions, unsure = sat(simulated)
    assert (
        unsure
        < 0.9 * sat(simulated, seen_probability_I=ones, information_I=ones, scarcity_I=ones)[1]
    )
    assert unsure < 0.9 * sat(simulated, information_I=ones)[1]
    assert questions < 0.9 * sat(simulated, seen_probability_I=ones)[0]


def test_the_baselines_ask_by_their_rule() -> None:
    counts = np.array([[8.0, 0], [3, 3], [0, 0], [5, 4]])
    rng = np.random.default_rng(0)
    assert question_order("popularity", counts, rng).tolist() == [3, 0, 1, 2]
    assert question_order("entropy", counts, rng)[:2].tolist() == [1, 3]
    assert question_order("popularity*entropy", counts, rng)[:2].tolist() == [3, 1]
    orders = {tuple(question_order("random", counts, rng).tolist()) for _ in range(50)}
    assert orders > {(3, 0, 1, 2)}
    has_seen = np.array([True, True, False, False])
    rows, questions = simulate_session(np.array([3, 0, 1, 2]), has_seen, 5)
    assert rows.tolist() == [0, 1] and questions.tolist() == [2, 3]
    assert share_with_ratings(counts, 6) == 3 / 4


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        pytest.param({"k": 0}, "k", id="k-0"),
        pytest.param({"not_seen": [7]}, "not_seen.0", id="unknown-not-seen"),
        pytest.param({"not_interested": [1, 7]}, "not_interested.1", id="unknown-not-for-me"),
    ],
)
def test_a_wrong_request_names_its_field(
    recommender: Recommender, wrong: dict[str, object], field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        recommender.rate_next(**wrong)  # type: ignore[arg-type]
    assert caught.value.field == field
