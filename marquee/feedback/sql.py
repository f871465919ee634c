"""The statements of the event store: one text for both databases wherever that is possible.

A row of `ratings` is imported: an event of kind "rating", or without stars of kind "watch". The
views of migration 0005 read both tables as events, in an expanded and in a contracted store.
"""

import hashlib

import sqlalchemy as sa

from marquee.feedback.event_schema import STATELESS_KINDS

CHANGES_STATE = f"kind NOT IN {STATELESS_KINDS}"
"""The condition of an index of migration 0002, word for word, so that queries use that index."""
STATE_FIELDS = "user_id, movie_key, kind, stars, watched, at_us, sequence"
"""The fields of a StoredEvent, in its order."""
_SELECT_ROWS = f"""
    SELECT {STATE_FIELDS} FROM stored_ratings WHERE user_id {{users}}
    UNION ALL
    SELECT {STATE_FIELDS} FROM stored_events WHERE user_id {{users}} AND {CHANGES_STATE}
    ORDER BY user_id, at_us, sequence
"""
SELECT_USER = sa.text(_SELECT_ROWS.format(users="= :user_id"))
SELECT_USERS = sa.text(_SELECT_ROWS.format(users="BETWEEN :first AND :last"))
SELECT_USER_ROWS = sa.text("""
    SELECT CAST(NULL AS TEXT) AS event_id, movie_key, kind, stars, watched, at_us, sequence
    FROM stored_ratings WHERE user_id = :user_id
    UNION ALL
    SELECT event_id, movie_key, kind, stars, watched, at_us, sequence
    FROM stored_events WHERE user_id = :user_id
    ORDER BY at_us, sequence
""")
SELECT_STATE_VERSION = sa.text(f"""
    SELECT coalesce(max(newest), 0), sum(n) FROM (
        SELECT max(sequence) AS newest, count(*) AS n FROM ratings WHERE user_id = :user_id
        UNION ALL
        SELECT max(sequence), count(*) FROM events WHERE user_id = :user_id AND {CHANGES_STATE}
        UNION ALL
        SELECT NULL, count(*) FROM user_settings WHERE user_id = :user_id AND NOT personalized
    ) AS tables
""")
SELECT_PERSONALIZED = sa.text("SELECT personalized FROM user_settings WHERE user_id = :user_id")
SELECT_UNPERSONALIZED = sa.text("""
    SELECT user_id FROM user_settings WHERE user_id BETWEEN :first AND :last AND NOT personalized
""")
SELECT_LATEST_USERS = sa.text("""
    SELECT DISTINCT user_id FROM (SELECT user_id FROM events ORDER BY sequence DESC LIMIT :rows)
        AS latest LIMIT :count
""")
SELECT_SOME_USERS = sa.text("""
    SELECT DISTINCT user_id FROM (SELECT user_id FROM ratings LIMIT :rows) AS some LIMIT :count
""")
SELECT_USER_IDS = sa.text(f"""
    SELECT user_id FROM ratings UNION SELECT user_id FROM events WHERE {CHANGES_STATE}
    ORDER BY user_id
""")
DELETE_USER = [
    sa.text(f"DELETE FROM {rows} AND user_id = :user_id")
    for rows in (
        "ratings WHERE true",
        f"events WHERE {CHANGES_STATE}",
        f"events WHERE NOT ({CHANGES_STATE})",
        "user_settings WHERE true",
    )
]
INSERT_EVENTS = sa.text("""
    INSERT INTO events (event_id, user_id, movie_key, kind, stars, watched, at_us, sequence)
    VALUES (:event_id, :user_id, :movie_key, :kind, :stars, :watched, :at_us, :sequence)
    ON CONFLICT (event_id) DO NOTHING
""")
SELECT_EVENTS = sa.text("""
    SELECT event_id, user_id, movie_key, kind, stars, watched, at_us, sequence
    FROM stored_events WHERE event_id IN :event_ids
""").bindparams(sa.bindparam("event_ids", expanding=True))
RESERVE_SQLITE = sa.text(
    "UPDATE sqlite_sequence SET seq = seq + :count WHERE name = 'events' RETURNING seq"
)
RESERVE_POSTGRESQL = sa.text("""
    SELECT nextval((SELECT CAST(pg_get_serial_sequence('events', 'sequence') AS regclass)))
    FROM generate_series(1, CAST(:count AS bigint))
""")

IMPORT_COLUMNS = {
    "user_id": "text",
    "movie_key": "text",
    "stars": "double precision",
    "watched": "double precision",
    "at_s": "bigint",
    "sequence": "bigint",
    "movie_id": "bigint",
}
"""Columns of an import and their types in PostgreSQL; the last while the store is expanded."""


def upsert_ratings(*, is_sqlite: bool, is_expanded: bool) -> str:
    """Return the statement that imports rows; of repeats the last row counts.

    It is for the driver itself: through SQLAlchemy's parameter dictionaries a million rows take
    10 s. SQLite takes rows. PostgreSQL takes arrays, with 0.4 of the CPU of as many single rows. A
    row that comes again unchanged keeps its number, and so its place among equal times.
    """
    columns = list(IMPORT_COLUMNS)[: None if is_expanded else -1]
    names, key = ", ".join(columns), f"user_id, {'movie_id' if is_expanded else 'movie_key'}"
    if is_sqlite:
        rows, differs = f"VALUES ({', '.join('?' * len(columns))})", "IS NOT"
    else:
        arrays = ", ".join(f"%s::{IMPORT_COLUMNS[column]}[]" for column in columns)
        rows = (
            f"SELECT DISTINCT ON ({key}) * FROM unnest({arrays}) AS rows_to_add ({names}) "
            f"ORDER BY {key}, sequence DESC"
        )
        differs = "IS DISTINCT FROM"
    return f"""
        INSERT INTO ratings ({names}) {rows}
        ON CONFLICT ({key}) DO UPDATE SET stars = excluded.stars, watched = excluded.watched,
            at_s = excluded.at_s, sequence = excluded.sequence
        WHERE (ratings.stars, ratings.watched, ratings.at_s)
            {differs} (excluded.stars, excluded.watched, excluded.at_s)
    """


def placeholder(movie_key: str) -> int:
    """Return what an expanded store has as the integer `movie_id` of an imported row.

    The integer itself; of a text id 62 bits of BLAKE2b, so that two of one user's titles meet once
    in 10^18 pairs, below every id that counts up from 0.
    """
    if movie_key[0] != '"':
        return int(movie_key)
    digest = hashlib.blake2b(movie_key.encode(), digest_size=8).digest()
    return -(2**62) - int.from_bytes(digest) % 2**62
