"""Genre mixes: of what a person rated, and of what their lists show.

A film of g genres counts 1/g for each, so that a mix sums to 1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from marquee_client.types import HistoryItem, Movie


def mix(films: Iterable[Movie | HistoryItem]) -> dict[str, float]:
    """Genre -> share, largest first; empty where no film has a genre."""
    weights: Counter[str] = Counter()
    for film in films:
        genres = film.get("genres", [])
        for genre in genres:
            weights[genre] += 1 / len(genres)  # type: ignore[assignment]
    return normal(weights)


def normal(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights as shares of 1, largest first."""
    total = sum(weights.values())
    ranked = sorted(weights.items(), key=lambda one: (-one[1], one[0]))
    return {genre: weight / total for genre, weight in ranked if weight > 0} if total else {}


def overlap(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The share that two mixes have in common: 1 for the same, 0 for nothing shared."""
    return sum(min(share, other.get(genre, 0.0)) for genre, share in one.items())


def decades(films: Sequence[Movie | HistoryItem]) -> dict[str, int]:
    """Decade -> films, oldest first, empty ones between too; films without a year are left out."""
    years = [film["year"] for film in films if film.get("year") is not None]
    counts = Counter(year // 10 * 10 for year in years if year is not None)
    span = range(min(counts), max(counts) + 1, 10) if counts else range(0)
    return {f"{decade}s": counts[decade] for decade in span}
