"""Expand: `movie_key`, the id of a movie as JSON, beside the integer `movie_id`.

Services of version 0004 go on, and start: they write and read `movie_id`. A trigger writes the
column that a service does not name. A text id has no integer: `movie_id` is NULL in events, and in
ratings, where it is part of the key, a number made of the text (sql.placeholder). An old service
takes both for a title that it does not know.

`ratings` also holds imported watches from now on: a row without stars, with the watched share.

PostgreSQL changes its catalog and writes no row again: rows of before have no `movie_key` until
`marquee events migrate` fills it, and the views read `movie_id` meanwhile. The change waits two
seconds for open transactions, as 0004 does. SQLite writes its tables again: five seconds for a
million events, while other writers wait.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

KEY = sa.Text(collation="C")
FILL_MISSING_COLUMN = """
    CREATE FUNCTION marquee_fill_movie() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.movie_key IS NULL THEN
            NEW.movie_key := CAST(NEW.movie_id AS text);
        ELSIF NEW.movie_id IS NULL AND left(NEW.movie_key, 1) <> '"' THEN
            NEW.movie_id := CAST(NEW.movie_key AS bigint);
        END IF;
        RETURN NEW;
    END $$
"""
SQLITE_TABLES = {
    "events": """
        CREATE TABLE events_new (
            sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
            event_id VARCHAR(128) NOT NULL UNIQUE, user_id VARCHAR(128) NOT NULL,
            movie_id BIGINT, kind VARCHAR(16) NOT NULL, stars FLOAT, watched FLOAT,
            at_us BIGINT NOT NULL, movie_key TEXT
        )""",
    "ratings": """
        CREATE TABLE ratings_new (
            user_id VARCHAR(128) NOT NULL, movie_id BIGINT NOT NULL, stars FLOAT,
            at_s BIGINT NOT NULL, sequence BIGINT NOT NULL, movie_key TEXT, watched FLOAT,
            PRIMARY KEY (user_id, movie_id)
        ) WITHOUT ROWID""",
}
COLUMNS = {
    "events": "sequence, event_id, user_id, movie_id, kind, stars, watched, at_us",
    "ratings": "user_id, movie_id, stars, at_s, sequence",
}
STATE = "kind NOT IN ('click', 'impression')"
SQLITE_TRIGGERS = [
    """CREATE TRIGGER events_movie_key AFTER INSERT ON events WHEN NEW.movie_key IS NULL BEGIN
        UPDATE events SET movie_key = CAST(movie_id AS TEXT) WHERE sequence = NEW.sequence; END""",
    """CREATE TRIGGER events_movie_id AFTER INSERT ON events
        WHEN NEW.movie_id IS NULL AND substr(NEW.movie_key, 1, 1) <> '"' BEGIN
        UPDATE events SET movie_id = CAST(movie_key AS INTEGER) WHERE sequence = NEW.sequence;
    END""",
    """CREATE TRIGGER ratings_movie_key AFTER INSERT ON ratings WHEN NEW.movie_key IS NULL BEGIN
        UPDATE ratings SET movie_key = CAST(movie_id AS TEXT)
        WHERE user_id = NEW.user_id AND movie_id = NEW.movie_id; END""",
]
VIEWS = [
    """CREATE VIEW stored_events AS
        SELECT event_id, user_id, coalesce(movie_key, CAST(movie_id AS TEXT)) AS movie_key,
            kind, stars, watched, at_us, sequence FROM events""",
    """CREATE VIEW stored_ratings AS
        SELECT user_id, coalesce(movie_key, CAST(movie_id AS TEXT)) AS movie_key,
            CASE WHEN stars IS NULL THEN 'watch' ELSE 'rating' END AS kind, stars,
            CASE WHEN stars IS NULL THEN watched END AS watched,
            at_s * 1000000 AS at_us, sequence FROM ratings""",
]


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        expand_postgresql()
    else:
        expand_sqlite()
    for view in VIEWS:
        op.execute(view)
    record_old_version()


def expand_postgresql() -> None:
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("LOCK TABLE ratings, events")  # in the order in which services read them
    for table in ("events", "ratings"):
        op.add_column(table, sa.Column("movie_key", KEY))
    op.add_column("ratings", sa.Column("watched", sa.Float))
    op.alter_column("events", "movie_id", nullable=True)
    op.alter_column("ratings", "stars", nullable=True)
    op.execute(FILL_MISSING_COLUMN)
    for table, missing in (
        ("events", "NEW.movie_key IS NULL OR NEW.movie_id IS NULL"),
        ("ratings", "NEW.movie_key IS NULL"),
    ):
        op.execute(
            f"CREATE TRIGGER marquee_fill_movie BEFORE INSERT ON {table} FOR EACH ROW "
            f"WHEN ({missing}) EXECUTE FUNCTION marquee_fill_movie()"
        )


def expand_sqlite() -> None:
    for table, columns in COLUMNS.items():
        op.execute(SQLITE_TABLES[table])
        op.execute(
            f"INSERT INTO {table}_new ({columns}, movie_key) "
            f"SELECT {columns}, CAST(movie_id AS TEXT) FROM {table}"
        )
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'events_new'")
    op.execute("UPDATE sqlite_sequence SET name = 'events_new' WHERE name = 'events'")
    for table in COLUMNS:
        op.execute(f"DROP TABLE {table}")
        op.execute(f"ALTER TABLE {table}_new RENAME TO {table}")
    state_key = ["user_id", "at_us", "sequence", "kind"]
    op.create_index("telling_events", "events", state_key, sqlite_where=sa.text(STATE))
    op.create_index("silent_events", "events", ["user_id"], sqlite_where=sa.text(f"NOT ({STATE})"))
    for trigger in SQLITE_TRIGGERS:
        op.execute(trigger)


def record_old_version() -> None:
    """Let services of version 0004 start: they read this table."""
    op.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
    op.execute("DELETE FROM alembic_version")
    op.execute("INSERT INTO alembic_version (version_num) VALUES ('0004')")
