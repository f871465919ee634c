"""Strategies that ask for ratings of one item after another, in one order for all users.

Rashid et al. 2002, "Getting to know you": random, popularity, entropy of an item's ratings, and log
popularity x entropy. A user says "not seen" to whatever they have not rated. Their own ratings
decide what is answered, never what is asked.

Local letters: V values of the scale, n answers.
"""

import numpy as np

from marquee.core.arrays import Bools, Float64, Int64

BASELINES = ("random", "popularity", "entropy", "popularity*entropy")


def question_order(strategy: str, count_IV: Float64, rng: np.random.Generator) -> Int64:
    """Return all items, the first one to ask about first; the order of ties is drawn."""
    shuffled = rng.permutation(len(count_IV))
    if strategy == "random":
        return shuffled
    num_ratings_I = count_IV.sum(axis=1)
    share_IV = count_IV / np.maximum(num_ratings_I, 1)[:, None]
    entropy_I = -(share_IV * np.log(np.maximum(share_IV, 1e-12))).sum(axis=1)
    both_I = np.log1p(num_ratings_I) * entropy_I
    weights = {"popularity": num_ratings_I, "entropy": entropy_I, "popularity*entropy": both_I}
    weight_I = weights[strategy]
    return np.asarray(shuffled[np.argsort(-weight_I[shuffled], kind="stable")])


def simulate_session(order: Int64, is_answerable_I: Bools, num_answers: int) -> tuple[Int64, Int64]:
    """Return the first `num_answers` items of an order that a user rates: (n,) rows.

    The second array holds the number of questions until each of them.
    """
    position_n = np.flatnonzero(is_answerable_I[order])[:num_answers]
    return order[position_n], position_n + 1


def share_with_ratings(count_IV: Float64, min_ratings: int) -> float:
    return float((count_IV.sum(axis=1) >= min_ratings).mean())
