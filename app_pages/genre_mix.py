"""Genre mixes: of a user's rated movies, and of their lists.

A movie of g genres counts 1/g for each, so that a mix sums to 1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from marquee_client.types import HistoryItem, Movie


def mix(movies: Iterable[Movie | HistoryItem]) -> dict[str, float]:
    """Return genre -> share, largest first; empty where no movie has a genre."""
    weights: Counter[str] = Counter()
    for movie in movies:
        genres = movie.get("genres", [])
        for genre in genres:
            weights[genre] += 1 / len(genres)  # type: ignore[assignment]
    return normalize(weights)


def normalize(weights: Mapping[str, float]) -> dict[str, float]:
    """Return weights as shares of 1, largest first."""
    total = sum(weights.values())
    ranked = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
    return {genre: weight / total for genre, weight in ranked if weight > 0} if total else {}


def overlap(mix_a: Mapping[str, float], mix_b: Mapping[str, float]) -> float:
    """Return the share that two mixes have in common.

    It is 1 for equal ones, and 0 for disjoint ones.
    """
    return sum(min(share, mix_b.get(genre, 0.0)) for genre, share in mix_a.items())


def decades(movies: Sequence[Movie | HistoryItem]) -> dict[str, int]:
    """Count movies by decade, oldest first, empty decades between included.

    Movies without a year are left out.
    """
    years = [movie["year"] for movie in movies if movie.get("year") is not None]
    counts = Counter(year // 10 * 10 for year in years if year is not None)
    span = range(min(counts), max(counts) + 1, 10) if counts else range(0)
    return {f"{decade}s": counts[decade] for decade in span}
