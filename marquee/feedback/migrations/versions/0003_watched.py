"""Rename the column portion to watched, and the kind not_for_me to not_interested.

Only values change and no partial index names either word, so both indexes stay as they are. Ten
million events take a few seconds. A service of an older version fails from now on: stop it first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

RENAME_KIND = sa.text("UPDATE events SET kind = 'not_interested' WHERE kind = 'not_for_me'")


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # the update reads every event
    op.execute("ALTER TABLE events RENAME COLUMN portion TO watched")
    op.execute(RENAME_KIND)
