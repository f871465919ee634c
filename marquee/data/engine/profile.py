"""Describe a prepared data set in a few numbers: profile.json."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.ids import Ids, id_type
from marquee.core.times import MICROS_PER_SECOND, rfc3339
from marquee.data.engine.checks import Rejects

PROFILE = "profile.json"


@dataclass(frozen=True, kw_only=True)
class Times:
    first_s: int
    last_s: int
    unit: str

    def sentence(self) -> str:
        """Return "time: milliseconds since 1970, 2019-01-02 to 2021-03-04"."""
        first, last = (iso(second)[:10] for second in (self.first_s, self.last_s))
        return f"time: {self.unit}, {first} to {last}"


def iso(second: int) -> str:
    return rfc3339(second * MICROS_PER_SECOND)


def profile_of(
    *,
    name: str,
    interactions: int,
    user_id: Ids,
    item_id: Ids,
    num_items: int,
    watched: bool,
    times: Times | None,
    scale: Sequence[float],
    duplicates: int,
    rejects: Rejects,
    sha256: str,
) -> dict[str, Any]:
    """Return the content of profile.json.

    item_id: of all items; num_items have interactions.
    """
    time = times and {
        "first": iso(times.first_s),
        "last": iso(times.last_s),
        "unit": times.unit,
    }
    return {
        "name": name,
        "interactions": interactions,
        "users": len(user_id),
        "items": len(item_id),
        "items_without_interactions": len(item_id) - num_items,
        "rated": bool(scale),
        "watched": watched,
        "time": time,
        "scale": list(scale) or None,
        "id_type": {"user": id_type(user_id), "item": id_type(item_id)},
        "duplicates": duplicates,
        "rejected": {"rows": len(rejects), "reasons": dict(rejects.reasons)},
        "sha256": sha256,
    }


def write_profile(profile: dict[str, Any], folder: Path) -> None:
    text = json.dumps(profile, indent=1, ensure_ascii=False)
    (folder / PROFILE).write_text(text + "\n", "utf-8")


def read_profile(folder: Path) -> dict[str, Any]:
    profile: dict[str, Any] = json.loads((folder / PROFILE).read_text("utf-8"))
    return profile


def time_range(path: Path, unit: str) -> Times:
    timestamp = np.load(path, mmap_mode="r")
    return Times(first_s=int(timestamp.min()), last_s=int(timestamp.max()), unit=unit)
