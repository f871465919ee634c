"""Numbers and lists in the words of the report.

>>> percent(6.93)
'6.9%'
>>> join_names(["Drama", "Comedy", "War"])
'Drama, Comedy and War'
>>> count(1, "user")
'1 user'
"""

from collections.abc import Sequence


def number(value: float) -> str:
    """Write two significant digits of decimals, and whole thousands with commas."""
    if value != value:
        return "unknown"
    if abs(value) >= 100 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def percent(value: float) -> str:
    return f"{number(value)}%"


def join_names(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def count(size: int, singular: str, plural: str | None = None) -> str:
    """Write a number and its noun, maybe a verb: "1 movie keeps", "12 movies keep"."""
    return f"{size:,} {singular if size == 1 else plural or singular + 's'}"
