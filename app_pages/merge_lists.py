"""Merge the orders of several users into one list for the group.

    merge_orders({"Ana": [50, 6, 1], "Ben": [1, 50, 6]}, "least_misery")    # [50, 1, 6]

Scores and stars of different users do not compare, because each user has their own scale. Places
do.
"""

from collections.abc import Iterable, Mapping
from typing import Literal

from marquee_client.types import MovieId

Fairness = Literal["least_misery", "average"]
"""Rank by the worst place and then the average one, or the other way round."""


def merge_orders(orders: Mapping[str, Iterable[MovieId]], fairness: Fairness) -> list[MovieId]:
    """Return the ids of movies that every order holds, best for the group first."""
    places = [
        {movie_id: place for place, movie_id in enumerate(order, 1)} for order in orders.values()
    ]

    def rank(movie_id: MovieId) -> tuple[float, float, MovieId]:
        own_places = [place[movie_id] for place in places]
        worst, mean = max(own_places), sum(own_places) / len(own_places)
        return (worst, mean, movie_id) if fairness == "least_misery" else (mean, worst, movie_id)

    return sorted(set.intersection(*map(set, places)) if places else (), key=rank)
