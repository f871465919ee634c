"""Numbers and lists as people read them.

percent(6.93)                        "6.9%"
about(Interval(6.93, 6.6, 7.2), "%")  "6.9% (95% sure: 6.6 to 7.2)"
listed(["Drama", "Comedy", "War"])   "Drama, Comedy and War"
"""

from collections.abc import Sequence

from marquee.core.bootstrap import Interval


def number(value: float) -> str:
    """Three digits where there are decimals, whole thousands with commas."""
    if value != value:
        return "unknown"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def percent(value: float) -> str:
    return f"{number(value)}%"


def stars(value: float) -> str:
    return f"{value:.2f}"


def shown(value: float, unit: str) -> str:
    """With its unit: "6.9%", "3.58 stars", "4.2 times"."""
    if unit == "%":
        return percent(value)
    if unit in ("stars", "times"):
        return f"{stars(value)} {unit}"
    return f"{number(value)} {unit}".strip()


def span(found: Interval, unit: str) -> str:
    """The interval: "6.6 to 7.2"."""
    form = stars if unit in ("stars", "times") else number
    return f"{form(found.low)} to {form(found.high)}"


def about(found: Interval, unit: str) -> str:
    return f"{shown(found.mean, unit)} (95% sure: {span(found, unit)})"


def listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def count(size: int, one: str, many: str | None = None) -> str:
    """ "1 person", "6,040 people"."""
    return f"{size:,} {one if size == 1 else many or one + 's'}"
