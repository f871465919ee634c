"""The statements of the event store: one text for both databases wherever that is possible.

A row of `ratings` is an event of kind "rating", but its time is in seconds.
"""

import sqlalchemy as sa

from marquee.core.times import MICROS_PER_SECOND
from marquee.feedback.event_schema import STATELESS_KINDS
from marquee.feedback.user_state import StoredEvent

CHANGES_STATE = f"kind NOT IN {STATELESS_KINDS}"
"""The condition of an index of migration 0002, word for word, so that queries use that index."""
_RATING_AS_EVENT = {
    "kind": "'rating' AS kind",
    "watched": "CAST(NULL AS DOUBLE PRECISION) AS watched",
    "at_us": f"at_s * {MICROS_PER_SECOND} AS at_us",
}
"""Column of `events` -> what a row of `ratings` has instead."""
_SELECT_ROWS = f"""
    SELECT {", ".join(_RATING_AS_EVENT.get(name, name) for name in StoredEvent._fields)}
    FROM ratings WHERE user_id {{users}}
    UNION ALL
    SELECT {", ".join(StoredEvent._fields)}
    FROM events WHERE user_id {{users}} AND {CHANGES_STATE}
    ORDER BY user_id, at_us, sequence
"""
SELECT_USER = sa.text(_SELECT_ROWS.format(users="= :user_id"))
SELECT_USERS = sa.text(_SELECT_ROWS.format(users="BETWEEN :first AND :last"))
SELECT_USER_ROWS = sa.text("""
    SELECT CAST(NULL AS TEXT) AS event_id, movie_id, 'rating' AS kind, stars,
        CAST(NULL AS DOUBLE PRECISION) AS watched, at_s * 1000000 AS at_us, sequence
    FROM ratings WHERE user_id = :user_id
    UNION ALL
    SELECT event_id, movie_id, kind, stars, watched, at_us, sequence
    FROM events WHERE user_id = :user_id
    ORDER BY at_us, sequence
""")
SELECT_STATE_VERSION = sa.text(f"""
    SELECT coalesce(max(newest), 0), sum(n) FROM (
        SELECT max(sequence) AS newest, count(*) AS n FROM ratings WHERE user_id = :user_id
        UNION ALL
        SELECT max(sequence), count(*) FROM events WHERE user_id = :user_id AND {CHANGES_STATE}
    ) AS tables
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
    )
]
INSERT_EVENTS = sa.text("""
    INSERT INTO events (event_id, user_id, movie_id, kind, stars, watched, at_us, sequence)
    VALUES (:event_id, :user_id, :movie_id, :kind, :stars, :watched, :at_us, :sequence)
    ON CONFLICT (event_id) DO NOTHING
""")
SELECT_EVENTS = sa.text("""
    SELECT event_id, user_id, movie_id, kind, stars, watched, at_us, sequence
    FROM events WHERE event_id IN :event_ids
""").bindparams(sa.bindparam("event_ids", expanding=True))
RESERVE_SQLITE = sa.text(
    "UPDATE sqlite_sequence SET seq = seq + :count WHERE name = 'events' RETURNING seq"
)
RESERVE_POSTGRESQL = sa.text("""
    SELECT nextval((SELECT CAST(pg_get_serial_sequence('events', 'sequence') AS regclass)))
    FROM generate_series(1, CAST(:count AS bigint))
""")
# For the driver itself: through SQLAlchemy's parameter dictionaries a million rows take 10 s. A row
# that comes again unchanged keeps its number, and so its place among equal times.
_UPSERT_RATINGS = """
    INSERT INTO ratings (user_id, movie_id, stars, at_s, sequence) {rows}
    ON CONFLICT (user_id, movie_id) DO UPDATE
    SET stars = excluded.stars, at_s = excluded.at_s, sequence = excluded.sequence
    WHERE (ratings.stars, ratings.at_s) <> (excluded.stars, excluded.at_s)
"""
UPSERT_RATINGS_SQLITE = _UPSERT_RATINGS.format(rows="VALUES (?, ?, ?, ?, ?)")
# Arrays take 0.4 of the CPU of as many single rows. Of a movie rated twice the last row counts.
UPSERT_RATINGS_POSTGRESQL = _UPSERT_RATINGS.format(
    rows="""SELECT DISTINCT ON (user_id, movie_id) * FROM unnest(
        %s::text[], %s::bigint[], %s::double precision[], %s::bigint[], %s::bigint[]
    ) AS ratings_to_add (user_id, movie_id, stars, at_s, n) ORDER BY user_id, movie_id, n DESC"""
)
