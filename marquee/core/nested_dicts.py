"""Nested dictionaries of settings, and the same by dotted names.

flatten({"data": {"ties": "hash"}})      # {"data.ties": "hash"}
"""

from collections.abc import Mapping
from typing import Any


def flatten(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves by their dotted names; a list is a value."""
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            leaves |= flatten(value, f"{prefix}{key}.")
        else:
            leaves[prefix + key] = value
    return leaves


def without_none(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Drop settings that are None, group by group."""
    return {
        key: without_none(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if value is not None
    }
