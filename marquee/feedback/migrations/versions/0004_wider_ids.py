"""Let user_id and event_id have 128 characters; SQLite never limited them.

PostgreSQL changes its catalog and writes no row again. It builds the two partial indexes of events
again, five seconds for a million events; reads and writes wait meanwhile. The change waits
two seconds for open transactions, since everything else would wait behind it; a service that starts
tries again. A service of version 0003 goes on with ids of at most 64 characters: each of its
connections fails once, where it has prepared a statement.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ID = sa.String(128, collation="C")  # another collation would write the indexes again


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    op.execute("SET LOCAL lock_timeout = '2s'")
    op.execute("SET LOCAL statement_timeout = 0")  # the indexes read every event
    op.alter_column("ratings", "user_id", type_=ID)
    op.alter_column("events", "user_id", type_=ID)
    op.alter_column("events", "event_id", type_=ID)
