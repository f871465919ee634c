"""What people rated, kept apart from any bundle: one SQLite file.

    store = EventStore("sqlite:///events.sqlite")
    store.import_ratings(user_id, movie_id, stars, timestamp)
    store.history(42)     # [(1193, 5.0, 978300760), …], oldest first

A person is text of at most 64 characters: 42 and "42" are the same person. A person has one
rating per movie, the last one imported; importing the same ratings again changes nothing.
One million ratings take 2 s on one core (4 s where they replace others) and 24 MB of disk.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert

from catalogue.columns import MAX_TIMESTAMP, Columns
from catalogue.errors import UserError
from serving.history import Rated

DEFAULT_URL = "sqlite:///events.sqlite"
MAX_USER_ID = 64
ROWS_AT_ONCE = 20_000
"""Rows handed to SQLite together: 5 MB of Python objects."""

Ids: TypeAlias = "Sequence[Any] | npt.NDArray[Any]"

_METADATA = sa.MetaData()
# Keyed by person and movie and stored in that order: a history is one short range of the file.
_RATINGS = sa.Table(
    "ratings",
    _METADATA,
    sa.Column(Columns.USER_ID, sa.String(MAX_USER_ID), primary_key=True),
    sa.Column(Columns.MOVIE_ID, sa.BigInteger, primary_key=True),
    sa.Column(Columns.STARS, sa.Float, nullable=False),
    sa.Column("at_s", sa.BigInteger, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),  # order of import, for equal times
    sqlite_with_rowid=False,
)


class EventStore:
    """Histories by person. Makes its file and table at start; processes may share the file."""

    def __init__(self, url: str = DEFAULT_URL, read_only: bool = False) -> None:
        """url: sqlite:///FILE. Raises UserError where the file cannot be made, read or written.

        read_only: nothing is made or changed, and a file that is not there is an error.
        """
        try:
            self._url = sa.make_url(url)
        except sa.exc.ArgumentError as error:
            raise UserError(f"EVENTS_URL is no database address; give {DEFAULT_URL}") from error
        if self._url.get_backend_name() != "sqlite" or self._url.database in (None, "", ":memory:"):
            raise UserError(f"EVENTS_URL {self._url!r}: expected sqlite:///FILE")
        if read_only and not Path(self._url.database).is_file():
            raise UserError(
                f"event store {self._url!r}: no such file; fill one with: "
                "python train.py import-ratings --data … --events …"
            )
        self._engine = sa.create_engine(self._url)
        sa.event.listen(self._engine, "connect", _only_read if read_only else _set_up)
        with self._sentence(), self._engine.begin() as connection:
            if not read_only:
                _METADATA.create_all(connection)
            connection.execute(sa.select(*_RATINGS.c).limit(1))  # a table of another shape

    def import_ratings(self, user_id: Ids, movie_id: Ids, stars: Ids, at_s: Ids) -> int:
        """Store N ratings, all or none, and return N.

        user_id: integers or text. stars: numbers. at_s: Unix seconds; equal times keep the order of
        the rows. A rating of a movie that the person has already rated takes its place.
        """
        users, times = _texts(user_id), np.asarray(at_s, dtype=np.int64).tolist()
        movies = np.asarray(movie_id, dtype=np.int64).tolist()
        given = np.asarray(stars, dtype=np.float64).tolist()
        if not len(users) == len(movies) == len(given) == len(times):
            raise UserError("user_id, movie_id, stars and at_s differ in length; one per rating")
        if not np.isfinite(given).all():
            raise UserError("a rating has NaN for stars; drop it before the import")
        if times and not 0 <= min(times) <= max(times) < MAX_TIMESTAMP:
            raise UserError(
                f"times from {min(times)} to {max(times)}, needed seconds since 1970; convert them"
            )
        with self._sentence(), self._engine.begin() as connection:
            newest = connection.scalar(sa.select(sa.func.max(_RATINGS.c.sequence)))
            first = 0 if newest is None else newest + 1
            order = range(first, first + len(users))
            rows = list(zip(users, movies, given, times, order, strict=True))
            for start in range(0, len(rows), ROWS_AT_ONCE):
                connection.exec_driver_sql(_UPSERT, rows[start : start + ROWS_AT_ONCE])
        return len(users)

    def history(self, user_id: int | str) -> list[Rated]:
        """(movie_id, stars, Unix seconds) of one person, oldest first; [] for who is not known."""
        with self._sentence(), self._engine.connect() as connection:
            rows = connection.execute(_HISTORY, {"person": str(user_id)}).all()
        return [(row[0], row[1], row[2]) for row in rows]

    def ranges(self, num_persons: int) -> Iterator[tuple[str, str]]:
        """The first and the last user_id of every `num_persons` persons, in the store's order.

        Streamed: a million persons take 10 MB at once, not their ratings' memory.
        """
        with self._sentence(), self._engine.connect() as connection:
            stream = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(_PERSONS)
            persons = stream.scalars()
            while part := list(islice(persons, num_persons)):
                yield part[0], part[-1]

    def histories(self, first: str, last: str) -> Iterator[tuple[str, list[Rated]]]:
        """(user_id, what `history` gives) of every person from `first` to `last`, in one query."""
        with self._sentence(), self._engine.connect() as connection:
            rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
                _HISTORIES, {"first": first, "last": last}
            )
            for user_id, ratings in groupby(rows, key=itemgetter(0)):
                yield user_id, [(row[1], row[2], row[3]) for row in ratings]

    @property
    def address(self) -> str:
        """The URL without its password."""
        return repr(self._url)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _sentence(self) -> Iterator[None]:
        """Turn what SQLite says into a sentence that names the store, without its password."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise UserError(
                f"event store {self._url!r}: {error.orig}; "
                "EVENTS_URL must name a SQLite file in a folder that exists and can be written"
            ) from error


_HISTORY = (
    sa.select(_RATINGS.c.movie_id, _RATINGS.c.stars, _RATINGS.c.at_s)
    .where(_RATINGS.c.user_id == sa.bindparam("person"))
    .order_by(_RATINGS.c.at_s, _RATINGS.c.sequence)
)
_HISTORIES = (
    sa.select(_RATINGS.c.user_id, _RATINGS.c.movie_id, _RATINGS.c.stars, _RATINGS.c.at_s)
    .where(_RATINGS.c.user_id.between(sa.bindparam("first"), sa.bindparam("last")))
    .order_by(_RATINGS.c.user_id, _RATINGS.c.at_s, _RATINGS.c.sequence)
)
_PERSONS = sa.select(_RATINGS.c.user_id).distinct().order_by(_RATINGS.c.user_id)
_INSERT = insert(_RATINGS)
# As text for the driver: through SQLAlchemy's parameter dictionaries a million rows take 10 s.
_UPSERT = str(
    _INSERT.on_conflict_do_update(
        index_elements=[_RATINGS.c.user_id, _RATINGS.c.movie_id],
        set_={name: _INSERT.excluded[name] for name in (Columns.STARS, "at_s")},
    ).compile(dialect=sqlite.dialect(paramstyle="qmark"))
)


def _texts(user_id: Ids) -> list[str]:
    users = [str(user) for user in np.asarray(user_id, dtype=object).tolist()]
    for user in users:
        if not 1 <= len(user) <= MAX_USER_ID:
            raise UserError(f"user_id {user[:80]!r}: {len(user)} characters, expected 1 to 64")
    return users


def _set_up(connection: Any, _: object) -> None:
    """Readers never wait for a writer; a second writer waits up to 5 s."""
    for setting in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {setting}")


def _only_read(connection: Any, _: object) -> None:
    for setting in ("query_only=ON", "busy_timeout=5000"):
        connection.execute(f"PRAGMA {setting}")
