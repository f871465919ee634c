"""From sources to columns: the interactions of a data set, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from marquee.core.errors import InputError
from marquee.core.ids import Ids
from marquee.data.engine.checks import NOT_IGNORED, Check, Rejects, checks_of, collect, mark_bad
from marquee.data.engine.columns import Written, write_columns
from marquee.data.engine.interactions import Rows, read_rows
from marquee.data.engine.numbering import id_type_of, number_ids, sorted_rows
from marquee.data.engine.profile import Times, time_range
from marquee.data.engine.scales import Scale, find_scale
from marquee.data.engine.times import SECONDS, TimeUnit, check_readable, recognise_unit
from marquee.data.engine.watched import find_share
from marquee.data.source_tables import SourceTable
from marquee.data.source_tables.sql import row_of
from marquee.data.spec import DatasetSpec

Attributes = tuple[SourceTable, str] | None
"""The source about items or users, and its column of ids."""


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """The interactions of a prepared data set; their columns lie in the folder."""

    user_id: Ids
    item_id: Ids  # ascending, those with interactions
    written: Written
    scale: Scale
    times: Times | None
    has_watched: bool
    repeats: str  # what became of several rows of one user and item: last, sum or keep
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def build_interactions(
    connection: duckdb.DuckDBPyConnection,
    spec: DatasetSpec,
    sources: Sequence[SourceTable],
    folder: Path,
    rejects: Rejects,
    *,
    about: tuple[Attributes, Attributes] = (None, None),
    fixed_scale: tuple[float, ...] | None = None,
    name: str,
) -> Interactions:
    """Write the columns of all interactions to `folder`.

    sources: training, validation and test. about: the sources about users and items. fixed_scale:
    it is a MovieLens set, whose ids are integers and whose times are seconds. Rows that are left
    out are added to `rejects`. Raises InputError where they are more than the spec allows.
    """
    is_strict = fixed_scale is not None
    rows = read_rows(connection, spec, sources, strict=is_strict)
    unit = _unit(connection, spec, rows, is_strict=is_strict)
    checks = checks_of(
        rows.columns,
        time=unit.is_plausible() if unit else None,
        rating=_on_scale(fixed_scale),
        has_kinds=bool(spec.kinds),
    )
    some_are_out = _leave_out(connection, spec, sources, checks, rejects, name)
    scale = Scale((), "NULL")
    if "rating" in rows.columns:
        has_kinds = bool(spec.kinds)
        scale = find_scale(connection, fixed_scale, has_kinds=has_kinds, column=spec.rating or "")
    columns = {"rating": f"coalesce({scale.sql}, 'nan')::FLOAT", "timestamp": _seconds(unit)}
    notes = list(scale.notes)
    if "watched" in rows.columns:
        share, watched_notes = find_share(connection, by_seconds=bool(spec.watched_seconds))
        columns["watched"] = f"coalesce({share}, 'nan')::FLOAT"
        notes += watched_notes
    if "strength" in rows.columns:
        columns["strength"] = "rows.strength"
    if len(sources) > 1:
        # Of two files the second is that of the test, which has number 2.
        columns["part"] = "rows.part" if spec.valid_interactions else "rows.part * 2"
    user_type = id_type_of(connection, "users", rows.user, about[0])
    item_type = id_type_of(connection, "items", rows.item, about[1])
    user_id = number_ids(connection, "users", user_type, some_are_out=some_are_out)
    item_id = number_ids(connection, "items", item_type, some_are_out=some_are_out)
    if not len(user_id):
        raise InputError(f"{name}: no interactions in {sources[0].name}, expected at least 1")
    repeats = spec.repeats or ("last" if scale.values else "sum")
    written = write_columns(
        sorted_rows(connection, columns, has_times=unit is not None, some_are_out=some_are_out),
        folder,
        num_users=len(user_id),
        repeats=repeats,
    )
    times = time_range(folder / "timestamp.npy", unit.name) if unit else None
    notes = [f"ids: users {user_type}, items {item_type}", *notes]
    return Interactions(
        user_id=user_id,
        item_id=item_id,
        written=written,
        scale=scale,
        times=times,
        has_watched="watched" in columns,
        repeats=repeats,
        notes=tuple([times.sentence(), *notes] if times else notes),
        warnings=scale.warnings,
    )


def _unit(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, rows: Rows, *, is_strict: bool
) -> TimeUnit | None:
    if rows.time is None:
        return None
    if is_strict:
        return SECONDS
    check_readable(connection, spec.time or "")
    return recognise_unit(connection, "rows", rows.time, spec.time or "")


def _seconds(unit: TimeUnit | None) -> str:
    return unit.seconds.format(t="rows.t") if unit else "0::BIGINT"


def _on_scale(scale: tuple[float, ...] | None) -> str | None:
    return f"rating IN ({', '.join(f'{value}::FLOAT' for value in scale)})" if scale else None


def _leave_out(
    connection: duckdb.DuckDBPyConnection,
    spec: DatasetSpec,
    sources: Sequence[SourceTable],
    checks: Sequence[Check],
    rejects: Rejects,
    name: str,
) -> bool:
    """Mark the rows that do not count; return whether there are any."""
    num_bad = mark_bad(connection, checks)
    num_rows, num_kept = row_of(
        connection, f"SELECT count(*), count(*) FILTER ({NOT_IGNORED}) FROM rows"
    )
    rejects.num_rows += num_rows
    for source in sources:
        rejects.add_lines(connection, source)
    if num_bad:
        collect(connection, sources, checks, rejects, spec.max_rejected)
    rejects.refuse_above(spec.max_rejected, name)
    return bool(num_bad or num_kept < num_rows)
