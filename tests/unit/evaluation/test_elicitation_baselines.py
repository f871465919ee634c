"""Elicitation baselines: the order of each rule, and a simulated session, by hand."""

import numpy as np
import pytest

from marquee.evaluation.baselines.elicitation import (
    question_order,
    share_with_ratings,
    simulate_session,
)

COUNTS_IV = np.array([[8.0, 0], [3, 3], [0, 0], [5, 4]])


@pytest.mark.parametrize(
    ("rule", "first"),
    [("popularity", [3, 0, 1, 2]), ("entropy", [1, 3]), ("popularity*entropy", [3, 1])],
)
def test_question_order_follows_the_rule(rule: str, first: list[int]) -> None:
    order = question_order(rule, COUNTS_IV, np.random.default_rng(0))
    assert order[: len(first)].tolist() == first


def test_question_order_random_varies() -> None:
    rng = np.random.default_rng(0)
    orders = {tuple(question_order("random", COUNTS_IV, rng).tolist()) for _ in range(50)}
    assert orders > {(3, 0, 1, 2)}


def test_simulate_session_counts_questions_up_to_each_answer() -> None:
    has_seen_I = np.array([True, True, False, False])
    items, questions = simulate_session(np.array([3, 0, 1, 2]), has_seen_I, 5)
    assert items.tolist() == [0, 1] and questions.tolist() == [2, 3]


def test_share_with_ratings_by_hand() -> None:
    assert share_with_ratings(COUNTS_IV, 6) == 3 / 4
