"""The event store: ratings and events of users, in a SQLite file or in PostgreSQL.

    store = EventStore("sqlite:///events.sqlite")
    store.import_ratings(user_id, movie_id, stars, timestamp)
    store.add([Event(event_id="e-1", user_id="42", movie_id=1193, kind="rating", stars=5.0,
                     at_us=978_300_760_000_000)])
    store.user_state(42).history     # ((1193, 5.0, None, 978300760000000), …), oldest first

A user_id is text of at most 128 characters: 42 and "42" are one user. A movie_id is an integer or
such a text, and comes back as it was stored: 42 and "42" are two movies. Interactions of a data set
are imported, one row per user and movie. Everything after that is a log of events, which only
grows; marquee/feedback/user_state.py reduces it. An event that `add` has acknowledged is on disk.
One million imported ratings take 3 s of CPU on SQLite and 30 MB of disk. On PostgreSQL they take 8
s of CPU in this process, and more in the server.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import numpy as np
import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.core.times import unix_us
from marquee.feedback import sql
from marquee.feedback.database import Database
from marquee.feedback.errors import DEFAULT_EVENTS_URL
from marquee.feedback.event_schema import Column, Event, import_columns
from marquee.feedback.migrate import is_expanded
from marquee.feedback.movie_keys import movie_key, movie_of
from marquee.feedback.user_state import UserState, reduce_events, to_stored_events

ROWS_PER_BATCH = 20_000
"""Imported ratings handed to the database together: 5 MB of Python objects."""
ROWS_PER_SAMPLE = 5_000
"""Events, or imported ratings, among which a sample of users is looked for."""
IDS_PER_QUERY = 1000
"""Events looked up together: databases limit the parameters of a query."""


@dataclass(frozen=True)
class AddResult:
    """The outcome of adding a list of events."""

    accepted: int
    duplicates: int
    """Events stored before, or earlier in the list, with the same content."""
    conflicts: tuple[int, ...]
    """Positions of events whose id belongs to other content; they are not stored."""


class EventStore:
    """The store of events by user; it makes its tables, and processes may share it.

    While the database does not answer, every method raises StoreUnavailable. Reads and writes have
    connections of their own: neither waits for the other.
    """

    def __init__(self, url: str = DEFAULT_EVENTS_URL, read_only: bool = False) -> None:
        """Open the store.

        url: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE. read_only: change nothing;
        a file that does not exist is then an error.

        Raises InputError where a file cannot be created, read or written, and where a table belongs
        to another product. An unreachable PostgreSQL is no error: later calls try again.
        """
        self._database = Database(url, read_only)

    def add(self, events: Sequence[Event]) -> AddResult:
        """Store events, but those in conflict; when this returns they are on disk.

        The same event sent again changes nothing. An id that belongs to other content, stored
        before or earlier in the list, is a conflict. An event without a time gets this machine's,
        and is the same as a stored one of any time. Raises InputError for an event that a database
        could not hold; then no event is stored.
        """
        unique: dict[str, Event] = {}
        for event in events:
            event.check()
            unique.setdefault(event.event_id, event)
        with self._database.begin() as connection:
            numbers = dict(zip(unique, self._reserve(connection, len(unique)), strict=True))
            # Sorted: two writers of the same events wait for each other in one direction only.
            now_us = unix_us(datetime.now(UTC))
            rows = [_event_row(unique[id_], numbers[id_], now_us) for id_ in sorted(unique)]
            for batch in _batches(rows, IDS_PER_QUERY):
                connection.execute(sql.INSERT_EVENTS, batch)
            stored_events = _read_events(connection, list(unique))
            conflicts = tuple(
                position
                for position, event in enumerate(events)
                # An id that is absent was stored before, and deleted with its user at this moment.
                if event.event_id in stored_events
                and not event.is_same(stored_events[event.event_id][0])
            )
        accepted = sum(number == numbers[id_] for id_, (_, number) in stored_events.items())
        return AddResult(accepted, len(events) - accepted - len(conflicts), conflicts)

    def user_state(self, user_id: int | str) -> UserState:
        """Return the state of a user; an empty UserState for an unknown one."""
        with self._database.read() as connection:
            values = {"user_id": str(user_id)}
            rows = connection.execute(sql.SELECT_USER, values).all()
            is_personalized = connection.execute(sql.SELECT_PERSONALIZED, values).scalar()
        state = reduce_events(to_stored_events(rows))
        return replace(state, is_personalized=is_personalized in (None, True))

    def user_rows(self, user_id: int | str) -> list[dict[str, Any]]:
        """Return every row of a user, oldest first; an imported rating has event_id None."""
        with self._database.read() as connection:
            rows = connection.execute(sql.SELECT_USER_ROWS, {"user_id": str(user_id)}).mappings()
            return [_with_movie_id(row) for row in rows]

    def state_version(self, user_id: int | str) -> tuple[int, int]:
        """Return (newest sequence, count) of a user's rows; it differs after a change.

        A choice of lists without history counts as a row.

        Read from indexes alone. (0, 0) for an unknown user; after a deletion no pair comes back.
        """
        with self._database.read() as connection:
            row = connection.execute(sql.SELECT_STATE_VERSION, {"user_id": str(user_id)}).one()
        return int(row[0]), int(row[1])

    def delete_user(self, user_id: int | str) -> int:
        """Delete every row of a user, and return the number of rows."""
        with self._database.begin() as connection:
            num_rows = sum(
                connection.execute(statement, {"user_id": str(user_id)}).rowcount
                for statement in sql.DELETE_USER
            )
        self._database.empty_log()
        return num_rows

    def user_id_ranges(self, num_users: int) -> Iterator[tuple[str, str]]:
        """Yield the first and last user_id of every `num_users` users, in store order.

        Ids are streamed: a million users take 10 MB, not the memory of their ratings.
        """
        with self._database.read() as connection:
            stream = connection.execution_options(yield_per=ROWS_PER_BATCH)
            user_ids = stream.execute(sql.SELECT_USER_IDS).scalars()
            while batch := list(islice(user_ids, num_users)):
                yield batch[0], batch[-1]

    def user_states(self, first: str, last: str) -> Iterator[tuple[str, UserState]]:
        """Yield (user_id, state) of every user from `first` to `last`, in one query."""
        with self._database.read() as connection:
            users = {"first": first, "last": last}
            unpersonalized = set(connection.execute(sql.SELECT_UNPERSONALIZED, users).scalars())
            stream = connection.execution_options(yield_per=ROWS_PER_BATCH)
            events = to_stored_events(stream.execute(sql.SELECT_USERS, users))
            for user_id, user_events in groupby(events, key=attrgetter("user_id")):
                state = reduce_events(user_events)
                yield user_id, replace(state, is_personalized=user_id not in unpersonalized)

    def latest_states(self, count: int) -> list[UserState]:
        """Return the states of at most `count` users, of the latest events if possible.

        A sample for previews: it costs the same however many users there are.
        """
        values = {"rows": ROWS_PER_SAMPLE, "count": count}
        with self._database.read() as connection:
            user_ids = list(connection.execute(sql.SELECT_LATEST_USERS, values).scalars())
            if len(user_ids) < count:
                user_ids += connection.execute(sql.SELECT_SOME_USERS, values).scalars()
        return [self.user_state(user_id) for user_id in dict.fromkeys(user_ids[:count])]

    def import_ratings(self, user_id: Column, movie_id: Column, stars: Column, at_s: Column) -> int:
        """Store N ratings, all or none, and return N; see `import_interactions`.

        Raises InputError for a missing rating, too.
        """
        if np.isnan(np.asarray(stars, dtype=np.float64)).any():
            raise InputError(
                "ratings to import: stars hold NaN, expected numbers; drop those rows before"
            )
        return self.import_interactions(user_id, movie_id, stars, None, at_s)

    def import_interactions(
        self,
        user_id: Column,
        movie_id: Column,
        stars: Column,
        watched: Column | None,
        at_s: Column,
    ) -> int:
        """Store N interactions, all or none, and return N.

        user_id: (N,) integers or text. movie_id: (N,) integers or text. stars: (N,) numbers; NaN
        for a watch. watched: (N,) share that is watched; NaN, or None for all, where it is unknown.
        at_s: (N,) Unix seconds; equal times keep the order of the rows. A row replaces the one that
        an earlier import stored for the same user and movie.

        Raises InputError for a column that a database could not hold (see import_columns).
        """
        columns = import_columns(user_id, movie_id, stars, watched, at_s)
        num_rows = len(columns[0])
        with self._database.begin() as connection:
            if not self._database.is_sqlite:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # no request waits
            for start in range(0, num_rows, ROWS_PER_BATCH):
                batch = [column[start : start + ROWS_PER_BATCH] for column in columns]
                self._upsert(connection, batch)
        return num_rows

    def is_alive(self) -> bool:
        """Return whether the database answers and has our tables."""
        try:
            self.state_version("")
        except InputError:
            return False
        return True

    @property
    def database(self) -> Database:
        """The database, for further tables of the same process."""
        return self._database

    @property
    def address(self) -> str:
        """The URL without its password."""
        return self._database.address

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def _upsert(self, connection: sa.Connection, columns: list[list[Any]]) -> None:
        """Import the columns of one batch, with the next sequence numbers."""
        is_sqlite, expanded = self._database.is_sqlite, is_expanded(connection)
        columns = [*columns, list(self._reserve(connection, len(columns[0])))]
        if expanded:
            keys = columns[1]
            placeholder_of = {key: sql.placeholder(key) for key in set(keys)}
            columns.append([placeholder_of[key] for key in keys])
        statement = sql.upsert_ratings(is_sqlite=is_sqlite, is_expanded=expanded)
        rows = list(zip(*columns, strict=True)) if is_sqlite else tuple(columns)
        connection.exec_driver_sql(statement, rows)

    def _reserve(self, connection: sa.Connection, count: int) -> Sequence[int]:
        """Take the next sequence numbers, which both tables share; none is used twice."""
        if self._database.is_sqlite:
            last = connection.execute(sql.RESERVE_SQLITE, {"count": count}).scalar_one()
            return range(last - count + 1, last + 1)
        return connection.execute(sql.RESERVE_POSTGRESQL, {"count": count}).scalars().all()


def _event_row(event: Event, sequence: int, now_us: int) -> dict[str, Any]:
    at_us = now_us if event.at_us is None else event.at_us
    key = movie_key(event.movie_id)
    return vars(event) | {"movie_key": key, "sequence": sequence, "at_us": at_us}


def _with_movie_id(row: sa.RowMapping) -> dict[str, Any]:
    """Return a row of the database with the movie id in place of its key."""
    fields: dict[str, Any] = dict(row)
    return fields | {"movie_id": movie_of(fields.pop("movie_key"))}


def _read_events(connection: sa.Connection, event_ids: list[str]) -> dict[str, tuple[Event, int]]:
    """Read the stored events of these ids, with their sequence numbers."""
    events = {}
    for batch in _batches(event_ids, IDS_PER_QUERY):
        for row in connection.execute(sql.SELECT_EVENTS, {"event_ids": batch}).mappings():
            fields = _with_movie_id(row)
            sequence = fields.pop("sequence")
            events[fields["event_id"]] = Event(**fields), sequence
    return events


def _batches(values: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
