"""The catalog as it is now: titles, rules and their audit, in the event store's database.

    store = CatalogStore(events.database)
    store.put_movies([{"movie_id": 6, "title": "Heat", "attributes": {"studio": "Regency"}}], "ann")
    store.delete_movies([50], "ann")
    for changes in store.changes_since(ChangeCursor(version=3)): …    # what a replica applies

Each call that changes something takes one transaction and one version. It locks the version before
it reads, so that no update is lost and versions are in the order of commits: who sees a version
sees every row of it and of those before. A call that changes nothing takes no version.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

import sqlalchemy as sa

from marquee.catalog import sql
from marquee.catalog.documents import changes_by_key, checked_key, decoded, encoded, merged
from marquee.catalog.records import (
    AuditEntry,
    CatalogChanges,
    ChangeCursor,
    StoredMovie,
    StoredRule,
    movie_subject,
    rule_subject,
)
from marquee.catalog.writer import NO_DOCUMENT, CatalogWriter
from marquee.core.errors import InputError
from marquee.core.id_limits import MAX_INT64
from marquee.core.ids import Id
from marquee.feedback.database import Database
from marquee.feedback.event_schema import check_id
from marquee.feedback.movie_keys import movie_of

MOVIES_PER_PAGE = 1000


class CatalogStore:
    """The store of titles and rules; processes may share it.

    While the database does not answer, every method raises StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        """Use a database, which makes the tables at its first contact."""
        self._database = database

    def put_movies(self, documents: Sequence[Mapping[str, Any]], actor: str) -> int:
        """Change titles, all or none, and return the version of the catalog.

        documents: fields of `PUT /movies`, checked before; of two with one movie_id the later one
        counts after the earlier. actor: who, for the audit; at most 128 characters. A field that is
        absent stays, and None is stored. A deleted title comes back with its fields of before.

        Raises InputError for a movie_id beyond the limits; then nothing changes.
        """
        changes = changes_by_key(documents)
        texts = {key: encoded(f"movie {key}", reduce(merged, changes[key], {})) for key in changes}

        def document_of(key: str, stored: str | None) -> str:
            if stored is None or stored == texts[key]:
                return texts[key]
            return encoded(f"movie {key}", reduce(merged, changes[key], decoded(stored)))

        return self._write_movies(actor, "put", list(changes), document_of)

    def delete_movies(self, movie_ids: Sequence[Id], actor: str) -> int:
        """Delete titles, all or none, and return the version of the catalog.

        A title that only the bundle has gets a row that says so. Raises as `put_movies`.
        """
        keys = list(dict.fromkeys(map(checked_key, movie_ids)))
        return self._write_movies(actor, "delete", keys, lambda _, stored: stored or NO_DOCUMENT)

    def movie(self, movie_id: Id) -> StoredMovie | None:
        """Return a title, also a deleted one; None for one of which nothing was said."""
        key = checked_key(movie_id)
        with self._database.read() as connection:
            row = connection.execute(sql.SELECT_MOVIE, {"movie_key": key}).first()
        return _movie_of(row) if row else None

    def movies(
        self, cursor: str | None = None, limit: int = MOVIES_PER_PAGE
    ) -> tuple[list[StoredMovie], str | None]:
        """Return a page of titles by their keys, and the cursor of the next page.

        cursor: None for the first page. The page after the last one is None. Raises InputError for
        a cursor that no page returned.
        """
        values = {"movie_key": _checked_cursor(cursor), "limit": limit}
        with self._database.read() as connection:
            rows = connection.execute(sql.SELECT_MOVIES, values).all()
        return [_movie_of(row) for row in rows], rows[-1].movie_key if len(rows) == limit else None

    def version(self) -> int:
        """Return the version of the catalog: 0 at first, and one more with each change."""
        with self._database.read() as connection:
            return int(connection.execute(sql.SELECT_VERSION).scalar_one())

    def changes_since(
        self, cursor: ChangeCursor, limit: int = MOVIES_PER_PAGE
    ) -> Iterator[CatalogChanges]:
        """Yield pages of changes since a cursor, at least one, of at most `limit` titles.

        A page is one short transaction. Its cursor goes on after it, also in another process.
        Titles that change meanwhile come in a later page. A version below that of the cursor means
        that the database was replaced: begin again with ChangeCursor().
        """
        is_last = False
        while not is_last:
            changes = self._changes_page(cursor, limit)
            yield changes
            cursor, is_last = changes.cursor, changes.is_last

    def count_changes(self, version: int) -> int:
        """Return the number of titles that changed after a version."""
        with self._database.read() as connection:
            return int(connection.execute(sql.COUNT_CHANGES, {"version": version}).scalar_one())

    def put_rule(self, name: str, document: Mapping[str, Any], actor: str) -> int:
        """Store a rule by its name; return the version of the catalog.

        Raises InputError for a name that is empty, or longer than 128 characters.
        """
        return self._write_rule(actor, "put", name, encoded(f"rule {name}", document))

    def delete_rule(self, name: str, actor: str) -> int:
        """Delete a rule if there is one, and return the version of the catalog."""
        return self._write_rule(actor, "delete", name, None)

    def rules(self) -> tuple[int, list[StoredRule]]:
        """Return the version of the catalog, and all rules by name."""
        with self._database.read() as connection:
            version = int(connection.execute(sql.SELECT_VERSION).scalar_one())
            rows = connection.execute(sql.SELECT_RULES).all()
        return version, _live_rules(rows)

    def audit(
        self, subject: str | None = None, cursor: int | None = None, limit: int = 100
    ) -> tuple[list[AuditEntry], int | None]:
        """Return a page of the audit, newest entry first, and the cursor of the next page.

        subject: `movie_subject` or `rule_subject`; None for all.
        """
        statement = sql.select_audit(has_subject=subject is not None)
        place = MAX_INT64 if cursor is None else cursor
        values = {"subject": subject, "cursor": place, "limit": limit}
        with self._database.read() as connection:
            rows = connection.execute(statement, values).all()
        return [_entry_of(row) for row in rows], rows[-1].id if len(rows) == limit else None

    @contextmanager
    def _writer(self, actor: str) -> Iterator[CatalogWriter]:
        check_id("actor", actor)
        with self._database.begin() as connection:
            yield CatalogWriter(connection, actor)

    def _write_movies(
        self,
        actor: str,
        action: str,
        keys: list[str],
        document_of: Callable[[str, str | None], str],
    ) -> int:
        """Write the titles that change; document_of(key, text of before) is the text of one."""
        is_deleted, rows, entries = action == "delete", [], []
        with self._writer(actor) as writer:
            stored = writer.read_movies(keys)
            constants = is_deleted, writer.next_version
            for key in keys:
                row = stored.get(key)
                document = document_of(key, row.document if row else None)
                if row and (row.document, bool(row.is_deleted)) == (document, is_deleted):
                    continue
                added_us = row.added_us if row else writer.now_us
                rows.append((key, document, *constants, added_us, writer.now_us))
                before = row.document if row and not row.is_deleted else None
                entries.append((movie_subject(key), before, None if is_deleted else document))
            writer.write_movies(rows)
            writer.write_audit(action, entries)
        return writer.version

    def _write_rule(self, actor: str, action: str, name: str, document: str | None) -> int:
        check_id("rule", name)
        with self._writer(actor) as writer:
            before = writer.read_rule(name)
            if before != document:
                writer.write_rule(name, document)
                writer.write_audit(action, [(rule_subject(name), before, document)])
        return writer.version

    def _changes_page(self, cursor: ChangeCursor, limit: int) -> CatalogChanges:
        """Read the version first: rows and rules are of that version, or of later ones."""
        values = {"version": cursor.version, "movie_key": cursor.movie_key, "limit": limit}
        with self._database.read() as connection:
            version = int(connection.execute(sql.SELECT_VERSION).scalar_one())
            rows = connection.execute(sql.SELECT_CHANGED_MOVIES, values).all()
            rules = connection.execute(sql.SELECT_CHANGED_RULES, {"version": cursor.version}).all()
        is_last = len(rows) < limit
        if is_last:
            following = ChangeCursor(version=max([version, *(row.version for row in rows[-1:])]))
        else:
            following = ChangeCursor(version=rows[-1].version, movie_key=rows[-1].movie_key)
        return CatalogChanges(
            movies=[_movie_of(row) for row in rows],
            rules=_live_rules(rules) if rules else None,
            cursor=following,
            is_last=is_last,
        )


def _checked_cursor(cursor: str | None) -> str:
    if cursor is None:
        return ""
    try:
        return checked_key(movie_of(cursor))
    except (ValueError, IndexError):
        raise InputError(
            f"cursor {cursor[:80]!r}: not a place in the catalog, expected one that a page "
            "returned; begin without"
        ) from None


def _movie_of(row: sa.Row[Any]) -> StoredMovie:
    return StoredMovie(
        movie_id=movie_of(row.movie_key),
        document=decoded(row.document),
        is_deleted=bool(row.is_deleted),
        version=row.version,
        added_us=row.added_us,
        changed_us=row.changed_us,
    )


def _live_rules(rows: Sequence[sa.Row[Any]]) -> list[StoredRule]:
    return [
        StoredRule(
            name=row.name,
            document=decoded(row.document),
            version=row.version,
            changed_us=row.changed_us,
        )
        for row in rows
        if not row.is_deleted
    ]


def _entry_of(row: sa.Row[Any]) -> AuditEntry:
    return AuditEntry(
        entry_id=row.id,
        at_us=row.at_us,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        before=None if row.before is None else decoded(row.before),
        after=None if row.after is None else decoded(row.after),
    )
