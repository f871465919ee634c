"""Prepare a data set: from its files to the columns that training maps.

    prepared = prepare("mine", spec)                # read, check, number, sort, write
    prepared.folder                                 # runs/data/mine-0123456789abcdef
    prepared.notes                                  # ("time: seconds since 1970, 2019-01-02 to …",)

All happens in a hidden folder of the cache; the data set appears at the end, or not at all.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from marquee.core.ids import Ids, IdType, id_type
from marquee.data.attributes.checks import odd_ids
from marquee.data.attributes.item_tables import items_id_column, read_items
from marquee.data.attributes.rows import Reject, open_table
from marquee.data.attributes.storage import save_features, save_movies, save_tags, save_user_ids
from marquee.data.attributes.user_tables import read_users, users_id_column
from marquee.data.engine import cache
from marquee.data.engine.build import Interactions, build_interactions
from marquee.data.engine.checks import Rejects
from marquee.data.engine.connection import open_connection
from marquee.data.engine.profile import profile_of, write_profile
from marquee.data.movielens.last_line import check_last_line
from marquee.data.movielens.presets import Preset, preset_scale
from marquee.data.movielens.tags import open_tags, read_tags
from marquee.data.source_tables import SourceFile, SourceTable, explained_errors, open_source
from marquee.data.spec import DatasetSpec
from marquee.data.spec_columns import check_columns
from marquee.data.spec_file import PATHS, public_spec, spec_settings

FACTS, REJECTED = "facts.json", "rejected.parquet"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    folder: Path
    profile: dict[str, Any]
    notes: tuple[str, ...]  # what was recognised
    warnings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sources:
    interactions: tuple[SourceTable, ...]  # training, validation, test
    users: SourceTable | None
    items: SourceTable | None

    @property
    def all(self) -> tuple[SourceTable, ...]:
        return (*self.interactions, *(s for s in (self.items, self.users) if s is not None))


def prepare(
    name: str, spec: DatasetSpec, *, origin: Path, preset: Preset | None = None
) -> Prepared:
    """Prepare data set `name`, in place of what the cache holds of it.

    origin: DATA_ROOT/NAME. preset: it is a MovieLens set, whose ids, times and ratings have one
    form. Raises InputError, one sentence, for files, columns and rows that cannot be read.
    """
    with cache.locked(name):
        return prepare_locked(request_of(name, spec, origin, preset), spec, preset)


def request_of(
    name: str, spec: DatasetSpec, origin: Path, preset: Preset | None = None
) -> cache.Request:
    public = public_spec(spec)
    paths = {field: [_absolute(path) for path in getattr(public, field)] for field in PATHS}
    if preset is not None and preset.tags is not None:
        paths["tags"] = [_absolute(str(preset.tags))]
    return cache.Request(
        name=name, origin=_absolute(str(origin)), settings=spec_settings(spec) | paths
    )


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).absolute())


def prepare_locked(request: cache.Request, spec: DatasetSpec, preset: Preset | None) -> Prepared:
    """Prepare while this process holds the lock of the name."""
    if preset is not None:
        check_last_line(preset.files[0], spec.separator or ",")
    with cache.scratch_folder(request.name) as scratch:
        folder = scratch / "tables"
        folder.mkdir()
        with (
            open_connection(scratch, spec.memory_limit) as connection,
            explained_errors(request.name),
        ):
            sources = _open_sources(connection, spec, scratch)
            prepared = _Preparation(request.name, spec, preset, connection, sources, folder)
            profile, files = prepared.run()
        return Prepared(
            folder=cache.publish(folder, request, files),
            profile=profile,
            notes=tuple(prepared.notes),
            warnings=tuple(prepared.warnings),
        )


def _open_sources(
    connection: duckdb.DuckDBPyConnection, spec: DatasetSpec, scratch: Path
) -> Sources:
    interactions = tuple(
        open_source(
            connection, paths, query=spec.query if option == "--interactions" else None,
            separator=spec.separator, header=spec.header, encoding=spec.encoding, option=option,
            folder=scratch,
        )
        for option, paths in (
            ("--interactions", spec.interactions),
            ("--valid-interactions", spec.valid_interactions),
            ("--test-interactions", spec.test_interactions),
        )
        if paths
    )  # fmt: skip
    sources = Sources(
        interactions=interactions,
        items=open_table(connection, spec, "items", scratch),
        users=open_table(connection, spec, "users", scratch),
    )
    for source in sources.all:
        check_columns(spec, source)
    return sources


class _Preparation:
    def __init__(
        self,
        name: str,
        spec: DatasetSpec,
        preset: Preset | None,
        connection: duckdb.DuckDBPyConnection,
        sources: Sources,
        folder: Path,
    ) -> None:
        self.name, self.spec, self.preset = name, spec, preset
        self.connection, self.sources, self.folder = connection, sources, folder
        self.rejects = Rejects()
        self.notes = [note for source in sources.all for note in source.notes]
        self.warnings: list[str] = []

    def run(self) -> tuple[dict[str, Any], list[SourceFile]]:
        """Write all tables; return the profile, and the files that were read."""
        interactions = self._interactions()
        item_id, num_items = self._items(interactions.item_id)
        self._users(interactions.user_id)
        tag_files = self._tags(id_type(interactions.user_id), id_type(interactions.item_id))
        self.rejects.write(self.folder / REJECTED, self.connection)
        files = [file for source in self.sources.all for file in source.finish()] + tag_files
        profile = profile_of(
            name=self.name,
            interactions=interactions.written.num_rows,
            user_id=interactions.user_id,
            item_id=item_id,
            num_items=num_items,
            watched=interactions.has_watched,
            times=interactions.times,
            scale=interactions.scale.values,
            duplicates=interactions.written.num_folded,
            rejects=self.rejects,
            sha256=self._sha256(files),
        )
        write_profile(profile, self.folder)
        self._write_facts(profile, num_items)
        return profile, files

    def _interactions(self) -> Interactions:
        spec, sources = self.spec, self.sources
        scale = preset_scale(self.name) if self.preset else None
        interactions = build_interactions(
            self.connection, spec, sources.interactions, self.folder, self.rejects,
            about=(
                (sources.users, users_id_column(spec)) if sources.users and not scale else None,
                (sources.items, items_id_column(spec)) if sources.items and not scale else None,
            ),
            fixed_scale=scale,
            name=self.name,
        )  # fmt: skip
        self.notes += interactions.notes
        save_user_ids(interactions.user_id, self.folder)
        self.warnings += interactions.warnings
        self.warnings += odd_ids(interactions.user_id, "user")
        self.warnings += odd_ids(interactions.item_id, "item")
        if folded := interactions.written.num_folded:
            how = "they are added up" if interactions.repeats == "sum" else "the latest counts"
            self.warnings.append(
                f"{sources.interactions[0].name}: {folded:,} rows of a user and an item that were "
                f"there already; {how}"
            )
        return interactions

    def _items(self, ids: Ids) -> tuple[Ids, int]:
        items = read_items(self.connection, self.spec, self.sources.items, ids)
        save_movies(items.movies, self.folder)
        save_features(items.features, self.folder, "item")
        self._add(items.notes, items.warnings, items.rejects, self.sources.items)
        return items.movies.movie_id, items.num_items

    def _users(self, ids: Ids) -> None:
        users = read_users(self.connection, self.spec, self.sources.users, ids)
        save_features(users.features, self.folder, "user")
        self._add(users.notes, users.warnings, users.rejects, self.sources.users)

    def _add(
        self,
        notes: Sequence[str],
        warnings: Sequence[str],
        rejects: Sequence[Reject],
        source: SourceTable | None,
    ) -> None:
        """Keep what was found in the file about items or users; refuse too many bad rows."""
        self.notes += notes
        self.warnings += warnings
        if source is None:
            return
        own = Rejects(num_rows=source_size(self.connection, source))
        own.add_lines(self.connection, source)
        if rejects:
            own.add("an item or user that cannot be read", list(rejects), len(rejects))
        own.refuse_above(self.spec.max_rejected, self.name)
        self.rejects.extend(own)

    def _tags(self, user_type: IdType, item_type: IdType) -> list[SourceFile]:
        if self.preset is None or self.preset.tags is None:
            return []
        source = open_tags(self.connection, self.preset.tags, self.folder.parent)
        tags = read_tags(self.connection, source, user_type=user_type, item_type=item_type)
        save_tags(tags, self.folder)
        return list(source.finish())

    def _sha256(self, files: Sequence[SourceFile]) -> str:
        """Return the digest of MovieLens' files one after the other, else of all sources."""
        if self.preset is None:
            content = json.dumps([spec_settings(self.spec), [file.sha256 for file in files]])
            return hashlib.sha256(content.encode()).hexdigest()
        ratings = self.sources.interactions[0].digests
        assert ratings is not None  # a file
        return ratings.followed_by(self.preset.files[1:])

    def _write_facts(self, profile: dict[str, Any], num_items: int) -> None:
        facts = {
            "scale": profile["scale"] or [],
            "sha256": profile["sha256"],
            "num_items": num_items,
            "has_times": profile["time"] is not None,
            "is_ordered": self.spec.ordered,
            "notes": self.notes,
            "warnings": self.warnings,
        }
        (self.folder / FACTS).write_text(json.dumps(facts, ensure_ascii=False, indent=1), "utf-8")


def source_size(connection: duckdb.DuckDBPyConnection, source: SourceTable) -> int:
    ((size,),) = connection.execute(f"SELECT count(*) FROM {source.view}").fetchall()
    return int(size)
