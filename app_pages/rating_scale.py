"""The catalog's rating scale, in words and against other scales; and a yardstick for stars.

    rating_scale.convert(7, TEN, rating_scale.HALF_STARS)    # 3.5: 7 of 10 is 3.5 of 5

Examples of a user's own scale make ratings steadier (Nguyen et al., RecSys 2013): "You gave 4 to
Heat".
"""

from collections.abc import Sequence

from marquee_client.types import HistoryItem

WORDS = (
    "awful", "bad", "poor", "weak", "so-so", "all right", "good", "very good", "great",
    "a favourite",
)  # fmt: skip
"""Of the steps of a scale of ten: half stars, or 1 to 10."""
HALF_STARS = tuple(n / 2 for n in range(1, 11))
Scale = Sequence[float]
"""The values of a rating, ascending, at least two."""
DEFAULT_SHARE, LIKED_SHARE = 0.7, 0.8
MAX_EXAMPLES = 2
MAX_STEPS = 20
"""Of a scale whose steps a chart shows one by one."""


def text(value: float, scale: Scale) -> str:
    """Return "4 ★ very good", "7 of 10 ★", or "73 of 100 ★"."""
    star = f"{value:g} ★" if scale[-1] <= 5 else f"{value:g} of {scale[-1]:g} ★"
    is_named = len(scale) == len(WORDS) and value in scale
    return f"{star} {WORDS[list(scale).index(value)]}" if is_named else star


def default(scale: Scale) -> float:
    """Return the value that a slider starts at: 3.5 of 5, 7 of 10."""
    return at_share(DEFAULT_SHARE, scale)


def liked(scale: Scale) -> float:
    """Return the lowest value that says "liked", as for the service: 4 of 5, 8 of 10."""
    bottom = min(0.0, scale[0])
    least = bottom + LIKED_SHARE * (scale[-1] - bottom) - 1e-6
    return next((value for value in scale[1:] if value >= least), scale[-1])


def convert(value: float, scale: Scale, other: Scale) -> float:
    """Return the other scale's value of the nearest share; of two, the higher.

    The share counts from 0: 7 of 10 is 3.5 of 5 and 70 of 100. Of thumbs (0 and 1, 1 and 2) and of
    scales with values below 0 it counts from the lowest.
    """
    low = _low(scale)
    return at_share((value - low) / (scale[-1] - low), other)


def at_share(share: float, scale: Scale) -> float:
    low = _low(scale)
    point = low + share * (scale[-1] - low)
    return min(scale, key=lambda value: (round(abs(value - point), 9), -value))


def counts(values: Sequence[float], scale: Scale) -> dict[str, int]:
    """Count values by step of the scale; of a long one, by tenths of its range."""
    if len(scale) <= MAX_STEPS:
        return {f"{step:g}": values.count(step) for step in scale}
    width = (scale[-1] - scale[0]) / 10
    starts = [scale[0] + n * width for n in range(10)]
    tenths = [min(int((value - scale[0]) / width), 9) for value in values]
    return {f"{start:g}–{start + width:g}": tenths.count(n) for n, start in enumerate(starts)}


def rated_items(history: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Return the entries with stars, newest first."""
    return [entry for entry in reversed(history) if "stars" in entry]


def watched_items(history: Sequence[HistoryItem]) -> list[HistoryItem]:
    """Return the entries of movies that were watched or rated, newest first."""
    return [entry for entry in reversed(history) if not entry.get("not_interested")]


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


def _low(scale: Scale) -> float:
    return scale[0] if len(scale) == 2 or scale[0] < 0 else 0.0
