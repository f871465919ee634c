"""Half stars, and a yardstick: earlier ratings of the same user.

Examples of a user's own scale make ratings steadier (Nguyen et al., RecSys 2013): "You gave 4 to
Heat".
"""

from collections.abc import Sequence

from marquee_client.types import HistoryItem

WORDS = {
    0.5: "awful", 1.0: "bad", 1.5: "poor", 2.0: "weak", 2.5: "so-so",
    3.0: "all right", 3.5: "good", 4.0: "very good", 4.5: "great", 5.0: "a favourite",
}  # fmt: skip
DEFAULT_STARS = 3.5
MAX_EXAMPLES = 2


def rated_items(history: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Return the entries with stars, newest first."""
    return [entry for entry in reversed(history) if "stars" in entry]


def yardstick(stars: float, history: Sequence[HistoryItem]) -> str:
    """Name movies with as many stars, else the nearest below and above; else ""."""
    ratings = [(e["stars"], e["title"]) for e in rated_items(history) if e.get("title")]
    equal = [title for value, title in ratings if value == stars]
    if equal:
        return f"You gave {stars:g} to {' and '.join(equal[:MAX_EXAMPLES])}."
    below = max((pair for pair in ratings if pair[0] < stars), default=None, key=lambda p: p[0])
    above = min((pair for pair in ratings if pair[0] > stars), default=None, key=lambda p: p[0])
    nearest = [f"{value:g} to {title}" for value, title in filter(None, (below, above))]
    return f"You gave {' and '.join(nearest)}." if nearest else ""
