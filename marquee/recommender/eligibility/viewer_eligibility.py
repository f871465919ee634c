"""The items that a viewer may see at a moment: rights by country, age, and window of time.

An item without `countries` is for every country, one without `min_age` for every age. Both hold
where the viewer's country or age is known. The window, `available_from` up to and without
`available_until`, holds for everybody, and so does a deletion. Seasons and episodes are never
listed: a list holds one entry a series.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from marquee.core.arrays import Bools, Float64
from marquee.core.times import MICROS_PER_SECOND, utc_seconds
from marquee.recommender.eligibility.attribute_table import AttributeTable
from marquee.recommender.errors import RequestError

UNLISTED_KINDS = ("season", "episode")
MAX_COUNTRIES = 300  # whose masks are kept; requests may name more


class ViewerEligibility:
    """The restrictions of I items, as of one version of the catalog."""

    def __init__(self, table: AttributeTable, is_deleted_I: Bools) -> None:
        self._is_listed_I = ~(is_deleted_I | table.column("kind").equals(UNLISTED_KINDS))
        self._countries = table.column("countries")
        self._is_everywhere_I = ~self._countries.exists()
        self._country_masks: dict[str, Bools] = {}
        self._min_age_I = _numbers(table, "min_age", float, -np.inf)
        self._from_us_I = _numbers(table, "available_from", time_us, -np.inf)
        self._until_us_I = _numbers(table, "available_until", time_us, np.inf)

    @property
    def has_windows(self) -> bool:
        """Return whether the passing of time alone changes what may be seen."""
        return self._from_us_I is not None or self._until_us_I is not None

    def mask(self, viewer: Mapping[str, Any] | None, now_us: int) -> Bools:
        """Return (I,): the items that a viewer may see; the array is the caller's.

        viewer: `country` and `max_age`, if known; other keys count nothing here.
        """
        country, max_age = _country(viewer or {}), _max_age(viewer or {})
        mask_I = self._is_listed_I.copy()
        if country is not None:
            mask_I &= self._country_mask(country)
        if max_age is not None and self._min_age_I is not None:
            mask_I &= self._min_age_I <= max_age
        if self._from_us_I is not None:
            mask_I &= self._from_us_I <= now_us
        if self._until_us_I is not None:
            mask_I &= self._until_us_I > now_us
        return mask_I

    def _country_mask(self, country: str) -> Bools:
        if country not in self._country_masks:
            mask_I = self._is_everywhere_I | self._countries.equals([country])
            if len(self._country_masks) < MAX_COUNTRIES:
                self._country_masks[country] = mask_I
            return mask_I
        return self._country_masks[country]


def _numbers(
    table: AttributeTable, name: str, convert: Callable[[Any], float], default: float
) -> Float64 | None:
    """Return an attribute of all items as numbers; None where no item has it."""
    column = table.column(name)
    if not column.exists().any():
        return None

    def number(value: Any) -> float:
        try:
            return convert(value)
        except ValueError:  # of a data set; the service refuses it
            return default

    return column.numbers(number, default)


def time_us(value: Any) -> float:
    """Return Unix microseconds of a time as text, or of seconds."""
    seconds = utc_seconds(value) if isinstance(value, str) else float(value)
    return seconds * float(MICROS_PER_SECOND)


def _country(viewer: Mapping[str, Any]) -> str | None:
    country = viewer.get("country")
    if country is not None and not isinstance(country, str):
        message = f"viewer.country: {country!r}, expected text such as DE"
        raise RequestError(message, field="viewer.country")
    return country


def _max_age(viewer: Mapping[str, Any]) -> float | None:
    age = viewer.get("max_age")
    if age is not None and (isinstance(age, bool) or not isinstance(age, int | float)):
        message = f"viewer.max_age: {age!r}, expected a number of years"
        raise RequestError(message, field="viewer.max_age")
    return age
