"""Expand: the catalog as it is now, its rules, its audit, and the settings of users.

Every table is new, so nothing waits and no row is written again. A service of version 0005 that
runs goes on: it reads and adds events. It refuses to import interactions, because it takes 0006 for
the contracted form of the tables, which is 0007 now. Erasing a user there leaves the user's
settings; erase them again in a new service. Version 0004 goes on as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.String(128).with_variant(sa.String(128, collation="C"), "postgresql")
COUNTER = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # which counts integers only


def upgrade() -> None:
    op.create_table(
        "catalog_state",  # one row, locked by each writer
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO catalog_state (version) VALUES (0)")
    op.create_table(
        "catalog_movies",
        sa.Column("movie_key", KEY, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),  # JSON
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("added_us", sa.BigInteger, nullable=False),  # Unix microseconds
        sa.Column("changed_us", sa.BigInteger, nullable=False),
    )
    op.create_index("catalog_movies_version", "catalog_movies", ["version", "movie_key"])
    op.create_table(
        "catalog_rules",
        sa.Column("name", ID, primary_key=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("is_deleted", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "catalog_audit",
        sa.Column("id", COUNTER, sa.Identity(), primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("actor", ID, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("subject", KEY, nullable=False),
        sa.Column("before", sa.Text),
        sa.Column("after", sa.Text),
        sqlite_autoincrement=True,  # the number of a deleted row is not given again
    )
    op.create_index("catalog_audit_subject", "catalog_audit", ["subject", "id"])
    op.create_table(
        "user_settings",
        sa.Column("user_id", ID, primary_key=True),
        sa.Column("personalized", sa.Boolean, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
    )
