"""One list for several people, from the order in which each would watch the same films.

    merged({"Ana": [50, 6, 1], "Ben": [1, 50, 6]}, least_misery)    # [50, 1, 6]

Scores and stars of different people do not compare (each has a scale of their own), places do.
"""

from collections.abc import Callable, Mapping, Sequence

Fairness = Callable[[Sequence[int]], tuple[float, ...]]
"""Places of one film, each person's, to what is sorted by: less is better."""


def least_misery(places: Sequence[int]) -> tuple[float, ...]:
    """As good as for who likes it least; among equals the better average."""
    return max(places), sum(places) / len(places)


def average(places: Sequence[int]) -> tuple[float, ...]:
    """Best for all together; among equals the one that nobody has far down."""
    return sum(places) / len(places), max(places)


def merged(orders: Mapping[str, Sequence[int]], fairness: Fairness) -> list[int]:
    """The films that every order holds, best for the group first."""
    places = {
        name: {film: place for place, film in enumerate(order, 1)} for name, order in orders.items()
    }
    shared = set.intersection(*(set(order) for order in places.values())) if places else set()
    return sorted(shared, key=lambda film: (fairness([own[film] for own in places.values()]), film))
