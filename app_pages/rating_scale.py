"""Half stars, and what a person gave before as a yardstick.

Examples of one's own scale make ratings steadier (Nguyen et al., RecSys 2013): "4 is what you gave
Heat".
"""

from collections.abc import Sequence

from marquee_client.types import HistoryItem

HALVES = [n / 2 for n in range(1, 11)]
MIDDLE = 3.5
SHOWN = 2
WORDS = {
    0.5: "awful", 1.0: "bad", 1.5: "poor", 2.0: "weak", 2.5: "so-so",
    3.0: "all right", 3.5: "good", 4.0: "very good", 4.5: "great", 5.0: "a favourite",
}  # fmt: skip


def said(stars: float) -> str:
    """How a place of the slider is labelled."""
    return f"{stars:g} ★ {WORDS[stars]}"


def rated(history: Sequence[HistoryItem]) -> list[HistoryItem]:
    """The entries with stars, newest first."""
    return [entry for entry in reversed(history) if "stars" in entry]


def yardstick(stars: float, history: Sequence[HistoryItem]) -> str:
    """What the person gave as many stars to, else what lies next below and above; "" for nobody."""
    given = [(entry["stars"], entry.get("title", "")) for entry in rated(history)]
    given = [(value, title) for value, title in given if title]
    same = [title for value, title in given if value == stars]
    if same:
        return f"You gave {stars:g} to {' and '.join(same[:SHOWN])}."
    below = max((one for one in given if one[0] < stars), default=None, key=lambda one: one[0])
    above = min((one for one in given if one[0] > stars), default=None, key=lambda one: one[0])
    near = [f"{value:g} to {title}" for value, title in filter(None, (below, above))]
    return f"You gave {' and '.join(near)}." if near else ""
