"""Print about data sets: a profile as a short table with warnings, and the list."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from marquee.core.errors import InputError
from marquee.data.dataset import SPEC_FILE, find_spec
from marquee.data.engine import cache
from marquee.data.engine.profile import read_profile
from marquee.data.movielens.presets import form_of
from marquee.data.prepare import FACTS, REJECTED, request_of

FEW_USERS = 100
FEW_INTERACTIONS = 3  # of a user: fewer leave nothing to train on once two are held out
SHOWN_VALUES = 12  # of a scale
PARTS = ("train", "validate", "test")  # of a fixed split, by their numbers in part.npy
COLUMNS = ("name", "interactions", "users", "items", "rated", "times", "source")


def profile_lines(folder: Path) -> list[str]:
    """Return the lines that describe a prepared data set: notes, table, warnings."""
    profile = read_profile(folder)
    facts = json.loads((folder / FACTS).read_text("utf-8"))
    rows = [*_rows(profile, facts["is_ordered"]), *_split_row(folder)]
    width = max(len(label) for label, _ in rows)
    return [
        *(f"  {note}" for note in facts["notes"]),
        f"{profile['name']}:",
        *(f"  {label:{width}}  {text}" for label, text in rows),
        *(f"warning: {warning}" for warning in (*facts["warnings"], *_warnings(profile, folder))),
    ]


def data_table(root: Path) -> str:
    """Return a table of all data sets in a folder; dashes if not prepared."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        is_own = (folder / SPEC_FILE).is_file()
        if folder.is_dir() and (is_own or _has_movielens(folder)):
            rows.append(_list_row(folder, root))
    if len(rows) == 1:
        return f"{root}: no data sets; add one: marquee data add NAME --interactions FILE …"
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return "\n".join(_aligned(row, widths) for row in rows)


def _has_movielens(folder: Path) -> bool:
    form = form_of(folder.name, folder)
    return form is not None and all(
        (folder / file).is_file() for file in (form.ratings, form.movies)
    )


def _list_row(folder: Path, root: Path) -> tuple[str, ...]:
    name = folder.name
    try:
        spec, preset, origin = find_spec(name, root)
    except InputError as error:
        return (name, "-", "-", "-", "-", "-", str(error))
    source = "MovieLens" if preset else ", ".join(spec.interactions)
    prepared = cache.find(request_of(name, spec, origin, preset))
    if prepared is None:
        return (name, "-", "-", "-", "-", "-", f"{source} (not prepared yet)")
    profile = read_profile(prepared)
    counts = (f"{profile[key]:,}" for key in COLUMNS[1:4])
    scale = profile["scale"] or []
    rated = f"{scale[0]:g} to {scale[-1]:g}" if scale else "no"
    return (name, *counts, rated, _time(profile) or "no", source)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """Return one line of the table: numbers at the right, texts at the left."""
    cells = (
        f"{cell:>{width}}" if 1 <= column <= 3 else f"{cell:{width}}"
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()


def _rows(profile: dict[str, Any], is_ordered: bool) -> list[tuple[str, str]]:
    without = profile["items_without_interactions"]
    types = {"int": "integer ids", "text": "text ids"}
    duplicates, rejected = profile["duplicates"], profile["rejected"]
    folded = f", {duplicates:,} duplicates folded" if duplicates else ""
    idle = f", {without:,} without interactions" if without else ""
    noun = "row" if rejected["rows"] == 1 else "rows"
    reasons = "; ".join(f"{reason}: {count:,}" for reason, count in rejected["reasons"].items())
    return [
        ("interactions", f"{profile['interactions']:,}{folded}"),
        ("users", f"{profile['users']:,}, {types[profile['id_type']['user']]}"),
        ("items", f"{profile['items']:,}, {types[profile['id_type']['item']]}{idle}"),
        ("ratings", _scale(profile["scale"])),
        ("watched", "share of each play" if profile["watched"] else "not known"),
        ("times", _time(profile) or ("none, the rows' order counts" if is_ordered else "none")),
        ("rejected", f"{rejected['rows']:,} {noun} ({reasons})" if rejected["rows"] else "no row"),
    ]


def _split_row(folder: Path) -> list[tuple[str, str]]:
    """Return how many interactions each file of a fixed split holds; nothing without one."""
    if not (folder / "part.npy").is_file():
        return []
    sizes = np.bincount(np.load(folder / "part.npy", mmap_mode="r"), minlength=len(PARTS))
    parts = [f"{size:,} to {part}" for size, part in zip(sizes, PARTS, strict=True) if size]
    return [("split", ", ".join(parts))]


def _scale(scale: Sequence[float] | None) -> str:
    if not scale:
        return "none"
    if len(scale) > SHOWN_VALUES:
        return f"{scale[0]:g} to {scale[-1]:g}, {len(scale)} values"
    return ", ".join(f"{value:g}" for value in scale)


def _time(profile: dict[str, Any]) -> str | None:
    time = profile["time"]
    if time is None:
        return None
    first, last = (datetime.fromisoformat(time[key]).date() for key in ("first", "last"))
    return f"{first} to {last}"


def _warnings(profile: dict[str, Any], folder: Path) -> Iterable[str]:
    if profile["users"] < FEW_USERS:
        yield (
            f"{profile['users']} users are few: figures have wide intervals, and below 20 users "
            "there are none"
        )
    facts = json.loads((folder / FACTS).read_text("utf-8"))
    if profile["time"] is None and not facts["is_ordered"]:
        yield (
            "no times: what comes next cannot be learned or measured, only protocols without an "
            "order run; name a column with --time, or add --ordered if rows stand oldest first"
        )
    share = _share_of_short(folder)
    if share > 0.5:
        yield (
            f"{share:.0%} of the users have fewer than {FEW_INTERACTIONS} interactions: they say "
            "little about taste; is --user the right column?"
        )
    if profile["rejected"]["rows"]:
        yield f"rejected rows are in {folder / REJECTED}: file, line, reason"


def _share_of_short(folder: Path) -> float:
    indptr = np.load(folder / "indptr.npy", mmap_mode="r")
    return float((np.diff(indptr) < FEW_INTERACTIONS).mean()) if len(indptr) > 1 else 0.0
