"""Create the log of events, which only grows.

Its counter starts after the imported rows, so that no number of `sequence` is used twice.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # which counts integers only
TELLING = "kind NOT IN ('click', 'impression')"
NEWEST = "SELECT coalesce(max(sequence), 0) + 1 FROM ratings"


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", COUNTER, sa.Identity(), primary_key=True),  # order of arrival
        sa.Column("event_id", TEXT, nullable=False, unique=True),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("movie_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("stars", sa.Float),
        sa.Column("portion", sa.Float),
        sa.Column("at_us", sa.BigInteger, nullable=False),  # Unix microseconds
        sqlite_autoincrement=True,  # the number of a deleted row is not given again
    )
    add_index("telling_events", TELLING, ["user_id", "at_us", "sequence", "kind"])
    add_index("silent_events", f"NOT ({TELLING})", ["user_id"])  # a person is deleted by it
    if op.get_context().dialect.name == "sqlite":
        op.execute(f"INSERT INTO sqlite_sequence (name, seq) SELECT 'events', ({NEWEST})")
    else:
        op.execute(f"SELECT setval(pg_get_serial_sequence('events', 'sequence'), ({NEWEST}))")


def add_index(name: str, where: str, columns: list[str]) -> None:
    part = sa.text(where)
    op.create_index(name, "events", columns, sqlite_where=part, postgresql_where=part)
