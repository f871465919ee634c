"""Strategies that ask one film after another, and what is known of a person after each answer.

    order = entropy(counts_IK)                        # one order of films for everybody
    sitting(order, has_seen_I, num=15)                # rows answered, questions asked until each

The baselines are those of Rashid et al. 2002, "Getting to know you": random, popularity, entropy of
a film's stars, and log popularity x entropy. A person says "not seen" to whatever they have not
rated. Their own ratings decide what is answered, never what is asked.

Shapes: I films, K star values, n answers.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BASELINES = ("random", "popularity", "entropy", "popularity*entropy")


def weights(counts_IK: Floats) -> dict[str, Floats]:
    """What each baseline but random asks for first, (I,), from the ratings of each star value."""
    num_I = counts_IK.sum(axis=1)
    share_IK = counts_IK / np.maximum(num_I, 1)[:, None]
    entropy_I = -(share_IK * np.log(np.maximum(share_IK, 1e-12))).sum(axis=1)
    return {
        "popularity": num_I,
        "entropy": entropy_I,
        "popularity*entropy": np.log1p(num_I) * entropy_I,
    }


def order_of(strategy: str, counts_IK: Floats, rng: np.random.Generator) -> Ints:
    """All films, the first one to be asked first; ties are drawn."""
    mixed = rng.permutation(len(counts_IK))
    if strategy == "random":
        return mixed
    return np.asarray(mixed[np.argsort(-weights(counts_IK)[strategy][mixed], kind="stable")])


def sitting(order: Ints, has_seen_I: Bools, num: int) -> tuple[Ints, Ints]:
    """The first `num` films of an order that are answered with stars, and how many questions it
    took to get to each; fewer where the order or the person has no more."""
    asked = np.flatnonzero(has_seen_I[order])[:num]
    return order[asked], asked + 1


def share_with(counts_IK: Floats, ratings: int) -> float:
    """Share of films that have at least so many ratings."""
    return float((counts_IK.sum(axis=1) >= ratings).mean())
