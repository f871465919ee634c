"""Create the table of imported ratings: one row per user and movie. An existing table stays."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# PostgreSQL would sort text by the rules of a language; Python and SQLite sort by code point.
PERSON = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("ratings"):  # stores were without versions once
        op.execute("SELECT user_id, movie_id, stars, at_s, sequence FROM ratings LIMIT 1")
        return
    # Keyed by person and movie, in SQLite stored in that order: a history is one short range.
    op.create_table(
        "ratings",
        sa.Column("user_id", PERSON, nullable=False),
        sa.Column("movie_id", sa.BigInteger, nullable=False),
        sa.Column("stars", sa.Float, nullable=False),
        sa.Column("at_s", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),  # of import, for equal times
        sa.PrimaryKeyConstraint("user_id", "movie_id", postgresql_include=["sequence"]),
        sqlite_with_rowid=False,
    )
