"""What people rated and did, kept apart from any bundle: a SQLite file, or PostgreSQL.

    store = EventStore("sqlite:///events.sqlite")
    store.import_ratings(user_id, movie_id, stars, timestamp)
    store.add([Event("e-1", "42", 1193, "rating", 5.0, None, 978_300_760_000_000)])
    store.known(42).entries     # ((1193, 5.0, None, 978300760000000), …), oldest first

A person is text of at most 64 characters: 42 and "42" are the same person. Ratings of a data set
are imported, one row a person and movie; what people do after that is a log of events, which is
only added to, and marquee/feedback/user_state.py says what it adds up to. What `add` has acknowledged is on
disk. One million ratings take 2.5 s of CPU on SQLite and 24 MB of disk; on PostgreSQL 9 s of CPU
here and more there.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, cast

import sqlalchemy as sa

from marquee.core.errors import InputError
from marquee.feedback.database import Database
from marquee.feedback.errors import DEFAULT_URL
from marquee.feedback.event_constraints import Ids, ratings_to_store, refuse_unstorable
from marquee.feedback.events import KINDS, SECOND, Event
from marquee.feedback.user_state import Known, Row, fold

__all__ = ["KINDS", "Added", "Event", "EventStore", "Known"]

ROWS_AT_ONCE = 20_000
"""Imported ratings handed to the database together: 5 MB of Python objects."""
IDS_AT_ONCE = 1000
"""Events looked up together: a query has a largest number of parameters."""


@dataclass(frozen=True)
class Added:
    """What became of a list of events."""

    accepted: int
    duplicates: int
    """Stored before, or earlier in the list, with the same content."""
    conflicts: tuple[int, ...]
    """Places in the list of events whose id belongs to another content; then none was stored."""


class EventStore:
    """Histories by person. Makes or migrates its tables at start; processes may share it."""

    def __init__(self, url: str = DEFAULT_URL, read_only: bool = False) -> None:
        """url: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE.

        Raises InputError where a file cannot be made, read or written, and where a table is not
        ours; a PostgreSQL that is away is waited for. Every method raises StoreUnavailable while the
        database cannot be asked. read_only: nothing is made or changed, and a file that is not
        there is an error.
        """
        self._database = Database(url, read_only)

    def add(self, events: Sequence[Event]) -> Added:
        """Store events, all or none; when this returns they are on disk.

        The same event sent again changes nothing. An id that belongs to another content is a
        conflict, and then nothing at all is stored. Raises InputError for an event that no database
        could hold.
        """
        for event in events:
            refuse_unstorable(event)
        fresh: dict[str, Event] = {}
        for event in events:
            fresh.setdefault(event.event_id, event)
        with self._database.begin() as connection:
            numbers = dict(zip(fresh, self._reserve(connection, len(fresh)), strict=True))
            # Sorted: two writers of the same events wait for each other in one direction only.
            rows = [vars(fresh[name]) | {"sequence": numbers[name]} for name in sorted(fresh)]
            for part in _parts(rows):
                connection.execute(_ADD, part)
            stored = _stored(connection, list(fresh))
            conflicts = tuple(
                n
                for n, event in enumerate(events)
                # Not there: stored before, and deleted with its person in this moment.
                if event.event_id in stored and stored[event.event_id][0] != event
            )
            if conflicts:
                connection.rollback()
                return Added(0, 0, conflicts)
        accepted = sum(number == numbers[name] for name, (_, number) in stored.items())
        return Added(accepted, len(events) - accepted, ())

    def known(self, user_id: int | str) -> Known:
        """What a person's ratings and events add up to; Known() for who is not known."""
        with self._database.begin() as connection:
            rows = connection.execute(_KNOWN, {"person": str(user_id)}).all()
        return fold(cast(Iterable[Row], rows))

    def mark(self, user_id: int | str) -> tuple[int, int]:
        """The newest number and the count of what `known` reads: another whenever that changes.

        Read from indexes alone. (0, 0) for who is not known; after a deletion no mark comes back.
        """
        with self._database.begin() as connection:
            newest, count = connection.execute(_MARK, {"person": str(user_id)}).one()
        return int(newest), int(count)

    def delete(self, user_id: int | str) -> int:
        """Remove all that is stored of a person, and return the number of rows."""
        with self._database.begin() as connection:
            return sum(
                connection.execute(one, {"person": str(user_id)}).rowcount for one in _DELETE
            )

    def ranges(self, num_users: int) -> Iterator[tuple[str, str]]:
        """The first and the last user_id of every `num_users` persons, in the store's order.

        Streamed: a million persons take 10 MB at once, not their ratings' memory.
        """
        with self._database.begin() as connection:
            stream = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(_PERSONS)
            persons = stream.scalars()
            while part := list(islice(persons, num_users)):
                yield part[0], part[-1]

    def histories(self, first: str, last: str) -> Iterator[tuple[str, Known]]:
        """(user_id, what `known` gives) of every person from `first` to `last`, in one query."""
        with self._database.begin() as connection:
            rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
                _HISTORIES, {"first": first, "last": last}
            )
            for user_id, theirs in groupby(rows, key=itemgetter(0)):
                yield user_id, fold(cast(Iterable[Row], theirs))

    def import_ratings(self, user_id: Ids, movie_id: Ids, stars: Ids, at_s: Ids) -> int:
        """Store N ratings, all or none, and return N.

        user_id: integers or text. stars: numbers. at_s: Unix seconds; equal times keep the order of
        the rows. A rating of a movie that an import has brought before takes its place.
        """
        rows = ratings_to_store(user_id, movie_id, stars, at_s)
        with self._database.begin() as connection:
            if not self._database.is_sqlite:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")  # no request waits
            for start in range(0, len(rows), ROWS_AT_ONCE):
                part = rows[start : start + ROWS_AT_ONCE]
                numbers = self._reserve(connection, len(part))
                numbered = [(*row, n) for row, n in zip(part, numbers, strict=True)]
                if self._database.is_sqlite:
                    connection.exec_driver_sql(_UPSERT_SQLITE, numbered)
                else:
                    columns = tuple(map(list, zip(*numbered, strict=True)))
                    connection.exec_driver_sql(_UPSERT_POSTGRESQL, columns)
        return len(rows)

    def alive(self) -> bool:
        """Whether the database answers, and has our tables."""
        try:
            self.mark("")
        except InputError:
            return False
        return True

    @property
    def address(self) -> str:
        """The URL without its password."""
        return self._database.address

    def close(self) -> None:
        self._database.close()

    def _reserve(self, connection: sa.Connection, n: int) -> Sequence[int]:
        """The next n numbers of arrival, of both tables; none is ever given twice."""
        if self._database.is_sqlite:
            last = connection.execute(_COUNT_SQLITE, {"n": n}).scalar_one()
            return range(last - n + 1, last + 1)
        return connection.execute(_COUNT_POSTGRESQL, {"n": n}).scalars().all()


# One text for both databases. Rows of `ratings` are events like others, but for their unit of time.
TELLING = "kind NOT IN ('click', 'impression')"
"""As the index of migration 0002 has it."""
_ROWS = f"""
    SELECT user_id, movie_id, 'rating' AS kind, stars, CAST(NULL AS DOUBLE PRECISION) AS portion,
           at_s * {SECOND} AS at_us, sequence
    FROM ratings WHERE user_id {{whose}}
    UNION ALL
    SELECT user_id, movie_id, kind, stars, portion, at_us, sequence
    FROM events WHERE user_id {{whose}} AND {TELLING}
    ORDER BY user_id, at_us, sequence
"""
_KNOWN = sa.text(_ROWS.format(whose="= :person"))
_HISTORIES = sa.text(_ROWS.format(whose="BETWEEN :first AND :last"))
_MARK = sa.text(f"""
    SELECT coalesce(max(newest), 0), sum(n) FROM (
        SELECT max(sequence) AS newest, count(*) AS n FROM ratings WHERE user_id = :person
        UNION ALL
        SELECT max(sequence), count(*) FROM events WHERE user_id = :person AND {TELLING}
    ) AS of_each
""")
_PERSONS = sa.text(f"""
    SELECT user_id FROM ratings UNION SELECT user_id FROM events WHERE {TELLING} ORDER BY user_id
""")
_DELETE = [
    sa.text(f"DELETE FROM {rows} AND user_id = :person")
    for rows in ("ratings WHERE true", f"events WHERE {TELLING}", f"events WHERE NOT ({TELLING})")
]
_ADD = sa.text("""
    INSERT INTO events (event_id, user_id, movie_id, kind, stars, portion, at_us, sequence)
    VALUES (:event_id, :user_id, :movie_id, :kind, :stars, :portion, :at_us, :sequence)
    ON CONFLICT (event_id) DO NOTHING
""")
_FIND = sa.text("""
    SELECT event_id, user_id, movie_id, kind, stars, portion, at_us, sequence
    FROM events WHERE event_id IN :ids
""").bindparams(sa.bindparam("ids", expanding=True))
_COUNT_SQLITE = sa.text(
    "UPDATE sqlite_sequence SET seq = seq + :n WHERE name = 'events' RETURNING seq"
)
_COUNT_POSTGRESQL = sa.text("""
    SELECT nextval((SELECT CAST(pg_get_serial_sequence('events', 'sequence') AS regclass)))
    FROM generate_series(1, CAST(:n AS bigint))
""")
# For the driver itself: through SQLAlchemy's parameter dictionaries a million rows take 10 s. What
# comes again unchanged keeps its number, so that it keeps its place among equal times.
_UPSERT = """
    INSERT INTO ratings (user_id, movie_id, stars, at_s, sequence) {rows}
    ON CONFLICT (user_id, movie_id) DO UPDATE
    SET stars = excluded.stars, at_s = excluded.at_s, sequence = excluded.sequence
    WHERE (ratings.stars, ratings.at_s) <> (excluded.stars, excluded.at_s)
"""
_UPSERT_SQLITE = _UPSERT.format(rows="VALUES (?, ?, ?, ?, ?)")
# Arrays take 0.4 of the CPU of as many single rows. Of a film given twice the last one counts.
_UPSERT_POSTGRESQL = _UPSERT.format(
    rows="""SELECT DISTINCT ON (user_id, movie_id) * FROM unnest(
        %s::text[], %s::bigint[], %s::double precision[], %s::bigint[], %s::bigint[]
    ) AS given (user_id, movie_id, stars, at_s, n) ORDER BY user_id, movie_id, n DESC"""
)


def _stored(connection: sa.Connection, ids: list[str]) -> dict[str, tuple[Event, int]]:
    """What the log holds under these ids, and its number there."""
    rows = (row for part in _parts(ids) for row in connection.execute(_FIND, {"ids": part}))
    return {row[0]: (Event(*row[:7]), row[7]) for row in rows}


def _parts(things: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(things), IDS_AT_ONCE):
        yield things[start : start + IDS_AT_ONCE]
