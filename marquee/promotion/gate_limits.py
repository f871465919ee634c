"""Limits of the release gate."""

from dataclasses import dataclass

from marquee.core.errors import InputError

MIN_METRIC_RATIO = 0.95
"""Of the current version's metric: less is a worse model whatever the interval says."""


class Refused(InputError):  # noqa: N818
    """A refusal that `--force` overrules; wrong golden answers are never forced."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Size and age that a version may have."""

    max_mb: float = 1000.0
    """A machine holds the old and the new bundle while it swaps."""
    max_age_days: float = 90.0
    """Tastes and catalogs change."""
