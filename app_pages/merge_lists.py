"""Merge the orders of several users into one list for the group.

    merge_orders({"Ana": [50, 6, 1], "Ben": [1, 50, 6]}, least_misery)    # [50, 1, 6]

Scores and stars of different users do not compare, because each user has their own scale. Places
do.
"""

from collections.abc import Callable, Mapping, Sequence

Fairness = Callable[[Sequence[int]], tuple[float, ...]]
"""Sort key of one movie from its place in each user's order: less is better."""


def least_misery(places: Sequence[int]) -> tuple[float, ...]:
    """Rank by the worst place; equal ones by the average."""
    return max(places), sum(places) / len(places)


def average(places: Sequence[int]) -> tuple[float, ...]:
    """Rank by the average place; equal ones by the worst."""
    return sum(places) / len(places), max(places)


def merge_orders(orders: Mapping[str, Sequence[int]], fairness: Fairness) -> list[int]:
    """Return the ids of movies that every order holds, best for the group first."""
    places = {
        user: {movie_id: place for place, movie_id in enumerate(order, 1)}
        for user, order in orders.items()
    }
    shared = set.intersection(*(set(order) for order in places.values())) if places else set()
    return sorted(
        shared,
        key=lambda movie_id: (fairness([order[movie_id] for order in places.values()]), movie_id),
    )
