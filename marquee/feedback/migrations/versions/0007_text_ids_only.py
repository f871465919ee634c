"""Contract: drop the integer `movie_id`; `movie_key` is the id, and part of the ratings' key.

A new store is made so. An existing one is contracted by `marquee events migrate --contract`, once
no service of version 0004 runs: such a service fails from now on, and does not start. It fills
every `movie_key` before. On PostgreSQL it has also built the index and proved that no `movie_key`
is missing, so that the change of the catalog here takes milliseconds. SQLite writes the ratings and
the events again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

VIEWS = {
    "stored_events": """
        SELECT event_id, user_id, movie_key, kind, stars, watched, at_us, sequence FROM events""",
    "stored_ratings": """
        SELECT user_id, movie_key, CASE WHEN stars IS NULL THEN 'watch' ELSE 'rating' END AS kind,
            stars, CASE WHEN stars IS NULL THEN watched END AS watched,
            at_s * 1000000 AS at_us, sequence FROM ratings""",
}
SQLITE_RATINGS = """
    CREATE TABLE ratings_new (
        user_id VARCHAR(128) NOT NULL, movie_key TEXT NOT NULL, stars FLOAT, watched FLOAT,
        at_s BIGINT NOT NULL, sequence BIGINT NOT NULL, PRIMARY KEY (user_id, movie_key)
    ) WITHOUT ROWID"""
COLUMNS = "user_id, movie_key, stars, watched, at_s, sequence"


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        contract_postgresql()
    else:
        contract_sqlite()
    op.execute("UPDATE alembic_version SET version_num = '0007'")


def contract_postgresql() -> None:
    op.execute("SET LOCAL statement_timeout = 0")
    # All at once, and shorter than PostgreSQL's deadlock_timeout: no reader is ever chosen to fail.
    op.execute("SET LOCAL lock_timeout = '100ms'")
    op.execute("LOCK TABLE ratings, events, stored_ratings, stored_events")
    op.execute(
        "CREATE UNIQUE INDEX IF NOT EXISTS ratings_movie_key "
        "ON ratings (user_id, movie_key) INCLUDE (sequence)"
    )
    key = sa.inspect(op.get_bind()).get_pk_constraint("ratings")["name"]
    for view, query in VIEWS.items():
        op.execute(f"CREATE OR REPLACE VIEW {view} AS {query}")
    for table in ("events", "ratings"):
        op.execute(f"DROP TRIGGER marquee_fill_movie ON {table}")
        op.alter_column(table, "movie_key", nullable=False)
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS movie_key_present")
    op.execute("DROP FUNCTION marquee_fill_movie()")
    op.execute(
        f'ALTER TABLE ratings DROP CONSTRAINT "{key}", '
        "ADD CONSTRAINT ratings_pkey PRIMARY KEY USING INDEX ratings_movie_key"
    )
    for table in ("events", "ratings"):
        op.drop_column(table, "movie_id")


def contract_sqlite() -> None:
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    for trigger in ("events_movie_key", "events_movie_id", "ratings_movie_key"):
        op.execute(f"DROP TRIGGER {trigger}")
    op.execute("ALTER TABLE events DROP COLUMN movie_id")
    op.execute(SQLITE_RATINGS)
    op.execute(
        f"INSERT INTO ratings_new ({COLUMNS}) SELECT {COLUMNS} FROM ratings "
        "ORDER BY user_id, movie_key"
    )
    op.execute("DROP TABLE ratings")
    op.execute("ALTER TABLE ratings_new RENAME TO ratings")
    for view, query in VIEWS.items():
        op.execute(f"CREATE VIEW {view} AS {query}")
