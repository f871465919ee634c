"""Numbers and lists in the words of the report.

percent(6.93)                                "6.9%"
with_interval(Interval(6.93, 6.6, 7.2), "%")  "6.9% (95% interval: 6.6 to 7.2)"
join_names(["Drama", "Comedy", "War"])       "Drama, Comedy and War"
"""

from collections.abc import Sequence

from marquee.core.bootstrap import Interval


def number(value: float) -> str:
    """Write two significant digits of decimals, and whole thousands with commas."""
    if value != value:
        return "unknown"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def percent(value: float) -> str:
    return f"{number(value)}%"


def two_decimals(value: float) -> str:
    return f"{value:.2f}"


def with_unit(value: float, unit: str) -> str:
    """Write a number with its unit: "6.9%", "3.58 stars", "4.2 times"."""
    if unit == "%":
        return percent(value)
    if unit in ("stars", "times"):
        return f"{two_decimals(value)} {unit}"
    return f"{number(value)} {unit}".strip()


def interval_text(interval: Interval, unit: str) -> str:
    """Write the bounds of an interval: "6.6 to 7.2"."""
    form = two_decimals if unit in ("stars", "times") else number
    return f"{form(interval.low)} to {form(interval.high)}"


def with_interval(interval: Interval, unit: str) -> str:
    """Write a number and its interval: "6.9% (95% interval: 6.6 to 7.2)"."""
    return f"{with_unit(interval.mean, unit)} (95% interval: {interval_text(interval, unit)})"


def join_names(names: Sequence[str]) -> str:
    """Write a list: "Drama, Comedy and War"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def count(size: int, singular: str, plural: str | None = None) -> str:
    """Write a number and its noun: "1 person", "6,040 people"."""
    return f"{size:,} {singular if size == 1 else plural or singular + 's'}"
